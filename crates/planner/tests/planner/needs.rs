//! Requirements between settings: masks, inpainting models, safety checkers.

use crate::folder::{broken, message, planned};

const MODELS: &str = "prompt = \"x\"\n";

#[test]
fn a_mask_axis_may_have_an_empty_value() {
    let plan = planned(
        "prompt = \"x\"\ninit_image = \"me.png\"\n[vars]\nwho = \"face\"\n[sweep]\nmask = [\"\", \"{who}.png\"]\n",
    )
    .plan;
    let masks: Vec<_> = plan.cells().map(|cell| cell.unwrap().settings.mask.map(|mask| mask.path)).collect();
    assert_eq!(masks, [None, Some("face.png".into())]);
}

#[test]
fn a_mask_without_a_picture() {
    insta::assert_snapshot!(broken("prompt = \"x\"\nmask = \"face.png\"\n"), @r#"
     x `mask` has no effect without `init_image`
      ,-[e.toml:2:8]
    1 | prompt = "x"
    2 | mask = "face.png"
      :        ^^^^^|^^^^
      :             `-- here
      `----
     help: set `init_image`, the picture that the mask is for
    "#);
    let check = |rest: &str, expected: &str| {
        assert_eq!(message(&format!("{MODELS}{rest}")), expected, "{rest}");
    };
    check("[sweep]\nmask = [\"\", \"face.png\"]\n", "`mask` has no effect without `init_image`");
    // It is used in one of two cells.
    check("mask = \"face.png\"\n[sweep]\ninit_image = [\"\", \"me.png\"]\n", "nothing is wrong");
    check("mask = \"\"\n", "nothing is wrong");
}

#[test]
fn a_mask_must_exist_and_fit_its_picture() {
    let check = |rest: &str, expected: &str| {
        let found = message(&format!("{MODELS}init_image = \"me.png\"\n{rest}"));
        assert!(found.contains(expected), "{rest}: {found}");
    };
    check("mask = \"wide.png\"\n", "the mask is too wide");
    check("mask = \"none.png\"\n", "there is no picture");
    check("[sweep]\nmask = [\"face.png\", \"wide.png\"]\n", "the mask is too wide");
    check(
        "[sweep]\nmask = [\"face.png\", \"wide.png\"]\n[[exclude]]\nmask = \"wide.png\"\n",
        "nothing is wrong",
    );
}

#[test]
fn a_controlnet_and_an_ip_adapter_need_a_picture_and_pictures_need_them() {
    insta::assert_snapshot!(broken("prompt = \"x\"\ncontrolnet = \"canny\"\n"), @"");
    insta::assert_snapshot!(broken("prompt = \"x\"\nip_adapter_image = \"me.png\"\n"), @"");
    let check = |rest: &str, expected: &str| {
        assert_eq!(message(&format!("{MODELS}{rest}")), expected, "{rest}");
    };
    check("control_image = \"me.png\"\n", "`control_image` has no effect without `controlnet`");
    check("ip_adapter = \"plus\"\n", "`ip_adapter` needs a picture; allowed: with `ip_adapter_image`");
    check("controlnet = \"canny\"\ncontrol_image = \"me.png\"\n", "nothing is wrong");
    // They are used in one of two cells.
    check("control_image = \"me.png\"\n[sweep]\ncontrolnet = [\"\", \"canny\"]\n", "nothing is wrong");
    check("ip_adapter_image = \"me.png\"\n[sweep]\nip_adapter = [\"plus\", \"\"]\n", "nothing is wrong");
    check(
        "controlnet = \"canny\"\n[sweep]\ncontrol_image = [\"me.png\", \"\"]\n",
        "`controlnet` needs a picture; allowed: with `control_image`",
    );
    check("controlnet = \"unknown\"\ncontrol_image = \"me.png\"\n", "there is no controlnet `unknown`");
    check("ip_adapter = \"unknown\"\nip_adapter_image = \"me.png\"\n", "there is no ip_adapter `unknown`");
    let missing = message(&format!("{MODELS}control_image = \"no.png\"\ncontrolnet = \"canny\"\n"));
    assert!(missing.contains("there is no picture"), "{missing}");
}

#[test]
fn cells_without_an_effect_of_a_controlnet_or_an_ip_adapter_are_one_picture() {
    let planned = planned(
        "prompt = \"x\"\nsteps = 10\ncontrol_image = \"me.png\"\nip_adapter_image = \"me.png\"\n[sweep]\n\
         controlnet = [\"\", \"canny\"]\ncontrolnet_conditioning_scale = [0, 0.5]\n\
         control_guidance_end = [0.05, 0.84, 0.85]\nip_adapter = [\"\", \"plus\"]\nip_adapter_scale = [0, 1]\n",
    );
    // One picture without both, with each, and with both.
    assert_eq!((planned.plan.len(), planned.distinct.len()), (48, 4));
    let cells: Vec<_> = planned.plan.cells().map(Result::unwrap).collect();
    let plain = crate::folder::planned("prompt = \"x\"\nsteps = 10\n").plan.cell(0).unwrap();
    assert_eq!(cells[0].id, plain.id, "the name is that of earlier versions");
    let encoders: std::collections::BTreeSet<_> = cells
        .iter()
        .filter_map(|cell| Some(cell.settings.ip_adapter_image_encoder.as_ref()?.path.clone()))
        .collect();
    assert_eq!(encoders, ["".into()].into());
    assert_eq!(cells[47].settings.get("ip_adapter_image_encoder"), None, "it is not written anywhere");
}

#[test]
fn an_inpainting_model_needs_a_picture() {
    let check = |rest: &str, expected: &str| {
        assert_eq!(message(&format!("{MODELS}model = \"repainter\"\n{rest}")), expected, "{rest}");
    };
    check("", "the model repainter is for inpainting; allowed: with `init_image`");
    check("init_image = \"me.png\"\n", "nothing is wrong");
    check("init_image = \"me.png\"\nmask = \"face.png\"\n", "nothing is wrong");
    check(
        "[sweep]\ninit_image = [\"me.png\", \"\"]\n",
        "the model repainter is for inpainting; allowed: with `init_image`",
    );
}

#[test]
fn a_safety_checker_must_exist() {
    insta::assert_snapshot!(broken("prompt = \"x\"\nsafety_checker = true\n[sweep]\nseed = [1, 2]\n"), @r#"
     x the model sketchbook has no safety checker; allowed: `safety_checker = false`
      ,-[e.toml:2:18]
    1 | prompt = "x"
    2 | safety_checker = true
      :                  ^^|^
      :                    `-- here
    3 | [sweep]
      `----
     help: a model has one if its folder contains `safety_checker` and `feature_extractor`
    "#);
    let check = |rest: &str, expected: &str| {
        assert_eq!(message(&format!("{MODELS}{rest}")), expected, "{rest}");
    };
    check("safety_checker = true\nmodel = \"big\"\n", "nothing is wrong");
    check(
        "[zip.models]\nmodel = [\"big\", \"sketchbook\"]\nsafety_checker = [true, false]\n",
        "nothing is wrong",
    );
    check(
        "safety_checker = true\n[sweep]\nmodel = [\"big\", \"sketchbook\"]\n",
        "the model sketchbook has no safety checker; allowed: `safety_checker = false`",
    );
}

#[test]
fn a_scheduler_that_is_not_supported_blocks_only_cells_that_want_it() {
    let of_solver = |rest: &str| format!("{MODELS}model = \"solver\"\n{rest}");
    let found = message(&of_solver(""));
    assert!(
        found.contains("the scheduler of the model solver is DEISMultistepScheduler, which is not supported"),
        "{found}"
    );
    assert_eq!(message(&of_solver("scheduler = \"euler\"\n")), "nothing is wrong");
    assert_eq!(message(&of_solver("[sweep]\nscheduler = [\"euler\", \"pndm\"]\n")), "nothing is wrong");
    let mixed = message(&format!("{MODELS}[sweep]\nmodel = [\"sketchbook\", \"solver\"]\n"));
    assert!(mixed.contains("DEISMultistepScheduler"), "{mixed}");
}

#[test]
fn the_models_own_prediction_is_the_default() {
    let text = |rest: &str| format!("{MODELS}model = \"solver\"\n{rest}");
    let cells = |rest: &str| {
        let planned = planned(&text(rest));
        let cells: Vec<_> = planned.plan.cells().map(|cell| cell.unwrap()).collect();
        (cells, planned.distinct.len())
    };
    let (own, _) = cells("scheduler = \"ddim\"\n");
    assert_eq!(own[0].settings.get("prediction_type"), Some("v_prediction".into()));
    assert_eq!(own[0].settings.get("zero_snr"), Some(maquette_core::Value::Flag(false)));
    let (swept, distinct) = cells(
        "scheduler = \"ddim\"\n[sweep]\nprediction_type = [\"epsilon\", \"v_prediction\", \"sample\"]\n",
    );
    assert_eq!((swept.len(), distinct), (3, 3));
    assert_eq!(swept[1].id, own[0].id, "the own value changes no name");
    let (swept, distinct) = cells("scheduler = \"ddim\"\n[sweep]\nzero_snr = [true, false]\n");
    assert_eq!((swept.len(), distinct), (2, 2));
    assert_eq!(swept[1].id, own[0].id);
    let pndm = "[sweep]\nzero_snr = [true, false]\nscheduler = [\"pndm\", \"ddim\"]\n";
    assert_eq!(cells(pndm).1, 3, "pndm has no such option");
}
