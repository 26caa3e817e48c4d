//! The quorate side: answering nodes that name each other and hold the votes. An empty set is unknown.

use crate::case::Case;
use drydock_model::ids::NodeName;
use drydock_model::observed::{Member, MemberState, View, Witness};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes that answer, name each other, and hold the votes; with what each of them sees.
pub(crate) struct Side<'a> {
    pub(crate) views: BTreeMap<&'a NodeName, &'a View>,
}

impl<'a> Side<'a> {
    /// The side that holds the votes, or why none is known.
    pub(crate) fn find(case: &Case<'a>) -> Result<Side<'a>, String> {
        let observed = &case.situation.observed.nodes;
        let views: BTreeMap<&NodeName, &View> = observed.iter().filter_map(|(name, f)| Some((name, case.fresh(&f.view)?))).collect();
        if views.is_empty() {
            return Err("no node tells how it sees the cluster".to_owned());
        }
        views
            .keys()
            .map(|name| Side { views: views.iter().filter(|(other, _)| mutual(&views, name, other)).map(|(n, v)| (*n, *v)).collect() })
            .find(|side| !side.views.is_empty() && side.agrees() && side.views.values().all(|view| side.holds_the_votes(view)))
            .ok_or_else(|| "no answering nodes that name each other hold the votes".to_owned())
    }

    fn agrees(&self) -> bool {
        self.views.keys().all(|a| self.views.keys().all(|b| mutual(&self.views, a, b)))
    }

    fn holds_the_votes(&self, view: &View) -> bool {
        let witness = match view.witness {
            Witness::Online { vote } => u32::from(vote),
            Witness::None | Witness::Offline => 0,
        };
        let total = votes(view.members.values()) + witness;
        let ours = votes(view.members.iter().filter(|(name, _)| self.views.contains_key(name)).map(|(_, m)| m)) + witness;
        2 * ours > total
    }

    /// Everybody whom any of them names.
    pub(crate) fn members(&self) -> BTreeSet<&'a NodeName> {
        self.views.values().flat_map(|view| view.members.keys()).collect()
    }

    /// How all of them see a node, the first that differs from Up first; `None` when all see it Up and unimpaired.
    pub(crate) fn not_up(&self, node: &NodeName) -> Option<String> {
        self.views.values().find_map(|view| match view.members.get(node) {
            None => Some("no member".to_owned()),
            Some(Member { state: MemberState::Up, impaired: true, .. }) => Some("isolated or in quarantine".to_owned()),
            Some(Member { state: MemberState::Up, impaired: false, .. }) => None,
            Some(member) => Some(member.state.to_string()),
        })
    }

    /// Whether all of them see a node so.
    pub(crate) fn all_see(&self, node: &NodeName, so: impl Fn(&Member) -> bool) -> bool {
        self.views.values().all(|view| view.members.get(node).is_some_and(&so))
    }
}

/// Whether two answering nodes each name the other as one that takes part.
fn mutual(views: &BTreeMap<&NodeName, &View>, a: &NodeName, b: &NodeName) -> bool {
    let names = |from: &NodeName, to: &NodeName| views.get(from).and_then(|v| v.members.get(to)).is_some_and(|m| takes_part(m.state));
    let same_cluster = views.get(a).map(|v| &v.cluster) == views.get(b).map(|v| &v.cluster);
    same_cluster && names(a, b) && names(b, a)
}

/// Whether a member in this state counts among the living.
pub(crate) fn takes_part(state: MemberState) -> bool {
    match state {
        MemberState::Up | MemberState::Paused => true,
        MemberState::Down | MemberState::Joining | MemberState::Unknown => false,
    }
}

/// How many of these members have a vote that counts now.
pub(crate) fn votes<'m>(members: impl Iterator<Item = &'m Member>) -> u32 {
    members.map(|m| u32::from(m.vote)).sum()
}
