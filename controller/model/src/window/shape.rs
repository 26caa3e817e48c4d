//! Windows as JSON: what is read back passes the same checks as what was made.

use super::{Exclusion, Schedule, ScheduleError, Window, WindowError, Windows, Zone};
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// [`Windows`] as JSON has them; the checks of [`Windows::new`] follow.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WindowsShape {
    windows: Vec<Window>,
    exclusions: Vec<Exclusion>,
}

/// [`Window`] as JSON has it; the checks of [`Window::new`] follow.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WindowShape {
    schedule: Schedule,
    duration: Millis,
    time_zone: Zone,
}

/// [`Exclusion`] as JSON has it; the checks of [`Exclusion::new`] follow.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExclusionShape {
    start: Timestamp,
    end: Timestamp,
    reason: String,
}

impl TryFrom<WindowsShape> for Windows {
    type Error = WindowError;
    fn try_from(shape: WindowsShape) -> Result<Windows, WindowError> {
        Windows::new(shape.windows, shape.exclusions)
    }
}

impl From<Windows> for WindowsShape {
    fn from(windows: Windows) -> WindowsShape {
        WindowsShape { windows: windows.recurring, exclusions: windows.exclusions }
    }
}

impl TryFrom<WindowShape> for Window {
    type Error = WindowError;
    fn try_from(shape: WindowShape) -> Result<Window, WindowError> {
        Window::new(shape.schedule, shape.duration, shape.time_zone)
    }
}

impl From<Window> for WindowShape {
    fn from(window: Window) -> WindowShape {
        WindowShape { schedule: window.schedule, duration: window.duration, time_zone: window.zone }
    }
}

impl TryFrom<ExclusionShape> for Exclusion {
    type Error = WindowError;
    fn try_from(shape: ExclusionShape) -> Result<Exclusion, WindowError> {
        Exclusion::new(shape.start, shape.end, shape.reason)
    }
}

impl From<Exclusion> for ExclusionShape {
    fn from(exclusion: Exclusion) -> ExclusionShape {
        ExclusionShape { start: exclusion.start, end: exclusion.end, reason: exclusion.reason }
    }
}

impl TryFrom<String> for Zone {
    type Error = WindowError;
    fn try_from(text: String) -> Result<Zone, WindowError> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;
    fn try_from(text: String) -> Result<Schedule, ScheduleError> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}
