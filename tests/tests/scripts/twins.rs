//! Twins: the guard of the scripts (lib-guard) and the guard in Rust (the lab's `admit`) judge the same generated situations, each without the other, and
//! must give the same answer and remember the same. Where they differ, one of them is wrong.

mod draw;

use draw::{Situation, order, situation};
use drydock_lab::{Admission, Dice, LocalView, Rules, State, admit, still};
use drydock_model::observed::{DiskState, JobState, Storage, WorkerState};
use drydock_model::order::{Act, Order, Receipt};
use drydock_model::step::Step;
use drydock_tests::node::{Host, ScriptError, StubCluster, order_arguments, receipt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in for reading the node: everything comes from the situation, and what would be written is told.
const READS: &str = r"
function Invoke-Alone([string]$Machine, [scriptblock]$Inside) { & $Inside }
function Get-MachineUuid { $global:Case.id.machine }
function Get-Identity { $global:Case.id }
function Get-Memory { $global:Case.memory }
function Get-BootId { $global:Case.boot }
function Get-UpMs { [long]$global:Case.up }
function Get-Build { $global:Case.build }
function Get-Setup { $global:Case.setup }
function Get-Worker { $global:Case.worker }
function Test-Busy([string]$Boot) { $global:Case.busy }
function Get-View { if ($null -eq $global:Case.view) { throw 'no view' }; $global:Case.view }
function Get-StorageFacts { $global:Case.storage }
function Get-QuorumLosers([string]$Name) { if ($global:Case.quorum) { $Name } }
function Request-WorkerEnd($Worker) { }
function Request-RestartEnd { }
function Save-Identity($Identity) { }
function Save-Memory { }
function Set-Fence([string]$Place) { $global:Told.fence = $Place }
function Set-Consumed([string]$Place, [string]$Digest, [string]$Phase) { $global:Told.consumed = $Place + ' ' + $Digest + ' ' + $Phase }
";

/// Judges each case, a text of JSON, and answers the receipt and what would be remembered.
const JUDGE: &str = r"param([string[]]$Cases)
$answers = @(foreach ($text in $Cases) {
    $global:Case = ConvertFrom-Json -InputObject $text
    $global:Told = [ordered]@{ fence = $null; consumed = $null }
    $named = @{ Step = $global:Case.step }
    foreach ($p in $global:Case.order.PSObject.Properties) { $named[$p.Name] = $p.Value }
    $order = New-Order @named
    $answer = Invoke-Order $order { param($Order, $Memory) New-Receipt 'Applied' $null $null $null }
    [ordered]@{ answer = $answer; told = $global:Told }
})
, $answers";

/// What the detached script of a Restart asks once more of each case, without the order's frame.
const AGAIN: &str = r"param([string[]]$Cases)
$answers = @(foreach ($text in $Cases) {
    $global:Case = ConvertFrom-Json -InputObject $text
    $named = @{ Step = $global:Case.step }
    foreach ($p in $global:Case.order.PSObject.Properties) { $named[$p.Name] = $p.Value }
    [ordered]@{ answer = (Test-Again (New-Order @named) (Get-Memory) @{ facts = $global:Case.storage; why = $null }) }
})
, $answers";

/// The word of an enum without fields.
fn words(value: &impl std::fmt::Debug) -> Value {
    json!(format!("{value:?}"))
}

/// The situation and the order, as the scripts' libraries would read them.
fn told(situation: &Situation, order: &Order) -> Value {
    let m = &situation.memory;
    let s = &situation;
    let memory = json!({
        "fence": m.fence.as_ref().map(ToString::to_string),
        "consumed": m.consumed.as_ref().map(|c| json!({"place": c.place.to_string(), "digest": c.digest.as_str(), "phase": words(&c.phase)})),
        "marker": m.marker.as_ref().map(|m| json!({"vacate": m.vacate.to_string(), "state": words(&m.state)})),
        "commit": m.commit.as_ref().map(|c| json!({"target": c.target.to_string(), "attempt": c.attempt, "phase": words(&c.phase), "boot": c.boot.as_str()})),
        "cancelled": null, "registryWritten": null, "stop": m.stop.as_ref().map(|s| json!({"who": s.who, "when": s.when, "why": s.why})),
    });
    let worker = s.worker.as_ref().map(|w| {
        let state = match &w.state {
            WorkerState::Downloading(_) => "Downloading",
            WorkerState::Staging(_) => "Staging",
            WorkerState::Staged => "Staged",
            WorkerState::Failed(_) => "Failed",
            WorkerState::Cancelled => "Cancelled",
        };
        json!({"place": w.place.to_string(), "target": w.target.to_string(), "attempt": w.attempt, "state": state, "alive": w.alive})
    });
    let view = s.local.as_ref().map(|(view, _, _)| {
        let members = view
            .members
            .iter()
            .map(|(name, m)| json!({"name": name.as_str(), "state": m.state.to_string(), "information": s.information[name]}));
        json!({"members": members.collect::<Vec<_>>()})
    });
    json!({
        "step": match &order.act {
            Act::Fence { .. } => "Fence".to_owned(),
            Act::Cancel => "Cancel".to_owned(),
            Act::Step(work) => work.step.to_string(),
        },
        "order": named(order),
        "id": {"name": s.id.name.as_str(), "machine": s.id.machine.as_str(), "cluster": s.id.cluster.as_str(), "node": s.id.node.as_str()},
        "memory": memory, "boot": s.boot.id.as_str(), "up": s.boot.up.0, "build": {"build": s.build.family, "revision": s.build.revision},
        "setup": {"running": s.setup.running, "pending": s.setup.pending}, "worker": worker, "busy": s.busy, "view": view,
        "storage": s.local.as_ref().map(|(_, storage, _)| shown(storage)), "quorum": s.local.as_ref().is_some_and(|(_, _, lost)| *lost),
    })
}

/// The parameters that every order has; those of single steps are not the guard's.
fn named(order: &Order) -> Value {
    let mut args = order_arguments(order);
    let fields = args.as_object_mut().expect("an object");
    for own in ["Marker", "MarkerState", "SmallAllocations", "SourceKind", "MediaPath", "TaskSource", "TaskLibraries", "Failback"] {
        fields.remove(own);
    }
    args
}

fn shown(storage: &Storage) -> Value {
    let disks = storage.disks.iter().map(|(name, state)| {
        let (health, word) = match state {
            DiskState::Healthy => ("Healthy", "OK"),
            DiskState::Repairing => ("Warning", "InService"),
            DiskState::Incomplete => ("Warning", "Incomplete"),
            DiskState::Degraded => ("Warning", "Degraded"),
            DiskState::NoRedundancy => ("Unhealthy", "No Redundancy"),
            DiskState::Detached => ("Unknown", "Detached"),
            DiskState::Other => ("Warning", "Stressed"),
        };
        json!({"name": name, "health": health, "operational": [word]})
    });
    let jobs = storage.jobs.iter().map(|job| {
        let state = match job.state {
            JobState::Running => "Running",
            JobState::Suspended => "Suspended",
            JobState::Ended => "Completed",
        };
        json!({"name": job.name, "state": state, "percent": job.percent})
    });
    let drives = storage
        .drives
        .iter()
        .map(|(node, d)| json!({"node": node.as_str(), "total": d.total, "good": d.good, "maintenance": d.maintenance}));
    let pool = if storage.pool_healthy { ("Healthy", "OK") } else { ("Warning", "Degraded") };
    json!({
        "disks": disks.collect::<Vec<_>>(), "jobs": jobs.collect::<Vec<_>>(), "drives": drives.collect::<Vec<_>>(),
        "pool": {"health": pool.0, "operational": [pool.1], "readOnly": false},
    })
}

/// The Rust guard's answer.
fn rust(situation: &Situation, order: &Order) -> Result<Admission, Receipt> {
    with(situation, |state, local| admit(&Rules::all(), &situation.memory, state, local, order))
}

fn with<T>(situation: &Situation, ask: impl FnOnce(State<'_>, Option<LocalView<'_>>) -> T) -> T {
    let local = situation.local.as_ref().map(|(view, storage, lost)| LocalView { view, storage, would_lose_quorum: *lost });
    let state = State {
        id: &situation.id,
        boot: &situation.boot,
        build: situation.build,
        setup: situation.setup,
        worker: situation.worker.as_ref(),
        busy: situation.busy,
    };
    ask(state, local)
}

/// The scripts' answers, and what they would remember.
fn scripts(host: &mut Host, cases: &[Value]) -> Result<Vec<Value>, ScriptError> {
    asked(host, "judge", JUDGE, cases)
}

fn asked(host: &mut Host, name: &str, source: &str, cases: &[Value]) -> Result<Vec<Value>, ScriptError> {
    let texts: Vec<String> = cases.iter().map(ToString::to_string).collect();
    let answer = host.ask(json!({"run": name, "source": source, "args": {"Cases": texts}}))?;
    Ok(answer.as_array().unwrap_or_else(|| panic!("{answer}")).clone())
}

#[test]
fn the_guard_of_the_scripts_and_the_guard_in_rust_give_equal_answers() {
    let Some(c) = StubCluster::lease(70) else { return };
    let mut host = c.second_host("N01");
    host.ask(json!({"load": "reads", "source": READS})).expect("the stand-ins load");
    let mut dice = Dice::new(70);
    let mut seen = BTreeSet::new();
    let mut admitted = 0;
    for _ in 0..6 {
        let drawn: Vec<(Situation, Order)> = (0..100)
            .map(|_| {
                let order = order(&mut dice);
                (situation(&mut dice, &order), order)
            })
            .collect();
        let cases: Vec<Value> = drawn.iter().map(|(s, o)| told(s, o)).collect();
        for (((situation, order), case), answer) in drawn.iter().zip(&cases).zip(scripts(&mut host, &cases).expect("answers")) {
            let theirs = receipt(&answer["answer"]);
            match rust(situation, order) {
                Err(ours) => {
                    assert_eq!(theirs, ours, "{order}: {case}");
                    seen.insert(kind(&ours));
                }
                Ok(admission) => {
                    assert_eq!(theirs, Receipt::Applied, "{order}: {case}");
                    admitted += 1;
                    let fence = admission.memory.fence.map(|f| f.to_string());
                    assert_eq!(answer["told"]["fence"].as_str(), fence.as_deref(), "{case}");
                    let step = admission.work.is_some();
                    let consumed = step.then(|| format!("{} {} Recorded", order.entry.place, order.digest));
                    assert_eq!(answer["told"]["consumed"].as_str(), consumed.as_deref(), "{case}");
                }
            }
        }
    }
    let missing: Vec<&str> = ALL.into_iter().filter(|word| !seen.contains(*word)).collect();
    assert!(missing.is_empty() && admitted > 30, "the situations never met {missing:?}; {admitted} were admitted");
}

#[test]
fn what_the_task_of_a_restart_asks_once_more_is_what_the_lab_asks() {
    let Some(c) = StubCluster::lease(72) else { return };
    let mut host = c.second_host("N01");
    host.ask(json!({"load": "reads", "source": READS})).expect("the stand-ins load");
    let mut dice = Dice::new(72);
    let mut drawn: Vec<(Situation, Order)> = Vec::new();
    while drawn.len() < 300 {
        let order = order(&mut dice);
        let situation = situation(&mut dice, &order);
        // What was accepted is for this node.
        if order.step_of() == Some(Step::Restart) && order.node == situation.id {
            drawn.push((situation, order));
        }
    }
    let mut seen = BTreeSet::new();
    for part in drawn.chunks(100) {
        let cases: Vec<Value> = part.iter().map(|(s, o)| told(s, o)).collect();
        let answers = asked(&mut host, "again", AGAIN, &cases).expect("answers");
        for (((situation, order), case), answer) in part.iter().zip(&cases).zip(answers) {
            let Act::Step(work) = &order.act else { continue };
            let ours = with(situation, |state, local| still(&Rules::all(), &situation.memory, state, local, &order.expect, work)).err();
            let theirs = (!answer["answer"].is_null()).then(|| receipt(&answer["answer"]));
            assert_eq!(theirs, ours.clone().map(Receipt::Refused), "{order}: {case}");
            seen.insert(ours.map_or("nothing", |unmet| unmet.kind()));
        }
    }
    let reasons = ["Marker", "NoView", "NotUp", "OtherBuild", "Quorum", "StopMark", "Storage", "nothing"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), reasons);
}

