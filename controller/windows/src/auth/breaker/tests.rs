use super::record::file_name;
use super::*;
use drydock_model::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};

struct Bench {
    now: AtomicI64,
}

impl Instruments for Bench {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
    fn dice(&self) -> u64 {
        4
    }
}

struct Scene {
    folder: tempfile::TempDir,
    clock: Arc<Bench>,
    breaker: Arc<Breaker>,
    rejected: Refusal,
    wrong: Refusal,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Bench { now: AtomicI64::new(0) });
        let breaker = Arc::new(Breaker::new(folder.path(), clock.clone()).unwrap());
        Self { folder, clock, breaker, rejected: Refusal::Rejected("svc".into()), wrong: Refusal::WrongSecret("svc".into()) }
    }

    fn restart(&mut self) {
        self.breaker = Arc::new(Breaker::new(self.folder.path(), self.clock.clone()).unwrap());
    }

    fn minutes(&self, n: i64) {
        self.clock.now.fetch_add(n * 60_000, Ordering::SeqCst);
    }

    async fn admit(&self, print: u8, node: &str) -> Result<Pass, Held> {
        self.breaker.admit("svc", [print; 32], node, Instant::now() + Duration::from_millis(20)).await
    }

    async fn held(&self, print: u8, node: &str) -> String {
        self.admit(print, node).await.map(drop).unwrap_err().to_string()
    }
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once_in_thirty_minutes_and_five_times_at_most_also_across_restarts() {
    let mut scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().refused(&scene.wrong);
    let mut logons = 0;
    for _ in 0..100 {
        scene.minutes(10);
        scene.restart();
        for node in ["A", "B", "C"] {
            if let Ok(pass) = scene.admit(1, node).await {
                logons += 1;
                pass.refused(&scene.wrong);
            }
        }
    }
    assert_eq!(logons, 5);
    assert!(matches!(scene.admit(1, "A").await, Err(Held::Exhausted { .. })));
    assert_eq!(scene.breaker.standings().len(), 1);
    Breaker::retry(scene.folder.path(), "svc", &*scene.clock).unwrap();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    assert_eq!(scene.breaker.standings(), []);
    assert!(scene.admit(1, "B").await.is_ok());
}

#[tokio::test]
async fn a_new_credential_logs_on_once_alone_before_the_others_use_it() {
    let scene = Scene::new();
    let first = scene.admit(1, "A").await.ok().unwrap();
    assert!(matches!(scene.admit(1, "B").await, Err(Held::First { .. })));
    first.accepted();
    let (b, c) = (scene.admit(1, "B").await, scene.admit(1, "C").await);
    assert!(b.is_ok() && c.is_ok(), "two at once");
    assert!(scene.admit(1, "D").await.is_err(), "and not three");
    drop((b, c));
    let changed = scene.admit(2, "B").await.ok().unwrap();
    assert!(matches!(scene.admit(2, "C").await, Err(Held::First { .. })));
    drop(changed);
    assert!(scene.admit(2, "C").await.is_ok(), "a pass that was dropped taught nothing and blocks nobody");
}

#[tokio::test]
async fn a_changed_secret_is_tried_at_once_also_after_a_restart() {
    let mut scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().refused(&scene.wrong);
    scene.restart();
    assert!(scene.admit(1, "A").await.is_err());
    scene.restart();
    assert!(scene.admit(2, "A").await.is_ok());
}

#[tokio::test]
async fn a_node_that_refuses_what_another_accepts_is_held_back_alone() {
    let scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    scene.admit(1, "B").await.ok().unwrap().refused(&scene.rejected);
    assert!(
        scene.held(1, "B").await.starts_with("B refused credential svc, which other nodes accepted before; the next logon there is at")
    );
    let judge = scene.admit(1, "C").await.ok().unwrap();
    assert!(matches!(scene.admit(1, "A").await, Err(Held::First { .. })), "the judging logon is alone");
    judge.accepted();
    assert!(scene.admit(1, "A").await.is_ok());
    assert!(scene.held(1, "B").await.starts_with("B refused credential svc, which other nodes accept; "), "somebody has accepted it since");
    scene.minutes(31);
    assert!(scene.admit(1, "B").await.is_ok());
}

