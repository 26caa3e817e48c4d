//! Tables, and a comparison with an oracle that knows only what the clock on the wall shows at each minute.

use super::*;
use jiff::civil::date;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn window(schedule: &str, duration: Millis, zone: &str) -> Window {
    Window::new(schedule.parse().unwrap(), duration, zone.parse().unwrap()).unwrap()
}

fn one(schedule: &str, duration: Millis, zone: &str) -> Windows {
    Windows::new(vec![window(schedule, duration, zone)], Vec::new()).unwrap()
}

fn exclusion(start: &str, end: &str) -> Exclusion {
    Exclusion::new(at(start), at(end), "freeze".to_owned()).unwrap()
}

/// The open span around `moment`, as `opens..closes`.
fn span(windows: &Windows, moment: &str) -> String {
    match windows.open_span(at(moment)) {
        Some(open) => {
            let edge = |t: Option<Timestamp>| t.map_or("-".to_owned(), |t| t.to_string());
            format!("{}..{}", edge(open.opened), edge(open.closes))
        }
        None => "closed".to_owned(),
    }
}

#[test]
fn without_windows_it_is_always_open() {
    let always = Windows::always();
    let open = always.open_span(at("2026-11-23T12:00:00Z")).unwrap();
    assert_eq!((open.opened, open.closes, open.reason.as_str()), (None, None, "always open"));
    assert_eq!(always.longest(), None);
    assert_eq!(always.next_open(at("2026-11-23T12:00:00Z")), Some(at("2026-11-23T12:00:00Z")));
    assert_eq!(always.to_string(), "always open");
}

#[test]
fn an_exclusion_cuts_what_is_always_open() {
    let windows = Windows::new(Vec::new(), vec![exclusion("2026-12-20T00:00:00Z", "2027-01-06T00:00:00Z")]).unwrap();
    assert_eq!(span(&windows, "2026-12-19T23:59:59Z"), "-..2026-12-20T00:00:00Z");
    assert_eq!(span(&windows, "2026-12-20T00:00:00Z"), "closed");
    assert_eq!(span(&windows, "2027-01-06T00:00:00Z"), "2027-01-06T00:00:00Z..-");
    assert_eq!(windows.next_open(at("2026-12-24T18:00:00Z")), Some(at("2027-01-06T00:00:00Z")));
    assert_eq!(windows.exclusion_at(at("2026-12-24T18:00:00Z")).unwrap().reason(), "freeze");
}

#[test]
fn a_weekly_window_opens_on_its_evening_and_closes_in_the_morning() {
    let windows = one("weekly on Saturday at 22:00", Millis::hours(6), "Europe/Berlin");
    assert_eq!(span(&windows, "2026-11-28T20:59:00Z"), "closed");
    assert_eq!(span(&windows, "2026-11-28T21:00:00Z"), "2026-11-28T21:00:00Z..2026-11-29T03:00:00Z");
    assert_eq!(span(&windows, "2026-11-29T02:59:59Z"), "2026-11-28T21:00:00Z..2026-11-29T03:00:00Z");
    assert_eq!(span(&windows, "2026-11-29T03:00:00Z"), "closed");
    assert_eq!(windows.next_open(at("2026-11-29T03:00:00Z")), Some(at("2026-12-05T21:00:00Z")));
    let open = windows.open_span(at("2026-11-28T22:00:00Z")).unwrap();
    assert_eq!(open.reason, "weekly on Saturday at 22:00 for 6h (Europe/Berlin)");
    assert_eq!(windows.longest(), Some(Millis::hours(6)));
}

#[test]
fn monthly_windows_open_on_the_weekday_named() {
    let check = |schedule: &str, from: &str, opens: &str| {
        let found = one(schedule, Millis::hours(2), "UTC").next_open(at(from));
        assert_eq!(found.map(|t| t.to_string()).as_deref(), Some(opens), "{schedule}");
    };
    check("first Monday of the month at 01:00", "2026-11-23T00:00:00Z", "2026-12-07T01:00:00Z");
    check("second Tuesday of the month at 21:00", "2026-11-23T00:00:00Z", "2026-12-08T21:00:00Z");
    check("last Sunday of the month at 21:00", "2026-11-23T00:00:00Z", "2026-11-29T21:00:00Z");
    check("last Saturday of the month at 00:00", "2028-02-01T00:00:00Z", "2028-02-26T00:00:00Z");
    check("Patch Tuesday at 20:00", "2026-11-23T00:00:00Z", "2026-12-08T20:00:00Z");
    check("Patch Tuesday + 11 days at 21:00", "2026-11-23T00:00:00Z", "2026-12-19T21:00:00Z");
    // 9 December 2025 plus 25 days lies in the next year's January.
    check("Patch Tuesday + 25 days at 21:00", "2026-01-01T00:00:00Z", "2026-01-03T21:00:00Z");
}

