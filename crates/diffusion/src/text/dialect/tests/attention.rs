//! Tests of weights of words.

use crate::text::dialect::{Piece, oddities, pieces};

/// Texts with their weights; `BREAK` stands for a break.
fn check(prompt: &str, expected: &[(&str, f64)]) {
    let expected: Vec<Piece> = expected
        .iter()
        .map(|&(text, weight)| match text {
            "BREAK" if weight == 0.0 => Piece::Break,
            _ => Piece::Text { text: text.to_owned(), weight },
        })
        .collect();
    assert_eq!(pieces(prompt), expected, "{prompt}");
}

const BREAK: (&str, f64) = ("BREAK", 0.0);
const LESS: f64 = 1.0 / 1.1;

#[test]
fn brackets_set_weights() {
    check("", &[("", 1.0)]);
    check("a castle", &[("a castle", 1.0)]);
    check("a (tall) castle", &[("a ", 1.0), ("tall", 1.1), (" castle", 1.0)]);
    check("(tall)(er)", &[("taller", 1.1)]);
    check("((tall))", &[("tall", 1.1 * 1.1)]);
    check("[dull] sky", &[("dull", LESS), (" sky", 1.0)]);
    check("(sky:1.35)", &[("sky", 1.35)]);
    check("(sky : -.5 )", &[("sky ", -0.5)]);
    check("(sky:+2.)(sea:0)", &[("sky", 2.0), ("sea", 0.0)]);
    check(
        "one (((barn:1.3)) [in] some (field:0.5), fog, (((sun))).",
        &[
            ("one ", 1.0),
            ("barn", 1.573_000_000_000_000_4),
            (" ", 1.1),
            ("in", 1.0),
            (" some ", 1.1),
            ("field", 0.55),
            (", fog, ", 1.1),
            ("sun", 1.464_100_000_000_000_6),
            (".", 1.1),
        ],
    );
}

#[test]
fn an_unmatched_bracket_is_text_or_applies_to_the_end() {
    check("(open", &[("open", 1.1)]);
    check("a [open ((end", &[("a ", 1.0), ("open ", LESS), ("end", LESS * 1.1 * 1.1)]);
    check("closed) or]", &[("closed) or]", 1.0)]);
    check("closed:1.2) end", &[("closed:1.2) end", 1.0)]);
    check("(a]b)", &[("a]b", 1.1)]);
    // Round and square brackets are matched independently.
    check("(a[b)c]", &[("a", 1.1), ("b", 1.1 * LESS), ("c", LESS)]);
}

#[test]
fn an_invalid_weight_is_text() {
    check("at 12:30", &[("at 12:30", 1.0)]);
    check("(a:b)", &[("a:b", 1.1)]);
    check("(a:1.2.3)", &[("a:1.2.3", 1.1)]);
    check("(a:.)", &[("a:.", 1.1)]);
    check("(a:1e2)", &[("a:1e2", 1.1)]);
    check("(a:1.2 b)", &[("a:1.2 b", 1.1)]);
    check(&format!("(a:{})", "9".repeat(400)), &[(&format!("a:{}", "9".repeat(400)), 1.1)]);
}

#[test]
fn a_backslash_makes_a_bracket_text() {
    check(r"\(a\) \[b\]", &[("(a) [b]", 1.0)]);
    check(r"(\(a\):1.5)", &[("(a)", 1.5)]);
    check(r"a\\(b)", &[(r"a\", 1.0), ("b", 1.1)]);
    check(r"a\b \", &[("ab ", 1.0)]);
    check(r"\ü", &[("ü", 1.0)]);
}

#[test]
fn break_splits_a_prompt() {
    check("a BREAK b", &[("a", 1.0), BREAK, ("b", 1.0)]);
    check("BREAKa BREAK_ BREAKING", &[("BREAKa BREAK_ BREAKING", 1.0)]);
    check("BREAK", &[("", 1.0), BREAK, ("", 1.0)]);
    check("a\nBREAK\tBREAK(b)", &[("a", 1.0), BREAK, ("", 1.0), BREAK, ("", 1.0), ("b", 1.1)]);
    check("x:BREAK:y", &[("x:", 1.0), BREAK, (":y", 1.0)]);
    // Inside brackets it has another weight.
    check("(a BREAK b)", &[("a", 1.1), ("BREAK", -1.1), ("b", 1.1)]);
}

#[test]
fn oddities_are_reported() {
    let check = |prompt: &str, expected: &[&str]| assert_eq!(oddities(prompt), expected, "{prompt}");
    check("(a) [b:1] \\( c:d BREAK e", &[]);
    check("(a", &["a bracket is never closed: it applies to the end of the prompt"]);
    check("((a [", &["3 brackets are never closed: they apply to the end of the prompt"]);
    check("a) ]", &["2 closing brackets have no opening brackets: they are text"]);
    check("a:1.3)", &["a closing bracket has no opening bracket: it is text"]);
    check("(a BREAK b)", &["a `BREAK` is inside brackets, where it is an ordinary word"]);
}
