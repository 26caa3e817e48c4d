//! The lab over a socket.

use super::hand::{START, config, known, n};
use crate::process::{Client, Limits, ScaledClock, ServeError, serve};
use crate::sim::{SimClock, Sleep};
use crate::{Durations, Fault, Lab, Planned};
use drydock_engine::ports::{Clock, Clusters, PerformError, Wanted};
use drydock_model::connection::Connection;
use drydock_model::desired::{
    BitsSource, Desired, FailbackMode, Maintenance, Method, NodeOrder, Overrun, RunOptions, Target, Version, WorkloadPolicy,
};
use drydock_model::fact::Gap;
use drydock_model::ids::{EntryId, Epoch, Place};
use drydock_model::order::{Order, Receipt};
use drydock_model::time::{Millis, Timestamp};
use drydock_model::window::Windows;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const SOON: Duration = Duration::from_millis(30);
const AMPLE: Duration = Duration::from_secs(20);

pub(crate) fn wanted(nodes: u32) -> Wanted {
    let config = config("c", nodes);
    Wanted {
        path: "clusters/c.yaml".to_owned(),
        desired: Arc::new(Desired {
            cluster: config.name,
            spec: "spec1".parse().unwrap(),
            nodes: config.nodes,
            target: Target { version: Version::V23H2, revision: 0 },
            source: BitsSource::WindowsUpdate,
            method: Method::Rolling,
            maintenance: Maintenance { windows: Windows::default(), overrun: Overrun::FinishNode },
            run: RunOptions {
                max_retries_per_node: 3,
                max_failed_nodes: 0,
                node_order: NodeOrder::FewestRolesFirst,
                stop_after: None,
                warn_after: None,
                reboot_timeout: Millis::minutes(60),
                suspend_cluster_node_timeout: Millis::minutes(30),
                wait_for_storage_repair_timeout: Millis::hours(8),
                failback_mode: FailbackMode::Immediate,
            },
            workload: WorkloadPolicy::LiveMigrate,
            suspend: None,
            contact: None,
            change: None,
        }),
        revision: "aa".parse().unwrap(),
        connection: Connection::lab(),
        problem: None,
        warnings: Vec::new(),
    }
}

fn lab() -> Lab {
    let mut lab = Lab::new(5, START, Durations::real());
    lab.add(&config("c", 4));
    lab
}

/// A clock of its own, with a lab of no clusters to carry its time.
fn clock() -> SimClock {
    SimClock::new(Arc::new(Mutex::new(Lab::new(0, START, Durations::real()))), Sleep::Waits, 0)
}

fn fence(lab: &mut Lab) -> Order {
    let node = known(&lab.observe(&"c".parse().unwrap(), &[n(1)]).nodes[&n(1)].id);
    let place = Place { epoch: Epoch { number: 1, nonce: "ab".parse().unwrap() }, seq: 0 };
    Order::fence(EntryId { cluster: "c".parse().unwrap(), place }, node, None)
}

async fn started(path: &Path) {
    for _ in 0..1_000 {
        if UnixStream::connect(path).await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the lab does not answer");
}

#[tokio::test]
async fn questions_and_orders_go_over_the_socket_as_they_do_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lab.sock");
    let (clock, mut twin) = (clock(), lab());
    let serving = tokio::spawn({
        let (path, clock) = (path.clone(), clock.clone());
        async move { serve(&path, lab(), clock, Limits::default()).await }
    });
    started(&path).await;
    let client = Client::new(&path, AMPLE, clock.clone());
    let wanted = wanted(4);
    assert_eq!(client.observe(&wanted).await, twin.observe(&wanted.desired.cluster, &wanted.desired.nodes));
    let order = fence(&mut twin);
    assert_eq!(client.perform(&wanted, &order).await, Ok(Receipt::Applied));
    assert_eq!(twin.perform(&order), Ok(Receipt::Applied));
    let planned = Planned::now(Fault::NodeCrashes, wanted.desired.cluster.clone(), None);
    assert_eq!(client.plan(planned.clone()).await.unwrap(), twin.plan(planned));
    let later = START + Millis::minutes(30);
    clock.advance_to(later);
    twin.advance_to(later);
    assert_eq!(client.observe(&wanted).await, twin.observe(&wanted.desired.cluster, &wanted.desired.nodes));
    assert_eq!(client.effects(0).await.unwrap(), twin.truth().effects().into_iter().cloned().collect::<Vec<_>>());
    let status = client.status().await.unwrap();
    assert_eq!((status.now, status.repeated, status.clusters.len()), (later, 0, 1));
    assert!(client.calm().await.is_ok());
    client.stop().await.unwrap();
    serving.await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn an_order_to_a_lab_that_is_gone_was_certainly_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(&dir.path().join("none.sock"), AMPLE, clock());
    assert!(matches!(client.perform(&wanted(4), &fence(&mut lab())).await, Err(PerformError::NotSent(_))));
    let seen = client.observe(&wanted(4)).await;
    assert!(seen.nodes.len() == 4 && seen.nodes.values().all(|f| f.id.gap() == Some(&Gap::Unreachable)));
    assert_eq!(seen.cluster.storage.gap(), Some(&Gap::Unreachable));
}