#[test]
fn windows_that_touch_or_overlap_are_one() {
    let weekend = vec![
        window("weekly on Saturday at 20:00", Millis::hours(4), "UTC"),
        window("weekly on Sunday at 00:00", Millis::hours(6), "UTC"),
        window("weekly on Sunday at 05:00", Millis::hours(3), "UTC"),
    ];
    let windows = Windows::new(weekend, Vec::new()).unwrap();
    assert_eq!(span(&windows, "2026-11-29T00:00:00Z"), "2026-11-28T20:00:00Z..2026-11-29T08:00:00Z");
    assert_eq!(windows.longest(), Some(Millis::hours(6)), "as written");
    assert_eq!(windows.longest_after(at("2026-11-23T00:00:00Z")), Millis::hours(12), "as one");
}

#[test]
fn the_hour_that_comes_twice_makes_no_window_longer() {
    let check = |zone: &str, expect: Millis| {
        let windows = one("daily at 22:00", Millis::hours(6), zone);
        assert_eq!(windows.longest_after(at("2026-06-01T00:00:00Z")), expect, "{zone}");
    };
    check("UTC", Millis::hours(6));
    // Berlin's clocks are set back on 25 October 2026, New York's a week later: seven hours pass in that night.
    check("Europe/Berlin", Millis::hours(6));
    check("America/New_York", Millis::hours(6));
    // Lord Howe Island sets them back by half an hour.
    check("Australia/Lord_Howe", Millis::hours(6));
    let both =
        vec![window("daily at 22:00", Millis::hours(6), "Europe/Berlin"), window("daily at 21:00", Millis::hours(6), "Europe/London")];
    assert_eq!(Windows::new(both, Vec::new()).unwrap().longest_after(at("2026-06-01T00:00:00Z")), Millis::hours(6));
}

#[test]
fn a_window_around_the_clock_never_closes() {
    assert_eq!(span(&one("daily at 00:00", Millis::hours(24), "Europe/Berlin"), "2026-11-28T21:00:00Z"), "-..-");
}

#[test]
fn an_exclusion_cuts_a_window_in_two() {
    let windows = Windows::new(
        vec![window("daily at 20:00", Millis::hours(8), "UTC")],
        vec![exclusion("2026-11-23T22:00:00Z", "2026-11-23T23:00:00Z")],
    )
    .unwrap();
    assert_eq!(span(&windows, "2026-11-23T21:00:00Z"), "2026-11-23T20:00:00Z..2026-11-23T22:00:00Z");
    assert_eq!(span(&windows, "2026-11-23T22:30:00Z"), "closed");
    assert_eq!(span(&windows, "2026-11-24T01:00:00Z"), "2026-11-23T23:00:00Z..2026-11-24T04:00:00Z");
    assert_eq!(windows.next_open(at("2026-11-23T22:30:00Z")), Some(at("2026-11-23T23:00:00Z")));
}

#[test]
fn a_window_that_exclusions_keep_shut_beyond_the_horizon_does_not_open() {
    let windows = Windows::new(
        vec![window("daily at 20:00", Millis::hours(8), "UTC")],
        vec![exclusion("2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z")],
    )
    .unwrap();
    assert_eq!(windows.next_open(at("2026-06-01T00:00:00Z")), None);
    assert_eq!(windows.longest_after(at("2026-06-01T00:00:00Z")), Millis::ZERO);
    assert!(windows.next_open(at("2027-06-01T00:00:00Z")).is_some());
}

