//! Settings that have no effect in a family of models.

use crate::folder::{message, planned};

/// Checks the notes of an experiment with a model that predicts flow.
fn check(rest: &str, expected: &[&str]) {
    let text = format!("prompt = \"a cat\"\nmodel = \"flowing\"\n{rest}");
    assert_eq!(planned(&text).notes, expected, "{rest}");
}

#[test]
fn settings_without_an_effect_are_noted() {
    check("clip_skip = 1\n", &["`clip_skip` has no effect with the model flowing"]);
    check("deepcache_interval = 3\n", &["`deepcache_interval` has no effect with the model flowing"]);
    check("prediction_type = \"epsilon\"\n", &["`prediction_type` has no effect with the model flowing"]);
    check("shift = 5\n[sweep]\nseed = [1, 2]\n", &[]);
    let text = "prompt = \"a cat\"\nshift = 5\n";
    assert_eq!(planned(text).notes, ["`shift` has no effect with the model sketchbook"]);
}

#[test]
fn sweeping_one_is_an_error_unless_another_model_has_a_use_for_it() {
    assert_eq!(
        message("prompt = \"a cat\"\nmodel = \"flowing\"\n[sweep]\nclip_skip = [0, 1]\n"),
        "`clip_skip` has no effect with the model flowing"
    );
    let both = "prompt = \"a cat\"\n[sweep]\nmodel = [\"sketchbook\", \"flowing\"]\nclip_skip = [0, 1]\n";
    let planned = planned(both);
    assert!(planned.notes.contains(&"`clip_skip` has no effect with the model flowing".to_owned()));
    // The names of the cells do not have it.
    assert_eq!((planned.plan.len(), planned.distinct.len()), (4, 3));
}

#[test]
fn a_cell_has_the_settings_of_its_family() {
    let text = "prompt = \"a cat\"\nmodel = \"flowing\"\ndeepcache_interval = 3\n";
    let cell = planned(text).plan.cell(0).unwrap();
    assert_eq!((cell.settings.shift, cell.settings.prediction_type), (Some(3.0), None));
    assert_eq!((cell.settings.deepcache_interval, cell.settings.deepcache()), (None, None));
    let cell = planned("prompt = \"a cat\"\n").plan.cell(0).unwrap();
    assert_eq!(cell.settings.shift, None);
}

#[test]
fn a_models_own_defaults_apply_to_its_cells_alone() {
    let sampling = |text: &str| {
        let planned = planned(text);
        // A plan on disk has them, too.
        let json = serde_json::to_string(&planned.plan).unwrap();
        let plan: maquette_core::Plan = serde_json::from_str(&json).unwrap();
        let cells = plan.cells().map(|cell| cell.unwrap().settings);
        cells.map(|settings| (settings.steps, settings.guidance_scale)).collect::<Vec<_>>()
    };
    let distilled = "prompt = \"a cat\"\nmodel = \"distilled\"\n";
    assert_eq!(sampling(distilled), [(4, 1.0)]);
    assert_eq!(sampling(&format!("{distilled}steps = 50\nguidance_scale = 7.5\n")), [(50, 7.5)]);
    assert_eq!(sampling(&format!("{distilled}steps = 8\n")), [(8, 1.0)]);
    assert_eq!(sampling(&format!("{distilled}[sweep]\nsteps = [2, 4]\n")), [(2, 1.0), (4, 1.0)]);
    let several = "prompt = \"a cat\"\n[sweep]\nmodel = [\"sketchbook\", \"distilled\", \"flowing\"]\n";
    assert_eq!(sampling(several), [(50, 7.5), (4, 1.0), (50, 7.5)]);
    // A negative prompt has no effect without guidance, which is here the model's default.
    let prompts = "[sweep]\nnegative_prompt = [\"\", \"a dog\"]\n";
    assert_eq!(planned(&format!("{distilled}{prompts}")).distinct.len(), 1);
}

#[test]
fn other_models_have_the_defaults_of_the_table_in_the_plan_as_before() {
    let (plain, distilled) =
        (planned("prompt = \"a cat\"\n"), planned("prompt = \"a cat\"\nmodel = \"distilled\"\n"));
    for setting in ["steps", "guidance_scale"] {
        assert!(plain.plan.base.iter().any(|(name, _)| name == setting));
        assert!(plain.resolved.contains(setting) && plain.defaults.contains(&setting));
        assert!(!distilled.plan.base.iter().any(|(name, _)| name == setting));
        assert!(!distilled.resolved.contains(setting) && !distilled.defaults.contains(&setting));
    }
}

#[test]
fn a_card_that_was_edited_by_hand_is_refused() {
    let mut plan = planned("prompt = \"a cat\"\nmodel = \"distilled\"\n").plan;
    plan.models.get_mut("distilled").unwrap().steps = Some(1_000_000);
    let error = plan.cell(0).unwrap_err().to_string();
    assert_eq!(error, "`steps` is `1000000`; allowed: a whole number from 1 to 1000");
}
