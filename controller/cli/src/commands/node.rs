//! `drydock node`: a person speaks about one node.

use crate::Context;
use crate::args::{Node, NodeWord};
use crate::branch;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::word;
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::ledger::Word;
use drydock_spec::wire::status::ClusterStatus;
use drydock_spec::wire::words::Said;

pub(super) fn run(args: &Node, context: &mut Context) -> Result<Exit, Failure> {
    let word = match args {
        Node::Retry(word) | Node::Gone(word) => word,
    };
    let reason = word::reason(&word.word)?;
    let wrong = |what: String| Failure::new(Exit::Usage, what, "write the node's short name, as drydock status -o wide shows it");
    let node: NodeName =
        word.node.parse().map_err(|e: drydock_model::ids::NameError| wrong(format!("{:?} is no node: it {e}", word.node)))?;
    let mut place = Place::open(context, &word.repository)?;
    let cluster = cluster_of(&place, word, &node)?;
    let spoken = match args {
        Node::Retry(_) => Word::Retry { node, reason },
        Node::Gone(_) => Word::Gone { node, reason },
    };
    let said = Said::Cluster { cluster, word: spoken };
    place.note(context);
    let commit = word::say(context, &mut place, &word.word, &said)?;
    word::told(context, &said, commit);
    Ok(Exit::Fine)
}

/// The cluster that has this node. A word goes to the one cluster that can be meant: where a status does not read, its cluster may have a node of this
/// name as well, and only the person knows.
fn cluster_of(place: &Place, word: &NodeWord, node: &NodeName) -> Result<ClusterName, Failure> {
    if let Some(asked) = &word.cluster {
        return named(place, asked, node);
    }
    let tip = place.tip()?;
    let mirror = place.status_mirror();
    let mut having = Vec::new();
    for folder in branch::folders(mirror, tip)? {
        let status = branch::status(mirror, tip, &folder).map_err(|damaged| {
            let what = format!("whose node {node} is meant cannot be told, as a status cannot be read: {damaged}");
            let todo = format!("say which with --cluster CLUSTER, or mend that first; {}", damaged.failure().todo);
            Failure::new(damaged.exit(), what, todo)
        })?;
        if has(&status, node) {
            having.push(name(&status.metadata.name)?);
        }
    }
    match having.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(Exit::Usage, format!("no cluster has a node {node}"), "see: drydock status -o wide")),
        many => {
            let names: Vec<&str> = many.iter().map(ClusterName::as_str).collect();
            let todo = format!("say which with --cluster: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, format!("{} clusters have a node {node}", many.len()), todo))
        }
    }
}

/// The cluster that was named, if it has this node.
fn named(place: &Place, cluster: &str, node: &NodeName) -> Result<ClusterName, Failure> {
    let found = branch::find(place, cluster)?.readable()?;
    let status = branch::status(place.status_mirror(), found.tip, &found.folder).map_err(|damaged| damaged.failure())?;
    if !has(&status, node) {
        let todo = format!("see: drydock status {cluster} -o wide");
        return Err(Failure::new(Exit::Usage, format!("cluster {cluster:?} has no node {node}"), todo));
    }
    name(&status.metadata.name)
}

fn has(status: &ClusterStatus, node: &NodeName) -> bool {
    status.status.nodes.iter().any(|n| n.name == node.as_str())
}

/// A cluster's name as its status has it. One that is none was not written by Drydock.
fn name(text: &str) -> Result<ClusterName, Failure> {
    text.parse().map_err(|e: drydock_model::ids::NameError| {
        let what = format!("a status has a node of this name, and names its cluster {text:?}, which is no name: it {e}");
        Failure::new(Exit::Found, what, "look at the branch with git log; a commit that Drydock did not write may have touched it")
    })
}
