//! Losing the lease, and giving it back.

use crate::support::{Bench, LEASE, cloud::Verb};
use futures::FutureExt;
use landfall_engine::{Interruption, RunEnd};
use landfall_model::{Clock, rollout::State};
use std::time::Duration;

#[test]
fn a_lease_is_kept_through_an_hour_of_work() {
    let bench = Bench::new(60);
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    // The database alone takes longer than six leases.
    assert!(LEASE < Duration::from_secs(66));
}

#[test]
fn a_worker_that_slept_too_long_stops_without_a_word() {
    let bench = Bench::new(61);
    let landing = bench.creation();
    let engine = bench.engine();
    let lease = bench.claim("rollout").unwrap();
    let rollout = bench.rollout(&landing);
    let mut first = bench.work(&engine, &landing, lease, rollout).boxed_local();
    // It works for a while, then the machine is suspended.
    let pause = bench.sim.clock.sleep(Duration::from_secs(2));
    let until = futures::future::select(&mut first, pause);
    assert!(matches!(
        bench.sim.drive(until),
        Some(futures::future::Either::Right(_))
    ));
    bench.wait_out_lease();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    let events = bench.events(&landing).len();
    let calls = bench.cloud.requests(Verb::Create).len();
    let ended = bench.sim.drive(first).unwrap().unwrap();
    assert_eq!(ended, RunEnd::Interrupted(Interruption::LeaseLost));
    assert_eq!(bench.events(&landing).len(), events);
    assert_eq!(bench.cloud.requests(Verb::Create).len(), calls);
    bench.assert_landed(&landing);
}

#[test]
fn a_lease_taken_over_unseen_stops_the_worker_at_its_next_write() {
    let bench = Bench::new(63);
    let memory = bench.memory.clone().unwrap();
    let landing = bench.creation();
    let engine = bench.engine();
    let lease = bench.claim("rollout").unwrap();
    let rollout = bench.rollout(&landing);
    let take = async {
        bench.sim.clock.sleep(Duration::from_millis(4_100)).await;
        memory.take_over();
        let now = bench.sim.clock.now();
        (bench.cloud.requests(Verb::Create).len(), now)
    };
    let both = futures::future::join(bench.work(&engine, &landing, lease, rollout), take);
    let (ended, (calls, at)) = bench.sim.drive(both).unwrap();
    assert_eq!(ended.unwrap(), RunEnd::Interrupted(Interruption::LeaseLost));
    // Long before a heartbeat found out.
    assert!(bench.now().millis_since(at) < 5_000);
    assert_eq!(bench.cloud.requests(Verb::Create).len(), calls);
    let events = bench.events(&landing);
    assert!(events.iter().all(|event| event.at <= at));
}

#[test]
fn a_shutdown_gives_the_work_back_at_once() {
    let bench = Bench::new(62);
    let landing = bench.creation();
    let engine = bench.engine();
    let lease = bench.claim("rollout").unwrap();
    let rollout = bench.rollout(&landing);
    let stop = async {
        bench.sim.clock.sleep(Duration::from_secs(20)).await;
        bench.shutdown.cancel();
    };
    let both = futures::future::join(bench.work(&engine, &landing, lease, rollout), stop);
    let (ended, ()) = bench.sim.drive(both).unwrap();
    assert_eq!(ended.unwrap(), RunEnd::Interrupted(Interruption::Shutdown));
    assert!(matches!(
        bench.rollout(&landing).state,
        State::Running { .. }
    ));
    let bench = Bench {
        shutdown: tokio_util::sync::CancellationToken::new(),
        ..bench
    };
    // No lease has to run out first.
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
}
