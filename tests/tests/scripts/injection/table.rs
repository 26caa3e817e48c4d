//! Every field of the files of a fleet, and what somebody hostile could write there.

use std::collections::BTreeSet;
use std::path::Path;

/// Where what stands in a field may go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// To nodes, as the value of a parameter.
    To(&'static str),
    /// No further than the controller: the bound of a wait, whom to call, which credential, which address to dial.
    Nowhere,
    /// To nodes as one of a closed set of words; no other text passes the file's reader.
    AsWord(&'static str),
}
use Goes::{AsWord, Nowhere, To};

/// Every field of a cluster's file, a good value, and where it goes.
pub(super) const CLUSTER: &[(&str, &str, Goes)] = &[
    ("apiVersion", "drydock/v1alpha1", Nowhere),
    ("kind", "Cluster", Nowhere),
    ("metadata.labels.*", "one", Nowhere),
    ("metadata.name", "north", To("EntryCluster")),
    ("spec.change", "CHG1", Nowhere),
    ("spec.connection.credential", "ops", Nowhere),
    ("spec.connection.port", "5986", Nowhere),
    ("spec.connection.transport", "WinRM", Nowhere),
    ("spec.contact", "Ann", Nowhere),
    ("spec.maintenance.exclusions[].end", "2027-01-07T00:00:00+01:00", Nowhere),
    ("spec.maintenance.exclusions[].reason", "freeze", Nowhere),
    ("spec.maintenance.exclusions[].start", "2026-12-20T00:00:00+01:00", Nowhere),
    ("spec.maintenance.overrun", "Stop", Nowhere),
    ("spec.maintenance.windows[].duration", "1d2h", Nowhere),
    ("spec.maintenance.windows[].schedule", "daily at 01:00", Nowhere),
    ("spec.maintenance.windows[].timeZone", "Europe/Berlin", Nowhere),
    ("spec.method", "Rolling", Nowhere),
    ("spec.nodes[].address", "n01.example", Nowhere),
    ("spec.nodes[].connection.credential", "ops", Nowhere),
    ("spec.nodes[].connection.port", "5985", Nowhere),
    ("spec.nodes[].connection.transport", "SSH", Nowhere),
    ("spec.nodes[].name", "N01", To("NodeName")),
    ("spec.operatingSystem.minimumBuild", "25398.1611", AsWord("Target")),
    ("spec.operatingSystem.version", "23H2", AsWord("Target")),
    ("spec.run.failbackMode", "Policy", AsWord("Failback")),
    ("spec.run.maxFailedNodes", "1", Nowhere),
    ("spec.run.maxRetriesPerNode", "2", Nowhere),
    ("spec.run.nodeOrder[]", "N02", Nowhere),
    ("spec.run.rebootTimeout", "95m", Nowhere),
    ("spec.run.requireAllNodesOnline", "true", Nowhere),
    ("spec.run.stopAfter", "20h", Nowhere),
    ("spec.run.suspendClusterNodeTimeout", "25m", Nowhere),
    ("spec.run.waitForStorageRepairTimeout", "2d", Nowhere),
    ("spec.run.warnAfter", "10h", Nowhere),
    ("spec.source.media.path", r"C:\Media", To("MediaPath")),
    ("spec.source.windowsUpdate", "", AsWord("SourceKind")),
    ("spec.suspend.reason", "audit", Nowhere),
    ("spec.suspend.until", "2026-12-01T00:00:00Z", Nowhere),
    ("spec.workload", "LiveMigrate", Nowhere),
];

/// Every field of the fleet's file, in the same way.
pub(super) const FLEET: &[(&str, &str, Goes)] = &[
    ("apiVersion", "drydock/v1alpha1", Nowhere),
    ("kind", "Fleet", Nowhere),
    ("metadata.labels.*", "one", Nowhere),
    ("metadata.name", "fleet", Nowhere),
    ("spec.defaults.connection.credential", "ops", Nowhere),
    ("spec.defaults.connection.port", "5986", Nowhere),
    ("spec.defaults.connection.transport", "WinRM", Nowhere),
    ("spec.defaults.contact", "Ann", Nowhere),
    ("spec.defaults.maintenance.overrun", "Stop", Nowhere),
    ("spec.defaults.maintenance.windows[].duration", "1d2h", Nowhere),
    ("spec.defaults.maintenance.windows[].schedule", "daily at 01:00", Nowhere),
    ("spec.defaults.maintenance.windows[].timeZone", "Europe/Berlin", Nowhere),
    ("spec.defaults.method", "Rolling", Nowhere),
    ("spec.defaults.run.failbackMode", "Policy", AsWord("Failback")),
    ("spec.defaults.run.maxFailedNodes", "1", Nowhere),
    ("spec.defaults.run.maxRetriesPerNode", "2", Nowhere),
    ("spec.defaults.run.rebootTimeout", "95m", Nowhere),
    ("spec.defaults.run.requireAllNodesOnline", "true", Nowhere),
    ("spec.defaults.run.stopAfter", "20h", Nowhere),
    ("spec.defaults.run.suspendClusterNodeTimeout", "25m", Nowhere),
    ("spec.defaults.run.waitForStorageRepairTimeout", "2d", Nowhere),
    ("spec.defaults.run.warnAfter", "10h", Nowhere),
    ("spec.defaults.source.media.path", r"C:\Media", To("MediaPath")),
    ("spec.defaults.source.windowsUpdate", "", AsWord("SourceKind")),
    ("spec.defaults.workload", "LiveMigrate", Nowhere),
    ("spec.exclusions[].end", "2027-01-07T00:00:00+01:00", Nowhere),
    ("spec.exclusions[].reason", "freeze", Nowhere),
    ("spec.exclusions[].start", "2026-12-20T00:00:00+01:00", Nowhere),
    ("spec.status.branch", "drydock/status", Nowhere),
    ("spec.status.remote", "https://git.example/fleet.git", Nowhere),
    ("spec.suspend.reason", "audit", Nowhere),
    ("spec.suspend.until", "2026-12-01T00:00:00Z", Nowhere),
];

/// What somebody might try; where it is a command, it makes the canary's file.
pub(super) fn hostile(canary: &Path) -> Vec<(&'static str, String)> {
    let command = format!("[IO.File]::WriteAllText('{}', 'sung')", canary.display());
    let mut all: Vec<(&'static str, String)> = [
        ("a single quote", "'"),
        ("a double quote", "\""),
        ("typographic quotes", "\u{201c}\u{201d}\u{2018}\u{2019}\u{201e}\u{201a}"),
        ("a backtick", "`"),
        ("a variable", "$env:COMPUTERNAME"),
        ("a batch variable", "%TEMP%"),
        ("a switch", "-Command"),
        ("a slash switch", "/installfrom"),
        ("a step up", ".."),
        ("a path up", r"..\..\Windows\System32"),
        ("a share", r"\\evil\share"),
        ("a wildcard", "*?[a-z]"),
        ("a comment", "#"),
        ("a comma and brackets", "@(1,{2})"),
        ("a newline", "\n"),
        ("a carriage return", "\r"),
        ("a tab", "\t"),
        ("a NUL", "\0"),
        ("an escape", "\u{1b}[2J"),
        ("a right-to-left mark", "\u{202e}"),
        ("a width of nothing", "\u{200b}"),
        ("a Cyrillic a", "\u{430}"),
        ("a full-width a", "\u{ff41}"),
        ("a Kelvin sign", "\u{212a}"),
        ("a dotless i", "\u{131}"),
        ("a non-breaking hyphen", "\u{2011}"),
        ("a ship", "\u{1f6a2}"),
        ("64 KiB", ""),
    ]
    .map(|(name, text)| (name, text.to_owned()))
    .to_vec();
    all.last_mut().expect("the long one").1 = "a".repeat(64 << 10);
    let commands = [
        ("a sub-expression", format!("$({command})")),
        ("a sub-expression behind a quote", format!("\"; $({command}) #")),
        ("a command behind a quote", format!("'; {command}; '")),
        ("a command behind a typographic quote", format!("\u{2019}; {command}; \u{2019}")),
        ("a command behind a newline", format!("\n{command}\n")),
        ("a pipe", format!("| % {{ {command} }}")),
        ("an ampersand", format!("& {{ {command} }}")),
        ("a batch command", format!("& touch {} &", canary.display())),
        ("a shell's command", format!("; touch {}; `touch {}`", canary.display(), canary.display())),
    ];
    all.extend(commands);
    all
}

/// Alone and behind what a good file says there; where it may get to a node, also before and inside it.
pub(super) fn woven(good: &str, text: &str, goes: Goes) -> BTreeSet<String> {
    let mut all = BTreeSet::from([text.to_owned(), format!("{good}{text}")]);
    if goes == Nowhere {
        return all;
    }
    let middle = good.char_indices().nth(good.chars().count() / 2).map_or(0, |(at, _)| at);
    all.extend([format!("{text}{good}"), format!("{}{text}{}", &good[..middle], &good[middle..])]);
    // A path's next part.
    if good.contains('\\') {
        all.extend([format!("{good}\\{text}"), format!("{good}\\a {text} (b)\\c")]);
    }
    all
}
