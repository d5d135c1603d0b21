//! The grid as a whole: its size, its coordinates, its names, and its resolved text.

use crate::folder::{Folder, message, planned};
use maquette_core::{CellId, Selection};
use maquette_planner::{Overrides, distinct};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;

#[test]
fn defaults_are_written_into_every_cell() {
    let planned = planned("prompt = \"a cat\"\n");
    let base: Vec<String> =
        planned.plan.base.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(
        base.join("; "),
        "model = sketchbook; prompt = a cat; negative_prompt = ; dialect = plain; fit = crop; \
         strength = 0.8; controlnet_conditioning_scale = 1; control_guidance_start = 0; control_guidance_end = 1; \
         ip_adapter_scale = 1; seed = 0; noise = torch-cpu; variation_seed = 0; variation_strength = 0; steps = 50; \
         guidance_scale = 7.5; true_cfg_scale = 1; guidance_interval = 0-1; guidance_rescale = 0; deepcache_interval = 1; \
         deepcache_branch_id = 0; eta = 0; clip_skip = 0; dtype = f32; safety_checker = false"
    );
    let settings = planned.plan.cell(0).unwrap().settings;
    assert_eq!((settings.width, settings.scheduler.as_str(), settings.strength), (64, "ddim", None));
    assert_eq!((planned.plan.len(), planned.plan.name.as_str()), (1, "e"));
}

#[test]
fn zero_is_a_value() {
    let settings =
        planned("prompt = \"\"\nguidance_scale = 0\nseed = 0\nclip_skip = 0\nstrength = -0.0\n").plan;
    let settings = settings.cell(0).unwrap().settings;
    assert_eq!((settings.guidance_scale, settings.seed), (0.0, 0));
}

#[test]
fn an_axis_overrides_a_constant() {
    let plan =
        planned("prompt = \"{a}\"\nsteps = 10\n[vars]\na = \"x\"\n[sweep]\nsteps = [20]\na = [\"y\"]\n").plan;
    let settings = plan.cell(0).unwrap().settings;
    assert_eq!((settings.steps, &*settings.prompt), (20, "y"));
}

