//! What a cluster shall run, and whether any documented upgrade leads there.

use super::place_of;
use crate::code::Code;
use crate::diagnostic::{Place, Problems};
use crate::tree::Node;
use drydock_model::desired::{BitsSource, Build, Target, Version};
use drydock_model::paths::paths_to;

pub(super) fn target(system: Option<&Node>, problems: &mut Problems) -> Option<Target> {
    let system = system?;
    let version = system.get("version").and_then(|n| n.text()).and_then(|text| Version::ALL.into_iter().find(|v| v.to_string() == text));
    let build = system.get("minimumBuild").and_then(|n| build(n, problems));
    match (version, build) {
        (Some(version), None) => Some(Target { version, revision: 0 }),
        (None, build) => build,
        // Both are given, which is told with the structure.
        (Some(_), Some(_)) => None,
    }
}

fn build(node: &Node, problems: &mut Problems) -> Option<Target> {
    let text = node.text()?;
    let build: Build = match text.parse() {
        Ok(build) => build,
        Err(error) => {
            problems.error(Code::BadBuild, &node.place, format!("`minimumBuild` {error}"));
            return None;
        }
    };
    match Version::of_family(build.family) {
        Some(version) => Some(Target { version, revision: build.revision }),
        None => {
            let known = Version::ALL.map(|v| format!("{} ({v})", v.family())).join(", ");
            problems.error_with(
                Code::BadBuild,
                &node.place,
                format!("{build} is no build of a known release"),
                format!("the known families are {known}"),
            );
            None
        }
    }
}

/// Tells a target that no documented upgrade reaches from this source, and one that is out of support.
pub(super) fn judge(spec: &Node, target: Target, source: Option<&BitsSource>, problems: &mut Problems) {
    let place = place_of(spec, "operatingSystem");
    if target.version == Version::V22H2 {
        let message = "22H2 is out of support: it gets no more updates (Microsoft: Azure Stack HCI 22H2 end of service)";
        return problems.warn(Code::OutOfSupport, place, message, "ask for a newer release when you are ready");
    }
    let mut warnings: Vec<&str> = paths_to(target.version).flat_map(|p| p.warnings.iter().copied()).collect();
    warnings.dedup();
    for warning in warnings {
        problems.warn(Code::OutOfSupport, place, warning, "go on to 24H2 soon, or ask for 24H2 at once");
    }
    if let Some(source) = source {
        reachable(spec, place, target, source, problems);
    }
}

fn reachable(spec: &Node, place: &Place, target: Target, source: &BitsSource, problems: &mut Problems) {
    if paths_to(target.version).any(|p| p.takes(source)) {
        return;
    }
    let Some(path) = paths_to(target.version).next() else { return };
    let own = spec.field("source");
    let message = match own {
        Some(_) => format!("no documented upgrade to {} takes its bits from {source}", target.version),
        None => format!("no documented upgrade to {} takes its bits from {source}, which is the fleet's default", target.version),
    };
    let hint = format!("it takes {}: write `source: {{media: {{path: 'D:\\Media\\{}'}}}}` ({})", path.media, target.version, path.article);
    problems.error_with(Code::UnsupportedPath, own.map_or(place, |f| &f.place), message, hint);
}