#[tokio::test]
async fn a_secret_that_two_nodes_refuse_opens_the_breaker() {
    let scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    scene.admit(1, "B").await.ok().unwrap().refused(&scene.rejected);
    scene.admit(1, "C").await.ok().unwrap().refused(&scene.rejected);
    assert!(matches!(scene.admit(1, "A").await, Err(Held::Until { .. })));
}

#[tokio::test]
async fn a_refusal_that_does_not_blame_the_secret_opens_nothing() {
    let scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().refused(&Refusal::ClockSkew);
    scene.admit(1, "A").await.ok().unwrap().refused(&Refusal::Directory("down".into()));
    assert!(scene.admit(1, "A").await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_read_counts_as_refused_now_and_a_clock_set_back_holds_no_longer_than_the_pause() {
    let scene = Scene::new();
    fs::write(scene.folder.path().join("svc.json"), "{").unwrap();
    assert!(matches!(scene.admit(1, "A").await, Err(Held::Until { .. })));
    scene.minutes(-600);
    assert!(scene.admit(1, "A").await.is_ok());
}

#[tokio::test]
async fn two_processes_count_together_and_both_hear_a_persons_word() {
    let scene = Scene::new();
    let other = Arc::new(Breaker::new(scene.folder.path(), scene.clock.clone()).unwrap());
    let ask = async |breaker: &Arc<Breaker>| breaker.admit("svc", [1; 32], "A", Instant::now() + Duration::from_millis(20)).await;
    ask(&scene.breaker).await.ok().unwrap().refused(&scene.wrong);
    let mut logons = 0;
    for _ in 0..20 {
        assert!(ask(&other).await.is_err());
        scene.minutes(31);
        for breaker in [&scene.breaker, &other] {
            if let Ok(pass) = ask(breaker).await {
                logons += 1;
                pass.refused(&scene.wrong);
            }
        }
    }
    assert_eq!(logons, 5);
    Breaker::retry(scene.folder.path(), "svc", &*scene.clock).unwrap();
    ask(&other).await.ok().unwrap().accepted();
    ask(&scene.breaker).await.ok().unwrap().accepted();
}

impl Scene {
    /// As on a full disk: files can be opened and read, and nothing can be written in their place.
    fn fill_the_disk(&self) {
        fs::create_dir(self.folder.path().join("svc.new")).unwrap();
    }

    fn empty_the_disk(&self) {
        fs::remove_dir(self.folder.path().join("svc.new")).unwrap();
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_written_holds_all_the_same_and_is_written_when_that_can_be_done() {
    let mut scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    let pass = scene.admit(1, "A").await.ok().unwrap();
    scene.fill_the_disk();
    pass.refused(&scene.wrong);
    for _ in 0..10 {
        for node in ["A", "B", "C"] {
            assert!(scene.admit(1, node).await.is_err());
        }
        assert!(matches!(scene.breaker.standings()[0].held, Held::Until { .. }));
        scene.minutes(2);
    }
    scene.minutes(20);
    assert!(matches!(scene.admit(1, "A").await, Err(Held::State(_))), "its time has come, and it could not be counted");
    scene.empty_the_disk();
    scene.admit(1, "A").await.ok().unwrap().refused(&scene.wrong);
    scene.restart();
    assert!(matches!(scene.admit(1, "A").await, Err(Held::Until { tries: 1, .. })));
}

#[tokio::test]
async fn a_refusal_that_could_not_be_written_is_written_by_the_next_look_that_can() {
    let mut scene = Scene::new();
    let pass = scene.admit(1, "A").await.ok().unwrap();
    scene.fill_the_disk();
    pass.refused(&scene.wrong);
    scene.empty_the_disk();
    assert!(matches!(scene.admit(1, "B").await, Err(Held::Until { .. })));
    scene.restart();
    assert!(matches!(scene.admit(1, "C").await, Err(Held::Until { .. })));
    Breaker::retry(scene.folder.path(), "svc", &*scene.clock).unwrap();
    assert!(scene.admit(1, "A").await.is_ok());
}

#[tokio::test]
async fn a_secret_that_is_not_known_to_be_good_is_not_tried_where_its_refusal_could_not_be_written() {
    let mut scene = Scene::new();
    scene.fill_the_disk();
    for _ in 0..3 {
        scene.restart();
        assert!(matches!(scene.admit(1, "A").await, Err(Held::State(_))));
        assert!(matches!(scene.breaker.standings()[0].held, Held::State(_)), "the status names it");
    }
    scene.empty_the_disk();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    assert_eq!(scene.breaker.standings(), []);
    scene.fill_the_disk();
    assert!(scene.admit(1, "B").await.is_ok(), "what is known to be good needs no counting");
    assert!(matches!(scene.admit(2, "B").await, Err(Held::State(_))), "and what is new does");
}

#[tokio::test]
async fn the_judging_logon_waits_for_those_under_way() {
    let scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    let (a, b) = (scene.admit(1, "A").await.ok().unwrap(), scene.admit(1, "B").await.ok().unwrap());
    a.refused(&scene.rejected);
    assert!(matches!(scene.admit(1, "C").await, Err(Held::First { .. })), "a third logon could fail beside the second");
    b.refused(&scene.rejected);
    assert!(matches!(scene.admit(1, "C").await, Err(Held::Until { .. })));
}

#[tokio::test]
async fn an_acceptance_from_before_the_secret_was_changed_ends_no_doubt() {
    let scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    let (a, b) = (scene.admit(1, "A").await.ok().unwrap(), scene.admit(1, "B").await.ok().unwrap());
    a.refused(&scene.rejected);
    b.accepted();
    let judge = scene.admit(1, "C").await.ok().unwrap();
    assert!(matches!(scene.admit(1, "D").await, Err(Held::First { .. })));
    judge.refused(&scene.rejected);
    assert!(matches!(scene.admit(1, "D").await, Err(Held::Until { .. })));
}

#[tokio::test]
async fn what_an_older_secret_taught_says_nothing_of_the_new_one() {
    let scene = Scene::new();
    let old = scene.admit(1, "A").await.ok().unwrap();
    assert!(scene.breaker.look("svc", [2; 32], "A", false).is_ok(), "the secret was changed meanwhile");
    old.refused(&scene.wrong);
    assert!(scene.admit(2, "A").await.is_ok());
}

#[tokio::test]
async fn a_session_that_is_refused_in_its_middle_holds_its_node_and_puts_the_secret_in_doubt() {
    let scene = Scene::new();
    scene.admit(1, "A").await.ok().unwrap().accepted();
    scene.breaker.refused_later("svc", [1; 32], "A", &scene.rejected);
    assert!(matches!(scene.admit(1, "A").await, Err(Held::Node { .. })));
    scene.breaker.refused_later("svc", [1; 32], "B", &scene.rejected);
    assert!(matches!(scene.admit(1, "C").await, Err(Held::Until { .. })));
    scene.breaker.refused_later("svc", [9; 32], "C", &scene.rejected);
    scene.breaker.refused_later("other", [1; 32], "C", &scene.rejected);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_secret_changes_two_logons_fail_and_not_three_whoever_else_logs_on_at_the_same_time() {
    use std::sync::atomic::AtomicUsize;
    let scene = Scene::new();
    let processes: Vec<_> = (0..3).map(|_| Arc::new(Breaker::new(scene.folder.path(), scene.clock.clone()).unwrap())).collect();
    let deadline = || Instant::now() + Duration::from_secs(20);
    for process in &processes {
        process.admit("svc", [1; 32], "A", deadline()).await.ok().unwrap().accepted();
    }
    let (under_way, most, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut all = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (process, refusal) = (processes[number % 3].clone(), scene.rejected.clone());
        let (under_way, most, failed) = (under_way.clone(), most.clone(), failed.clone());
        all.spawn(async move {
            let Ok(pass) = process.admit("svc", [1; 32], &format!("N{number}"), deadline()).await else { return };
            most.fetch_max(1 + under_way.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            failed.fetch_add(1, Ordering::SeqCst);
            under_way.fetch_sub(1, Ordering::SeqCst);
            pass.refused(&refusal);
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    assert_eq!(failed.load(Ordering::SeqCst), 2);
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_credentials_name_cannot_leave_the_folder() {
    assert_eq!(file_name("../a B"), "%2E%2E%2Fa%20%42");
}
