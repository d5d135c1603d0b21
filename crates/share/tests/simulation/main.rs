//! Simulations of many workers: the real scheduling code, a simulated store, workers that are slow, pause, leave and die.
//!
//! `just simulate` runs the large one and prints its figures, which are in `docs/scale.md`.

#![allow(clippy::print_stdout, reason = "figures for people")]

mod store;
mod workers;

use workers::{Figures, Scenario, simulate};

/// Checks what is promised, and prints the figures.
fn check(scenario: &Scenario) -> Figures {
    let figures = simulate(scenario);
    println!("{scenario}\n{figures}");
    assert_eq!(figures.rows, scenario.cells, "every cell has a row");
    assert!(figures.share_twice() < 0.005, "rendered twice: {:.3} %", 100.0 * figures.share_twice());
    if scenario.cells > 100 * scenario.workers {
        assert!(figures.requests_each() < 6.0, "requests per cell: {:.2}", figures.requests_each());
    }
    figures
}

#[test]
fn fifty_workers_share_twenty_thousand_cells() {
    let figures = check(&Scenario::rough(50, 20_000));
    assert!(figures.died > 0 && figures.taken_over > 0, "nothing happened: {figures}");
    assert!(figures.took < figures.ideal * 3 / 2, "{figures}");
}

#[test]
fn one_worker_needs_few_requests() {
    let figures = check(&Scenario::calm(1, 5_000));
    assert_eq!((figures.twice, figures.conflicts), (0, 0));
}

#[test]
fn many_workers_share_few_cells() {
    let figures = check(&Scenario::calm(200, 600));
    assert_eq!(figures.twice, 0);
    // Each has three cells or so, and then waits.
    assert!(figures.requests_each() < 12.0, "{figures}");
}

#[test]
#[ignore = "takes minutes without optimisation: just simulate"]
fn a_thousand_workers_share_a_million_cells() {
    check(&Scenario::calm(1_000, 1_000_000));
    check(&Scenario::rough(1_000, 1_000_000));
    // A tenth of all workers die, half are preempted and do not come back, a tenth are paused.
    check(&Scenario { dying: 100, leaving: 500, pausing: 100, ..Scenario::rough(1_000, 200_000) });
}
