//! `[[exclude]]` and `[[only]]`, also against a brute-force implementation.

use crate::folder::{message, planned};
use maquette_core::{Plan, Settings};
use proptest::prelude::*;

const GRID: &str = r#"
prompt = "by {artist}"
init_image = "me.png"
[sweep]
artist = ["Alphonse Mucha", "Edvard Munch", { label = "none", value = "" }]
strength = { from = 0.3, to = 0.9, step = 0.2 }
[zip.sampling]
scheduler = ["ddim", "euler_a"]
steps = [50, 20]
label = ["slow", "fast"]
"#;

fn cells(rules: &str) -> Vec<String> {
    let plan = planned(&format!("{GRID}{rules}")).plan;
    let show =
        |settings: Settings| format!("{} {} {}", settings.prompt, settings.strength.unwrap(), settings.steps);
    plan.cells().map(|cell| show(cell.unwrap().settings)).collect()
}

#[test]
fn tests_of_values() {
    let check = |rule: &str, expected: usize| {
        assert_eq!(24 - cells(&format!("[[exclude]]\n{rule}\n")).len(), expected, "{rule}");
    };
    check("artist = \"Edvard Munch\"", 8);
    check("artist = \"none\"", 8);
    check("artist = [\"Edvard Munch\", \"Alphonse Mucha\"]", 16);
    check("artist = { like = \"*mu*\" }", 16);
    check("artist = { not = \"Edvard Munch\" }", 16);
    check("strength = 0.7", 6);
    check("strength = { above = 0.7 }", 6);
    check("strength = { above = 0.3, below = 0.9 }", 12);
    check("strength = { below = 0.5 }\nartist = \"Edvard Munch\"", 2);
    check("steps = 20", 12);
    check("sampling = \"fast\"", 12);
    check("steps = 20\nscheduler = \"euler_a\"", 12);
}

#[test]
fn only_keeps_cells_that_match_one_block() {
    let kept = cells(
        "[[only]]\nartist = \"Edvard Munch\"\nsteps = 50\n[[only]]\nstrength = 0.9\n[[exclude]]\nsampling = \"fast\"\n",
    );
    assert_eq!(
        kept,
        [
            "by Alphonse Mucha 0.9 50",
            "by Edvard Munch 0.3 50",
            "by Edvard Munch 0.5 50",
            "by Edvard Munch 0.7 50",
            "by Edvard Munch 0.9 50",
            "by  0.9 50",
        ]
    );
}

#[test]
fn a_rule_that_matches_nothing_is_an_error() {
    let check = |rule: &str, expected: &str| {
        assert_eq!(message(&format!("{GRID}[[exclude]]\n{rule}\n")), expected, "{rule}");
    };
    check("strength = 0.4", "the axis `strength` has no value `0.4`");
    check("strength = { above = 0.9 }", "no value of the axis `strength` matches this rule");
    check("artist = { above = 1 }", "no value of the axis `artist` matches this rule");
    check("artist = { like = \"Klimt*\" }", "no value of the axis `artist` matches this rule");
    check("artist = { not = \"Klimt\" }", "the axis `artist` has no value `Klimt`");
    check(
        "steps = 20\nscheduler = \"ddim\"",
        "this rule matches nothing: no row of the axis has all of these values together",
    );
    check("sampling = \"faster\"", "the axis `sampling` has no value `faster`");
    check("artist = { between = 1 }", "`between` is not a test");
    check("", "a rule without a condition matches every cell; allowed: one or more");
}

/// One condition of a random rule: an axis, and the positions that it names.
type Block = Vec<(usize, Vec<usize>)>;

fn block(sizes: &[usize]) -> impl Strategy<Value = Block> + use<> {
    let sizes = sizes.to_vec();
    let axes = proptest::sample::subsequence((0..sizes.len()).collect::<Vec<_>>(), 1..=sizes.len());
    axes.prop_flat_map(move |axes| {
        let one = |axis: usize| {
            let positions: Vec<usize> = (0..sizes[axis]).collect();
            proptest::sample::subsequence(positions, 1..=sizes[axis]).prop_map(move |at| (axis, at))
        };
        axes.into_iter().map(one).collect::<Vec<_>>()
    })
}

fn grid() -> impl Strategy<Value = (Vec<usize>, Vec<Block>, Vec<Block>)> {
    proptest::collection::vec(1usize..5, 1..5).prop_flat_map(|sizes| {
        let blocks = |most| proptest::collection::vec(block(&sizes), 0..most);
        (Just(sizes.clone()), blocks(70), blocks(4))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn filters_agree_with_brute_force((sizes, exclude, only) in grid()) {
        use std::fmt::Write;
        let mut text = String::from("prompt = \"");
        (0..sizes.len()).for_each(|axis| write!(text, "{{a{axis}}}").unwrap());
        text.push_str("\"\n[sweep]\n");
        for (axis, size) in sizes.iter().enumerate() {
            writeln!(text, "a{axis} = {{ from = 1, to = {size}, count = {size} }}").unwrap();
        }
        for (header, blocks) in [("exclude", &exclude), ("only", &only)] {
            for block in blocks {
                writeln!(text, "[[{header}]]").unwrap();
                for (axis, at) in block {
                    let at: Vec<usize> = at.iter().map(|at| at + 1).collect();
                    writeln!(text, "a{axis} = {at:?}").unwrap();
                }
            }
        }
        let matches = |block: &Block, at: &[usize]| block.iter().all(|(axis, named)| named.contains(&at[*axis]));
        let whole = Plan { kept: maquette_core::Selection::All, ..planned("prompt = \"\"").plan };
        let whole = Plan { axes: planned(&text[..text.find("[[").unwrap_or(text.len())]).plan.axes, ..whole };
        let wanted: Vec<Vec<usize>> = (0..whole.grid_len())
            .map(|position| whole.coordinates_at(position))
            .filter(|at| !exclude.iter().any(|block| matches(block, at)))
            .filter(|at| only.is_empty() || only.iter().any(|block| matches(block, at)))
            .collect();
        if wanted.is_empty() {
            prop_assert_eq!(message(&text), "the rules leave no cells: all are excluded, or none match [[only]]");
        } else {
            let first = planned(&text);
            let kept: Vec<Vec<usize>> = (0..first.plan.len()).map(|index| first.plan.coordinates(index)).collect();
            prop_assert_eq!(kept, wanted);
            let again = planned(&first.resolved);
            prop_assert_eq!(again.distinct, first.distinct);
        }
    }
}
