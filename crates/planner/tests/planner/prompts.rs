//! The distinct prompts of plans.

use crate::folder::planned;
use maquette_planner::prompts;

fn check(text: &str, most: usize, expected: &[(&str, &str)], more: bool) {
    let planned = planned(text);
    let (found, left) = prompts(&planned.plan, &planned.distinct, most).unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|prompt| (prompt.setting, prompt.text())).collect();
    assert_eq!((found.as_slice(), left), (expected, more), "{text}");
}

#[test]
fn each_prompt_is_named_once() {
    check(
        "prompt = \"{a} man\"\nnegative_prompt = \"blurry\"\n[sweep]\na = [\"old\", \"young\"]\nseed = [1, 2, 3]\n",
        9,
        &[("prompt", "old man"), ("negative_prompt", "blurry"), ("prompt", "young man")],
        false,
    );
    // Without guidance the negative prompt is not used.
    check("prompt = \"x\"\nnegative_prompt = \"y\"\nguidance_scale = 1\n", 9, &[("prompt", "x")], false);
    // The same text in another dialect is another prompt.
    check(
        "prompt = \"(x)\"\nguidance_scale = 1\n[sweep]\ndialect = [\"plain\", \"a1111\"]\n",
        9,
        &[("prompt", "(x)"), ("prompt", "(x)")],
        false,
    );
}

#[test]
fn no_more_are_named_than_asked_for() {
    let many = "prompt = \"man {n}\"\nguidance_scale = 1\n[sweep]\nn = { from = 1, to = 1000, step = 1 }\nseed = [1, 2]\n";
    check(many, 2, &[("prompt", "man 1"), ("prompt", "man 2")], true);
    check("prompt = \"x\"\nguidance_scale = 1\n", 1, &[("prompt", "x")], false);
}
