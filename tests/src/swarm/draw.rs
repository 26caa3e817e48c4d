//! What a seed stands for: a world, and what goes wrong in it.

use crate::sim::{Setup, desired, node};
use crate::touch::Blow;
use drydock_engine::pace::Pacing;
use drydock_lab::{ClusterConfig, Dice, Durations, Fault, Rules};
use drydock_model::desired::{BitsSource, Desired, FailbackMode, NodeOrder, Overrun, Target, Version, WorkloadPolicy};
use drydock_model::ids::ClusterName;
use drydock_model::time::Millis;
use drydock_model::window::{Exclusion, Window, Windows};
use std::fmt;

/// What a seed stands for.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The world.
    pub setup: Setup,
    /// What goes wrong, and when.
    pub troubles: Vec<(Millis, Trouble)>,
    /// How long before calm comes.
    pub safety: Millis,
}

/// Something that goes wrong, or a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A fault of the lab, at a node that the lab draws.
    Lab(Fault),
    /// The status branch cannot be reached for so long.
    BranchDown(Millis),
    /// It can be reached again.
    BranchUp,
    /// The answers to so many pushes are lost.
    LoseAnswers(u32),
    /// The server refuses the cluster's entries for so long.
    Refuses(Millis),
    /// It takes them again.
    TakesAgain,
    /// The branch goes back so many commits while its controller lives.
    Rewind(usize),
    /// The same, and the controller is killed at that moment: the entries are lost for good.
    Lost(usize),
    /// Somebody writes to the cluster's part; accepted after so long.
    Foreign(Millis),
    /// A person accepts what somebody wrote.
    Accept,
    /// A controller is killed at one of its next effects, and starts anew.
    Kill(u64, Blow, Millis),
    /// A controller of another name starts, with or without `--take-over`.
    Second(bool),
    /// A controller of the same name starts beside the first.
    Twin,
    /// A controller's clock goes wrong by so many milliseconds.
    Skew(i64),
    /// A stop file, for so long.
    Stop(Millis),
    /// The stop file is removed.
    StopRemoved,
    /// `suspend` is merged, for so long.
    Suspend(Millis),
    /// It is merged away.
    Resume,
    /// 24H2 from media is merged.
    Target24,
    /// Another bound, order or policy is merged.
    Options(u64),
    /// A person declares a node gone that is a member still.
    Gone(u64),
    /// Another floor.
    Floor(u32),
    /// A node is taken out of the file.
    Unnamed(u64),
    /// And put back.
    Named,
    /// A person says retry for no reason.
    Retry(u64),
}

impl Trouble {
    /// One word for counting.
    pub fn kind(&self) -> String {
        match self {
            Trouble::Lab(fault) => fault.word().to_owned(),
            Trouble::Kill(_, blow, _) => format!("kill {blow:?}").to_lowercase(),
            Trouble::BranchDown(_) => "branch-down".to_owned(),
            Trouble::BranchUp => "branch-up".to_owned(),
            Trouble::LoseAnswers(_) => "push-answers-lost".to_owned(),
            Trouble::Refuses(_) => "entries-refused".to_owned(),
            Trouble::TakesAgain => "entries-taken-again".to_owned(),
            Trouble::Rewind(_) => "branch-rewound".to_owned(),
            Trouble::Lost(_) => "entries-lost".to_owned(),
            Trouble::Foreign(_) => "foreign-commit".to_owned(),
            Trouble::Accept => "foreign-accepted".to_owned(),
            Trouble::Second(true) => "take-over".to_owned(),
            Trouble::Second(false) => "second-controller".to_owned(),
            Trouble::Twin => "twin-controller".to_owned(),
            Trouble::Skew(_) => "controller-skew".to_owned(),
            Trouble::Stop(_) => "stop-file".to_owned(),
            Trouble::StopRemoved => "stop-file-removed".to_owned(),
            Trouble::Suspend(_) => "suspend".to_owned(),
            Trouble::Resume => "resume".to_owned(),
            Trouble::Target24 => "target-changed".to_owned(),
            Trouble::Options(_) => "options-changed".to_owned(),
            Trouble::Gone(_) => "declared-gone".to_owned(),
            Trouble::Floor(_) => "floor-changed".to_owned(),
            Trouble::Unnamed(_) => "node-unnamed".to_owned(),
            Trouble::Named => "node-named-again".to_owned(),
            Trouble::Retry(_) => "retry-unasked".to_owned(),
        }
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &self.setup.desired;
        write!(
            f,
            "{} nodes, witness {}, to {} from {}, {} windows, overrun {:?}, retries {}, maxFailed {}, {:?}, {:?}, calm after {}",
            d.nodes.len(),
            self.setup.config.witness,
            d.target,
            d.source,
            d.maintenance.windows.recurring().len(),
            d.maintenance.overrun,
            d.run.max_retries_per_node,
            d.run.max_failed_nodes,
            d.run.node_order,
            d.workload,
            self.safety
        )?;
        for (at, trouble) in &self.troubles {
            write!(f, "\n  +{at} {trouble:?}")?;
        }
        Ok(())
    }
}

