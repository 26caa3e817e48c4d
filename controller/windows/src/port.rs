//! The clusters port over real nodes: looks by probes, acts by orders, each on the node itself over that node's own session.

use crate::auth::{Instruments, Refusal, Security};
use crate::error::SessionError;
use crate::facts;
use crate::orders;
use crate::scripts;
use crate::session::{Script, Sessions, Target, Transport};
use drydock_engine::ports::{Clusters, PerformError, Wanted};
use drydock_model::connection::Transport as By;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::{ClusterFacts, NodeFacts, Observed, Room};
use drydock_model::order::{Order, Receipt};
use drydock_model::step::Step;
use drydock_model::time::Span;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A probe's time: a warm one takes milliseconds, a first one the start of PowerShell and its modules. Below half of what counts as fresh.
const PROBE: Duration = Duration::from_secs(45);

/// An order's time: it may wait half a minute for another one, and then looks at the storage before it acts.
const ORDER: Duration = Duration::from_secs(100);

/// How one credential of the configuration serves.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// Over WinRM.
    pub winrm: Option<Security>,
    /// Over SSH: files of known host keys.
    pub ssh: Option<Vec<PathBuf>>,
}

/// Real nodes.
#[derive(Clone)]
pub struct RealNodes {
    sessions: Sessions,
    ways: Arc<BTreeMap<String, Ways>>,
    instruments: Arc<dyn Instruments>,
    powershell: String,
}

/// What an answer was for, and when.
struct Answer {
    result: Result<Value, Gap>,
    seen: Span,
}

impl RealNodes {
    /// Nodes behind these sessions. `powershell` is the program that SSH starts there.
    pub fn new(sessions: Sessions, ways: BTreeMap<String, Ways>, instruments: Arc<dyn Instruments>, powershell: &str) -> RealNodes {
        RealNodes { sessions, ways: Arc::new(ways), instruments, powershell: powershell.to_owned() }
    }

    /// The sessions, to close them.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The way to one node.
    pub fn target(&self, wanted: &Wanted, node: &NodeName) -> Result<Target, SessionError> {
        let connection = &wanted.connection;
        let way = connection.way(node);
        let name = way.credential.unwrap_or_default();
        let unavailable = |why: &str| SessionError::Authentication(Refusal::Unavailable { name: name.clone(), why: why.to_owned() });
        let ways = self.ways.get(&name).ok_or_else(|| unavailable("the controller's configuration has none of that name"))?;
        let transport = match way.transport {
            By::WinRM => {
                let security = ways.winrm.clone().ok_or_else(|| unavailable("it does not serve over WinRM"))?;
                let usual = match &security {
                    Security::Https { .. } => 5986,
                    Security::SealedHttp { .. } => 5985,
                };
                Transport::Winrm { port: way.port.unwrap_or(usual), security }
            }
            By::SSH => {
                let known_hosts = ways.ssh.clone().ok_or_else(|| unavailable("it does not serve over SSH"))?;
                Transport::Ssh { port: way.port.unwrap_or(22), known_hosts, program: self.powershell.clone() }
            }
            By::Lab => return Err(unavailable("the cluster is a simulated one, and this controller has no lab")),
        };
        let address = connection.addresses.get(node).cloned().unwrap_or_else(|| node.as_str().to_ascii_lowercase());
        Ok(Target { node: node.clone(), address, transport, credential: name })
    }

    /// Runs one probe, and says when.
    async fn ask(&self, target: &Target, script: &str) -> Answer {
        let from = self.instruments.now();
        let result = self.probe(target, script).await;
        // A clock that is set back meanwhile must not turn a span round.
        let to = self.instruments.now().max(from);
        let result = result.map_err(|error| {
            tracing::warn!(node = %target.node, script, code = error.code(), %error, "a node could not be asked");
            gap(&error, &target.credential)
        });
        Answer { result, seen: Span { from, to } }
    }

    /// What a probe answered, as it came.
    pub async fn probe(&self, target: &Target, script: &str) -> Result<Value, SessionError> {
        let script = scripts::script(script).ok_or_else(|| SessionError::ScriptRefused(format!("there is no script {script}")))?;
        self.sessions.run(target, script, scripts::LIBRARIES, Map::new(), PROBE).await
    }

    async fn node(self, wanted: Arc<Wanted>, node: NodeName) -> (NodeName, NodeFacts, Fact<Room>) {
        let unknown = |gap: &Gap| (NodeFacts::unknown(gap), Fact::Unknown(gap.clone()));
        let (known, room) = match self.target(&wanted, &node) {
            Err(error) => unknown(&gap(&error, "")),
            Ok(target) => {
                let Answer { result, seen } = self.ask(&target, "probe-node").await;
                match result {
                    Ok(answer) => (facts::node(&answer, seen), facts::room(&answer, seen)),
                    Err(gap) => unknown(&gap),
                }
            }
        };
        (node, known, room)
    }

