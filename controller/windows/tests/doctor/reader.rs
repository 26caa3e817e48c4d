//! An account that is no administrator, with read-only access to the cluster and the right to open a shell: over a real session, on a node that refuses it what
//! Windows refuses (tests/node/README.md says by which source, and what is drawn because there is none).

use super::{Stub, advice, doctor, secrets};
use crate::common::{self, MINUTE, bed};
use crate::server::{Server, python};
use drydock_model::desired::{BitsSource, FailbackMode};
use drydock_model::ids::{EntryId, NodeId};
use drydock_model::order::{Expect, Order, Work};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_windows::auth::{Sealing, Security};
use drydock_windows::doctor::Intent;
use drydock_windows::session::{Script, Target, Transport};
use drydock_windows::{orders, scripts};
use expect_test::expect;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// N01 behind a server that lets LAB\look open a shell, and a bed that knows it as `look`, and an administrator as `svc`.
struct Scene {
    stub: Stub,
    server: Server,
    bed: common::Bed,
}

fn scene() -> Option<Scene> {
    let python = python()?;
    let stub = Stub::new()?;
    let users = json!({ "users": [
        { "name": "look", "domain": "LAB", "password": "canary look", "administrator": false, "shell": true },
        { "name": "svc", "domain": "LAB", "password": "canary svc" },
    ] });
    let server = Server::start_node(&python, "N01", &["--auth", "ntlm", "--cluster", stub.folder.path().to_str().unwrap()], &users);
    let bed = bed(BTreeMap::from([secrets("look", r"LAB\look", "canary look"), secrets("svc", r"LAB\svc", "canary svc")]), |_| {});
    let scene = Scene { stub, server, bed };
    // The first doors are those of a Windows that shows as little as it may.
    scene.doors(json!({"reader-storage-refuses": 1, "reader-storage-hides": 0, "reader-mscluster-refuses": 1, "reader-cimv2-refuses": 0}));
    Some(scene)
}

impl Scene {
    fn doors(&self, drawn: Value) {
        let file = self.stub.folder.path().join("faults.json");
        let beside = file.with_extension("new");
        std::fs::write(&beside, json!({"drawn": drawn}).to_string()).unwrap();
        std::fs::rename(beside, file).unwrap();
    }

    fn target(&self, credential: &str) -> Target {
        let transport = Transport::Winrm { port: self.server.port, security: Security::SealedHttp { method: Sealing::Ntlm } };
        Target { node: "N01".parse().unwrap(), address: "127.0.0.1".into(), transport, credential: credential.into() }
    }

    async fn doctor(&self, intent: Intent) -> String {
        let port = self.server.port.to_string();
        advice(&doctor(&self.bed.sessions, intent).walk(&self.target("look")).await, &[(&port, "PORT")])
    }

