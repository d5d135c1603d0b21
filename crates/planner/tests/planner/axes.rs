//! The forms of an axis, the order of axes, and their labels.

use crate::folder::{Folder, axes, labels, message, planned, values};
use maquette_planner::Overrides;

#[test]
fn every_form_of_an_axis() {
    let check = |name: &str, form: &str, expected: &str| {
        let planned =
            planned(&format!("prompt = \"x\"\ninit_image = \"me.png\"\n[sweep]\n{name} = {form}\n"));
        assert_eq!(values(&planned.plan, name), expected, "{form}");
    };
    check("strength", "[0.3, 0.5, 1]", "0.3 0.5 1");
    check("strength", "{ from = 0.3, to = 0.9, step = 0.2 }", "0.3 0.5 0.7 0.9");
    check("strength", "{ from = 0.1, to = 0.7, step = 0.1 }", "0.1 0.2 0.3 0.4 0.5 0.6 0.7");
    check("strength", "{ from = 1, to = 0.5, count = 3 }", "1 0.75 0.5");
    check("steps", "{ from = 10, to = 50, step = 20.0 }", "10 30 50");
    check("seed", "{ count = 3, from = 7 }", "7 8 9");
    check("seed", "{ count = 2 }", "0 1");
    check("seed", "{ random = 3 }", "1000 1001 1002");
    check("seed", "[7, 7, 7]", "7 7 7");
    check("init_image", "{ glob = \"photos/*.jpg\" }", "photos/a.jpg photos/b.jpg");
    check("scheduler", "[{ label = \"slow\", value = \"ddim\" }, \"euler_a\"]", "ddim euler_a");
    check("negative_prompt", "[\"\", \"blurry\"]", " blurry");
}

#[test]
fn axes_keep_the_order_of_the_file() {
    let planned = planned(
        r#"
        prompt = "{zebra} {apple} {mango}"
        [sweep]
        zebra = ["z1", "z2"]
        seed  = [1, 2]
        apple = ["a1", "a2"]
        [zip.late]
        steps = [10, 20]
        mango = ["m1", "m2"]
        [zip.early]
        guidance_scale = [1, 2]
        "#,
    );
    let plan = &planned.plan;
    assert_eq!(axes(plan), ["zebra", "seed", "apple", "late", "early"]);
    assert_eq!(plan.len(), 32);
    // The last axis varies fastest.
    let prompt = |index: usize| {
        let settings = plan.cell(index).unwrap().settings;
        format!("{} {} {}", settings.prompt, settings.seed, settings.guidance_scale)
    };
    assert_eq!(prompt(0), "z1 a1 m1 1 1");
    assert_eq!(prompt(1), "z1 a1 m1 1 2");
    assert_eq!(prompt(2), "z1 a1 m2 1 1");
    assert_eq!(prompt(31), "z2 a2 m2 2 2");
}

#[test]
fn sweeps_and_zips_may_alternate() {
    let text = "prompt = \"x\"\nsweep.seed = [1, 2]\nzip.z.steps = [10, 20]\nsweep.guidance_scale = [1, 2]\n";
    let first = planned(text);
    assert_eq!(axes(&first.plan), ["seed", "z", "guidance_scale"]);
    assert_eq!(axes(&planned(&first.resolved).plan), ["seed", "z", "guidance_scale"]);
}

#[test]
fn values_come_from_the_lines_of_a_file() {
    let folder = Folder::new(&[
        (
            "e.toml",
            "prompt = \"by {artist}\"\n[sweep]\nartist = { file = \"lists/artists.txt\" }\nsteps = { file = \"lists/steps.txt\" }\ninit_image = { file = \"lists/pictures.txt\" }",
        ),
        ("lists/artists.txt", "\u{feff}# painters\r\nAlphonse Mucha\r\n\r\n  Edvard Munch  \r\n"),
        ("lists/steps.txt", "20\n30.0"),
        // A path is relative to the file that contains it.
        ("lists/pictures.txt", "me.png"),
        ("lists/me.png", "me"),
    ]);
    let plan = folder.plan("e.toml").plan;
    assert_eq!(values(&plan, "artist"), "Alphonse Mucha Edvard Munch");
    assert_eq!(values(&plan, "steps"), "20 30");
    assert_eq!(values(&plan, "init_image"), "lists/me.png");
    assert_eq!(plan.pictures["lists/me.png"].file, folder.0.path().join("lists/me.png"));
}