    async fn cluster(
        &self,
        wanted: &Wanted,
        nodes: &BTreeMap<NodeName, NodeFacts>,
        rooms: &BTreeMap<NodeName, Fact<Room>>,
    ) -> ClusterFacts {
        let Some(through) = facts::through(nodes) else {
            let answers = nodes.values().any(|facts| facts.service.known().is_some());
            return ClusterFacts::unknown(if answers { &Gap::ClusterServiceStopped } else { &Gap::Unreachable });
        };
        let target = match self.target(wanted, &through) {
            Ok(target) => target,
            Err(error) => return ClusterFacts::unknown(&gap(&error, "")),
        };
        let cluster = self.ask(&target, "probe-cluster").await;
        let storage = self.ask(&target, "probe-storage").await;
        let seen = Span { from: cluster.seen.from, to: storage.seen.to.max(cluster.seen.to) };
        facts::cluster(through, cluster.result.as_ref(), storage.result.as_ref(), rooms, seen)
    }
}

impl Clusters for RealNodes {
    async fn observe(&self, wanted: &Wanted) -> Observed {
        let from = self.instruments.now();
        let all = Arc::new(wanted.clone());
        let mut asked = JoinSet::new();
        for node in &wanted.desired.nodes {
            asked.spawn(self.clone().node(all.clone(), node.clone()));
        }
        let lost = Gap::Unreadable("the controller's own task ended".to_owned());
        let mut nodes: BTreeMap<NodeName, NodeFacts> =
            wanted.desired.nodes.iter().map(|node| (node.clone(), NodeFacts::unknown(&lost))).collect();
        let mut rooms = BTreeMap::new();
        while let Some(told) = asked.join_next().await {
            match told {
                Ok((node, facts, room)) => {
                    nodes.insert(node.clone(), facts);
                    rooms.insert(node, room);
                }
                Err(error) => tracing::error!(%error, "a probe's task ended"),
            }
        }
        let cluster = self.cluster(wanted, &nodes, &rooms).await;
        let to = self.instruments.now().max(from);
        Observed { nodes, cluster, span: Span { from, to } }
    }

    async fn perform(&self, wanted: &Wanted, order: &Order) -> Result<Receipt, PerformError> {
        let not_sent = |why: String| PerformError::NotSent(why);
        let target = self.target(wanted, &order.node.name).map_err(|e| not_sent(e.to_string()))?;
        let call = orders::call(order).ok_or_else(|| not_sent("nothing is ordered to settle".to_owned()))?;
        let script = scripts::script(call.script).ok_or_else(|| not_sent(format!("there is no script {}", call.script)))?;
        let mut arguments = call.arguments;
        arguments.extend(left_behind(order));
        let answer = self.sessions.run(&target, script, scripts::LIBRARIES, arguments, ORDER).await.map_err(|error| {
            tracing::warn!(node = %target.node, script = script.name, code = error.code(), %error, "no receipt");
            match error.was_sent() {
                true => PerformError::Unknown(error.to_string()),
                false => PerformError::NotSent(error.to_string()),
            }
        })?;
        // It ran, and what it did is for the next look to tell.
        orders::receipt(&answer).map_err(|why| PerformError::Unknown(format!("the receipt cannot be understood: {why}")))
    }
}

/// What an order leaves on the node to go on by itself: a task, and the libraries it stands on.
fn left_behind(order: &Order) -> Map<String, Value> {
    let task = match order.step_of() {
        Some(Step::Install) => scripts::script("task-install"),
        Some(Step::Restart) => scripts::script("task-restart"),
        Some(Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Return | Step::Settle) | None => None,
    };
    let text = |script: &Script| Value::from(script.source);
    task.map(|task| {
        let libraries = scripts::LIBRARIES.iter().map(text).collect();
        Map::from_iter([("TaskSource".to_owned(), text(&task)), ("TaskLibraries".to_owned(), Value::Array(libraries))])
    })
    .unwrap_or_default()
}

/// Why a node is not known, for the status.
fn gap(error: &SessionError, credential: &str) -> Gap {
    match error {
        SessionError::Unreachable(_) => Gap::Unreachable,
        SessionError::Authentication(refusal) if credential.is_empty() => Gap::AuthenticationFailed(refusal.to_string()),
        SessionError::Authentication(refusal) => Gap::AuthenticationFailed(format!("credential {credential}: {refusal}")),
        SessionError::AccessDenied(_) => Gap::AccessDenied,
        SessionError::AnswerLost(_) => Gap::TimedOut,
        SessionError::AnswerUnintelligible { why, .. } => Gap::Unparsable(why.clone()),
        SessionError::Name(_)
        | SessionError::Tls(_)
        | SessionError::Quota(_)
        | SessionError::ScriptRefused(_)
        | SessionError::ScriptFailed { .. } => Gap::Unreadable(format!("{} ({})", error, error.code())),
    }
}
