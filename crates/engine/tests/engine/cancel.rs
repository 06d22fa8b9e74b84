//! Stopping on request: nothing new starts, what is in flight is followed.

use crate::support::{
    Bench,
    cloud::{Fault, Verb},
    graphs::at,
};
use landfall_engine::RunEnd;
use landfall_model::{Clock, journal::EventKind, rollout::State};
use std::time::Duration;

#[test]
fn a_cancel_follows_what_is_in_flight_and_a_resume_does_the_rest() {
    let bench = Bench::new(50);
    let landing = bench.creation();
    let engine = bench.engine();
    let lease = bench.claim("rollout").unwrap();
    let rollout = bench.rollout(&landing);
    let cancel = async {
        bench.sim.clock.sleep(Duration::from_secs(60)).await;
        bench.cancel(&landing).await;
    };
    let both = futures::future::join(bench.work(&engine, &landing, lease, rollout), cancel);
    let (ended, ()) = bench.sim.drive(both).unwrap();
    assert_eq!(ended.unwrap(), RunEnd::Canceled);
    assert!(matches!(
        bench.rollout(&landing).state,
        State::Canceled { .. }
    ));
    // The database was in flight for five more minutes; the task waited for it.
    assert!(bench.records().contains_key(&at("db.instance")));
    assert!(bench.story(&landing, "web.task").is_empty());
    bench.assert_nothing_lost();

    bench.resume(&landing);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
}

#[test]
fn a_cancel_before_the_start_makes_no_call() {
    let bench = Bench::new(51);
    let landing = bench.creation();
    bench.ask(bench.cancel(&landing));
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Canceled));
    assert!(bench.cloud.requests(Verb::Create).is_empty());
}

#[test]
fn a_cancel_during_an_outage_ends_what_had_not_begun() {
    let bench = Bench::new(52);
    let landing = bench.creation();
    bench.cloud.throttle_for(10 * 60_000);
    let engine = bench.engine();
    let lease = bench.claim("rollout").unwrap();
    let rollout = bench.rollout(&landing);
    let cancel = async {
        bench.sim.clock.sleep(Duration::from_secs(30)).await;
        bench.cancel(&landing).await;
    };
    let both = futures::future::join(bench.work(&engine, &landing, lease, rollout), cancel);
    let (ended, ()) = bench.sim.drive(both).unwrap();
    assert_eq!(ended.unwrap(), RunEnd::Canceled);
    assert!(bench.cloud.inventory().is_empty());
    let story = bench.story(&landing, "network.vpc");
    assert!(matches!(
        story.last(),
        Some(EventKind::AttemptFailed { .. })
    ));
}

#[test]
fn a_cancel_after_a_kill_follows_what_the_dead_worker_began() {
    let bench = Bench::new(53);
    bench
        .cloud
        .fault(Verb::Create, "AWS::EC2::VPC", Fault::LoseAnswer);
    let landing = bench.creation();
    // After the first few intents and calls.
    assert_eq!(bench.start(&landing, 30), None);
    bench.wait_out_lease();
    bench.ask(bench.cancel(&landing));
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Canceled));
    bench.assert_nothing_lost();
    assert!(!bench.records().is_empty());
    bench.resume(&landing);
    bench.succeed(&landing);
    bench.assert_landed(&landing);
}