#[test]
fn identical_cells_merge() {
    let planned = planned("prompt = \"x\"\n[sweep]\nseed = [1, 2, 1]\n");
    assert_eq!(planned.plan.len(), 3);
    assert_eq!(planned.distinct.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(planned.notes, ["3 cells, 2 distinct: `seed` is 1 twice"]);
}

#[test]
fn a_picture_may_have_placeholders() {
    let files = [
        (
            "e.toml",
            "prompt = \"{who}\"\ninit_image = \"{who}-{age}.png\"\n[sweep]\nwho = [\"ann\", \"bob\"]\nage = [3, 4]\n[[exclude]]\nwho = \"bob\"\nage = 4\n",
        ),
        ("ann-3.png", "1"),
        ("ann-4.png", "2"),
        ("bob-3.png", "3"),
    ];
    let plan = Folder::new(&files).plan("e.toml").plan;
    assert_eq!(plan.pictures.keys().collect::<Vec<_>>(), ["ann-3.png", "ann-4.png", "bob-3.png"]);
    assert_eq!(&*plan.cell(1).unwrap().settings.init_image.unwrap().path, "ann-4.png");
    let error = Folder::new(&files[..3]).with("e.toml", &Overrides::default()).unwrap_err();
    assert!(error.to_string().contains("bob-3.png"), "{error}");
}

#[test]
fn braces_and_brackets() {
    let prompt = |text: &str| planned(&format!("prompt = '{text}'\n")).plan.cell(0).unwrap().settings.prompt;
    assert_eq!(&*prompt("(round:1.2) [a|b] {{not}}"), "(round:1.2) [a|b] {not}");
    assert_eq!(message("prompt = \"{seed}\"\n"), "`{seed}` is a setting, not a placeholder");
}

#[test]
fn an_unchanged_experiment_is_recognised() {
    let folder = |text: &str, picture: &str| Folder::new(&[("e.toml", text), ("me.png", picture)]);
    let source = |text: &str, picture: &str| folder(text, picture).plan("e.toml").source;
    let text = "prompt = \"x\"\ninit_image = \"me.png\"\n[sweep]\nseed = { random = 2 }\n";
    let first = source(text, "me");
    // Comments and the folder's location do not matter.
    assert_eq!(source(&format!("# hello\n{text}"), "me"), first);
    assert_ne!(source(text, "another picture"), first);
    assert_ne!(source(&text.replace('x', "y"), "me"), first);
    assert_ne!(source(&text.replace("= 2", "= 3"), "me"), first);
    assert_ne!(source(&text.replace("{ random = 2 }", "[1000, 1001]"), "me"), first);
    assert_ne!(source(&format!("{text}[sheet]\nrows = \"seed\"\n"), "me"), first);
}

#[test]
fn the_resolved_text_plans_from_anywhere() {
    let folder = Folder::new(&[
        (
            "experiments/e.toml",
            "prompt = \"{a} 絵\"\ninit_image = \"../me.png\"\n[sweep]\n\"a\" = [\"say \\\"hi\\\"\\n\", 'back\\slash']\nseed = { random = 2 }\n[zip.\"two words\"]\nsteps = [10, 20]\nlabel = [\"few\", \"many\"]\n[sheet]\nrows = \"two words\"\ncell = 64\n",
        ),
        ("me.png", "me"),
        ("runs/1/.keep", ""),
    ]);
    let first = folder.plan("experiments/e.toml");
    std::fs::write(folder.0.path().join("runs/1/experiment.toml"), &first.resolved).unwrap();
    let again = folder.plan("runs/1/experiment.toml");
    assert_eq!(again.distinct, first.distinct);
    assert_eq!((&again.plan.axes, &again.plan.sheet), (&first.plan.axes, &first.plan.sheet));
    assert_eq!(again.plan.pictures.keys().collect::<Vec<_>>(), ["../me.png"]);
    assert_eq!(again.resolved, first.resolved);
}

/// Axes with random values, some of them duplicates.
fn some_axes() -> impl Strategy<Value = Vec<(&'static str, Vec<String>)>> {
    let list = |value: BoxedStrategy<String>| proptest::collection::vec(value, 1..5);
    let axes = (
        list((0i64..4).prop_map(|n| n.to_string()).boxed()),
        list((1i64..4).prop_map(|n| n.to_string()).boxed()),
        list((0u32..4).prop_map(|n| format!("{}", f64::from(n) / 4.0 + 0.25)).boxed()),
        list("[a-c {}]{0,2}".prop_map(|text| format!("{text:?}")).boxed()),
        list(prop_oneof![Just("\"ddim\"".to_owned()), Just("\"pndm\"".to_owned())].boxed()),
    );
    axes.prop_map(|(seed, steps, strength, word, scheduler)| {
        vec![
            ("seed", seed),
            ("steps", steps),
            ("strength", strength),
            ("word", word),
            ("scheduler", scheduler),
        ]
    })
    .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_grid_is_the_product_of_its_axes(axes in some_axes()) {
        let mut text = String::from("prompt = \"{word}\"\n[sweep]\n");
        for (name, values) in &axes {
            // Without a picture, strength would be an unused axis.
            if *name != "strength" {
                writeln!(text, "{name} = [{}]", values.join(", ")).unwrap();
            }
        }
        let first = planned(&text);
        let plan = &first.plan;
        let size: usize = axes.iter().filter(|(name, _)| *name != "strength").map(|(_, values)| values.len()).product();
        prop_assert_eq!((plan.len(), &plan.kept), (size, &Selection::All));
        for index in 0..plan.len() {
            prop_assert_eq!(plan.index_at(&plan.coordinates(index)), Some(index));
        }

        // Two cells have the same name exactly when all their settings are the same.
        let mut names: BTreeMap<String, CellId> = BTreeMap::new();
        for cell in plan.cells() {
            let cell = cell.unwrap();
            let settings: Vec<String> = cell.settings.iter().map(|(setting, value)| format!("{}={value:?}", setting.name)).collect();
            let known = names.entry(settings.join(";")).or_insert(cell.id);
            prop_assert_eq!(*known, cell.id);
            let index = plan.index_at(&cell.coordinates).unwrap();
            prop_assert_eq!(plan.id(index).unwrap(), cell.id);
        }
        let unique: std::collections::BTreeSet<CellId> = names.values().copied().collect();
        prop_assert_eq!(unique.len(), names.len());
        let found = distinct(plan).unwrap();
        prop_assert_eq!(found.len(), names.len());
        prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));

        let again = planned(&first.resolved);
        prop_assert_eq!(&again.distinct, &first.distinct);
        prop_assert_eq!(&again.plan.axes, &plan.axes);
    }
}
