//! Constrained Language mode, in which an application control policy leaves PowerShell: enforced by the real engine, which is put into it before it is
//! given what Drydock sends.

use super::{Stub, advice, doctor, local, winrm, with_password};
use crate::common::{self, MINUTE, bed, powershell};
use crate::server::{Server, python};
use drydock_windows::auth::{Sealing, Security};
use drydock_windows::doctor::Intent;
use drydock_windows::scripts::LIBRARIES;
use expect_test::expect;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// Stands for `powershell.exe` on such a node: its last argument is the encoded host. Beside it lies the code with which the real program ended.
const STAND_IN: &str = r#"#!/bin/sh
for last; do :; done
DRYDOCK_ENCODED=$last 'PWSH' -NoProfile -NonInteractive -OutputFormat Text -Command '
    $text = [System.Text.Encoding]::Unicode.GetString([System.Convert]::FromBase64String($env:DRYDOCK_ENCODED))
    $ExecutionContext.SessionState.LanguageMode = "ConstrainedLanguage"
    Invoke-Expression $text'
code=$?
echo $code > "$0.code"
exit $code
"#;

/// The stand-in, in this folder.
fn constrained(folder: &Path) -> Option<PathBuf> {
    let pwsh = powershell()?;
    let program = folder.join("powershell.exe");
    fs::write(&program, STAND_IN.replace("PWSH", &pwsh)).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Some(program)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_constrained_language_mode_the_host_ends_with_code_4_and_the_doctor_names_the_mode() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = constrained(folder.path()) else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let target = local("N01", program.to_str().unwrap(), BTreeMap::new());
    let doctor = doctor(&bed.sessions, Intent::Upgrade);
    // Its input stays open: it ends by itself.
    let walk = timeout(MINUTE, doctor.walk(&target)).await.unwrap();
    expect![[r#"
        name -: a program of this machine
        port -: a program of this machine
        TLS -: a program of this machine
        authentication -: a program of this machine
        shell ok: a shell was opened
        PowerShell STOP:
          DD0607 the node would not run the script: PowerShell runs in ConstrainedLanguage mode there; an application control policy must allow the account FullLanguage
            -> in a shell of this account: $ExecutionContext.SessionState.LanguageMode must say FullLanguage
        modules .:
        rights .:
        facts .:
    "#]].assert_eq(&advice(&walk, &[]));
    assert_eq!(fs::read_to_string(program.with_extension("exe.code")).unwrap(), "4\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_constrained_language_mode_account_and_shell_of_winrm_are_proven_before_the_walk_stops() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = constrained(folder.path()) else { return };
    let users = json!({ "users": [{ "name": "svc", "domain": "LAB", "password": "canary" }] });
    let server = Server::start_among(&python, "NODE1", &["--auth", "ntlm"], &users, &[("DRYDOCK_PWSH", program.to_str().unwrap())]);
    let bed = with_password(r"LAB\svc", "canary");
    let target = winrm(server.port, Security::SealedHttp { method: Sealing::Ntlm });
    let walk = timeout(MINUTE, doctor(&bed.sessions, Intent::Upgrade).walk(&target)).await.unwrap();
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: HTTP; every message is sealed
        authentication ok: the account was let in
        shell ok: a shell was opened
        PowerShell STOP:
          DD0607 the node would not run the script: PowerShell runs in ConstrainedLanguage mode there; an application control policy must allow the account FullLanguage
            -> in a shell of this account: $ExecutionContext.SessionState.LanguageMode must say FullLanguage
        modules .:
        rights .:
        facts .:
    "#]].assert_eq(&advice(&walk, &[(&server.port.to_string(), "PORT")]));
    assert_eq!(fs::read_to_string(program.with_extension("exe.code")).unwrap(), "4\n");
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!((server.counter("shellsOpen"), server.counter("broken")), (0, 0));
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// Every script of the folder but the host, libraries first, with parameters that bind.
fn all() -> Vec<Value> {
    let files = fs::read_dir(scripts()).unwrap();
    let mut names: Vec<String> =
        files.filter_map(|f| f.unwrap().file_name().into_string().unwrap().strip_suffix(".ps1").map(str::to_owned)).collect();
    names.retain(|name| name != "host" && !name.starts_with("lib-"));
    names.sort();
    let libraries = LIBRARIES.iter().map(|library| json!({"name": library.name, "args": {}}));
    libraries.chain(names.iter().map(|name| json!({"name": name, "args": arguments(name)}))).collect()
}

fn arguments(name: &str) -> Value {
    let mut args = json!({});
    if name.starts_with("order-") {
        args = json!({
            "EntryCluster": "c", "EpochNumber": 1, "EpochNonce": "ab", "Seq": 4, "NodeName": "N01", "Machine": "m", "ClusterId": "c1", "ClusterNode": "1",
            "Digest": "0".repeat(64),
        });
        if !matches!(name, "order-fence" | "order-cancel") {
            args["Target"] = json!("23H2");
            args["Attempt"] = json!(1);
        }
    }
    match name {
        "order-registry" => args["SmallAllocations"] = json!(true),
        "order-return" => args["Failback"] = json!("Immediate"),
        "order-install" => args["SourceKind"] = json!("WindowsUpdate"),
        _ => {}
    }
    if matches!(name, "order-install" | "order-restart") {
        args["TaskSource"] = json!("param()");
        args["TaskLibraries"] = json!(["'a library'"]);
    }
    if name.starts_with("task-") {
        args["Folder"] = json!("nowhere");
    }
    args
}

/// One line for what works, one for each error id.
fn lines(told: &str) -> String {
    let mut text = String::new();
    for line in told.lines() {
        let one: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {told}"));
        let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for part in one["parts"].as_array().unwrap() {
            // There is no such drive off Windows.
            if part["part"] != "quotas" {
                by.entry(part["id"].as_str().unwrap()).or_default().push(part["part"].as_str().unwrap());
            }
        }
        text.push_str(one["name"].as_str().unwrap());
        match one["refused"].as_str() {
            Some(id) => text.push_str(&format!(": {id}")),
            None if by.is_empty() => text.push_str(": loads"),
            None => {}
        }
        text.push('\n');
        for (id, parts) in by {
            text.push_str(&format!("  {}: {}\n", if id.is_empty() { "works" } else { id }, parts.join(" ")));
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn under_constrained_language_mode_no_order_no_task_and_no_answer_can_be_made() {
    let Some(stub) = Stub::new() else { return };
    let asked = stub.folder.path().join("asked.json");
    fs::write(&asked, Value::Array(all()).to_string()).unwrap();
    let mut command = tokio::process::Command::new(&stub.pwsh);
    command
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor/constrained.ps1"));
    command.arg(scripts()).arg(&asked).env_clear().envs(&stub.environment["N01"]).kill_on_drop(true);
    // The real lib-seam: what stands in for it is not of Windows.
    command.env_remove("DRYDOCK_SEAM");
    let done = timeout(2 * common::MINUTE, command.output()).await.unwrap().unwrap();
    let (told, words) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8_lossy(&done.stderr).into_owned());
    assert!(done.status.success(), "{told}{words}");
    expect![[r#"
        lib-seam: loads
        lib-json: loads
        lib-memory: loads
        lib-facts: loads
        lib-guard: loads
        lib-work: loads
        order-cancel: CannotCreateTypeConstrainedLanguage,New-Object
        order-fence: CannotCreateTypeConstrainedLanguage,New-Object
        order-install: CannotCreateTypeConstrainedLanguage,New-Object
        order-reboot: CannotCreateTypeConstrainedLanguage,New-Object
        order-registry: CannotCreateTypeConstrainedLanguage,New-Object
        order-restart: CannotCreateTypeConstrainedLanguage,New-Object
        order-return: CannotCreateTypeConstrainedLanguage,New-Object
        order-vacate: CannotCreateTypeConstrainedLanguage,New-Object
        probe-cluster
          works: level solution sites wouldLoseQuorum groups
        probe-doctor
          works: shell policy modules services machine cim cluster quorumQuestion storage registryRead folder tasks setup
          CannotCreateComTypeConstrainedLanguage,New-Object: updateAgent
          CannotCreateTypeConstrainedLanguage,New-Object: mutex
          InvokeMethodOnNull: registryWrite
          MethodInvocationNotSupportedInConstrainedLanguage: account
        probe-node
          works: identity clock build memory registry worker setup service diskFree
          CannotCreateTypeConstrainedLanguage: view
          InvokeMethodOnNull: boot
          MethodInvocationNotSupportedInConstrainedLanguage: room
        probe-registration
          works: registration stamp
        probe-storage
          works: disks jobs drives
          CannotCreateTypeConstrainedLanguage: pool
        probe-update
          works: rebootPending
          CannotCreateComTypeConstrainedLanguage,New-Object: offers
        task-install: CannotCreateTypeConstrainedLanguage,New-Object
        task-restart: CannotCreateTypeConstrainedLanguage,New-Object
        an answer: CannotCreateTypeConstrainedLanguage,New-Object
    "#]]
    .assert_eq(&lines(&told));
    // What it left: the key that names boots, and nothing in it.
    assert_eq!(stub.drydock_key("N01"), json!({}));
    assert!(!stub.home("N01").join("ProgramData/Drydock").exists());
    assert_eq!(stub.truth()["nodes"]["N01"]["tasks"], json!({}));
}