/// Every answer that is no admission.
const ALL: [&str; 21] = [
    "AlreadyConsumed",
    "Fenced",
    "Garbled",
    "OtherOrderConsumed",
    "OtherClaim",
    "OtherIdentity",
    "OtherBoot",
    "TooLate",
    "StopMark",
    "Marker",
    "NotUp",
    "NoView",
    "Storage",
    "OtherBuild",
    "Quorum",
    "SetupRunning",
    "NotStaged",
    "OtherWorker",
    "CommitSpent",
    "Committed",
    "Busy",
];

fn kind(receipt: &Receipt) -> &'static str {
    match receipt {
        Receipt::AlreadyConsumed => "AlreadyConsumed",
        Receipt::Fenced { .. } => "Fenced",
        Receipt::Applied | Receipt::Started | Receipt::PlatformRefused(_) => panic!("no refusal: {receipt:?}"),
        Receipt::Refused(why) => why.kind(),
    }
}

/// Refusals that no situation here can reach alone: an identity that cannot be read, the machine, which is asked for twice, a quorum that cannot be known, and
/// the mutex; rules 11 and 12 have tests of their own.
const ELSEWHERE: [&str; 5] = [
    "no identity:",
    "\"machine $($identity.machine)\"",
    "\"machine $machine\"",
    "'Quorum' \"not known",
    "(Wait-Mutex $mutex (Get-MutexWaitMs))",
];

