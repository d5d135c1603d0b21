//! Overrides of the command line.

use crate::folder::{Folder, axes, values};
use maquette_core::Dtype;
use maquette_planner::{Overrides, Planned};

const FILE: &str = r#"
prompt = "{subject} by {artist}"
steps = 20
[vars]
subject = "a man"
[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
seed = [1, 2, 3]
[[exclude]]
artist = "Edvard Munch"
seed = 3
"#;

fn overrides(set: &[&str], sweep: &[&str], only: &[&str]) -> Overrides {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Overrides { set: own(set), sweep: own(sweep), only: own(only), dtype: None }
}

fn with(overrides: &Overrides) -> Planned {
    let folder = Folder::new(&[("e.toml", FILE)]);
    folder.with("e.toml", overrides).unwrap_or_else(|error| panic!("{}", folder.error_text(&error)))
}

fn error_text(overrides: &Overrides) -> String {
    let folder = Folder::new(&[("e.toml", FILE)]);
    folder.error_text(&folder.with("e.toml", overrides).unwrap_err())
}

#[test]
fn set_gives_one_value() {
    let first = |set: &str| with(&overrides(&[set], &[], &[])).plan.cell(0).unwrap().settings;
    assert_eq!(first("steps=30").steps, 30);
    assert_eq!(&*first("subject=a cat, a dog").prompt, "a cat, a dog by Alphonse Mucha");
    assert_eq!(&*first("vars.subject=\"a cat\"").prompt, "a cat by Alphonse Mucha");
    assert_eq!(&*first("negative_prompt=7").negative_prompt, "7");
    assert_eq!(&*first("negative_prompt=").negative_prompt, "");
    assert_eq!(&*first("negative_prompt=\" 7, 8\"").negative_prompt, " 7, 8");
    assert_eq!(&*first("subject=\"7.0\"").prompt, "7.0 by Alphonse Mucha");
    assert_eq!(&*first("subject=7.0").prompt, "7 by Alphonse Mucha");
    assert_eq!(&*first("subject=a \"cat\"").prompt, "a \"cat\" by Alphonse Mucha");
    let lora = |set: &str| first(set).get("lora").unwrap().to_string();
    assert_eq!(lora("lora=oil:0.5"), "oil:0.5");
    assert_eq!(lora("lora=[\"oil:0.5\", { file = \"hand\", weight = 2 }]"), "oil:0.5 + hand:2");
    assert_eq!(&*first("artist=Klimt").prompt, "a man by Klimt");
    let planned = with(&overrides(&["seed=3", "title=Three"], &[], &[]));
    assert_eq!((axes(&planned.plan), planned.plan.len(), &*planned.plan.title), (vec!["artist"], 1, "Three"));
}

#[test]
fn sweep_gives_an_axis() {
    let check = |sweep: &str, axis: &str, expected: &str| {
        let planned = with(&overrides(&[], &[sweep], &[]));
        assert_eq!(values(&planned.plan, axis), expected, "{sweep}");
    };
    check("seed=5,6", "seed", "5 6");
    check("seed={from=1,to=4,step=1}", "seed", "1 2 3 4");
    check("artist=[\"Klimt, Gustav\", \"Schiele\"]", "artist", "Klimt, Gustav Schiele");
    check("artist=\"Klimt, Gustav\",\"Schiele\"", "artist", "Klimt, Gustav Schiele");
    check("artist=\"Klimt, Gustav\",Schiele", "artist", "Klimt, Gustav Schiele");
    check("artist='Klimt, Gustav',O'Keeffe", "artist", "Klimt, Gustav O'Keeffe");
    check("seed={ count = 3, from = 7 }", "seed", "7 8 9");
    check("lora=[\"oil:0.5\", \"none\"]", "lora", "oil:0.5 none");
    check("lora=[\"oil:0.5\", \"hand\"],none", "lora", "oil:0.5 + hand none");
    check("negative_prompt=,blurry", "negative_prompt", " blurry");
    check("negative_prompt=", "negative_prompt", "");
    check("artist=Gustav Klimt, Egon Schiele", "artist", "Gustav Klimt Egon Schiele");
    check("scheduler=ddim,euler_a", "scheduler", "ddim euler_a");
    check("subject=a cat", "subject", "a cat");
}

#[test]
fn only_keeps_what_matches() {
    let count = |only: &[&str]| with(&overrides(&[], &[], only)).plan.len();
    assert_eq!(count(&[]), 5);
    assert_eq!(count(&["artist=Edvard Munch"]), 2);
    assert_eq!(count(&["artist=\"Edvard Munch\""]), 2);
    assert_eq!(count(&["artist=[\"Edvard Munch\", \"Alphonse Mucha\"]"]), 5);
    assert_eq!(count(&["seed=\"1\""]), 2);
    assert_eq!(count(&["artist=Edvard Munch", "seed=1"]), 1);
    assert_eq!(count(&["seed=1", "seed=3"]), 3);
    assert_eq!(count(&["seed=[1, 2, 3]"]), 5);
}

#[test]
fn dtype_is_an_option_of_its_own() {
    let planned = with(&Overrides { dtype: Some(Dtype::Bf16), ..Overrides::default() });
    assert_eq!(planned.plan.cell(0).unwrap().settings.dtype, Dtype::Bf16);
    assert_eq!(with(&Overrides::default()).plan.cell(0).unwrap().settings.dtype, Dtype::F32);
}

#[test]
fn errors_name_the_option() {
    insta::assert_snapshot!(error_text(&overrides(&["steps=0"], &[], &[])), @r#"
     x `steps` is `0`; allowed: a whole number from 1 to 1000
      ,-[--set steps=0:1:7]
    1 | steps=0
      :       |
      :       `-- allowed: a whole number from 1 to 1000
      `----
    "#);
    insta::assert_snapshot!(error_text(&overrides(&["step=10"], &[], &[])), @r#"
     x `step` is neither a setting nor a placeholder
      ,-[--set step=10:1:1]
    1 | step=10
      : ^^|^
      :   `-- unused
      `----
     help: did you mean `steps`?
    "#);
    insta::assert_snapshot!(error_text(&overrides(&[], &["artist=Klimt,\"Mucha, Alphonse"], &[])), @r#"
     x the quote `"` is not closed
      ,-[--sweep artist=Klimt,"Mucha, Alphonse:1:14]
    1 | artist=Klimt,"Mucha, Alphonse
      :              |
      :              `-- opened here
      `----
     help: close it; to use `"` in the text, put the whole value in single quotes: '…'
    "#);
    insta::assert_snapshot!(error_text(&overrides(&["subject='tis"], &[], &[])), @r#"
     x the quote `'` is not closed
      ,-[--set subject='tis:1:9]
    1 | subject='tis
      :         |
      :         `-- opened here
      `----
     help: close it; to use `'` in the text, put the whole value in double quotes: "…"
    "#);
    insta::assert_snapshot!(error_text(&overrides(&["sheet.row=artist"], &[], &[])), @r#"
     x `row` is not a key of [sheet]
      ,-[--set sheet.row=artist:1:1]
    1 | sheet.row=artist
      : ^^^^|^^^^
      :     `-- here
      `----
     help: did you mean `rows`?
    "#);
    insta::assert_snapshot!(error_text(&overrides(&["vars.sweep=1"], &[], &[])), @r#"
     x `sweep` is a key of the file, not a placeholder
      ,-[--set vars.sweep=1:1:1]
    1 | vars.sweep=1
      : ^^^^^|^^^^
      :      `-- here
      `----
     help: give the placeholder another name
    "#);
    insta::assert_snapshot!(error_text(&overrides(&["=1"], &[], &[])), @r#"
     x `--set =1` has no name
      ,-[--set =1:1:1]
    1 | =1
      : ^|
      :  `-- here
      `----
     help: allowed: NAME=VALUE
    "#);
    insta::assert_snapshot!(error_text(&overrides(&[], &[], &["steps=20"])), @r#"
     x no axis sweeps `steps`
      ,-[--only steps=20:1:1]
    1 | steps=20
      : ^^|^^
      :   `-- not an axis
      `----
     help: allowed: `artist`, `seed`; to give `steps` one value: --set steps=...
    "#);
    insta::assert_snapshot!(error_text(&overrides(&[], &["seed"], &[])), @r#"
     x `--sweep seed` has no value
      ,-[--sweep seed:1:1]
    1 | seed
      : ^^|^
      :   `-- here
      `----
     help: allowed: NAME=VALUE
    "#);
    insta::assert_snapshot!(error_text(&overrides(&[], &[], &["artist=Edward Munch"])), @r#"
     x the axis `artist` has no value `Edward Munch`
      ,-[--only artist=Edward Munch:1:8]
    1 | artist=Edward Munch
      :        ^^^^^^|^^^^^
      :              `-- matches nothing
      `----
     help: did you mean `Edvard Munch`?
    "#);
}

#[test]
fn the_resolved_text_includes_overrides() {
    let options = overrides(&["steps=30"], &["seed=2,3"], &["artist=Edvard Munch"]);
    let planned = with(&options);
    assert_eq!(planned.plan.len(), 1);
    insta::assert_snapshot!(planned.resolved, @r#"
    model = "sketchbook"
    prompt = "{subject} by {artist}"
    negative_prompt = ""
    dialect = "plain"
    fit = "crop"
    strength = 0.8
    controlnet_conditioning_scale = 1.0
    control_guidance_start = 0.0
    control_guidance_end = 1.0
    ip_adapter_scale = 1.0
    seed = 0
    noise = "torch-cpu"
    variation_seed = 0
    variation_strength = 0.0
    steps = 30
    guidance_scale = 7.5
    true_cfg_scale = 1.0
    guidance_interval = "0-1"
    guidance_rescale = 0.0
    deepcache_interval = 1
    deepcache_branch_id = 0
    eta = 0.0
    clip_skip = 0
    dtype = "f32"
    safety_checker = false

    [vars]
    subject = "a man"

    [sweep]
    artist = ["Alphonse Mucha", "Edvard Munch"]
    seed = [2, 3]

    [[exclude]]
    artist = "Edvard Munch"
    seed = 3

    [[exclude]]
    artist = { not = "Edvard Munch" }
    "#);
    let again = crate::folder::planned(&planned.resolved);
    assert_eq!(again.distinct, planned.distinct);
}