/// More than this many troubles in one run drown each other out.
const MOST_TROUBLES: u64 = 10;

/// The world and the troubles of a seed.
pub fn draw(seed: u64) -> Drawn {
    let mut dice = Dice::named(seed, "swarm");
    let cluster: ClusterName = "hospital-north".parse().unwrap_or_else(|_| unreachable!("a name"));
    let nodes = [2, 2, 3, 3, 4, 4, 4, 4, 5, 6][usize::try_from(dice.below(10)).unwrap_or(0)];
    let build = "20349.3692".parse().unwrap_or_else(|_| unreachable!("a build"));
    let mut config = ClusterConfig::new(cluster.clone(), (1..=nodes).map(node).collect(), build);
    // Two nodes need a witness; the others mostly have one.
    config.witness = nodes == 2 || !dice.one_in(4);
    let wants = wants(&mut dice, &cluster, nodes, &mut config);
    let windows = !wants.maintenance.windows.recurring().is_empty();
    let soon = [10, 20, 30][usize::try_from(dice.below(3)).unwrap_or(0)];
    let pacing =
        Pacing { breath: Millis::seconds(soon), soon: Millis::seconds(soon), usual: Millis::seconds(2 * soon), idle: Millis::hours(1) };
    let setup = Setup {
        seed,
        config,
        desired: wants,
        durations: Durations::brief(),
        rules: Rules::all(),
        pacing,
        // Longer than any bound that depends on looking often, shorter than any that depends on patience.
        skip: Some(Millis::minutes(4)),
    };
    // A brief upgrade takes about 40 minutes a node, and with windows up to a day.
    let span = Millis::minutes(45).times(nodes as u64).plus(if windows { Millis::hours(20) } else { Millis::ZERO });
    let troubles = troubles(&mut dice, span);
    Drawn { setup, troubles, safety: span.plus(Millis::hours(1)) }
}

fn wants(dice: &mut Dice, cluster: &ClusterName, nodes: usize, config: &mut ClusterConfig) -> Desired {
    let mut d = desired(cluster, nodes);
    if dice.one_in(3) {
        d.target = Target { version: Version::V24H2, revision: 0 };
        d.source = media();
    }
    if dice.one_in(3) {
        let zone = if dice.one_in(2) { "UTC" } else { "Europe/Berlin" };
        d.maintenance.windows = nightly(zone);
    }
    if dice.one_in(4) {
        d.maintenance.windows = frozen(dice, &d.maintenance.windows);
    }
    d.maintenance.overrun = [Overrun::Finish, Overrun::FinishNode, Overrun::Stop][usize::try_from(dice.below(3)).unwrap_or(0)];
    d.run.max_retries_per_node = u8::try_from(dice.below(4)).unwrap_or(0);
    d.run.max_failed_nodes = u8::try_from(dice.below(3)).unwrap_or(0);
    if dice.one_in(3) {
        d.run.node_order = NodeOrder::Listed((1..=nodes).rev().map(node).collect());
    }
    d.run.failback_mode =
        [FailbackMode::Immediate, FailbackMode::NoFailback, FailbackMode::Policy][usize::try_from(dice.below(3)).unwrap_or(0)];
    if dice.one_in(8) {
        d.run.stop_after = Some(Millis::hours(1));
    }
    if dice.one_in(6) {
        d.workload = WorkloadPolicy::MustBeOff;
        config.roles = 0;
    }
    d
}

/// 24H2 comes from media alone.
pub fn media() -> BitsSource {
    BitsSource::Media { path: r"D:\Media\24H2".to_owned() }
}

