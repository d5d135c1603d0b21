//! Shares of the variance: against statsmodels (`tests/fixtures/effects.py`), and their properties.

use crate::{Axis, Effects, effects};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

type Cells = Vec<(Vec<usize>, Vec<f32>)>;

fn axes(sizes: &[(&str, usize)]) -> Vec<Axis> {
    sizes.iter().map(|(name, values)| Axis { name: (*name).to_owned(), values: *values }).collect()
}

fn effects_of(axes: &[Axis], cells: &Cells) -> Effects {
    let cells: Vec<(Vec<usize>, &[f32])> =
        cells.iter().map(|(at, vector)| (at.clone(), vector.as_slice())).collect();
    effects("test", "a test", axes, &cells).unwrap()
}

fn share(effects: &Effects, names: &[&str]) -> f64 {
    effects.shares.iter().find(|share| share.axes == names).unwrap().share
}

#[test]
fn shares_are_those_of_statsmodels() {
    #[derive(serde::Deserialize)]
    struct Case {
        cells: Cells,
        shares: BTreeMap<String, f64>,
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/effects.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(cases.iter().map(|case| case.cells.len()).collect::<Vec<_>>(), [24, 18, 24, 18]);
    for case in cases {
        let found = effects_of(&axes(&[("a", 3), ("b", 4), ("c", 2)]), &case.cells);
        assert_eq!(found.complete, case.cells.len() == 24);
        assert_eq!(found.shares.len(), case.shares.len());
        for part in &found.shares {
            let expected = case.shares[&part.axes.concat()];
            assert!((part.share - expected).abs() < 1e-7, "{:?}: {}, not {expected}", part.axes, part.share);
        }
    }
}

/// A grid of 3 x 4 x 2 whose third axis changes nothing.
fn grid(value: impl Fn(usize, usize) -> f32) -> Cells {
    let mut cells = Cells::new();
    for a in 0..3 {
        for b in 0..4 {
            cells.extend((0..2).map(|c| (vec![a, b, c], vec![value(a, b), 1.0])));
        }
    }
    cells
}

#[test]
fn an_axis_that_changes_nothing_is_idle() {
    let names = axes(&[("artist", 3), ("strength", 4), ("seed", 2)]);
    let found = effects_of(&names, &grid(|a, b| (a * a) as f32 + 0.3 * b as f32));
    assert_eq!(found.idle, ["seed"]);
    assert_eq!(share(&found, &["seed"]), 0.0);
    assert_eq!(share(&found, &["artist", "seed"]), 0.0);
    // A sum of two functions has no interaction.
    assert!(share(&found, &["artist", "strength"]) < 1e-9);
    assert!(found.rest < 1e-9);
    let found = effects_of(&names, &grid(|a, b| if a == 1 { b as f32 } else { -(b as f32) }));
    assert!(share(&found, &["artist", "strength"]) > 0.3);
    // Where cells are missing, the idle axis stays idle, although it overlaps with others.
    let mut cells = grid(|a, b| (a + b) as f32);
    cells.retain(|(at, _)| at[0] != 1 || at[2] != 0 || at[1] == 0);
    let found = effects_of(&names, &cells);
    assert!(!found.complete);
    assert_eq!((share(&found, &["seed"]), &found.idle[..]), (0.0, &["seed".to_owned()][..]));
}

#[test]
fn pictures_that_are_all_the_same_have_no_shares() {
    let found = effects_of(&axes(&[("artist", 3), ("strength", 4), ("seed", 2)]), &grid(|_, _| 0.1));
    assert!(found.shares.iter().all(|share| share.share == 0.0));
    assert_eq!((found.rest, found.idle.len()), (0.0, 3));
    assert!(found.values.iter().all(|values| values.outlier.is_none()));
}

#[test]
fn axes_with_one_value_are_left_out() {
    let cells: Cells = vec![(vec![0, 0], vec![1.0]), (vec![0, 1], vec![3.0])];
    let found = effects_of(&axes(&[("model", 1), ("seed", 2)]), &cells);
    assert_eq!(found.shares.len(), 1);
    assert_eq!(share(&found, &["seed"]), 1.0);
    assert!(effects("test", "", &axes(&[("model", 1)]), &[(vec![0], &[1.0]), (vec![0], &[2.0])]).is_none());
    assert!(effects("test", "", &axes(&[("seed", 2)]), &[(vec![0], &[1.0])]).is_none());
}

#[test]
fn a_value_that_stands_out_is_found() {
    let check = |values: &[f32], expected: Option<usize>| {
        let cells: Cells = values.iter().enumerate().map(|(at, value)| (vec![at], vec![*value])).collect();
        let found = effects_of(&axes(&[("artist", values.len())]), &cells);
        assert_eq!(found.values[0].outlier, expected, "{values:?}");
    };
    check(&[0.0, 1.0, 2.0], None);
    check(&[0.0, 1.0, 2.0, 3.0], None);
    check(&[0.0, 1.0, 2.0, 9.0], Some(3));
    check(&[5.0, 5.0, -1.0, 5.0], Some(2));
    check(&[0.0, 7.0], None);
    check(&[0.0, 0.0, 10.0, 10.0], None);
}

#[test]
fn distances_are_those_of_the_means() {
    let cells: Cells = vec![
        (vec![0, 0], vec![0.0]),
        (vec![0, 1], vec![2.0]),
        (vec![1, 0], vec![5.0]),
        (vec![1, 1], vec![5.0]),
    ];
    let found = effects_of(&axes(&[("artist", 2), ("seed", 2)]), &cells);
    assert_eq!(found.values[0].distance, [Some(2.0), Some(2.0)]);
    let missing = effects_of(&axes(&[("artist", 3), ("seed", 2)]), &cells);
    assert_eq!(missing.values[0].distance, [Some(2.0), Some(2.0), None]);
}

/// Any grid of up to three axes, with some cells missing.
fn any_grid() -> impl Strategy<Value = (Vec<usize>, Cells)> {
    let sizes = prop::collection::vec(1usize..4, 1..4);
    sizes.prop_flat_map(|sizes| {
        let count: usize = sizes.iter().product();
        let cell = (any::<bool>(), prop::collection::vec(-3.0f32..3.0, 2));
        let cells = prop::collection::vec(cell, count..=count);
        (Just(sizes), any::<bool>(), cells).prop_map(|(sizes, whole, values)| {
            let mut cells = Cells::new();
            for (mut position, (kept, vector)) in values.into_iter().enumerate() {
                let mut at = vec![0; sizes.len()];
                for (coordinate, size) in at.iter_mut().zip(&sizes).rev() {
                    *coordinate = position % size;
                    position /= size;
                }
                if whole || kept {
                    cells.push((at, vector));
                }
            }
            (sizes, cells)
        })
    })
}

fn try_effects(sizes: &[usize], cells: &Cells) -> Option<Effects> {
    let names = ["a", "b", "c"];
    let axes = axes(&names.into_iter().zip(sizes.iter().copied()).collect::<Vec<_>>());
    let cells: Vec<(Vec<usize>, &[f32])> =
        cells.iter().map(|(at, vector)| (at.clone(), vector.as_slice())).collect();
    effects("test", "", &axes, &cells)
}

proptest! {
    #[test]
    fn shares_add_up_to_one((sizes, cells) in any_grid()) {
        let Some(found) = try_effects(&sizes, &cells) else { return Ok(()) };
        let all = || found.shares.iter().map(|share| share.share).chain([found.rest]);
        prop_assert!(all().all(|share| (0.0..=1.0).contains(&share)), "{found:?}");
        let sum: f64 = all().sum();
        prop_assert!((sum - 1.0).abs() < 1e-9 || sum == 0.0, "{found:?}");
    }

    #[test]
    fn the_order_of_values_does_not_matter((sizes, cells) in any_grid()) {
        let Some(found) = try_effects(&sizes, &cells) else { return Ok(()) };
        let mut turned: Cells = cells
            .iter()
            .map(|(at, vector)| (at.iter().zip(&sizes).map(|(at, size)| size - 1 - at).collect(), vector.clone()))
            .collect();
        turned.reverse();
        let again = try_effects(&sizes, &turned).unwrap();
        for (one, other) in found.shares.iter().zip(&again.shares) {
            prop_assert!((one.share - other.share).abs() < 1e-6, "{found:?}\n{again:?}");
        }
    }

    #[test]
    fn an_axis_of_copies_has_no_share((sizes, cells) in any_grid(), copies in 2usize..4) {
        let mut copied = Cells::new();
        for (at, vector) in &cells {
            copied.extend((0..copies).map(|copy| ([&[copy][..], at].concat(), vector.clone())));
        }
        let mut axes = axes(&[("copy", copies)]);
        axes.extend(sizes.iter().enumerate().map(|(at, &values)| Axis { name: format!("axis {at}"), values }));
        if copied.is_empty() {
            return Ok(());
        }
        let found = effects_of(&axes, &copied);
        let with_copy = found.shares.iter().filter(|share| share.axes[0] == "copy");
        prop_assert!(with_copy.clone().count() > 0);
        prop_assert!(with_copy.map(|share| share.share).all(|share| share == 0.0), "{found:?}");
        prop_assert!(found.idle.contains(&"copy".to_owned()));
    }
}
