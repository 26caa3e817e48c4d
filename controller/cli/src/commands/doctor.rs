//! `drydock doctor`: walks to every node of a cluster, from its name to its facts, and says where it stops and what to do. Changes nothing.

use super::probe::{described, runtime};
use super::{API_VERSION, say_json};
use crate::args::{Doctor as Args, Form};
use crate::clock::System;
use crate::exit::{Exit, Failure};
use crate::nodes::{Purpose, close, real_nodes};
use crate::output::{Output, Paint};
use crate::{Context, setup};
use drydock_engine::ports::Wanted;
use drydock_model::desired::BitsSource;
use drydock_model::ids::NodeName;
use drydock_spec::Transport;
use drydock_spec::wire::answer::{DoctorAnswer, DoctorFinding, DoctorNode, DoctorOutcome, DoctorStep};
use drydock_spec::wire::one_line;
use drydock_windows::doctor::{Doctor, Finding, Intent, Outcome, Taken, Walk, together, way_of};
use drydock_windows::port::RealNodes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a connection, and a handshake, may take; as the controller's own.
const CONNECT: Duration = Duration::from_secs(15);

/// Characters of one line: a path, a fingerprint and a reason.
const MOST: usize = 600;

/// Width of the names of steps.
const WIDTH: usize = 14;

pub(super) fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    let (spec, wanted) = described(&config, &args.cluster)?;
    match spec.connection.transport {
        Transport::WinRM | Transport::SSH => {}
        Transport::Lab => {
            let todo = format!("drydock probe {} --config {} looks at it", args.cluster, args.config.display());
            return Err(Failure::new(Exit::Usage, format!("{} is a simulated cluster: there is no way to walk", args.cluster), todo));
        }
    }
    let nodes = chosen(&args.nodes, &wanted)?;
    let observe = args.observe || config.observe;
    let real = real_nodes(&config, Arc::new(System), Purpose::Look)?;
    let intent = match (observe, &wanted.desired.source) {
        (true, _) => Intent::Observe,
        (false, BitsSource::Media { .. }) => Intent::UpgradeFromMedia,
        (false, BitsSource::WindowsUpdate) => Intent::Upgrade,
    };
    let doctor = Doctor::new(real.sessions().clone(), Arc::new(System), intent, CONNECT);
    let walked = runtime()?.block_on(async {
        let walked = walk(&real, &doctor, &wanted, &nodes).await;
        close(&real).await;
        walked
    });
    let walks: Vec<Walk> = walked.iter().map(|(_, walk)| walk.clone()).collect();
    let findings = together(&walks, &wanted.desired.nodes);
    let answer = DoctorAnswer {
        api_version: API_VERSION.to_owned(),
        kind: "ClusterDoctor".to_owned(),
        cluster: wanted.desired.cluster.to_string(),
        observe,
        items: walked.iter().map(|(way, walk)| told(way, walk)).collect(),
        findings: findings.iter().map(finding).collect(),
    };
    match args.output {
        Form::Text => {
            let text = text(&answer, &context.output);
            context.output.write(&text);
        }
        Form::Json => say_json(context, &answer)?,
    }
    Ok(if count(&answer) > 0 { Exit::Found } else { Exit::Fine })
}

/// All nodes of the cluster, or those that were named.
fn chosen(named: &[String], wanted: &Wanted) -> Result<Vec<NodeName>, Failure> {
    if named.is_empty() {
        return Ok(wanted.desired.nodes.clone());
    }
    let all = || wanted.desired.nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        let found = wanted.desired.nodes.iter().find(|node| node.as_str().eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{} has no node {name:?}", wanted.desired.cluster), format!("its nodes are: {}", all()))
        })
    };
    named.iter().map(find).collect()
}

/// To all nodes at once; the breaker lets the first logon of a credential go alone.
async fn walk(real: &RealNodes, doctor: &Doctor, wanted: &Wanted, nodes: &[NodeName]) -> Vec<(String, Walk)> {
    let mut ways = Vec::new();
    let mut walking = JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        match real.target(wanted, node) {
            Ok(target) => {
                ways.push((node.clone(), way_of(&target)));
                let doctor = doctor.clone();
                walking.spawn(async move { (number, doctor.walk(&target).await) });
            }
            Err(error) => {
                ways.push((node.clone(), "no way is configured".to_owned()));
                let node = node.clone();
                walking.spawn(async move { (number, Walk::nowhere(node, &error)) });
            }
        }
    }
    gathered(walking, ways).await
}

