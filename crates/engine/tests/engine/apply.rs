//! A rollout without accidents, and what it leaves behind.

use crate::support::{
    Bench,
    cloud::Verb,
    graphs::at,
};
use landfall_engine::{RunEnd, endpoints, fold};
use landfall_model::{
    journal::EventKind,
    retained::Reason,
    rollout::{NodeState, State},
};

#[test]
fn a_graph_is_created_in_parallel_along_its_edges() {
    let bench = Bench::new(1);
    let mut builder = bench.builder();
    builder.landscape();
    let landing = bench.land(&builder, builder.creations());
    let began = bench.now();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    assert!(matches!(
        bench.rollout(&landing).state,
        State::Succeeded { .. }
    ));
    // Database (400 s), balancer and NAT side by side, not one after another.
    let took = bench.now().millis_since(began);
    assert!(took < 500_000, "{took} ms");
    assert_eq!(bench.memory.as_ref().unwrap().open_work(), 0);

    let states = fold(&landing.plan, &bench.events(&landing));
    assert!(states.values().all(|one| matches!(one, NodeState::Done { .. })));
    let records: Vec<_> = bench.records().into_values().collect();
    let offered = endpoints(&landing.plan, &records);
    assert!(offered["web"].starts_with("http://loadbalancer-"));
}
