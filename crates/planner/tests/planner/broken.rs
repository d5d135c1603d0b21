//! Broken files and their error messages.

use crate::folder::{Folder, broken};
use maquette_planner::Overrides;

#[test]
fn broken_toml() {
    insta::assert_snapshot!(broken("prompt = \"a cat\nsteps = 20\n"), @r#"
     x e.toml is not TOML: invalid basic string, expected `"`
      ,-[e.toml:1:16]
    1 | prompt = "a cat
      :                ^
      :                `-- here
    2 | steps = 20
      `----
    "#);
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\nguidence_scale = 7\n"), @r#"
     x `guidence_scale` is not a key of an experiment
      ,-[e.toml:2:1]
    1 | prompt = "a cat"
    2 | guidence_scale = 7
      : ^^^^^^^|^^^^^^
      :        `-- unknown key
      `----
     help: did you mean `guidance_scale`?
    "#);
}

#[test]
fn a_number_out_of_range() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\ninit_image = \"me.png\"\nstrength = 1.5\n"), @r#"
     x `strength` is `1.5`; allowed: a number from 0 to 1
      ,-[e.toml:3:12]
    2 | init_image = "me.png"
    3 | strength = 1.5
      :            ^|^
      :             `-- allowed: a number from 0 to 1
      `----
    "#);
}

#[test]
fn an_unknown_option() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nscheduler = [\"ddim\", \"euler-a\"]\n"), @r#"
     x `scheduler` is `euler-a`; allowed: `pndm`, `ddim`, `ddpm`, `euler`, `euler_a`, `heun`,
     | `dpmpp_2m`, `unipc`, `lcm`, `flow_euler`, `flow_heun`, `flow_dpmpp_2m`
      ,-[e.toml:3:22]
    2 | [sweep]
    3 | scheduler = ["ddim", "euler-a"]
      :                      ^^^^|^^^^
      :                          `-- allowed: `pndm`, `ddim`, `ddpm`, `euler`, `euler_a`, `heun`, `dpmpp_2m`, `unipc`, `lcm`, `flow_euler`, `flow_heun`, `flow_dpmpp_2m`
      `----
     help: did you mean `euler_a`?
    "#);
}

#[test]
fn a_setting_below_a_table() {
    insta::assert_snapshot!(broken("[sweep]\nseed = [1, 2]\n\nprompt = \"a cat\"\n"), @r#"
     x the axis `prompt` is the text `a cat`, not a list
      ,-[e.toml:4:10]
    3 |
    4 | prompt = "a cat"
      :          ^^^|^^^
      :             `-- a single value
      `----
     help: everything below [sweep] belongs to it: to give `prompt` one value, move this line above
           the first [table]; to sweep it, write a list: `prompt = ["a cat"]`
    "#);
}

#[test]
fn a_setting_below_vars() {
    insta::assert_snapshot!(broken("prompt = \"a {pet}\"\n[vars]\npet = \"cat\"\nsteps = 20\n"), @r#"
     x `steps` is below [vars] but belongs at the top of the file
      ,-[e.toml:4:1]
    3 | pet = "cat"
    4 | steps = 20
      : ^^|^^
      :   `-- read as a key of [vars]
      `----
     help: everything below a [table] line belongs to that table: move this line above the first one
    "#);
}

#[test]
fn a_placeholder_without_a_value() {
    insta::assert_snapshot!(broken("prompt = \"portrait of {subjekt}, by {artist}\"\n[vars]\nsubject = \"a man\"\n[sweep]\nartist = [\"Alphonse Mucha\"]\n"), @r#"
     x `{subjekt}` has no value; allowed: `subject`, `artist`
      ,-[e.toml:1:23]
    1 | prompt = "portrait of {subjekt}, by {artist}"
      :                       ^^^^|^^^^
      :                           `-- unknown placeholder
    2 | [vars]
      `----
     help: did you mean `subject`?
    "#);
}

#[test]
fn an_unused_axis() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nsede = [1, 2]\n"), @r#"
     x `sede` is neither a setting nor a placeholder
      ,-[e.toml:3:1]
    2 | [sweep]
    3 | sede = [1, 2]
      : ^^|^
      :   `-- unused
      `----
     help: did you mean `seed`?
    "#);
}

#[test]
fn a_stray_brace() {
    insta::assert_snapshot!(broken("prompt = \"a cat { with a hat\"\n"), @r#"
     x this brace does not start a placeholder; allowed: `{name}`, or `{{` for a brace
      ,-[e.toml:1:17]
    1 | prompt = "a cat { with a hat"
      :                 |
      :                 `-- here
      `----
     help: names may contain letters, digits, `_` and `-`
    "#);
}

#[test]
fn a_rule_for_an_unknown_axis() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nseed = [1, 2]\n[[exclude]]\nsteps = 20\n"), @r#"
     x no axis sweeps `steps`
      ,-[e.toml:5:1]
    4 | [[exclude]]
    5 | steps = 20
      : ^^|^^
      :   `-- not an axis
      `----
     help: allowed: `seed`; if `steps` was meant for the whole experiment, move this line above the
           first [table]
    "#);
}

#[test]
fn a_rule_for_an_unknown_value() {
    insta::assert_snapshot!(broken("prompt = \"by {artist}\"\n[sweep]\nartist = [\"Alphonse Mucha\", \"Edvard Munch\"]\n[[exclude]]\nartist = \"Edward Munch\"\n"), @r#"
     x the axis `artist` has no value `Edward Munch`
      ,-[e.toml:5:10]
    4 | [[exclude]]
    5 | artist = "Edward Munch"
      :          ^^^^^^^|^^^^^^
      :                 `-- matches nothing
      `----
     help: did you mean `Edvard Munch`?
    "#);
}

#[test]
fn a_sheet_with_an_unknown_axis() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[zip.sampling]\nsteps = [10, 20]\n[sheet]\nrows = \"steps\"\n"), @r#"
     x `rows` is `steps`, which is not an axis
      ,-[e.toml:5:8]
    4 | [sheet]
    5 | rows = "steps"
      :        ^^^|^^^
      :           `-- here
      `----
     help: `steps` is a column of [zip.sampling]: write `sampling`
    "#);
}

#[test]
fn columns_of_different_length() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[zip.sampling]\nscheduler = [\"ddim\", \"euler_a\"]\nsteps = [50, 20, 10]\n"), @r#"
     x `steps` has 3 values and `scheduler` has 2
      ,-[e.toml:4:9]
    3 | scheduler = ["ddim", "euler_a"]
    4 | steps = [50, 20, 10]
      :         ^^^^^^|^^^^^
      :               `-- 3 values
      `----
     help: the columns of [zip.sampling] are combined row by row: make them the same length
    "#);
}

