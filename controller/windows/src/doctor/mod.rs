//! The doctor: walks to one node, from its name to its facts, one step after another, and says what each step saw or why it stops there.
//!
//! ```text
//!   name ─► port ─► TLS ─► authentication ─► shell ─► PowerShell ─► modules ─► rights ─► facts        then all nodes beside each other
//! ```
//!
//! It logs on as the controller does, through the same breaker, and changes nothing on the node but what `probe-doctor` tries and takes back.
//! It never orders, and never tries a secret that is held back.

mod cluster;
mod facts;
mod finding;
mod needs;
#[cfg(test)]
mod tests;
mod way;

pub use cluster::together;
pub use finding::{Code, Finding};

use crate::auth::Instruments;
use crate::error::SessionError;
use crate::scripts;
use crate::session::{Sessions, Target, Transport};
use drydock_model::ids::NodeName;
use drydock_model::observed::NodeFacts;
use drydock_model::time::Span;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One script. A first storage question on a large cluster takes some ten seconds, and the search for commands loads every module.
const SCRIPT: Duration = Duration::from_secs(120);

/// From the connection to the greeting: the breaker's queue, a logon, the start of PowerShell.
const GREETING: Duration = Duration::from_secs(180);

/// A step of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The address leads somewhere.
    Name,
    /// Something listens there.
    Port,
    /// It proves who it is.
    Tls,
    /// It lets the account in.
    Authentication,
    /// It opens a shell for it.
    Shell,
    /// PowerShell runs in the shell, unrestricted.
    PowerShell,
    /// The commands and services are there.
    Modules,
    /// The account may do what orders need.
    Rights,
    /// The node and its cluster can be read.
    Facts,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Step; 9] =
        [Step::Name, Step::Port, Step::Tls, Step::Authentication, Step::Shell, Step::PowerShell, Step::Modules, Step::Rights, Step::Facts];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::Name => "name",
            Step::Port => "port",
            Step::Tls => "TLS",
            Step::Authentication => "authentication",
            Step::Shell => "shell",
            Step::PowerShell => "PowerShell",
            Step::Modules => "modules",
            Step::Rights => "rights",
            Step::Facts => "facts",
        })
    }
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// The way goes on, and something was found that a person should mend.
    Found(Vec<Finding>),
    /// The way ends here.
    Stopped(Finding),
    /// The transport has no such step.
    NotNeeded,
    /// The way ended before it.
    NotReached,
}

/// One step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// What was seen, in a line; empty where nothing was.
    pub saw: String,
    /// How it went.
    pub outcome: Outcome,
}

/// The walk to one node.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Whose.
    pub node: NodeName,
    /// Every step, in order.
    pub steps: Vec<Taken>,
    /// What the node said of itself, where the walk came so far.
    pub facts: Option<NodeFacts>,
}

impl Walk {
    /// Nothing taken yet.
    fn begin(node: NodeName) -> Walk {
        Walk { node, steps: Vec::new(), facts: None }
    }

    fn take(&mut self, step: Step, saw: impl Into<String>, outcome: Outcome) {
        self.steps.push(Taken { step, saw: saw.into(), outcome });
    }

    fn fine(&mut self, step: Step, saw: impl Into<String>) {
        self.take(step, saw, Outcome::Fine);
    }

    /// Stops at `step`: those between were fine as far as can be told, those behind are not reached.
    fn stop(mut self, step: Step, finding: Finding) -> Walk {
        self.take(step, String::new(), Outcome::Stopped(finding));
        for later in Step::ALL.into_iter().filter(|later| *later > step) {
            self.take(later, String::new(), Outcome::NotReached);
        }
        self
    }

    /// A walk that cannot begin: the configuration has no way to this node.
    pub fn nowhere(node: NodeName, error: &SessionError) -> Walk {
        let mut walk = Walk::begin(node);
        for step in [Step::Name, Step::Port, Step::Tls] {
            walk.take(step, String::new(), Outcome::NotReached);
        }
        walk.stop(Step::Authentication, Finding::of(error))
    }

    /// A walk that ended in the controller itself: of its node nothing is known.
    pub fn failed(node: NodeName, why: &str) -> Walk {
        let todo = "run it again; if it happens again, please report it with what stands on standard error";
        Walk::begin(node).stop(Step::Name, Finding::new(Code::Fact, format!("the controller failed while it walked there: {why}"), todo))
    }

    /// Everything that was found.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.steps.iter().flat_map(|taken| match &taken.outcome {
            Outcome::Found(findings) => findings.as_slice(),
            Outcome::Stopped(finding) => std::slice::from_ref(finding),
            Outcome::Fine | Outcome::NotNeeded | Outcome::NotReached => &[],
        })
    }
}

/// What the account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Looking and ordering.
    Upgrade,
    /// The same, where the new system comes from media.
    UpgradeFromMedia,
    /// Looking only (`run --observe`).
    Observe,
}

impl Intent {
    /// Whether anything is ordered.
    fn orders(self) -> bool {
        match self {
            Intent::Upgrade | Intent::UpgradeFromMedia => true,
            Intent::Observe => false,
        }
    }
}