#[tokio::test]
async fn an_order_without_an_answer_may_have_been_performed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mute.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mute = tokio::spawn(async move {
        // The first caller is hung up on after its question, the others wait in vain.
        let (mut first, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        while byte != [b'\n'] {
            first.read_exact(&mut byte).await.unwrap();
        }
        drop(first);
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
    let order = fence(&mut lab());
    let client = Client::new(&path, AMPLE, clock());
    assert_eq!(client.perform(&wanted(4), &order).await, Err(PerformError::Unknown("the connection was closed".to_owned())));
    let hasty = Client::new(&path, SOON, clock());
    assert_eq!(hasty.perform(&wanted(4), &order).await, Err(PerformError::Unknown("nothing within 30ms".to_owned())));
    assert_eq!(hasty.observe(&wanted(4)).await.nodes[&n(1)].id.gap(), Some(&Gap::TimedOut));
    mute.abort();
}

#[tokio::test]
async fn a_half_sent_order_is_never_performed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lab.sock");
    let serving = tokio::spawn({
        let path = path.clone();
        async move { serve(&path, lab(), clock(), Limits::default()).await }
    });
    started(&path).await;
    let order = serde_json::json!({ "perform": fence(&mut lab()) }).to_string();
    let mut half = UnixStream::connect(&path).await.unwrap();
    half.write_all(order.as_bytes()).await.unwrap();
    half.shutdown().await.unwrap();
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty());
    let client = Client::new(&path, AMPLE, clock());
    let fence_now = |seen: drydock_model::observed::Observed| known(&seen.nodes[&n(1)].memory).fence;
    assert_eq!(fence_now(client.observe(&wanted(4)).await), None);
    let mut whole = UnixStream::connect(&path).await.unwrap();
    whole.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    let mut line = vec![0; 4];
    whole.read_exact(&mut line).await.unwrap();
    assert!(fence_now(client.observe(&wanted(4)).await).is_some());
    client.stop().await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lab_ends_by_itself_once_nobody_is_connected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lab.sock");
    let limits = Limits { idle: SOON, connections: 4 };
    serve(&path, lab(), clock(), limits).await.unwrap();
    let limits = Limits { idle: SOON * 10, connections: 4 };
    let mut serving = tokio::spawn({
        let path = path.clone();
        async move { serve(&path, lab(), clock(), limits).await }
    });
    started(&path).await;
    let held = Client::new(&path, AMPLE, clock()).hold().await.unwrap();
    let early = tokio::time::timeout(limits.idle * 2, &mut serving).await;
    assert!(early.is_err(), "ended though somebody held a connection: {early:?}");
    drop(held);
    tokio::time::timeout(AMPLE, &mut serving).await.expect("still there").unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_second_lab_does_not_take_a_socket_that_answers_and_takes_a_dead_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lab.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let serving = tokio::spawn({
        let path = path.clone();
        async move { serve(&path, lab(), clock(), Limits::default()).await }
    });
    started(&path).await;
    assert!(matches!(serve(&path, lab(), clock(), Limits::default()).await, Err(ServeError::Taken(_))));
    Client::new(&path, AMPLE, clock()).stop().await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_line_that_is_no_question_is_answered_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lab.sock");
    let serving = tokio::spawn({
        let path = path.clone();
        async move { serve(&path, lab(), clock(), Limits::default()).await }
    });
    started(&path).await;
    let mut raw = UnixStream::connect(&path).await.unwrap();
    raw.write_all(b"hello\n").await.unwrap();
    let mut answer = [0; 7];
    raw.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"{\"bad\":");
    Client::new(&path, AMPLE, clock()).stop().await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_scaled_clock_runs_faster_and_sleeps_shorter() {
    let inner = clock();
    let scaled = ScaledClock::new(inner.clone(), START, 60);
    assert_eq!(scaled.now(), START);
    inner.advance_to(START + Millis::seconds(2));
    assert_eq!(scaled.now(), START + Millis::minutes(2));
    assert!(scaled.now() > Timestamp(0));
    let slept = tokio::spawn(async move { scaled.sleep(Millis(61)).await });
    tokio::task::yield_now().await;
    assert_eq!(inner.next_wake(), Some(START + Millis::seconds(2) + Millis(2)));
    inner.advance_to(START + Millis::seconds(2) + Millis(2));
    slept.await.unwrap();
}