    /// Every part of every probe: known, or why not.
    async fn probes(&self) -> String {
        let mut text = String::new();
        for name in ["probe-node", "probe-cluster", "probe-storage", "probe-registration", "probe-update"] {
            let script = scripts::script(name).unwrap();
            let answer = self.bed.sessions.run(&self.target("look"), script, scripts::LIBRARIES, Map::new(), MINUTE).await.unwrap();
            let mut known = Vec::new();
            let mut gaps = String::new();
            for (part, told) in answer.as_object().unwrap() {
                if told["ok"] == true {
                    known.push(part.as_str());
                } else {
                    let word = |field: &str| told[field].as_str().unwrap().to_owned();
                    gaps.push_str(&format!("  {part}: {} ({}, {})\n", word("gap"), word("category"), word("id")));
                }
            }
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(" ") };
            text.push_str(&format!("{name} knows: {known}\n{gaps}"));
        }
        text
    }

    /// Who the node is, as the platform knows it.
    fn id(&self) -> NodeId {
        let truth = self.stub.truth();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        NodeId {
            name: "N01".parse().unwrap(),
            machine: text(&truth["nodes"]["N01"]["machine"]).parse().unwrap(),
            cluster: text(&truth["id"]).parse().unwrap(),
            node: text(&truth["nodes"]["N01"]["member"]).parse().unwrap(),
        }
    }

    /// Every order there is, in the boot that is now.
    fn orders(&self) -> Vec<Order> {
        let boot = self.stub.drydock_key("N01")["keys"]["Boot"]["values"]["Id"]["data"].as_str().unwrap_or("none-yet").parse().unwrap();
        let entry = |seq: u32| EntryId { cluster: "c".parse().unwrap(), place: format!("1.ab/{seq}").parse().unwrap() };
        let mut all = vec![Order::fence(entry(4), self.id(), None), Order::cancel(entry(8), self.id())];
        for (step, seq) in
            [Step::WriteRegistry, Step::Vacate, Step::Reboot, Step::Install, Step::Restart, Step::Return].into_iter().zip(3..)
        {
            let work = Work {
                step,
                target: "23H2".parse().unwrap(),
                attempt: 1,
                source: BitsSource::WindowsUpdate,
                failback: FailbackMode::Immediate,
                small_allocations: true,
            };
            let boot: &drydock_model::ids::BootId = &boot;
            all.push(Order::step(entry(seq * 4), self.id(), work, Expect::NOTHING, boot.clone(), Millis(u64::from(u32::MAX) * 1000)));
        }
        all
    }

    async fn order(&self, credential: &str, order: &Order) -> String {
        let call = orders::call(order).unwrap();
        let mut arguments = call.arguments;
        if matches!(call.script, "order-install" | "order-restart") {
            arguments.insert("TaskSource".into(), json!("param()"));
            arguments.insert("TaskLibraries".into(), json!(["'a library'"]));
        }
        let script = scripts::script(call.script).unwrap();
        match self.bed.sessions.run(&self.target(credential), script, scripts::LIBRARIES, arguments, MINUTE).await {
            Ok(answer) => format!("{}: {}\n", call.script, answer["receipt"]),
            Err(error) => {
                // The line moves with every change of a library.
                let words = error.to_string();
                format!("{}: {} {}\n", call.script, error.code(), words.split(", line ").next().unwrap())
            }
        }
    }

    /// What every order says.
    async fn all_orders(&self) -> String {
        let mut text = String::new();
        for order in self.orders() {
            text.push_str(&self.order("look", &order).await);
        }
        text
    }

    /// Everything that an order could leave on the node.
    fn traces(&self) -> Value {
        let node = &self.stub.truth()["nodes"]["N01"];
        let registry: Value = serde_json::from_slice(&std::fs::read(self.stub.home("N01").join("registry.json")).unwrap()).unwrap();
        json!({
            "registry": registry, "folder": self.stub.home("N01").join("ProgramData/Drydock").exists(), "effects": self.stub.truth()["effects"],
            "node": [node["tasks"], node["paused"], node["drain"], node["services"], node["shutdown"], node["staged"]],
        })
    }
}

