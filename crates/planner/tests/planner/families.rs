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