#[test]
fn a_range_that_misses_its_end() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\ninit_image = \"me.png\"\n[sweep]\nstrength = { from = 0.3, to = 1.0, step = 0.2 }\n"), @r"
     x steps of 0.2 from 0.3 miss 1; allowed: a step that reaches it
      ,-[e.toml:4:12]
    3 | [sweep]
    4 | strength = { from = 0.3, to = 1.0, step = 0.2 }
      :            ^^^^^^^^^^^^^^^^^^|^^^^^^^^^^^^^^^^^
      :                              `-- here
      `----
     help: write `to = 0.9`, or give `count` in place of `step`
    ");
}

#[test]
fn a_strength_that_leaves_no_steps() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\ninit_image = \"me.png\"\nsteps = 10\n[sweep]\nstrength = [0.05, 0.5]\n"), @r#"
     x `strength` is `0.05` and `steps` is `10`: ddim would do int(10 × 0.05) = 0 steps; allowed: at
     | least 1
      ,-[e.toml:5:13]
    4 | [sweep]
    5 | strength = [0.05, 0.5]
      :             ^^|^
      :               `-- here
      `----
     help: use 20 steps or more, or a larger strength
    "#);
}

#[test]
fn a_size_that_the_model_cannot_make() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\nwidth = 100\n"), @r#"
     x `width` is `100`; allowed with the model sketchbook: multiples of 8
      ,-[e.toml:2:9]
    1 | prompt = "a cat"
    2 | width = 100
      :         ^|^
      :          `-- here
      `----
     help: nearest allowed: 96 or 104
    "#);
}

#[test]
fn a_missing_picture_and_a_missing_model() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\ninit_image = \"you.png\"\nmodel = \"huge\"\n"), @r#"
      x 2 problems in this experiment

    Error:
      x there is no model `huge`
       ,-[e.toml:3:9]
     2 | init_image = "you.png"
     3 | model = "huge"
       :         ^^^|^^
       :            `-- here
       `----
      help: the models are `sketchbook` and `big`

    Error:
      x there is no picture you.png
       ,-[e.toml:2:14]
     1 | prompt = "a cat"
     2 | init_image = "you.png"
       :              ^^^^|^^^^
       :                  `-- here
     3 | model = "huge"
       `----
    "#);
}

#[test]
fn rules_that_leave_nothing() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nseed = [1, 2]\n[[exclude]]\nseed = { above = 0 }\n"), @r#"
     x the rules leave no cells: all are excluded, or none match [[only]]
      ,-[e.toml:4:1]
    3 | seed = [1, 2]
    4 | [[exclude]]
      : ^^^^^|^^^^^
      :      `-- the last rule
    5 | seed = { above = 0 }
      `----
    "#);
}

#[test]
fn a_strength_without_a_picture() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nstrength = [0.3, 0.5]\n"), @r"
     x `strength` has no effect without `init_image`
      ,-[e.toml:3:1]
    2 | [sweep]
    3 | strength = [0.3, 0.5]
      : ^^^^|^^^
      :     `-- affects no cell
      `----
     help: set `init_image` at the top of the file, or remove `strength` from the axes
    ");
}

#[test]
fn a_name_on_two_axes() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nsteps = [10, 20]\n[zip.sampling]\nsteps = [10, 20]\n"), @r#"
     x two axes set `steps`: `steps` and `sampling`
      ,-[e.toml:4:6]
    3 | steps = [10, 20]
    4 | [zip.sampling]
      :      ^^^^|^^^
      :          `-- here
    5 | steps = [10, 20]
      `----
     help: only one axis may set a name: remove it from one of them
    "#);
}

#[test]
fn a_grid_that_is_too_large() {
    insta::assert_snapshot!(broken("prompt = \"a cat\"\n[sweep]\nseed = { count = 100000 }\nguidance_scale = { from = 1, to = 11, step = 0.001 }\n"), @r#"
    x the grid has more than 50000000 positions: seed (100000) × guidance_scale (10001)
    help: make an axis shorter, or combine two with [zip]
    "#);
}

#[test]
fn a_missing_file() {
    let folder = Folder::new(&[("mucha.toml", "")]);
    let error = folder.with("muhca.toml", &Overrides::default()).unwrap_err();
    insta::assert_snapshot!(folder.error_text(&error), @r#"
    x cannot read the experiment file muhca.toml: there is no such file
    help: did you mean `mucha.toml`?
    "#);
}