#[test]
fn durations_are_read_off_the_wall_clock_in_both_changes() {
    let check = |zone: &str, schedule: &str, hours: u64, moment: &str, expect: &str| {
        assert_eq!(span(&one(schedule, Millis::hours(hours), zone), moment), expect, "{zone} {schedule} {moment}");
    };
    // 22:00 to 04:00: an hour is skipped in March, repeated in October.
    check("Europe/Berlin", "daily at 22:00", 6, "2026-03-29T00:00:00Z", "2026-03-28T21:00:00Z..2026-03-29T02:00:00Z");
    check("Europe/Berlin", "daily at 22:00", 6, "2026-10-25T00:00:00Z", "2026-10-24T20:00:00Z..2026-10-25T03:00:00Z");
    // Opens at 02:00, which does not exist on 29 March: at the first minute that does, 03:00.
    check("Europe/Berlin", "daily at 02:00", 3, "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z..2026-03-29T03:00:00Z");
    // 02:15 to 02:45 does not exist at all.
    check("Europe/Berlin", "daily at 02:00", 1, "2026-03-29T01:00:00Z", "closed");
    // Opens at 02:30, which comes twice on 25 October: at the later one. Closes at 02:00, which comes twice: at the earlier one.
    check("Europe/Berlin", "daily at 02:30", 2, "2026-10-25T02:00:00Z", "2026-10-25T01:30:00Z..2026-10-25T03:30:00Z");
    check("Europe/Berlin", "daily at 02:30", 2, "2026-10-25T00:45:00Z", "closed");
    check("Europe/Berlin", "daily at 00:00", 2, "2026-10-24T23:00:00Z", "2026-10-24T22:00:00Z..2026-10-25T00:00:00Z");
    check("America/New_York", "daily at 22:00", 6, "2026-03-08T06:30:00Z", "2026-03-08T03:00:00Z..2026-03-08T08:00:00Z");
    check("America/New_York", "daily at 01:30", 2, "2026-11-01T07:00:00Z", "2026-11-01T06:30:00Z..2026-11-01T08:30:00Z");
    // Half an hour, from 02:00 to 02:30 in October and from 02:00 back to 01:30 in April.
    check("Australia/Lord_Howe", "daily at 02:15", 2, "2026-10-03T16:00:00Z", "2026-10-03T15:30:00Z..2026-10-03T17:15:00Z");
    check("Australia/Lord_Howe", "daily at 01:45", 2, "2026-04-04T16:00:00Z", "2026-04-04T15:15:00Z..2026-04-04T17:15:00Z");
}

#[test]
fn a_skipped_day_has_no_windows() {
    // Samoa had no 30 December 2011.
    let windows = one("daily at 12:00", Millis::hours(1), "Pacific/Apia");
    assert_eq!(windows.next_open(at("2011-12-29T23:30:00Z")), Some(at("2011-12-30T22:00:00Z")));
}

#[test]
fn outside_the_calendar_nothing_is_open_and_nothing_panics() {
    let windows = one("daily at 12:00", Millis::hours(1), "Europe/Berlin");
    for t in [i64::MIN, i64::MIN + 1, -377_705_116_800_000, 253_402_300_799_000, i64::MAX - 1, i64::MAX] {
        let _ = (windows.open_span(Timestamp(t)), windows.next_open(Timestamp(t)), windows.longest_after(Timestamp(t)));
    }
    assert_eq!(windows.next_open(Timestamp(i64::MAX)), None);
    assert!(Windows::always().open_span(Timestamp(i64::MAX)).is_none(), "the last instant has nothing after it");
}

/// What the wall clock shows at each minute of six days, read forwards only: nothing here resolves a wall-clock time by the zone's rules.
struct WallClock {
    first: jiff::Timestamp,
    shows: Vec<DateTime>,
}

impl WallClock {
    fn around(zone: &Zone, middle: jiff::Timestamp, days: i64) -> WallClock {
        let first = jiff::Timestamp::from_second(middle.as_second().div_euclid(60) * 60 - days * 86_400).unwrap();
        let minute = |i: i64| zone.rules.to_datetime(first + jiff::SignedDuration::from_mins(i));
        WallClock { first, shows: (0..2 * days * 1_440).map(minute).collect() }
    }

    /// The minute at which an edge at `shown` falls: the first or last that shows it, else the first that shows a later time.
    fn edge(&self, shown: DateTime, later: bool) -> usize {
        let exact = |m: &DateTime| *m == shown;
        let found = if later { self.shows.iter().rposition(exact) } else { self.shows.iter().position(exact) };
        found.or_else(|| self.shows.iter().position(|m| *m > shown)).unwrap_or(self.shows.len())
    }

    /// Open minutes under one reading, for the days that the schedule names.
    fn open(&self, windows: &[Window], later: bool) -> Vec<bool> {
        let mut open = vec![false; self.shows.len()];
        let (first, last) = (self.shows.first().unwrap().date(), self.shows.last().unwrap().date());
        for window in windows {
            for day in first.series(jiff::Span::new().days(1)).take_while(|d| *d <= last).filter(|d| names(window.schedule.day, *d)) {
                let opens = day.at(window.schedule.at.hour.try_into().unwrap(), window.schedule.at.minute.try_into().unwrap(), 0, 0);
                let closes = opens + jiff::SignedDuration::from_millis(window.duration.0.try_into().unwrap());
                open[self.edge(opens, later)..self.edge(closes, later)].fill(true);
            }
        }
        open
    }
}

