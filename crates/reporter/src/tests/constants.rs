//! The settings that did not vary.

use super::{axis, mucha, plan};
use crate::constants::{constants, sizes};
use maquette_core::{AxisValue, Plan, Selection};

fn line(plan: &Plan) -> String {
    let pairs: Vec<String> = constants(plan).iter().map(|(name, value)| format!("{name} {value}")).collect();
    pairs.join(" · ")
}

#[test]
fn swept_settings_are_left_out_and_varying_placeholders_are_kept() {
    insta::assert_snapshot!(line(&mucha()), @"model tiny · prompt portrait of a man with a beard, by {artist} · init_image references/selfie.png · fit crop · steps 20 · guidance_scale 7.5 · scheduler ddim · spacing leading · width 64 · height 64 · clip_skip 0 · dtype f32");
}

#[test]
fn without_axes_everything_is_constant_and_filled() {
    insta::assert_snapshot!(line(&plan(vec![])), @"model tiny · prompt portrait of a man with a beard, by Edvard Munch · init_image references/selfie.png · fit crop · strength 0 · seed 7 · steps 20 · guidance_scale 7.5 · scheduler ddim · spacing leading · width 64 · height 64 · clip_skip 0 · dtype f32");
}

#[test]
fn settings_of_a_reference_picture_need_one() {
    let mut plan = plan(vec![]);
    plan.base.retain(|(name, _)| name != "init_image");
    assert!(!line(&plan).contains("strength") && !line(&plan).contains("fit"), "{}", line(&plan));
}

#[test]
fn an_axis_filtered_to_one_value_is_constant() {
    let mut plan = plan(vec![axis("seed", [1, 2]), axis("steps", [10, 20])]);
    plan.kept = Selection::Only(vec![1, 3]);
    assert!(line(&plan).contains("steps 20"), "{}", line(&plan));
    assert!(!line(&plan).contains(" seed "), "{}", line(&plan));
}

#[test]
fn placeholders_of_a_varying_prompt_are_listed() {
    let plan = plan(vec![axis("prompt", ["{subject}, laughing", "{subject}, asleep"])]);
    let line = line(&plan);
    assert!(!line.contains("prompt"), "{line}");
    assert!(line.ends_with("subject a man with a beard · artist Edvard Munch"), "{line}");
}

#[test]
fn the_models_own_size_varies_with_the_model() {
    let mut plan = plan(vec![axis("model", ["tiny", "large"])]);
    let card = plan.models["tiny"].clone();
    plan.models.insert("large".to_owned(), maquette_core::ModelCard { size: (512, 512), ..card });
    let line = line(&plan);
    assert!(!line.contains("width") && line.contains("scheduler ddim"), "{line}");
    assert_eq!(sizes(&plan), [(64, 64), (512, 512)]);
}

#[test]
fn sizes_come_in_the_pairs_that_an_axis_sets() {
    let mut size = axis("size", ["wide", "high"]);
    let set =
        |width: i64, height: i64| vec![("width".into(), width.into()), ("height".into(), height.into())];
    size.values = vec![
        AxisValue { label: "wide".into(), set: set(96, 64) },
        AxisValue { label: "high".into(), set: set(64, 96) },
    ];
    assert_eq!(sizes(&plan(vec![size])), [(64, 96), (96, 64)]);
}

#[test]
fn settings_that_do_not_apply_are_left_out() {
    let mut with_sigmas = plan(vec![]);
    with_sigmas.base.push(("sigmas".to_owned(), "karras".into()));
    let names = |plan: &Plan| constants(plan).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert!(!names(&with_sigmas).contains(&"sigmas".to_owned()), "ddim has none");
    with_sigmas.base.push(("scheduler".to_owned(), "euler".into()));
    assert!(names(&with_sigmas).contains(&"sigmas".to_owned()));
    with_sigmas.base.push(("scheduler".to_owned(), "lcm".into()));
    let names = names(&with_sigmas);
    assert!(!names.contains(&"sigmas".to_owned()) && !names.contains(&"spacing".to_owned()));
}
