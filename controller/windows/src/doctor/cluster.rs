//! All nodes beside each other: whether they are one cluster, the one that the file lists, and no machine stands there twice.

use super::Walk;
use super::finding::{Code, Finding};
use drydock_model::ids::{ClusterId, MachineUuid, NodeName};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with the nodes as a whole. Says nothing of nodes that told nothing.
pub fn together(walks: &[Walk], listed: &[NodeName]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut machines: BTreeMap<MachineUuid, Vec<NodeName>> = BTreeMap::new();
    let mut clusters: BTreeMap<ClusterId, Vec<NodeName>> = BTreeMap::new();
    let mut members: BTreeMap<NodeName, BTreeSet<NodeName>> = BTreeMap::new();
    for walk in walks {
        let Some(facts) = &walk.facts else { continue };
        if let Some(id) = facts.id.known() {
            machines.entry(id.machine.clone()).or_default().push(walk.node.clone());
            clusters.entry(id.cluster.clone()).or_default().push(walk.node.clone());
        }
        if let Some(view) = facts.view.known() {
            for member in view.members.keys() {
                members.entry(member.clone()).or_default().insert(walk.node.clone());
            }
        }
    }
    for (machine, nodes) in machines.iter().filter(|(_, nodes)| nodes.len() > 1) {
        findings.push(Finding::new(
            Code::Cluster,
            format!("{} are one machine, {machine}", list(nodes)),
            "correct their addresses; machines with one UUID cannot be told apart, and their firmware must be given different ones",
        ));
    }
    if clusters.len() > 1 {
        let all: Vec<String> = clusters.iter().map(|(id, nodes)| format!("{} of {id}", list(nodes))).collect();
        let what = format!("the nodes are members of {} clusters: {}", clusters.len(), all.join("; "));
        findings.push(Finding::new(Code::Cluster, what, "list the nodes of one cluster in its file"));
    }
    // Where nobody tells of its cluster there is nothing to compare.
    if !members.is_empty() {
        let unlisted: Vec<NodeName> = members.keys().filter(|m| !listed.contains(m)).cloned().collect();
        let foreign: Vec<NodeName> = listed.iter().filter(|n| !members.contains_key(n)).cloned().collect();
        if !unlisted.is_empty() {
            let what = format!("the cluster has {}, which the file does not list", list(&unlisted));
            findings.push(Finding::new(Code::Cluster, what, "list every node of the cluster under spec.nodes"));
        }
        if !foreign.is_empty() {
            let what = format!("the file lists {}, which no node names as a member of its cluster", list(&foreign));
            findings.push(Finding::new(Code::Cluster, what, "take it out of spec.nodes, or join it to the cluster"));
        }
    }
    findings
}

fn list(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}
