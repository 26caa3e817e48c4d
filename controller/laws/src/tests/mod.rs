//! Each law holds over a healthy cluster and its states on the way, and breaks by one small change; the verdict is golden text.

mod edges;
mod history;
mod ledger;
mod protocol;
mod scene;
mod service;
mod truth;
mod upgrade;
mod way_back;

use crate::LawId;
use drydock_model::ledger::Outcome;
use drydock_model::plan::{Decision, Recheck, WaitingOn};
use drydock_model::step::Step;
use scene::Scene;
use std::collections::BTreeSet;

#[test]
fn every_law_has_a_name_of_its_own_and_a_text() {
    let names: BTreeSet<String> = LawId::ALL.iter().map(LawId::to_string).collect();
    assert_eq!(names.len(), LawId::ALL.len());
    assert!(names.contains("S2b") && LawId::ALL.iter().all(|law| law.text().ends_with('.')));
    assert!(LawId::ALL.is_sorted());
}

/// S1 to S17: no law stands in the way of an upgrade that goes as it should.
#[test]
fn all_laws_hold_at_every_step_of_a_calm_upgrade() {
    for scene in [Scene::four, Scene::two] {
        assert_eq!(scene().verdict(Decision::Wait(WaitingOn::WindowOpens(None), Recheck::Usual)), "holds");
        assert_eq!(scene().open_verdict(Step::WriteRegistry), "holds");
        assert_eq!(scene().opened(Step::WriteRegistry).order_verdict(), "holds");
        assert_eq!(scene().open_verdict(Step::Vacate), "holds");
        assert_eq!(scene().opened(Step::Vacate).order_verdict(), "holds");
        assert_eq!(scene().vacating().close_verdict(Outcome::Done, true), "holds");
        assert_eq!(scene().out().open_verdict(Step::Install), "holds");
        assert_eq!(scene().out().opened(Step::Install).order_verdict(), "holds");
        assert_eq!(scene().staged().open_verdict(Step::Restart), "holds");
        assert_eq!(scene().staged().opened(Step::Restart).order_verdict(), "holds");
        assert_eq!(scene().upgraded().close_verdict(Outcome::Done, true), "holds");
        assert_eq!(scene().upgraded().closed().open_verdict(Step::Return), "holds");
        assert_eq!(scene().upgraded().closed().opened(Step::Return).order_verdict(), "holds");
        assert_eq!(scene().returned().close_verdict(Outcome::Done, true), "holds");
        assert_eq!(scene().returned().closed().open_verdict(Step::Settle), "holds");
        assert_eq!(scene().all_done().verdict(Decision::Converged), "holds");
    }
}