/// What commands say that change something, one after another, as the account hears it.
const WRITES: Script = Script {
    name: "writes",
    source: r#"[CmdletBinding()]param()
$ErrorActionPreference = 'Stop'
Import-Module WindowsServices
$tries = [ordered]@{
    'Suspend-ClusterNode' = { Suspend-ClusterNode -Name N01 -Drain }
    'Resume-ClusterNode' = { Resume-ClusterNode -Name N01 }
    'Get-Service' = { Get-Service -Name clussvc }
    'Start-Service' = { Start-Service -Name clussvc }
    'Register-ScheduledTask' = { Register-ScheduledTask -TaskName x -Action (New-ScheduledTaskAction -Execute powershell.exe) }
    'New-Item' = { New-Item -Path HKLM:\SOFTWARE\Drydock }
    'New-ItemProperty' = { New-ItemProperty -LiteralPath HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem -Name RefsEnableMetadataValidation -Value 0 }
    'Get-VM' = { Get-VM }
    'Get-StoragePool' = { Get-StoragePool }
    'MSCluster_Node' = { Get-CimInstance -Namespace root/MSCluster -ClassName MSCluster_Node }
    'Win32_OperatingSystem' = { Get-CimInstance -ClassName Win32_OperatingSystem }
    'shutdown.exe' = { shutdown.exe /r /t 5; if ($LASTEXITCODE -ne 0) { throw "exit code $LASTEXITCODE" } }
    'Get-ClusterNode' = { Get-ClusterNode }
}
, @(foreach ($name in $tries.Keys) {
    try { [void]@(& $tries[$name]); "$name works" } catch { "$name $($_.CategoryInfo.Category) $($_.FullyQualifiedErrorId)" }
})"#,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_does_not_know_the_worker_once_one_has_worked_there() {
    let Some(scene) = scene() else { return };
    std::fs::create_dir_all(scene.stub.home("N01").join("ProgramData/Drydock")).unwrap();
    let told = scene.doctor(Intent::Observe).await;
    assert!(told.contains("DD0613 worker is unknown: access denied"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_told_what_it_may_not_and_its_orders_leave_no_trace() {
    let Some(scene) = scene() else { return };
    let before = scene.traces();
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: HTTP; every message is sealed
        authentication ok: let in, HTTP sealed by NTLM
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights found: LAB\look (NTLM)
          DD0612 LAB\look is no administrator of this node, or its rights are filtered over the network
            -> make it a member of Administrators; a local account also needs LocalAccountTokenFilterPolicy, see DD0612
          DD0612 it may not ask the cluster's WMI classes: Access denied
            -> allow it root\MSCluster, or make it a member of the node's Administrators
          DD0612 it may not ask the storage: Access to a CIM resource was not available to the client.
            -> make the account a member of the node's Administrators
          DD0612 it may not write below HKLM:\SOFTWARE\Drydock: Requested registry access is not allowed.
            -> make the account a member of the node's Administrators
        facts found: 11 known, 5 unknown; build 20349.3692; the cluster service runs; no fence yet
          DD0613 boot is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 room is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 quorum is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 storage is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 preconditions (solution, self-updating, sites) is unknown: access denied
            -> give the account the right; the step before may name it
    "#]]
    .assert_eq(&scene.doctor(Intent::Upgrade).await);
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: HTTP; every message is sealed
        authentication ok: let in, HTTP sealed by NTLM
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights found: LAB\look (NTLM); for looking only; what orders need is not judged
          DD0612 it may not ask the cluster's WMI classes: Access denied
            -> allow it root\MSCluster, or make it a member of the node's Administrators
          DD0612 it may not ask the storage: Access to a CIM resource was not available to the client.
            -> make the account a member of the node's Administrators
        facts found: 11 known, 5 unknown; build 20349.3692; the cluster service runs; no fence yet
          DD0613 boot is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 room is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 quorum is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 storage is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 preconditions (solution, self-updating, sites) is unknown: access denied
            -> give the account the right; the step before may name it
    "#]]
    .assert_eq(&scene.doctor(Intent::Observe).await);
    expect![[r#"
        probe-node knows: build clock diskFree identity memory registry service setup view worker
          boot: AccessDenied (PermissionDenied, System.Security.SecurityException,New-Item)
          room: AccessDenied (PermissionDenied, AccessDenied,Get-VM)
        probe-cluster knows: groups level
          sites: AccessDenied (PermissionDenied, HRESULT 0x80041003,Get-ClusterFaultDomain)
          solution: AccessDenied (NotSpecified, System.InvalidOperationException,Get-Service)
          wouldLoseQuorum: AccessDenied (PermissionDenied, HRESULT 0x80041003,Get-CimInstance)
        probe-storage knows: nothing
          disks: AccessDenied (PermissionDenied, MI RESULT 2,Get-StoragePool)
          drives: AccessDenied (PermissionDenied, MI RESULT 2,Get-StorageNode)
          jobs: AccessDenied (PermissionDenied, MI RESULT 2,Get-StoragePool)
          pool: AccessDenied (PermissionDenied, MI RESULT 2,Get-StoragePool)
        probe-registration knows: registration
          stamp: AccessDenied (NotSpecified, System.InvalidOperationException,Get-Service)
        probe-update knows: offers rebootPending
    "#]]
    .assert_eq(&scene.probes().await);
    let writes = scene.bed.sessions.run(&scene.target("look"), WRITES, &[], Map::new(), MINUTE).await.unwrap();
    let lines: String = writes.as_array().unwrap().iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect();
    expect![[r#"
        Suspend-ClusterNode AuthenticationError ClusterAccessDenied,Suspend-ClusterNode
        Resume-ClusterNode AuthenticationError ClusterAccessDenied,Resume-ClusterNode
        Get-Service NotSpecified System.InvalidOperationException,Get-Service
        Start-Service NotSpecified System.InvalidOperationException,Start-Service
        Register-ScheduledTask PermissionDenied HRESULT 0x80070005,Register-ScheduledTask
        New-Item PermissionDenied System.Security.SecurityException,New-Item
        New-ItemProperty PermissionDenied System.Security.SecurityException,New-ItemProperty
        Get-VM PermissionDenied AccessDenied,Get-VM
        Get-StoragePool PermissionDenied MI RESULT 2,Get-StoragePool
        MSCluster_Node PermissionDenied HRESULT 0x80041003,Get-CimInstance
        Win32_OperatingSystem works
        shutdown.exe OperationStopped exit code 5
        Get-ClusterNode works
    "#]]
    .assert_eq(&lines);
    expect![[r#"
        order-fence: DD0612 script order-fence failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-cancel: DD0612 script order-cancel failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-registry: DD0612 script order-registry failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-vacate: DD0612 script order-vacate failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-reboot: DD0612 script order-reboot failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-install: DD0612 script order-install failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-restart: DD0612 script order-restart failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
        order-return: DD0612 script order-return failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-Item
    "#]].assert_eq(&scene.all_orders().await);
    assert_eq!(scene.traces(), before);

    // An administrator came before it: the boot has its name, and the node remembers something.
    let first = Order::fence(EntryId { cluster: "c".parse().unwrap(), place: "1.ab/1".parse().unwrap() }, scene.id(), None);
    assert_eq!(scene.order("svc", &first).await, "order-fence: \"Applied\"\n");
    let before = scene.traces();
    expect![[r#"
        order-fence: DD0612 script order-fence failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-cancel: DD0612 script order-cancel failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-registry: DD0612 script order-registry failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-vacate: DD0612 script order-vacate failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-reboot: DD0612 script order-reboot failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-install: DD0612 script order-install failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-restart: DD0612 script order-restart failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
        order-return: DD0612 script order-return failed: Requested registry access is not allowed. (PermissionDenied, System.Security.SecurityException,New-ItemProperty
    "#]].assert_eq(&scene.all_orders().await);
    assert_eq!(scene.traces(), before);
    // Another Windows: the cluster's storage is not refused but not shown, and its WMI classes answer.
    scene.doors(json!({"reader-storage-refuses": 0, "reader-storage-hides": 1, "reader-mscluster-refuses": 0, "reader-cimv2-refuses": 0}));
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: HTTP; every message is sealed
        authentication ok: let in, HTTP sealed by NTLM
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights ok: LAB\look (NTLM); for looking only; what orders need is not judged
        facts found: 13 known, 3 unknown; build 20349.3692; the cluster service runs; fence 1.ab/1
          DD0613 room is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 storage is unknown: answer lacks disks
            -> in a shell of this account try the commands that DD0613 names
          DD0613 preconditions (solution, self-updating, sites) is unknown: access denied
            -> give the account the right; the step before may name it
    "#]]
    .assert_eq(&scene.doctor(Intent::Observe).await);
    // And one that shows no WMI at all: without the machine's name nothing of the node counts.
    scene.doors(json!({"reader-storage-refuses": 0, "reader-storage-hides": 0, "reader-mscluster-refuses": 1, "reader-cimv2-refuses": 1}));
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: HTTP; every message is sealed
        authentication ok: let in, HTTP sealed by NTLM
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights found: LAB\look (NTLM); for looking only; what orders need is not judged
          DD0612 it may not read the machine's UUID: Access denied
            -> allow it root\cimv2, or make it a member of the node's Administrators
          DD0612 it may not ask CIM: Access denied
            -> allow it root\cimv2, or make it a member of the node's Administrators
          DD0612 it may not ask the cluster's WMI classes: Access denied
            -> allow it root\MSCluster, or make it a member of the node's Administrators
        facts found: 10 known, 6 unknown; build 20349.3692; the cluster service runs; fence 1.ab/1
          DD0613 identity is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 clock is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 disk is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 room is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 quorum is unknown: access denied
            -> give the account the right; the step before may name it
          DD0613 preconditions (solution, self-updating, sites) is unknown: access denied
            -> give the account the right; the step before may name it
    "#]]
    .assert_eq(&scene.doctor(Intent::Observe).await);
    assert_eq!(scene.traces(), before);
    assert!(scene.bed.sessions.close(MINUTE).await);
    assert_eq!((scene.server.counter("shellsOpen"), scene.server.counter("broken")), (0, 0));
}