/// The guard's text with each of its refusals taken out, and which one that was.
fn mutants(guard: &str) -> Vec<(String, String)> {
    let mut mutants = Vec::new();
    for (number, line) in guard.lines().enumerate() {
        for made in ["return New-Refusal '", "return New-Receipt 'Fenced'", "return New-Receipt 'AlreadyConsumed'"] {
            let Some(at) = line.find(made) else { continue };
            if ELSEWHERE.iter().any(|words| line.contains(words)) {
                continue;
            }
            let word = line[at..].split('\'').nth(1).expect("a word in quotes").to_owned();
            let silent = made.replacen("return ", "$null = ", 1);
            let text = guard.lines().enumerate().map(|(n, l)| if n == number { l.replace(made, &silent) } else { l.to_owned() });
            mutants.push((format!("{word}: line {}: {}", number + 1, line.trim()), text.collect::<Vec<_>>().join("\n")));
        }
    }
    mutants
}

#[test]
fn each_refusal_of_the_scripts_guard_is_missed_when_it_is_taken_out() {
    let Some(c) = StubCluster::lease(71) else { return };
    let mut dice = Dice::new(71);
    let mut by_kind: BTreeMap<&'static str, Vec<(Value, Receipt)>> = BTreeMap::new();
    for _ in 0..4_000 {
        let order = order(&mut dice);
        let situation = situation(&mut dice, &order);
        if let Err(ours) = rust(&situation, &order) {
            by_kind.entry(kind(&ours)).or_default().push((told(&situation, &order), ours));
        }
    }
    let guard = std::fs::read_to_string(drydock_tests::node::scripts_folder().join("lib-guard.ps1")).expect("the guard");
    let mutants = mutants(&guard);
    assert!(mutants.len() > 25, "the guard has fewer refusals than it had: {}", mutants.len());
    let mut host = c.second_host("N01");
    let mut survived = Vec::new();
    for (name, text) in mutants {
        let word = name.split(':').next().expect("a word");
        host.ask(json!({"load": "mutant", "source": text})).expect("the mutant loads");
        host.ask(json!({"load": "reads", "source": READS})).expect("the stand-ins load");
        let cases = by_kind.get(word).map(Vec::as_slice).unwrap_or_default();
        // Only what the guard refuses for this reason can tell; a part at a time, as the first few mostly do.
        let missed = cases.chunks(12).take(12).any(|part| {
            let values: Vec<Value> = part.iter().map(|(case, _)| case.clone()).collect();
            // A mutant that stumbles over what it should have refused is missed as well.
            scripts(&mut host, &values)
                .map_or(true, |answers| answers.iter().zip(part).any(|(answer, (_, ours))| receipt(&answer["answer"]) != *ours))
        });
        if !missed {
            survived.push(name);
        }
    }
    assert!(survived.is_empty(), "taken out and not missed:\n{}", survived.join("\n"));
}