/// Whether a schedule names a day, by counting rather than by the calendar's own functions.
fn names(day: Day, on: Date) -> bool {
    let nth_of = |weekday: Weekday, nth: i8| on.weekday() == weekday && (on.day() - 1) / 7 + 1 == nth;
    match day {
        Day::Daily => true,
        Day::Weekly(weekday) => on.weekday() == weekday,
        Day::Monthly(Nth::Last, weekday) => on.weekday() == weekday && on.day() + 7 > on.days_in_month(),
        Day::Monthly(nth, weekday) => nth_of(weekday, nth.number()),
        Day::PatchTuesday(after) => {
            let tuesday = on - jiff::Span::new().days(i64::from(after));
            tuesday.weekday() == Weekday::Tuesday && (8..=14).contains(&tuesday.day())
        }
    }
}

/// Windows whose edges fall before, into and behind every kind of change of the clock.
fn edgy(zone: &str) -> Vec<Vec<Window>> {
    let w = |schedule: &str, minutes: u64| window(schedule, Millis::minutes(minutes), zone);
    vec![
        vec![w("daily at 22:00", 360)],
        vec![w("daily at 02:00", 30)],
        vec![w("daily at 01:45", 30), w("daily at 02:15", 30)],
        vec![w("daily at 02:30", 1), w("daily at 00:30", 60)],
        vec![w("daily at 23:59", 2), w("daily at 00:00", 1)],
        vec![w("weekly on Sunday at 01:00", 90), w("weekly on Sunday at 02:30", 90)],
        vec![w("last Sunday of the month at 02:10", 1_440), w("Patch Tuesday + 5 days at 01:10", 55)],
        vec![w("first Sunday of the month at 00:00", 121), w("second Sunday of the month at 02:59", 2)],
    ]
}

/// Compares every minute of the days in the middle; what lies further out may hang on windows that begin or end beyond what the oracle sees.
fn compare_with_the_wall_clock(zone: &Zone, change: jiff::Timestamp, days: i64, seen: i64) {
    let clock = WallClock::around(zone, change, seen);
    let from = Timestamp(clock.first.as_millisecond());
    for recurring in edgy(zone.name()) {
        let (earlier, later) = (clock.open(&recurring, false), clock.open(&recurring, true));
        let windows = Windows::new(recurring, Vec::new()).unwrap();
        let spans = windows.stretches(from, from + DAY.times(2 * seen.unsigned_abs()));
        for minute in (seen - days) * 1_440..(seen + days) * 1_440 {
            let at = from + Millis::minutes(minute.unsigned_abs());
            let index = usize::try_from(minute).unwrap();
            let (expect, shows) = (earlier[index] && later[index], clock.shows[index]);
            let open = spans.iter().any(|s| s.from <= at && at < s.to);
            assert_eq!(open, expect, "{zone} {windows} at {at}, wall clock {shows}");
            // The public question is asked where it is hard: within a hundred minutes of the change.
            if minute.abs_diff(seen * 1_440) < 100 && minute % 30 < 2 {
                let open = windows.open_span(at);
                assert_eq!(open.is_some(), expect, "{zone} {windows} at {at}, wall clock {shows}");
                assert!(open.is_none_or(|o| o.opened.is_none_or(|t| t <= at) && o.closes.is_none_or(|t| at < t)));
                assert_eq!(windows.next_open(at) == Some(at), expect, "{zone} {windows} at {at}");
            }
        }
    }
}

#[test]
fn every_minute_around_a_change_agrees_with_the_wall_clock() {
    let check = |zone: &str, day: Date, hour: i8, minute: i8| {
        let change = day.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let zone: Zone = zone.parse().unwrap();
        assert!(
            zone.rules.following(change - jiff::SignedDuration::from_secs(1)).next().unwrap().timestamp() == change,
            "a change is there"
        );
        compare_with_the_wall_clock(&zone, change, 2, 5);
    };
    check("Europe/Berlin", date(2026, 3, 29), 1, 0);
    check("Europe/Berlin", date(2026, 10, 25), 1, 0);
    check("America/New_York", date(2026, 3, 8), 7, 0);
    check("America/New_York", date(2026, 11, 1), 6, 0);
    check("Australia/Lord_Howe", date(2026, 4, 4), 15, 0);
    check("Australia/Lord_Howe", date(2026, 10, 3), 15, 30);
}

