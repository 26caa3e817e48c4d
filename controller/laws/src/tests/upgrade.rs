//! S8, S13, S17: where builds may go, and the ledger with them.

use super::scene::{Scene, TARGET, build, known, place, text};
use crate::forward::raises_level;
use drydock_model::desired::{BitsSource, Target, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{Epoch, Place};
use drydock_model::ledger::Event;
use drydock_model::observed::{Consumed, Phase, RegistryFacts};
use drydock_model::plan::Decision;
use drydock_model::step::{Purpose, Step};
use expect_test::expect;

#[test]
fn s8_a_node_above_the_target_is_not_moved_back() {
    let mut scene = Scene::four();
    scene.facts("N01").build = known(build("26100.4061"));
    expect![[r#"
        S8: Vacate of N01 would move it from 26100.4061 back to 23H2
        S17: Vacate of N01: no documented upgrade leads from 24H2 to 23H2
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s8_nothing_begins_under_a_ledger_that_has_forgotten_something() {
    let mut scene = Scene::four();
    scene.memory("N03", |m| m.fence = Some(place(8)));
    expect![[r#"
        S8: N03 remembers 3.ab/8, which the ledger has not given out, at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    scene.known_ledger().next = 9;
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
}

/// S8: entries that were lost under an earlier claim are noticed under the next one.
#[test]
fn s8_a_node_that_remembers_more_of_an_earlier_claim_is_noticed() {
    let mut scene = Scene::four();
    scene.known_ledger().next = 9;
    let claim = Epoch { number: 4, nonce: text("cd") };
    scene.apply(Event::Claimed { epoch: claim.clone() });
    for name in ["N01", "N02", "N03", "N04"] {
        scene.memory(name, |m| m.fence = Some(Place { epoch: claim.clone(), seq: 0 }));
    }
    let consumed = |scene: &mut Scene, place: Place| {
        scene.memory("N03", |m| m.consumed = Some(Consumed { place, digest: text("d1"), phase: Phase::Ended }));
        scene.open_verdict(Step::Vacate)
    };
    assert_eq!(consumed(&mut scene, place(8)), "holds");
    expect![[r#"
        S8: N03 remembers 3.ab/9, which the ledger has not given out, at the Vacate of N01
    "#]]
    .assert_eq(&consumed(&mut scene, place(9)));
    let other = Place { epoch: Epoch { number: 3, nonce: text("zz") }, seq: 1 };
    expect![[r#"
        S8: N03 remembers 3.zz/1, which the ledger has not given out, at the Vacate of N01
    "#]]
    .assert_eq(&consumed(&mut scene, other));
    scene.known_ledger().adopt();
    assert_eq!(consumed(&mut scene, place(9)), "holds", "a person has claimed above it");
}

/// S13: the functional level is nobody's to raise yet.
#[test]
fn s13_no_step_raises_the_functional_level() {
    assert!(Step::ALL.into_iter().all(|step| !raises_level(step)));
}

#[test]
fn s17_builds_mix_only_inside_one_documented_pair() {
    let mut scene = Scene::four();
    scene.facts("N04").build = known(build("25398.1700"));
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
    scene.desired.target = Target { version: Version::V24H2, revision: 0 };
    scene.desired.source = BitsSource::Media { path: r"D:\Media".to_owned() };
    let mut intent = scene.intent(Step::Vacate);
    intent.target = scene.desired.target;
    expect![[r#"
        S17: Vacate of N01 would mix 22H2, 23H2, 24H2
    "#]]
    .assert_eq(&scene.verdict(Decision::Open(intent.clone())));
    // The only node on the oldest release leaves it: two serve before, and two afterwards.
    for name in ["N02", "N03", "N04"] {
        scene.facts(name).build = known(build("25398.1700"));
    }
    assert_eq!(scene.verdict(Decision::Open(intent)), "holds");
}

#[test]
fn s17_a_path_takes_its_source_and_its_least_build() {
    let mut scene = Scene::four();
    scene.desired.target = Target { version: Version::V24H2, revision: 0 };
    let mut intent = scene.intent(Step::Vacate);
    intent.target = scene.desired.target;
    expect![[r#"
        S17: Vacate of N01: Windows Update does not offer 24H2; it takes the latest Azure Local media (2505 or later) from the Azure portal (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
    "#]].assert_eq(&scene.verdict(Decision::Open(intent.clone())));
    scene.desired.source = BitsSource::Media { path: r"D:\Media".to_owned() };
    assert_eq!(scene.verdict(Decision::Open(intent.clone())), "holds");
    scene.facts("N01").build = known(build("20349.3691"));
    expect![[r#"
        S17: Vacate of N01: 20349.3691 is too old for 24H2, which needs 20349.3692 or later; install current updates first (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
    "#]].assert_eq(&scene.verdict(Decision::Open(intent)));
}

#[test]
fn s17_a_node_on_the_target_is_not_taken_out_for_it() {
    let mut scene = Scene::four();
    scene.facts("N01").build = known(build("25398.1700"));
    expect![[r#"
        S17: Vacate of N01: 25398.1700 is 23H2 already; a later build of a release comes with ordinary updates, which Drydock does not install
    "#]].assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s17_no_upgrade_begins_before_every_registry_is_effective() {
    let mut scene = Scene::four();
    scene.facts("N02").registry = known(RegistryFacts { refs_enable_metadata_validation: Some(0), skip_small_local_allocations: None });
    scene.memory("N03", |m| m.registry_written = Some(text("b1")));
    scene.facts("N04").registry = Fact::Unknown(Gap::AccessDenied);
    expect![[r#"
        S17: SkipSmallLocalAllocations of N02 is not 0 at the Vacate of N01
        S17: N03 has not restarted since its registry was written, at the Vacate of N01
        S17: the registry of N04 is not known at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    let mut intent = scene.intent(Step::Vacate);
    intent.purpose = Purpose::Registry;
    assert_eq!(scene.verdict(Decision::Open(intent)), "holds", "the registry pass is what makes it so");
    scene.facts("N02").build = known(build("25398.1700"));
    scene.memory("N03", |m| m.registry_written = Some(text("b0")));
    scene.facts("N04").build = known(build("25398.1700"));
    assert_eq!(scene.open_verdict(Step::Vacate), "holds", "a node on the target needs nothing for it");
    assert_eq!(scene.desired.target, TARGET);
}
