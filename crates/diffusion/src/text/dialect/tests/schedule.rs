//! Tests of prompts that change over the steps.

use crate::text::dialect::{is_refused, schedule};

/// Checks a prompt over ten steps.
fn check(prompt: &str, expected: &[(usize, &str)]) {
    check_steps(10, prompt, expected);
}

fn check_steps(steps: usize, prompt: &str, expected: &[(usize, &str)]) {
    let stages = schedule(prompt, steps);
    let found: Vec<(usize, &str)> = stages.iter().map(|stage| (stage.until, stage.text.as_str())).collect();
    assert_eq!(found, expected, "{prompt}");
}

#[test]
fn a_text_switches() {
    check("still", &[(10, "still")]);
    check("", &[(10, "")]);
    check("a [hat:3]", &[(3, "a "), (10, "a hat")]);
    check("a [hat: 3]", &[(3, "a "), (10, "a hat")]);
    check("a [hat :3 ]", &[(3, "a "), (10, "a hat ")]);
    check("a [hat::3]", &[(3, "a hat"), (10, "a ")]);
    check("a [cap : hat : 1] on", &[(1, "a cap  on"), (10, "a  hat  on")]);
    check("a[b:[c:d:2]:1]e", &[(1, "abe"), (2, "ace"), (10, "ade")]);
    check("[::5]", &[(5, ""), (10, "")]);
}

#[test]
fn a_number_with_a_dot_is_a_fraction_of_the_steps() {
    check("a [b:.5] c", &[(5, "a  c"), (10, "a b c")]);
    check("[a:b:0.5]", &[(5, "a"), (10, "b")]);
    check("[a:b:1.0]", &[(10, "a")]);
    check("[a:b:1.5]", &[(10, "a")]);
    check("[a:b:1]", &[(1, "a"), (10, "b")]);
    check("[a:b:+2]", &[(2, "a"), (10, "b")]);
    check("[a:b:12]", &[(10, "a")]);
    check("[a:b:1e1]", &[(10, "a")]);
    // 100 * 0.29 falls just below 29 in f64.
    check_steps(100, "[a:b:0.29]", &[(28, "a"), (100, "b")]);
    check_steps(
        100,
        "view with a [hill:lake:0.25] and [an oak:a pine:0.75][ in front::0.6][ far off:0.25] [rough:fine:0.5]",
        &[
            (25, "view with a hill and an oak in front rough"),
            (50, "view with a lake and an oak in front far off rough"),
            (60, "view with a lake and an oak in front far off fine"),
            (75, "view with a lake and an oak far off fine"),
            (100, "view with a lake and a pine far off fine"),
        ],
    );
}

#[test]
fn a_switch_before_the_first_step_is_ignored() {
    check("[a:b:0]", &[(10, "b")]);
    check("[a:b:-3]", &[(10, "b")]);
    check("[a:b:0.05]", &[(10, "b")]);
    check_steps(1, "[a:b:0.5]", &[(1, "b")]);
}

#[test]
fn a_text_alternates() {
    check_steps(3, "[a|(b:1.1)]", &[(1, "a"), (2, "(b:1.1)"), (3, "a")]);
    check_steps(4, "[wo|]man", &[(1, "woman"), (2, "man"), (3, "woman"), (4, "man")]);
    check_steps(5, "[wo|||]man", &[(1, "woman"), (2, "man"), (3, "man"), (4, "man"), (5, "woman")]);
    check_steps(3, "[a|[b:c:2]|d]", &[(1, "a"), (2, "b"), (3, "d")]);
    check_steps(3, r"[a\|b|c]", &[(1, r"a\|b"), (2, "c"), (3, r"a\|b")]);
    check_steps(2, "[[a|b]:c:1]", &[(1, "a"), (2, "c")]);
}

#[test]
fn other_brackets_stay_as_they_are() {
    check("(a:1.3) [b] ((c))", &[(10, "(a:1.3) [b] ((c))")]);
    check("a [[[b]]:2]", &[(2, "a "), (10, "a [[b]]")]);
    check("[(a:2):3]", &[(3, ""), (10, "(a:2)")]);
    check("(x [a:b:4]:1.2)", &[(4, "(x a:1.2)"), (10, "(x b:1.2)")]);
    check(r"\[a:b:3\]", &[(10, r"\[a:b:3\]")]);
    check("[a:b:c:3] [a:b] (a:b:c)", &[(10, "[a:b:c:3] [a:b] (a:b:c)")]);
}

#[test]
fn unmatched_brackets_are_text() {
    check("a [open", &[(10, "a [open")]);
    check("((a][:b:c [d:3]", &[(3, "((a][:b:c "), (10, "((a][:b:c d")]);
    check("[a:[b:c:1]", &[(1, "[a:b"), (10, "[a:c")]);
    check("[a:(b:3]", &[(10, "[a:(b:3]")]);
}

#[test]
fn a_bar_outside_brackets_makes_the_whole_prompt_text() {
    for refused in ["a | b [c:3]", "(a|b) [c:3]", "a [{b|d{:.5] c", "[c:3] \\"] {
        check(refused, &[(10, refused)]);
        assert!(is_refused(refused), "{refused}");
    }
    for fine in ["a | b", "[a|b]", "[a", r"[c:3] \|"] {
        assert!(!is_refused(fine), "{fine}");
    }
}
