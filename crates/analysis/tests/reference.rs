//! Rankings against `tests/fixtures/ranking.json`, which scipy computed.

use maquette_analysis::{Duel, rank};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    ridge: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    sizes: Vec<usize>,
    votes: Vec<Vote>,
    axes: Vec<Axis>,
}

#[derive(Deserialize)]
struct Vote {
    left: Vec<usize>,
    right: Vec<usize>,
    choice: String,
}

#[derive(Deserialize)]
struct Axis {
    votes: usize,
    counts: Vec<usize>,
    strengths: Vec<f64>,
    #[serde(default)]
    low: Vec<f64>,
    #[serde(default)]
    high: Vec<f64>,
    lead: Option<Lead>,
}

#[derive(Deserialize)]
struct Lead {
    difference: f64,
    deviation: f64,
}

fn duel(vote: &Vote) -> Option<Duel> {
    let score = match vote.choice.as_str() {
        "left" => 1.0,
        "right" => 0.0,
        "tie" => 0.5,
        _ => return None,
    };
    let values =
        vote.left.iter().zip(&vote.right).map(|(&left, &right)| (left != right).then_some((left, right)));
    Some(Duel { values: values.collect(), score })
}

#[test]
fn rankings_are_those_of_scipy() {
    let text = include_str!("../../../tests/fixtures/ranking.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    assert_eq!(fixture.ridge, maquette_analysis::RIDGE);
    for case in fixture.cases {
        let duels: Vec<Duel> = case.votes.iter().filter_map(duel).collect();
        let ranked = rank(&case.sizes, &duels);
        assert_eq!(ranked.len(), case.axes.len());
        for (axis, (ranking, expected)) in ranked.iter().zip(&case.axes).enumerate() {
            let near = |one: f64, other: f64, what: &str| {
                assert!(
                    (one - other).abs() < 1e-7,
                    "{}, axis {axis}: {what} {one}, expected {other}",
                    case.name
                );
            };
            assert_eq!(ranking.votes, expected.votes, "{}", case.name);
            assert_eq!(ranking.values.len(), expected.counts.iter().filter(|count| **count > 0).count());
            for value in &ranking.values {
                let at = value.value;
                assert_eq!(value.votes, expected.counts[at], "{}", case.name);
                near(value.strength, expected.strengths[at], "strength");
                near(value.low, expected.low[at], "low");
                near(value.high, expected.high[at], "high");
            }
            assert_eq!(ranking.lead.is_some(), expected.lead.is_some(), "{}", case.name);
            if let (Some(lead), Some(expected)) = (ranking.lead, &expected.lead) {
                near(lead.difference, expected.difference, "difference");
                near(lead.deviation, expected.deviation, "deviation");
            }
        }
    }
}

#[test]
fn a_long_axis_is_ranked_quickly() {
    // 200 seeds, each against the next, and 3 painters.
    let duel = |at: usize| Duel {
        values: vec![Some((at % 200, (at + 1) % 200)), Some((at % 3, (at + 1) % 3))],
        score: if at % 5 < 3 { 1.0 } else { 0.0 },
    };
    let duels: Vec<Duel> = (0..600).map(duel).collect();
    let begin = std::time::Instant::now();
    let ranked = rank(&[200, 3], &duels);
    assert_eq!((ranked[0].values.len(), ranked[1].values.len()), (200, 3));
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}