#[test]
fn errors_point_to_lines_of_list_files() {
    let folder = Folder::new(&[
        ("e.toml", "prompt = \"x\"\n[sweep]\nsteps = { file = \"steps.txt\" }\n"),
        ("steps.txt", "20\n# few\nmany\n"),
    ]);
    let error = folder.with("e.toml", &Overrides::default()).unwrap_err();
    insta::assert_snapshot!(folder.error_text(&error), @r#"
     x `steps` is `many`; allowed: a whole number from 1 to 1000
      ,-[steps.txt:3:1]
    2 | # few
    3 | many
      : ^^|^
      :   `-- allowed: a whole number from 1 to 1000
      `----
    "#);
}

#[test]
fn labels_are_distinct() {
    let check = |sweep: &str, axis: &str, expected: &[&str]| {
        let planned = planned(&format!("prompt = \"{{a}}\"\n{sweep}"));
        assert_eq!(labels(&planned.plan, axis), expected);
    };
    check("[sweep]\na = [\"x\", { label = \"none\", value = \"\" }]", "a", &["x", "none"]);
    check("[sweep]\na = [\"\"]\ninit_image = [\"\", \"photos/a.jpg\"]", "init_image", &["none", "a"]);
    check(
        "[vars]\na = \"x\"\n[zip.z]\nsteps = [10, 20]\nscheduler = [\"ddim\", \"ddim\"]",
        "z",
        &["10", "20"],
    );
    check("[vars]\na = \"x\"\n[zip.z]\nsteps = [10, 20]\nseed = [1, 2]", "z", &["10, 1", "20, 2"]);
    check("[vars]\na = \"x\"\n[zip.z]\nsteps = [10, 20]\nlabel = [\"few\", \"many\"]", "z", &["few", "many"]);
}

#[test]
fn invalid_zips() {
    let check = |zip: &str, expected: &str| {
        assert_eq!(message(&format!("prompt = \"x\"\n{zip}\n")), expected, "{zip}");
    };
    check("[zip.z]", "the zip `z` has no columns");
    check("[zip]\nz = [1]", "`z` in [zip] is a list; allowed: a table of columns");
    check("[zip.z]\nsteps = 20", "the axis `steps` is `20`, not a list");
    check("[zip.z]\nsteps = [{ label = \"few\", value = 10 }]", "a zip cannot contain values with labels");
    check("[zip.z]\nsteps = [10, 20]\nlabel = [\"few\"]", "`label` has 1 value and `steps` has 2");
    check("[zip.z]\nsteps = [10]\nlabel = [\"\"]", "a label is the text ``; allowed: non-empty text");
    check("[zip.steps]\nseed = [10]", "the zip `steps` has the name of a setting");
    check("[zip.z]\nseed = [10]\n[zip.y]\nseed = [10]", "two axes set `seed`: `z` and `y`");
}

#[test]
fn invalid_axes() {
    let check = |name: &str, form: &str, expected: &str| {
        assert_eq!(
            message(&format!("prompt = \"{{a}}\"\nvars.a = \"x\"\n[sweep]\n{name} = {form}\n")),
            expected
        );
    };
    check("steps", "[]", "the axis `steps` has no values");
    check("steps", "{ count = 3 }", "`count` alone generates seeds, and `steps` is not a seed");
    check("seed", "{ random = 0 }", "`random` is `0`; allowed: a whole number from 1 to 100000");
    check("seed", "{ count = 3, random = 2 }", "`count` cannot be combined with `random`");
    check("seed", "{ from = 3 }", "the axis `seed` is incomplete: it has only `from`");
    check("steps", "{ from = 1, to = 9, step = 1, count = 2 }", "a range takes `step` or `count`, not both");
    check("steps", "{ from = 1, to = 9 }", "the range of `steps` has neither `step` nor `count`");
    check(
        "steps",
        "{ from = 1, to = 2, step = 0.5 }",
        "`steps` is `1.5`; allowed: a whole number from 1 to 1000",
    );
    check(
        "steps",
        "{ from = 1e300, to = 2, step = 0.5 }",
        "`from` is `1e300`; allowed: a number below 10^15 with up to 12 decimals",
    );
    check("steps", "{ form = 1, to = 2, step = 0.5 }", "`form` is not a key of an axis");
    check("steps", "[{ label = \"x\" }]", "this value has a label but no `value`");
    check("steps", "[[1]]", "`steps` is a list; allowed: a whole number from 1 to 1000");
    check(
        "seed",
        "[18446744073709551616]",
        "`seed` is a whole number of more than 64 bits; allowed: a whole number from 0 to 2^64 - 1",
    );
    check("strength", "[nan]", "`strength` is infinity or NaN; allowed: a number from 0 to 1");
    check("init_image", "{ glob = \"nothing/*.jpg\" }", "no file matches `nothing/*.jpg`");
    check("model", "[\"{a}\"]", "`model` is `{a}`; allowed: text without placeholders");
}