/// Every node is in the answer, also one over which we failed ourselves.
async fn gathered(mut walking: JoinSet<(usize, Walk)>, ways: Vec<(NodeName, String)>) -> Vec<(String, Walk)> {
    let mut walked = BTreeMap::new();
    let mut failed = "it was not ended".to_owned();
    while let Some(ended) = walking.join_next().await {
        match ended {
            Ok((number, walk)) => drop(walked.insert(number, walk)),
            Err(error) => failed = one_line(&error.to_string(), MOST / 2),
        }
    }
    let walk_of = |(number, (node, way))| (way, walked.remove(&number).unwrap_or_else(|| Walk::failed(node, &failed)));
    ways.into_iter().enumerate().map(walk_of).collect()
}

fn told(way: &str, walk: &Walk) -> DoctorNode {
    DoctorNode { name: walk.node.to_string(), way: one_line(way, MOST), steps: walk.steps.iter().map(step).collect() }
}

fn step(taken: &Taken) -> DoctorStep {
    let (outcome, findings) = match &taken.outcome {
        Outcome::Fine => (DoctorOutcome::Fine, Vec::new()),
        Outcome::Found(findings) => (DoctorOutcome::Found, findings.iter().map(finding).collect()),
        Outcome::Stopped(why) => (DoctorOutcome::Stopped, vec![finding(why)]),
        Outcome::NotNeeded => (DoctorOutcome::NotNeeded, Vec::new()),
        Outcome::NotReached => (DoctorOutcome::NotReached, Vec::new()),
    };
    let saw = Some(one_line(&taken.saw, MOST)).filter(|saw| !saw.is_empty());
    DoctorStep { name: taken.step.to_string(), outcome, saw, findings }
}

fn finding(of: &Finding) -> DoctorFinding {
    DoctorFinding { code: of.code.to_owned(), what: one_line(&of.what, MOST), todo: one_line(&of.todo, MOST) }
}

/// Everything that was found.
fn count(answer: &DoctorAnswer) -> usize {
    answer.findings.len() + answer.items.iter().flat_map(|node| &node.steps).map(|step| step.findings.len()).sum::<usize>()
}

fn text(answer: &DoctorAnswer, output: &Output) -> String {
    let mut text = String::new();
    for node in &answer.items {
        text.push_str(&format!("{}  {}\n", node.name, node.way));
        for step in &node.steps {
            let (word, paint) = match step.outcome {
                DoctorOutcome::Fine => ("ok", Paint::Green),
                DoctorOutcome::Found => ("found", Paint::Yellow),
                DoctorOutcome::Stopped => ("STOP", Paint::Red),
                DoctorOutcome::NotNeeded | DoctorOutcome::NotReached => ("-", Paint::Dim),
            };
            let saw = match (&step.saw, step.outcome) {
                (Some(saw), _) => saw.as_str(),
                (None, DoctorOutcome::NotReached) => "not reached",
                (None, _) => "",
            };
            let word = output.paint(&format!("{word:<5}"), paint);
            text.push_str(format!("  {word}  {:<WIDTH$}  {saw}", step.name).trim_end());
            text.push('\n');
            step.findings.iter().for_each(|finding| say(&mut text, finding));
        }
        text.push('\n');
    }
    if !answer.findings.is_empty() {
        text.push_str(&format!("{}, its nodes beside each other\n", answer.cluster));
        answer.findings.iter().for_each(|finding| say(&mut text, finding));
        text.push('\n');
    }
    let found = count(answer);
    let nodes = answer.items.len();
    let only = if answer.observe { ", judged for looking only" } else { "" };
    text.push_str(&match found {
        0 => format!("all is well on {nodes} nodes{only}\n"),
        1 => format!("1 thing was found{only}; specs/errors.md has a page for its code\n"),
        many => format!("{many} things were found{only}; specs/errors.md has a page for each code\n"),
    });
    text
}

fn say(text: &mut String, finding: &DoctorFinding) {
    text.push_str(&format!("         {}: {}\n           {}\n", finding.code, finding.what, finding.todo));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_over_which_the_doctor_fails_is_in_the_answer_as_a_finding() {
        let names = ["N01", "N02"].map(|name| name.parse::<NodeName>().expect("a name"));
        let walked = runtime().expect("a runtime").block_on(async {
            let mut walking = JoinSet::new();
            let (fine, error) = (names[0].clone(), drydock_windows::SessionError::Name("n01".to_owned()));
            walking.spawn(async move { (0, Walk::nowhere(fine, &error)) });
            walking.spawn(async { panic!("nobody foresaw this") });
            gathered(walking, names.iter().map(|name| (name.clone(), "a way".to_owned())).collect()).await
        });
        let nodes: Vec<_> = walked.iter().map(|(way, walk)| told(way, walk)).collect();
        assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["N01", "N02"]);
        let found: Vec<_> = nodes[1].steps.iter().flat_map(|step| &step.findings).collect();
        assert!(
            found.len() == 1 && found[0].what.contains("the controller failed") && found[0].what.contains("nobody foresaw"),
            "{found:?}"
        );
        assert!(nodes[1].steps.iter().all(|step| step.outcome != DoctorOutcome::Fine));
    }
}
