//! Killed before and after every commit and every call.

use crate::support::Bench;

#[test]
fn killed_at_every_crossing_of_a_creation() {
    let crossings = {
        let bench = Bench::new(7);
        let mut builder = bench.builder();
        builder.landscape();
        let landing = bench.land(&builder, builder.creations());
        bench.start(&landing, 0).unwrap();
        bench.sim.killer.crossed()
    };
    println!("{crossings}");
}
