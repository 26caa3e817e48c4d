//! What `probe-doctor` answered, judged: commands and services, then rights.

use super::finding::{Code, Finding, quoted};
use super::{Intent, Told};
use crate::session::Transport;
use serde_json::Value;

/// Modules without which nothing works. Of the others (`Hyper-V`, `AzureStackHCI`, `Dism`) it is told, and each is needed on some nodes only: `Dism` where
/// an upgrade comes from media.
const NEEDED: [&str; 4] = ["FailoverClusters", "Storage", "ScheduledTasks", "CimCmdlets"];
/// Finds the right image in media.
const OF_MEDIA: &str = "Dism";

/// A part of the answer: its value, or why there is none.
enum Part<'a> {
    Value(&'a Value),
    Gap { denied: bool, stopped: bool, words: String },
}

fn part<'a>(answer: &'a Value, name: &str) -> Part<'a> {
    let part = answer.get(name).unwrap_or(&Value::Null);
    let text = |field: &str| part.get(field).and_then(Value::as_str).unwrap_or_default();
    match (part.get("ok").and_then(Value::as_bool), part.get("value")) {
        (Some(true), Some(value)) => Part::Value(value),
        _ => {
            let words = if text("message").is_empty() { "the answer lacks it".to_owned() } else { quoted(text("message")) };
            Part::Gap { denied: text("gap") == "AccessDenied", stopped: text("gap") == "ClusterServiceStopped", words }
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Commands and services.
pub(super) fn modules(answer: &Value, transport: &Transport, intent: Intent) -> Told {
    let mut findings = Vec::new();
    let mut saw = Vec::new();
    match part(answer, "modules") {
        Part::Gap { words, .. } => findings.push(Finding::new(
            Code::Command,
            format!("which commands are there cannot be told: {words}"),
            "in a shell of this account: Get-Module -ListAvailable",
        )),
        Part::Value(all) => {
            for module in items(all) {
                let name = text(module, "name");
                let missing: Vec<&str> = module.get("missing").map(items).unwrap_or_default().iter().filter_map(Value::as_str).collect();
                let needed = NEEDED.contains(&name) || (name == OF_MEDIA && intent == Intent::UpgradeFromMedia);
                match (missing.is_empty(), needed) {
                    (true, _) => saw.push(name.to_owned()),
                    (false, true) => findings.push(Finding::new(
                        Code::Command,
                        format!("module {} lacks {}", quoted(name), quoted(&missing.join(", "))),
                        format!("on the node: Get-Module -ListAvailable {}; is it the right machine?", quoted(name)),
                    )),
                    (false, false) => saw.push(format!("no {} (not needed everywhere)", quoted(name))),
                }
            }
        }
    }
    findings.extend(services(answer, transport, intent));
    Told { saw: saw.join(", "), findings }
}

/// Services that must run, or come back by themselves after a restart.
fn services(answer: &Value, transport: &Transport, intent: Intent) -> Vec<Finding> {
    let all = match part(answer, "services") {
        Part::Value(all) => items(all),
        // Who may not look at services may look at the rest.
        Part::Gap { .. } => return Vec::new(),
    };
    let service = |name: &str| all.iter().find(|s| text(s, "name") == name).map(|s| (text(s, "status"), text(s, "start")));
    let mut findings = Vec::new();
    let mut by_itself = |name: &str, why: &str| {
        if let Some((_, start)) = service(name)
            && matches!(start, "Manual" | "Disabled")
        {
            findings.push(Finding::new(
                Code::Later,
                format!("the service {name} starts {}, and {why}", if start == "Manual" { "only by hand" } else { "not at all" }),
                format!("on the node: Set-Service -Name {name} -StartupType Automatic"),
            ));
        }
    };
    if intent.orders() {
        match transport {
            Transport::Winrm { .. } => by_itself("WinRM", "after a restart nobody could reach the node"),
            Transport::Ssh { .. } => by_itself("sshd", "after a restart nobody could reach the node"),
            Transport::Local(_) => {}
        }
        by_itself("clussvc", "after a restart the node would not join its cluster");
        if service("Schedule").is_some_and(|(status, _)| status != "Running") {
            findings.push(Finding::new(
                Code::Later,
                "the service Schedule does not run, and long work runs as its tasks",
                "on the node: Start-Service -Name Schedule",
            ));
        }
    }
    findings
}

/// What orders need, beside what a look needs.
const ORDERS: [(&str, &str, &str); 5] = [
    ("registryWrite", r"it may not write below HKLM:\SOFTWARE\Drydock", "make the account a member of the node's Administrators"),
    ("mutex", "it may not take the mutex of Drydock", "make the account a member of the node's Administrators"),
    ("folder", r"it may not look into ProgramData\Drydock", r"icacls C:\ProgramData\Drydock must let Administrators in"),
    ("tasks", "it may not look at scheduled tasks", "make the account a member of the node's Administrators"),
    (
        "updateAgent",
        "it may not ask the update agent",
        "on the node: Get-Service wuauserv; Windows Update must not be switched off by policy",
    ),
];

/// What every look needs.
const LOOKS: [(&str, &str, &str); 5] = [
    ("machine", "it may not read the machine's UUID", r"allow it root\cimv2, or make it a member of the node's Administrators"),
    ("cim", "it may not ask CIM", r"allow it root\cimv2, or make it a member of the node's Administrators"),
    ("cluster", "it may not ask the cluster", r"on a node: Grant-ClusterAccess -User 'DOMAIN\ACCOUNT' -ReadOnly, or -Full"),
    (
        "quorumQuestion",
        "it may not ask the cluster's WMI classes",
        r"allow it root\MSCluster, or make it a member of the node's Administrators",
    ),
    ("storage", "it may not ask the storage", "make the account a member of the node's Administrators"),
];

/// What the account may do.
pub(super) fn rights(answer: &Value, intent: Intent) -> Told {
    let mut findings = Vec::new();
    let mut saw = Vec::new();
    match part(answer, "account") {
        Part::Value(account) => {
            let name = quoted(text(account, "name"));
            let administrator = account.get("administrator").and_then(Value::as_bool);
            saw.push(match administrator {
                Some(true) => format!("{name} ({}), an administrator", quoted(text(account, "logon"))),
                Some(false) | None => format!("{name} ({})", quoted(text(account, "logon"))),
            });
            if administrator != Some(true) && intent.orders() {
                findings.push(Finding::new(
                    Code::Right,
                    format!("{name} is no administrator of this node, or its rights are filtered over the network"),
                    "make it a member of Administrators; a local account also needs LocalAccountTokenFilterPolicy, see DD0612",
                ));
            }
        }
        Part::Gap { words, .. } => saw.push(format!("the account's name is unknown: {words}")),
    }
    for (name, what, todo) in LOOKS {
        // What fails for another reason is a fact that cannot be read, and the last step tells it.
        if let Part::Gap { denied: true, words, .. } = part(answer, name) {
            findings.push(Finding::new(Code::Right, format!("{what}: {words}"), todo));
        }
    }
    match intent {
        Intent::Upgrade | Intent::UpgradeFromMedia => {
            for (name, what, todo) in ORDERS {
                if let Part::Gap { stopped: false, words, .. } = part(answer, name) {
                    findings.push(Finding::new(Code::Right, format!("{what}: {words}"), todo));
                }
            }
            saw.extend(policy(answer));
        }
        Intent::Observe => saw.push("for looking only; what orders need is not judged".to_owned()),
    }
    if let Part::Value(mutex) = part(answer, "mutex")
        && mutex.get("free").and_then(Value::as_bool) == Some(false)
    {
        saw.push("an order is at work there".to_owned());
    }
    if let Part::Value(quotas) = part(answer, "quotas") {
        let shells = text(quotas, "MaxShellsPerUser");
        if !shells.is_empty() {
            saw.push(format!("{} shells for each account", quoted(shells)));
        }
    }
    Told { saw: saw.join("; "), findings }
}

/// Of an execution policy that nobody can bypass it is told. Nothing of ours is a file that runs as a script, neither sessions nor tasks.
fn policy(answer: &Value) -> Option<String> {
    let Part::Value(rows) = part(answer, "policy") else { return None };
    let by_group =
        |row: &&Value| matches!(text(row, "scope"), "MachinePolicy" | "UserPolicy") && !matches!(text(row, "policy"), "" | "Undefined");
    let row = items(rows).iter().find(by_group)?;
    Some(format!("Group Policy sets the execution policy {}", quoted(text(row, "policy"))))
}
