//! Hints suggest only what is allowed, and never what was written.

use crate::folder::Folder;
use maquette_planner::{Overrides, did_you_mean};
use miette::Diagnostic;

/// The hint of the first problem.
fn hint(text: &str) -> String {
    let folder = Folder::new(&[("e.toml", text), ("me.png", "me")]);
    let error = folder.with("e.toml", &Overrides::default()).unwrap_err();
    error.problems[0].help().map_or_else(String::new, |help| help.to_string())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(hint(text), expected, "{text}");
}

#[test]
fn hints_never_suggest_the_word_itself() {
    assert_eq!(did_you_mean("seed", ["seed", "seeds"]).as_deref(), Some("did you mean `seeds`?"));
    assert_eq!(did_you_mean("seed", ["seed"]), None);
}

#[test]
fn hints_never_suggest_a_rejected_value() {
    let sweep = "everything below [sweep] belongs to it: to give `strength` one value, move this line above the first \
                 [table]; to sweep it, write a list: `strength = ";
    check("prompt = \"x\"\n[sweep]\nstrength = 0.5\n", &format!("{sweep}[0.5]`"));
    check("prompt = \"x\"\n[sweep]\nstrength = 1.5\n", &format!("{sweep}[…]`"));
}

#[test]
fn hints_never_suggest_a_rejected_form() {
    let forms = "allowed here: a list, `{ from, to, step }`, `{ from, to, count }`, `{ file }`, `{ glob }`";
    check("prompt = \"x\"\n[sweep]\nsteps = { random = 3 }\n", forms);
    check("prompt = \"x\"\n[sweep]\nsteps = { count = 3 }\n", forms);
    // It is already in [sweep].
    let brackets = "write the values as one list, without inner brackets";
    check("prompt = \"x\"\n[sweep]\nsteps = [[10, 20]]\n", brackets);
    check("prompt = \"x\"\nzip = 3\n", "write `[zip.sampling]` on a line of its own and the keys below it");
}

#[test]
fn hints_never_suggest_a_table_that_rejects_the_name() {
    // [vars] must not contain settings or top-level keys.
    check(
        "prompt = \"x\"\n[vars]\nstps = 20\n",
        "did you mean the setting `steps`? It belongs above the first [table]",
    );
    check("prompt = \"x\"\n[sweep]\nstps = [20]\n", "did you mean `steps`?");
    check("prompt = \"{title}\"\n", "give the placeholder another name");
    check(
        "prompt = \"x\"\n[vars]\n\"a b\" = 1\n",
        "names of placeholders may contain letters, digits, `_` and `-`",
    );
    check("prompt = \"x\"\n[vars]\na = 1920-01-01\n", "to use it as text, put it in quotes");
    check("prompt = \"x\"\n[vars]\na = [1, 2]\n", "a placeholder with several values belongs under [sweep]");
    // At the top of the file, only settings are allowed.
    let rule = "[sweep]\nseed = [1, 2]\n[[exclude]]\n";
    check(&format!("prompt = \"{{a}}\"\n[vars]\na = \"x\"\n{rule}a = \"x\"\n"), "allowed: `seed`");
    check(
        &format!("prompt = \"x\"\n{rule}steps = 20\n"),
        "allowed: `seed`; if `steps` was meant for the whole experiment, move this line above the first [table]",
    );
    check("prompt = \"x\"\n[zip.fast]\nsteps = [1, 2]\n[[exclude]]\nfats = 1\n", "did you mean `fast`?");
}
