//! Which cells of two runs are compared, and how that is said.

use super::{axis, flat, mucha, plan};
use crate::{AlongError, Diff, Pixels, Side, Tile, diff, diff_along};
use maquette_core::{Axis, AxisValue, Plan, Selection, Value};
use proptest::prelude::*;

fn compare(left: &Plan, right: &Plan) -> Diff {
    let nothing = |_| Tile::Missing;
    let left = Side { name: "a@1", plan: left, load: &nothing };
    diff(&left, &Side { name: "a@2", plan: right, load: &nothing }).unwrap()
}

/// Compares, and checks the numbers of pairs and of cells without one on either side, and the sentences.
fn check(left: &Plan, right: &Plan, counts: [usize; 3], sentences: &[&str]) -> Diff {
    let diff = compare(left, right);
    assert_eq!([diff.pairs.len(), diff.only_left.len(), diff.only_right.len()], counts, "{:?}", diff.pairing);
    assert_eq!(diff.pairing, sentences);
    diff
}

fn renamed(mut plan: Plan, from: &str, to: &str) -> Plan {
    for axis in plan.axes.iter_mut().filter(|axis| axis.name == from) {
        axis.name = to.to_owned();
        axis.values.iter_mut().flat_map(|value| &mut value.set).for_each(|(name, _)| *name = to.to_owned());
    }
    for (name, value) in &mut plan.base {
        if let (true, Value::Text(text)) = (name == "prompt", value) {
            *text = text.replace(&format!("{{{from}}}"), &format!("{{{to}}}"));
        }
    }
    plan.vars.iter_mut().filter(|(name, _)| name == from).for_each(|(name, _)| *name = to.to_owned());
    plan
}

#[test]
fn axes_of_the_same_name_need_no_explanation() {
    let diff = check(
        &mucha(),
        &mucha(),
        [18, 0, 0],
        &["Cells are paired by the values of `artist`, `strength` and `seed`."],
    );
    assert!(!diff.text(9).contains("paired"), "{}", diff.text(9));
}

#[test]
fn a_renamed_placeholder_is_found_by_its_values() {
    let right = renamed(mucha(), "artist", "painter");
    let sentences = [
        "Cells are paired by the values of `strength` and `seed`.",
        "`artist` in a@1 is paired with `painter` in a@2: they have 3 values in common.",
    ];
    let diff = check(&mucha(), &right, [18, 0, 0], &sentences);
    assert_eq!(diff.pairs[7].left.coordinates[0].1, diff.pairs[7].right.coordinates[0].1);
    assert!(
        diff.text(9).contains(&format!("\nhow cells are paired\n  {}\n  {}\n", sentences[0], sentences[1]))
    );
}

#[test]
fn a_renamed_zip_block_is_found_by_what_it_sets() {
    let block = |name: &str, strengths: &[f64]| Axis {
        name: name.to_owned(),
        values: strengths
            .iter()
            .map(|&strength| AxisValue {
                label: format!("{name} {strength}"),
                set: vec![("strength".to_owned(), strength.into()), ("steps".to_owned(), 9.into())],
            })
            .collect(),
    };
    let (left, right) = (plan(vec![block("low", &[0.3, 0.5])]), plan(vec![block("far", &[0.5, 0.3, 0.9])]));
    let sentence = "`low` in a@1 is paired with `far` in a@2: they have 2 values in common.";
    let diff = check(&left, &right, [2, 0, 1], &[sentence]);
    assert_eq!(diff.pairs[0].right.coordinates[0].1, "far 0.3");
}

#[test]
fn settings_with_the_same_numbers_are_not_one_axis() {
    let (left, right) = (plan(vec![axis("seed", [5, 6])]), plan(vec![axis("steps", [5, 6])]));
    check(
        &left,
        &right,
        [1, 1, 1],
        &[
            "Only a@2 varies `steps`, and a@1 has none of its values: its cells with 5, the first, are paired.",
            "Only a@1 varies `seed`, and a@2 has none of its values: its cells with 5, the first, are paired.",
        ],
    );
}

