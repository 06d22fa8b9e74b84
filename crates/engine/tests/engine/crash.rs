//! Killed before and after every commit and every call.

use crate::support::{
    Bench, Landing,
    cloud::{Fault, Verb, failure},
    sql::Database,
};
use futures::future::Either;
use landfall_engine::{RunEnd, fold};
use landfall_model::{
    Clock, driver::FailureKind, graph::Address, journal::Stream, rollout::NodeState,
};
use std::{collections::BTreeSet, pin::pin, sync::atomic::Ordering, time::Duration};

fn sweep(step: usize, pause: Duration, scenario: impl Fn(&Bench) -> Landing) {
    sweep_on(&|_| Bench::new(7), step, pause, scenario);
}

/// Kills at each crossing in turn, starts again after `pause`, and compares.
fn sweep_on(
    bench: &dyn Fn(u64) -> Bench,
    step: usize,
    pause: Duration,
    scenario: impl Fn(&Bench) -> Landing,
) {
    let crossings = {
        let bench = bench(0);
        let landing = scenario(&bench);
        bench.sim.killer.arm(u64::MAX);
        bench.start(&landing, u64::MAX).unwrap();
        bench.sim.killer.crossed()
    };
    assert!(crossings > 20, "{crossings}");
    for kill in (1..=crossings).step_by(step) {
        let bench = bench(kill);
        let landing = scenario(&bench);
        // On a real database, what is ready in which order may differ a little.
        if bench.start(&landing, kill).is_some() {
            assert!(bench.memory.is_none(), "crossing {kill} kills");
        }
        bench.wait_out_lease();
        bench.sim.clock.advance(pause);
        if bench.is_open(&landing) {
            bench.succeed(&landing);
        }
        bench.assert_landed(&landing);
    }
}

#[test]
fn killed_at_every_crossing_of_a_creation() {
    sweep(1, Duration::ZERO, Bench::creation);
}

#[test]
fn killed_at_every_crossing_of_every_kind_of_change() {
    sweep(1, Duration::ZERO, Bench::second);
}

#[test]
fn killed_and_found_after_the_tokens_were_forgotten() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    sweep(3, hours(25), Bench::creation);
    sweep(3, hours(37), Bench::creation);
    sweep(1, hours(37), Bench::second);
}

#[test]
fn killed_at_every_crossing_while_things_go_wrong() {
    let scenario = |bench: &Bench| {
        for (verb, type_name, fault) in accidents() {
            bench.cloud.fault(verb, type_name, fault);
        }
        bench.creation()
    };
    sweep(2, Duration::ZERO, scenario);
    sweep(5, Duration::from_secs(37 * 3600), scenario);
}

/// Fails each call of `verb` in turn, for good and in every way; looks at what
/// is left behind; resumes.
fn fail_each(verb: Verb, scenario: impl Fn(&Bench) -> Landing) {
    let calls = {
        let bench = Bench::new(9);
        let landing = scenario(&bench);
        let before = bench.cloud.requests(verb).len();
        assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
        bench.cloud.requests(verb).len() - before
    };
    assert!(calls > 1, "{calls}");
    for call in 0..calls {
        for fault in failures() {
            let what = format!("{verb:?} {call}: {fault:?}");
            let bench = Bench::new(9);
            let landing = scenario(&bench);
            bench.cloud.fault_after(call, verb, "*", fault);
            let Some(RunEnd::Failed { failed, blocked }) = bench.start(&landing, 0) else {
                panic!("{what}: it does not fail");
            };
            println!("{what} fails {:?}", failed.keys());
            assert_eq!(failed.len(), 1, "{what}: {failed:?}");
            let address = failed.keys().next().unwrap();
            assert_only_descendants_wait(&bench, &landing, address, blocked);
            bench.assert_nothing_lost();
            bench.assert_journal(Stream::Rollout(landing.rollout_id.clone()));
            bench.resume(&landing);
            bench.succeed(&landing);
            bench.assert_landed(&landing);
        }
    }
}

/// The cloud refuses, and says so in different places; nothing of it is worth
/// repeating.
fn failures() -> Vec<Fault> {
    let refused = || failure(FailureKind::Denied);
    let fails = |leaves| Fault::FailOperation {
        failure: refused(),
        leaves,
    };
    vec![
        Fault::Refuse(refused()),
        fails(false),
        fails(true),
        Fault::LeaveUnnamed(refused()),
    ]
}

fn assert_only_descendants_wait(bench: &Bench, landing: &Landing, failed: &Address, blocked: u32) {
    let mut waiting = BTreeSet::from([failed.clone()]);
    loop {
        let more = landing.plan.actions.iter().filter(|action| {
            !waiting.contains(&action.address)
                && action.needs.iter().any(|need| waiting.contains(need))
        });
        let more: Vec<_> = more.map(|action| action.address.clone()).collect();
        if more.is_empty() {
            break;
        }
        waiting.extend(more);
    }
    assert_eq!(blocked as usize, waiting.len() - 1, "behind {failed}");
    for (address, state) in fold(&landing.plan, &bench.events(landing)) {
        let as_expected = match &state {
            NodeState::Failed { .. } => &address == failed,
            NodeState::Blocked { .. } => waiting.contains(&address),
            NodeState::Done { .. } | NodeState::Retained { .. } => !waiting.contains(&address),
            NodeState::Waiting | NodeState::Running { .. } => false,
        };
        assert!(as_expected, "{failed} failed, and {address} is {state:?}");
    }
}