#[test]
fn in_every_zone_every_change_of_a_year_agrees_with_the_wall_clock() {
    let year = jiff::Timestamp::from_millisecond(at("2027-01-01T00:00:00Z").0).unwrap();
    let mut changes = std::collections::BTreeMap::new();
    for name in Zone::all() {
        let zone: Zone = name.parse().unwrap();
        for change in zone.rules.following(year).take(2).filter(|t| t.timestamp() < year + jiff::SignedDuration::from_hours(24 * 366)) {
            // Zones that change at the same moment to the same offset show the same clock.
            changes.entry((change.timestamp(), change.offset())).or_insert_with(|| zone.clone());
        }
    }
    assert!(changes.len() > 20, "{} kinds of change", changes.len());
    for ((moment, _), zone) in changes {
        compare_with_the_wall_clock(&zone, moment, 1, 3);
    }
}

#[test]
fn schedules_print_as_they_are_read() {
    let check = |text: &str, printed: &str| {
        let schedule: Schedule = text.parse().unwrap();
        assert_eq!(schedule.to_string(), printed);
        assert_eq!(printed.parse(), Ok(schedule));
    };
    check("daily at 01:00", "daily at 01:00");
    check("Weekly  on SATURDAY at 22:00", "weekly on Saturday at 22:00");
    check("second Tuesday of the month at 21:00", "second Tuesday of the month at 21:00");
    check("last friday of the month at 00:00", "last Friday of the month at 00:00");
    check("Patch Tuesday+11 days at 21:00", "Patch Tuesday + 11 days at 21:00");
    check("patch tuesday + 1 day at 21:00", "Patch Tuesday + 1 day at 21:00");
    check("patch tuesday + 0 days at 21:00", "Patch Tuesday at 21:00");
}

#[test]
fn texts_that_are_no_schedule_say_what_is_wrong() {
    let check = |text: &str, expect: ScheduleError| assert_eq!(text.parse::<Schedule>(), Err(expect), "{text}");
    check("", ScheduleError::NotASchedule);
    check("0 22 * * 6", ScheduleError::NotASchedule);
    check("weekly on Saturdays at 22:00", ScheduleError::NotAWeekday("saturdays".to_owned()));
    check("fifth Monday of the month at 22:00", ScheduleError::NotEveryMonth);
    check("Patch Tuesday + 28 days at 22:00", ScheduleError::NotDaysAfter("28".to_owned()));
    check("Patch Tuesday + -1 days at 22:00", ScheduleError::NotDaysAfter("-1".to_owned()));
    check("daily at 24:00", ScheduleError::NotATime("24:00".to_owned()));
    check("daily at 9:00", ScheduleError::NotATime("9:00".to_owned()));
    check("daily at 10pm", ScheduleError::NotATime("10pm".to_owned()));
}

#[test]
fn zones_are_kept_in_the_spelling_of_the_database() {
    assert_eq!("europe/berlin".parse::<Zone>().unwrap(), "Europe/Berlin".parse::<Zone>().unwrap());
    assert_eq!("UTC".parse::<Zone>().unwrap().name(), "UTC");
    for bad in ["", "Berlin", "W. Europe Standard Time", "../etc/passwd", "+01:00"] {
        assert_eq!(bad.parse::<Zone>(), Err(WindowError::Zone(bad.to_owned())));
    }
}

#[test]
fn impossible_windows_are_refused() {
    let schedule: Schedule = "daily at 01:00".parse().unwrap();
    let zone: Zone = "UTC".parse().unwrap();
    for bad in [Millis::ZERO, Millis::seconds(90), Millis(1), Millis::hours(24 * 31 + 1)] {
        assert_eq!(Window::new(schedule, bad, zone.clone()), Err(WindowError::Duration(bad)));
    }
    let (start, end) = (at("2026-12-20T00:00:00Z"), at("2026-12-20T00:00:00Z"));
    assert_eq!(Exclusion::new(start, end, String::new()), Err(WindowError::EndsBeforeItStarts { start, end }));
    let many = vec![window("daily at 01:00", Millis::hours(1), "UTC"); MOST_WINDOWS + 1];
    assert_eq!(Windows::new(many, Vec::new()), Err(WindowError::TooManyWindows(MOST_WINDOWS + 1)));
}

#[test]
fn windows_come_back_from_json_as_they_went() {
    let windows = Windows::new(
        vec![window("Patch Tuesday + 11 days at 21:00", Millis::hours(6), "Europe/Berlin")],
        vec![exclusion("2026-12-20T00:00:00Z", "2027-01-06T00:00:00Z")],
    )
    .unwrap();
    let json = serde_json::to_string(&windows).unwrap();
    assert_eq!(serde_json::from_str::<Windows>(&json).unwrap(), windows);
    let zero = json.replace("21600000", "0");
    assert!(serde_json::from_str::<Windows>(&zero).unwrap_err().to_string().contains("whole minutes"));
}