#[test]
fn the_best_of_several_names_is_taken() {
    let left = plan(vec![axis("artist", ["Mucha", "Munch", "Klimt"])]);
    let right = plan(vec![axis("medium", ["oil", "Mucha"]), axis("painter", ["Klimt", "Munch", "Mucha"])]);
    check(
        &left,
        &right,
        [3, 0, 3],
        &[
            "`artist` in a@1 is paired with `painter` in a@2: they have 3 values in common.",
            "Only a@2 varies `medium`, and a@1 has none of its values: its cells with oil, the first, are paired.",
        ],
    );
}

#[test]
fn an_added_axis_is_matched_with_the_value_that_the_other_run_has() {
    let (mut one, other) = (mucha(), mucha());
    let strength = one.axes.remove(1);
    one.base.retain(|(name, _)| name != "strength");
    one.base.push(("strength".to_owned(), 0.5.into()));
    assert_eq!(strength.name, "strength");
    let both = "Cells are paired by the values of `artist` and `seed`.";
    check(
        &one,
        &other,
        [6, 0, 12],
        &[both, "Only a@2 varies `strength`: its cells with 0.5, the value in a@1, are paired."],
    );
    check(
        &other,
        &one,
        [6, 12, 0],
        &[both, "Only a@1 varies `strength`: its cells with 0.5, the value in a@2, are paired."],
    );
}

#[test]
fn an_added_axis_without_that_value_is_matched_with_its_first() {
    let one = plan(vec![axis("seed", [7, 8])]);
    let other = plan(vec![axis("mood", ["", "happy"]), axis("seed", [7, 8])]);
    let both = "Cells are paired by the values of `seed`.";
    let says = |with: &str, without: &str| {
        format!(
            "Only {with} varies `mood`, and {without} has none of its values: its cells with (empty), the first, are paired."
        )
    };
    check(&one, &other, [2, 0, 2], &[both, &says("a@2", "a@1")]);
    check(&other, &one, [2, 2, 0], &[both, &says("a@1", "a@2")]);
}

#[test]
fn a_zip_block_is_matched_with_the_axes_that_it_replaced() {
    let pair = |artist: &str, strength: f64| AxisValue {
        label: artist.to_owned(),
        set: vec![("artist".to_owned(), artist.into()), ("strength".to_owned(), strength.into())],
    };
    let block = Axis { name: "style".to_owned(), values: vec![pair("Mucha", 0.3), pair("Munch", 0.5)] };
    let (zip, grid) =
        (plan(vec![block]), plan(vec![axis("artist", ["Mucha", "Munch"]), axis("strength", [0.3, 0.5])]));
    for (left, right, counts) in [(&zip, &grid, [2, 0, 2]), (&grid, &zip, [2, 2, 0])] {
        let diff = compare(left, right);
        assert_eq!(
            [diff.pairs.len(), diff.only_left.len(), diff.only_right.len()],
            counts,
            "{:?}",
            diff.pairing
        );
        assert!(diff.pairs.iter().all(|pair| pair.same_settings), "{:?}", diff.pairs);
    }
}

#[test]
fn a_value_paired_by_its_label_is_named() {
    let mut right = mucha();
    right.axes[0].values[0].set[0].1 = "Alfons Mucha".into();
    check(
        &mucha(),
        &right,
        [18, 0, 0],
        &[
            "Cells are paired by the values of `artist`, `strength` and `seed`.",
            "On `artist`, 1 value is paired by label: what it sets differs.",
        ],
    );
}