#[test]
fn every_creation_failed_in_turn() {
    fail_each(Verb::Create, Bench::creation);
}

#[test]
fn every_step_of_every_kind_of_change_failed_in_turn() {
    fail_each(Verb::Create, Bench::second);
    fail_each(Verb::Update, Bench::second);
}

#[test]
fn a_restart_resumes_polling_and_does_not_start_again() {
    let bench = Bench::new(8);
    let landing = bench.creation();
    {
        let engine = bench.engine();
        let lease = bench.claimed("rollout");
        let rollout = bench.rollout(&landing);
        let work = pin!(bench.work(&engine, &landing, lease, rollout));
        // The database, the balancer and the NAT gateway are in flight.
        let killed = bench.sim.clock.sleep(Duration::from_secs(60));
        let ended = bench.sim.drive(futures::future::select(work, killed));
        assert!(matches!(ended, Some(Either::Right(_))));
    }
    bench.wait_out_lease();
    let calls = |type_name: &str| {
        let requests = bench.cloud.requests(Verb::Create).into_iter();
        requests.filter(|one| one.type_name == type_name).count()
    };
    assert_eq!(calls("AWS::RDS::DBInstance"), 1);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    assert_eq!(calls("AWS::RDS::DBInstance"), 1);
    assert_eq!(calls("AWS::ElasticLoadBalancingV2::LoadBalancer"), 1);
    assert_eq!(calls("AWS::EC2::NatGateway"), 1);
    bench.assert_landed(&landing);
}

fn accidents() -> Vec<(Verb, &'static str, Fault)> {
    let trouble = failure(FailureKind::Unavailable);
    vec![
        (Verb::Create, "AWS::EC2::VPC", Fault::LoseAnswer),
        (
            Verb::Create,
            "AWS::EC2::EIP",
            Fault::FailOperation {
                failure: trouble.clone(),
                leaves: true,
            },
        ),
        (
            Verb::Create,
            "AWS::S3::Bucket",
            Fault::LeavePartial {
                failure: trouble.clone(),
                without: "Versioning".into(),
            },
        ),
        (
            Verb::Create,
            "AWS::ECS::TaskDefinition",
            Fault::FailOperation {
                failure: failure(FailureKind::NotSettled),
                leaves: false,
            },
        ),
        (
            Verb::Create,
            "AWS::EC2::Subnet",
            Fault::Refuse(failure(FailureKind::Throttled)),
        ),
        (
            Verb::Create,
            "AWS::EC2::InternetGateway",
            Fault::LeaveUnnamed(trouble.clone()),
        ),
        (Verb::Create, "AWS::EC2::NatGateway", Fault::ForgetOperation),
        (Verb::Create, "AWS::ECS::Service", Fault::LoseAnswer),
    ]
}

#[test]
fn killed_on_sqlite() {
    let database = Database::sqlite();
    let bench = |seed| database.bench(seed);
    sweep_on(&bench, 23, Duration::ZERO, Bench::creation);
    sweep_on(
        &|seed| bench(1000 + seed),
        41,
        Duration::ZERO,
        Bench::second,
    );
}

#[test]
fn killed_on_postgresql() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let bench = |seed| database.bench(seed);
    sweep_on(&bench, 23, Duration::ZERO, Bench::creation);
    sweep_on(
        &|seed| bench(1000 + seed),
        41,
        Duration::ZERO,
        Bench::second,
    );
}

#[test]
fn two_hundred_random_lives() {
    for seed in 0..200 {
        live(seed);
    }
}

fn live(seed: u64) {
    println!("seed {seed}");
    let bench = Bench::new(seed);
    let dice = &bench.entropy;
    let landing = if dice.chance(50) {
        bench.creation()
    } else {
        bench.second()
    };
    bench.cloud.trouble.store(dice.below(10), Ordering::SeqCst);
    let mut luck = accidents();
    luck.push((
        Verb::Create,
        "*",
        Fault::Refuse(failure(FailureKind::Denied)),
    ));
    luck.push((Verb::Update, "*", Fault::LoseAnswer));
    luck.push((
        Verb::Update,
        "*",
        Fault::FailOperation {
            failure: failure(FailureKind::Unavailable),
            leaves: true,
        },
    ));
    luck.push((Verb::Create, "*", Fault::NeverEnds));
    luck.push((
        Verb::Poll,
        "*",
        Fault::Refuse(failure(FailureKind::Unavailable)),
    ));
    for (verb, type_name, fault) in luck {
        if dice.chance(20) {
            let endless = matches!(fault, Fault::NeverEnds);
            if !endless || dice.chance(30) {
                bench.cloud.fault(verb, type_name, fault);
            }
        }
    }
    for _ in 0..8 {
        if !bench.is_open(&landing) {
            break;
        }
        if dice.chance(20) {
            bench.cloud.throttle_for(60_000);
        }
        let kill = 1 + dice.below(250);
        if bench.start(&landing, kill).is_none() {
            bench.wait_out_lease();
            let hours = [0, 0, 0, 1, 25, 37][dice.below(6) as usize];
            bench.sim.clock.advance(Duration::from_secs(hours * 3600));
        }
    }
    bench.cloud.heal();
    if !bench.is_open(&landing) {
        let over = bench.rollout(&landing).state;
        if !matches!(over, landfall_model::rollout::State::Succeeded { .. }) {
            bench.resume(&landing);
        }
    }
    if bench.is_open(&landing) {
        bench.succeed(&landing);
    }
    bench.assert_landed(&landing);
}
