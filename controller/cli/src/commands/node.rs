//! `drydock node`: a person speaks about one node.

use crate::Context;
use crate::args::{Node, NodeWord};
use crate::branch;
use crate::exit::{Exit, Failure};
use crate::place::{Place, usual_base};
use crate::word;
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::ledger::Word;
use drydock_spec::wire::words::Said;

pub(super) fn run(args: &Node, context: &mut Context) -> Result<Exit, Failure> {
    let word = match args {
        Node::Retry(word) | Node::Gone(word) => word,
    };
    let reason = word::reason(&word.word)?;
    let wrong = |what: String| Failure::new(Exit::Usage, what, "write the node's short name, as drydock status -o wide shows it");
    let node: NodeName =
        word.node.parse().map_err(|e: drydock_model::ids::NameError| wrong(format!("{:?} is no node: it {e}", word.node)))?;
    let mut place = Place::open(context, &word.repository, usual_base())?;
    let cluster = cluster_of(&place, word, &node)?;
    let spoken = match args {
        Node::Retry(_) => Word::Retry { node, reason },
        Node::Gone(_) => Word::Gone { node, reason },
    };
    let said = Said::Cluster { cluster, word: spoken };
    let commit = word::say(context, &mut place, &word.word, &said)?;
    context.output.say(&format!("{said} (commit {commit})"));
    Ok(Exit::Fine)
}

/// The cluster that has this node.
fn cluster_of(place: &Place, word: &NodeWord, node: &NodeName) -> Result<ClusterName, Failure> {
    let tip = place.tip()?;
    let mirror = place.status_mirror();
    let mut having = Vec::new();
    for folder in branch::folders(mirror, tip)? {
        let Ok(status) = branch::status(mirror, tip, &folder) else { continue };
        let has = status.status.nodes.iter().any(|n| n.name == node.as_str());
        let asked = word.cluster.as_ref().is_none_or(|c| *c == status.metadata.name);
        if has
            && asked
            && let Ok(name) = status.metadata.name.parse::<ClusterName>()
        {
            having.push(name);
        }
    }
    match (having.as_slice(), &word.cluster) {
        ([one], _) => Ok(one.clone()),
        ([], Some(cluster)) => Err(Failure::new(
            Exit::Usage,
            format!("cluster {cluster:?} has no node {node}"),
            format!("see: drydock status {cluster} -o wide"),
        )),
        ([], None) => Err(Failure::new(Exit::Usage, format!("no cluster has a node {node}"), "see: drydock status -o wide")),
        (many, _) => {
            let names: Vec<&str> = many.iter().map(ClusterName::as_str).collect();
            let todo = format!("say which with --cluster: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, format!("{} clusters have a node {node}", many.len()), todo))
        }
    }
}
