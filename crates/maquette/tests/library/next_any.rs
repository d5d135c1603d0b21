//! The next experiment after any picks and votes in any grid.

use crate::next::{mark, started, vote};
use crate::support::Project;
use maquette::{CellId, Experiment, Mark, NextOptions, Value};
use proptest::prelude::*;

/// Axes of several kinds, with some values each.
fn toml(axes: &[(usize, usize)]) -> String {
    let mut text = "prompt = \"a {thing} of {age} years, {word}\"\ninit_image = \"references/selfie.png\"\n\
                    steps = 25\n[vars]\nthing = \"cat\"\nage = 3\nword = \"x\"\n"
        .to_owned();
    let (mut sweeps, mut zips) = (String::new(), String::new());
    for &(kind, count) in axes {
        let list = |name: &str, values: [&str; 4]| format!("{name} = [{}]\n", values[..count].join(", "));
        let sweep = match kind {
            0 => list("thing", ["\"cat\"", "\"{{dog}}\"", "\"a, \\\"b\\\"\"", "\"\""]),
            1 => list("strength", ["0.35", "0.5", "0.04", "1.0"]),
            2 => list("age", ["1", "20", "3", "40"]),
            3 => list("seed", ["5", "18446744073709551615", "0", "7"]),
            4 => list("scheduler", ["\"ddim\"", "\"euler\"", "\"heun\"", "\"unipc\""]),
            5 => list("guidance_scale", ["7.5", "100", "0", "3.25"]),
            _ => {
                zips += "[zip.pair]\n";
                zips += &list("word", ["\"a\"", "\"b\"", "\"a\"", "\"c\""]);
                zips += &list("clip_skip", ["0", "1", "2", "0"]);
                String::new()
            }
        };
        sweeps += &sweep;
    }
    if !sweeps.is_empty() {
        text += &format!("[sweep]\n{sweeps}");
    }
    text + &zips
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_text_plans_and_has_every_picked_value(
        axes in prop::collection::btree_map(0usize..7, 1usize..5, 1..4),
        marks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..8),
        duels in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..12),
        home in any::<bool>(),
    ) {
        let project = Project::new().with_selfie();
        let axes: Vec<(usize, usize)> = axes.into_iter().collect();
        let (workspace, run, plan) = started(&project, &toml(&axes));
        let cell = |index: &prop::sample::Index| plan.coordinates(index.index(plan.len()));
        for (index, pick) in &marks {
            mark(&run, &plan, if *pick { Mark::Pick } else { Mark::Reject }, &[&cell(index)]);
        }
        for (left, right) in &duels {
            vote(&run, &plan, &cell(left), &cell(right), 1);
        }
        let picks: Vec<CellId> = run.picks().unwrap().marked(Mark::Pick).collect();
        prop_assume!(!picks.is_empty());
        let file = project.path().join(if home { "next.toml" } else { "deep/er/next.toml" });
        let next = workspace.next("e", &NextOptions { promote: None, file: Some(file.clone()) }).unwrap();
        next.write(&file).unwrap();
        let planned = workspace.plan(&Experiment::at(&file));
        let narrowed = planned.unwrap_or_else(|error| panic!("{error:?}\n{}", next.text)).plan;
        prop_assert_eq!(&narrowed.derived_from.as_ref().unwrap().cells.len(), &picks.len());
        for index in 0..plan.len() {
            if !picks.contains(&plan.id(index).unwrap()) {
                continue;
            }
            // Another cell of the same picture may come first in the grid.
            let index = (0..plan.len()).find(|&first| plan.id(first).unwrap() == plan.id(index).unwrap()).unwrap();
            let coordinates = plan.coordinates(index);
            let set = coordinates.iter().zip(&plan.axes).flat_map(|(&at, axis)| &axis.values[at].set);
            let wanted: Vec<(&str, String)> =
                set.filter(|(name, _)| name != "seed").map(|(name, value)| (name.as_str(), value.to_string())).collect();
            let has = |index: usize| {
                let coordinates = narrowed.coordinates(index);
                let values: Vec<&(String, Value)> =
                    coordinates.iter().zip(&narrowed.axes).flat_map(|(&at, axis)| &axis.values[at].set).collect();
                wanted.iter().all(|(name, text)| values.iter().any(|(known, value)| known == name && value.to_string() == *text))
            };
            prop_assert!((0..narrowed.len()).any(has), "{wanted:?} is missing in\n{}", next.text);
        }
    }
}