fn nightly(zone: &str) -> Windows {
    let parts = || -> Option<Windows> {
        let window = Window::new("daily at 20:00".parse().ok()?, Millis::hours(9), zone.parse().ok()?).ok()?;
        Windows::new(vec![window], Vec::new()).ok()
    };
    parts().unwrap_or_else(|| unreachable!("nine hours every night"))
}

/// With a freeze somewhere in the first day.
fn frozen(dice: &mut Dice, windows: &Windows) -> Windows {
    let start = crate::sim::START + Millis(dice.below(Millis::hours(24).0));
    let end = start + Millis::hours(1 + dice.below(12));
    let freeze = || Windows::new(windows.recurring().to_vec(), vec![Exclusion::new(start, end, "a freeze".to_owned()).ok()?]).ok();
    freeze().unwrap_or_else(|| unreachable!("a freeze of some hours"))
}

/// A seed likes some kinds of trouble and leaves out others, so that rare ones meet often.
fn troubles(dice: &mut Dice, span: Millis) -> Vec<(Millis, Trouble)> {
    // One kind more shifts every seed's draws.
    let own = 15;
    let drawn = Fault::ALL;
    let kinds: Vec<u64> = (0..drawn.len() as u64 + own).filter(|_| dice.one_in(4)).collect();
    let mut troubles = Vec::new();
    for _ in 0..dice.below(MOST_TROUBLES + 1) {
        let Some(kind) = dice.pick(&kinds).copied() else { break };
        let at = Millis(dice.below(span.0));
        let wait = |dice: &mut Dice, minutes: u64| Millis(1 + dice.below(Millis::minutes(minutes).0));
        let faults = drawn.len() as u64;
        let (trouble, then) = match kind.checked_sub(faults) {
            None => (Trouble::Lab(drawn[usize::try_from(kind).unwrap_or(0)]), None),
            Some(0) => {
                let lasts = wait(dice, 60);
                (Trouble::BranchDown(lasts), Some((at.plus(lasts), Trouble::BranchUp)))
            }
            Some(1) => (Trouble::LoseAnswers(1 + u32::try_from(dice.below(3)).unwrap_or(0)), None),
            Some(2) => {
                let lasts = wait(dice, 30);
                (Trouble::Refuses(lasts), Some((at.plus(lasts), Trouble::TakesAgain)))
            }
            Some(3) => {
                let n = 1 + usize::try_from(dice.below(4)).unwrap_or(0);
                (if dice.one_in(3) { Trouble::Lost(n) } else { Trouble::Rewind(n) }, None)
            }
            Some(4) => {
                let lasts = wait(dice, 60);
                (Trouble::Foreign(lasts), Some((at.plus(lasts), Trouble::Accept)))
            }
            Some(5 | 6) => {
                let blow = if dice.one_in(2) { Blow::Before } else { Blow::After };
                (Trouble::Kill(dice.below(6), blow, wait(dice, 20)), None)
            }
            Some(7) => (if dice.one_in(3) { Trouble::Twin } else { Trouble::Second(dice.one_in(2)) }, None),
            Some(8) => match dice.below(3) {
                0 => {
                    let hour = Millis::hours(1).0;
                    (Trouble::Skew(i64::try_from(dice.below(2 * hour)).unwrap_or(0) - i64::try_from(hour).unwrap_or(0)), None)
                }
                _ => {
                    let lasts = wait(dice, 90);
                    (Trouble::Stop(lasts), Some((at.plus(lasts), Trouble::StopRemoved)))
                }
            },
            Some(11) => (Trouble::Floor(u32::try_from(dice.below(1_000)).unwrap_or(0)), None),
            Some(12 | 13) => {
                let lasts = wait(dice, 120);
                (Trouble::Unnamed(dice.roll()), Some((at.plus(lasts), Trouble::Named)))
            }
            Some(14) => (Trouble::Retry(dice.roll()), None),
            Some(9) => (Trouble::Gone(dice.roll()), None),
            Some(_) => match dice.below(3) {
                0 => (Trouble::Target24, None),
                1 => (Trouble::Options(dice.roll()), None),
                _ => {
                    let lasts = wait(dice, 90);
                    (Trouble::Suspend(lasts), Some((at.plus(lasts), Trouble::Resume)))
                }
            },
        };
        troubles.push((at, trouble));
        troubles.extend(then);
    }
    troubles.sort_by_key(|(at, _)| *at);
    troubles
}
