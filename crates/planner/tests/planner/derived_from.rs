//! `derived_from`: the parent of an experiment.

use crate::folder::{Folder, broken};
use maquette_core::{CellId, DerivedFrom, Digest};

#[test]
fn the_parent_is_in_the_plan_and_changes_no_cell() {
    let cell = CellId(Digest::of(b"a cell"));
    let plain = "prompt = \"a cat\"\n[sweep]\nseed = [1, 2]\n";
    let parent = format!("derived_from = {{ run = \"mucha@1\", cells = [\"{cell}\"] }}\n");
    let folder = Folder::new(&[
        ("plain.toml", plain),
        ("derived.toml", &(parent.clone() + plain)),
        ("header.toml", &format!("{plain}[derived_from]\nrun = \"mucha@1\"\ncells = [\"{cell}\"]\n")),
        ("child.toml", "extends = \"derived.toml\"\n"),
        ("run-only.toml", &format!("derived_from = {{ run = \"x\" }}\n{plain}")),
    ]);
    let derived_from = Some(DerivedFrom { run: "mucha@1".to_owned(), cells: vec![cell] });
    let plain = folder.plan("plain.toml");
    assert_eq!(plain.plan.derived_from, None);
    for name in ["derived.toml", "header.toml", "child.toml"] {
        let derived = folder.plan(name);
        assert_eq!(derived.plan.derived_from, derived_from, "{name}");
        assert_eq!(derived.distinct, plain.distinct, "{name}");
        assert_ne!(derived.source, plain.source, "a run of its own");
        assert!(derived.resolved.contains(&parent), "{}", derived.resolved);
    }
    let run_only = folder.plan("run-only.toml").plan.derived_from;
    assert_eq!(run_only, Some(DerivedFrom { run: "x".to_owned(), cells: vec![] }));
}

#[test]
fn a_broken_parent_is_an_error() {
    let check = |table: &str, expected: &[&str]| {
        let error = broken(&format!("prompt = \"a cat\"\nderived_from = {table}\n"));
        for part in expected {
            assert!(error.contains(part), "`{part}` is not in {error}");
        }
    };
    check(
        "\"mucha@1\"",
        &["`derived_from` is the text `mucha@1`, not a table", "{ run = \"mucha@1\", cells ="],
    );
    check("{ cells = [] }", &["`derived_from` names no `run`"]);
    check("{ run = \"\" }", &["`run` is the text ``; allowed: the name of a run"]);
    check("{ run = \"x\", cells = \"y\" }", &["`cells` is the text `y`; allowed: a list"]);
    check(
        "{ run = \"x\", cells = [\"1a2b\"] }",
        &["a cell is the text `1a2b`; allowed: its 64 hexadecimal digits"],
    );
    check("{ run = \"x\", cell = [] }", &["`cell` is not a key of `derived_from`", "did you mean `cells`?"]);
}