#[test]
fn neighbours_are_compared_along_an_axis() {
    let plan = plan(vec![axis("artist", ["Mucha", "Munch"]), axis("strength", [0.7, 0.3, 0.5])]);
    let load = |index: usize| Tile::Done(flat(2, 2, [index as u8; 3]));
    let run = Side { name: "mucha@1", plan: &plan, load: &load };
    let diff = diff_along(&run, "strength").unwrap();
    assert_eq!((diff.left.as_str(), diff.right.as_str()), ("mucha@1", "the next strength"));
    let steps: Vec<String> = diff
        .pairs
        .iter()
        .map(|pair| {
            let [change] = &pair.settings[..] else { panic!("{pair:?}") };
            format!("{} {:?} {:?}", pair.left.coordinates[0].1, change.left, change.right)
        })
        .collect();
    let step = |artist: &str, from: &str, to: &str| format!("{artist} {:?} {:?}", Some(from), Some(to));
    let expected =
        [("Mucha", "0.3", "0.5"), ("Mucha", "0.5", "0.7"), ("Munch", "0.3", "0.5"), ("Munch", "0.5", "0.7")];
    assert_eq!(steps, expected.map(|(artist, from, to)| step(artist, from, to)));
    assert_eq!(diff.pairing, ["Each cell is paired with the one that has the next value of `strength`."]);
    // Cell 1 has strength 0.3, cell 2 strength 0.5.
    assert!(
        matches!(diff.pairs[0].pixels, Pixels::Different { mean_absolute_error, .. } if mean_absolute_error == 1.0)
    );

    let error = |axis: &str| diff_along(&run, axis).unwrap_err().to_string();
    assert_eq!(error("seed"), "`seed` is not an axis of the run; allowed: `artist`, `strength`");
}

#[test]
fn cells_that_were_filtered_out_are_passed_over() {
    let mut plan = plan(vec![axis("artist", ["Mucha", "Munch"]), axis("seed", [1, 2, 3])]);
    plan.kept = Selection::Only(vec![0, 2, 4]);
    let nothing = |_| Tile::Missing;
    let run = Side { name: "a", plan: &plan, load: &nothing };
    let diff = diff_along(&run, "seed").unwrap();
    assert_eq!(diff.pairs.len(), 1);
    assert_eq!((diff.pairs[0].left.index, diff.pairs[0].right.index), (0, 1));
    let one = super::plan(vec![axis("seed", [1])]);
    let refused = diff_along(&Side { name: "a", plan: &one, load: &nothing }, "seed").unwrap_err();
    assert_eq!(refused, AlongError::OneValue { name: "seed".to_owned() });
}

proptest! {
    #[test]
    fn no_cell_is_lost_or_paired_twice(
        left in prop::collection::vec((0..4usize, prop::collection::vec(0..5i64, 1..4)), 0..3),
        right in prop::collection::vec((0..4usize, prop::collection::vec(0..5i64, 1..4)), 0..3),
    ) {
        let build = |axes: &[(usize, Vec<i64>)]| {
            let mut named: Vec<Axis> = Vec::new();
            for (name, values) in axes {
                let name = ["artist", "mood", "seed", "steps"][*name];
                if named.iter().all(|axis| axis.name != name) {
                    // Steps are at least 1.
                    named.push(axis(name, values.iter().map(|value| value + 1)));
                }
            }
            plan(named)
        };
        let (left, right) = (build(&left), build(&right));
        let diff = compare(&left, &right);
        let all = |pairs: Vec<usize>, only: Vec<usize>, count: usize| {
            let mut all = [pairs, only].concat();
            all.sort_unstable();
            all == (0..count).collect::<Vec<_>>()
        };
        let (lefts, rights) = diff.pairs.iter().map(|pair| (pair.left.index, pair.right.index)).unzip();
        prop_assert!(all(lefts, diff.only_left.iter().map(|cell| cell.index).collect(), left.len()));
        prop_assert!(all(rights, diff.only_right.iter().map(|cell| cell.index).collect(), right.len()));
        prop_assert!(!diff.pairs.is_empty() || left.axes.iter().any(|axis| right.axes.iter().any(|other| other.name == axis.name)));
    }
}