/// The doctor.
#[derive(Clone)]
pub struct Doctor {
    sessions: Sessions,
    instruments: Arc<dyn Instruments>,
    intent: Intent,
    /// How long a connection, and a handshake, may take.
    connect: Duration,
}

impl Doctor {
    /// A doctor who walks over these sessions.
    pub fn new(sessions: Sessions, instruments: Arc<dyn Instruments>, intent: Intent, connect: Duration) -> Doctor {
        Doctor { sessions, instruments, intent, connect }
    }

    /// Walks to one node.
    pub async fn walk(&self, target: &Target) -> Walk {
        let mut walk = Walk::begin(target.node.clone());
        if let Err((step, error)) = way::to_the_door(&mut walk, target, self.connect).await {
            return walk.stop(step, Finding::of(&error));
        }
        let hello = match self.sessions.greet(target, GREETING).await {
            Ok(hello) => hello,
            Err(error) => return way::not_greeted(walk, &error),
        };
        if let Some(finding) = way::greeted(&mut walk, target, &hello) {
            return walk.stop(Step::PowerShell, finding);
        }
        let parts = match self.ask(target, "probe-doctor").await {
            Ok(parts) => parts,
            Err(error) => return walk.stop(Step::Modules, Finding::of(&error)),
        };
        let modules = needs::modules(&parts, &target.transport, self.intent);
        walk.take(Step::Modules, modules.saw, found(modules.findings));
        let rights = needs::rights(&parts, self.intent);
        walk.take(Step::Rights, rights.saw, found(rights.findings));
        self.read(walk, target).await
    }

    /// The last step: everything that a look at the cluster reads.
    async fn read(&self, mut walk: Walk, target: &Target) -> Walk {
        let from = self.instruments.now();
        let node = match self.ask(target, "probe-node").await {
            Ok(node) => node,
            Err(error) => return walk.stop(Step::Facts, Finding::of(&error)),
        };
        let seen = Span { from, to: self.instruments.now().max(from) };
        let mut read = facts::Read::node(&node, seen);
        // A node that is out tells nothing of its cluster, and is not asked.
        if read.serves() {
            for script in ["probe-cluster", "probe-storage"] {
                match self.ask(target, script).await {
                    Ok(parts) => read.cluster(script, parts),
                    Err(error) => read.failed(Finding::of(&error)),
                }
            }
        }
        let (facts, told) = read.told(&walk.node, seen);
        walk.take(Step::Facts, told.saw, found(told.findings));
        walk.facts = Some(facts);
        walk
    }

    async fn ask(&self, target: &Target, name: &str) -> Result<Value, SessionError> {
        let script = scripts::script(name).ok_or_else(|| SessionError::ScriptRefused(format!("there is no script {name}")))?;
        self.sessions.run(target, script, scripts::LIBRARIES, Map::new(), SCRIPT).await
    }
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor").field("intent", &self.intent).finish_non_exhaustive()
    }
}

/// What a step saw, and what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    saw: String,
    findings: Vec<Finding>,
}

fn found(findings: Vec<Finding>) -> Outcome {
    if findings.is_empty() { Outcome::Fine } else { Outcome::Found(findings) }
}

/// For fuzzers: everything that is judged of a node whose every answer is this one.
pub(crate) fn judged(name: &NodeName, transport: &Transport, answer: &Value) {
    let mut findings = Vec::new();
    for intent in [Intent::Upgrade, Intent::UpgradeFromMedia, Intent::Observe] {
        findings.extend(needs::modules(answer, transport, intent).findings);
        findings.extend(needs::rights(answer, intent).findings);
    }
    let seen = Span::at(drydock_model::time::Timestamp(1_795_456_800_000));
    let mut read = facts::Read::node(answer, seen);
    if read.serves() {
        read.cluster("probe-cluster", answer.clone());
        read.cluster("probe-storage", answer.clone());
    }
    let mut walk = Walk::begin(name.clone());
    let target = Target { node: name.clone(), address: "n01".to_owned(), transport: transport.clone(), credential: String::new() };
    findings.extend(way::greeted(&mut walk, &target, answer));
    let (node, told) = read.told(name, seen);
    findings.extend(told.findings);
    walk.facts = Some(node);
    findings.extend(together(std::slice::from_ref(&walk), std::slice::from_ref(name)));
    for finding in findings {
        let shown = format!("{}{}", finding.what, finding.todo);
        assert!(!shown.contains(char::is_control), "{shown:?} is shown to a person");
    }
}

/// How a node is reached, in words.
pub fn way_of(target: &Target) -> String {
    let over = match &target.transport {
        Transport::Winrm { port, security } => format!("{}:{port} over {}", target.address, way::words(security)),
        Transport::Ssh { port, .. } => format!("{}:{port} over SSH", target.address),
        Transport::Local(program) => return format!("the program {} of this machine", program.path),
    };
    format!("{over}, credential {}", target.credential)
}
