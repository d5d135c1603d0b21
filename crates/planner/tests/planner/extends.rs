//! Files that extend others.

use crate::folder::{Folder, axes, values};
use maquette_planner::Overrides;

const PARENT: &str = r#"
title = "Painters"
prompt = "{subject} by {artist}"
init_image = "me.png"
[vars]
subject = "a man"
[sweep]
artist = ["Mucha", "Munch"]
strength = [0.5, 0.9]
[[exclude]]
artist = "Munch"
strength = 0.9
[sheet]
rows = "artist"
columns = "strength"
"#;

fn folder(child: &str) -> Folder {
    Folder::new(&[
        ("base/parent.toml", PARENT),
        ("base/me.png", "me"),
        ("me.png", "another"),
        ("child.toml", child),
    ])
}

fn child(more: &str) -> Folder {
    folder(&format!("extends = \"base/parent.toml\"\n{more}"))
}

#[test]
fn tables_merge_and_values_replace() {
    let folder =
        child("steps = 30\n[vars]\nsubject = \"a woman\"\n[sweep]\nseed = [1, 2]\nstrength = [0.1, 0.9]\n");
    let plan = folder.plan("child.toml").plan;
    assert_eq!(plan.title, "Painters");
    assert_eq!(axes(&plan), ["artist", "strength", "seed"]);
    assert_eq!(values(&plan, "strength"), "0.1 0.9");
    assert_eq!(plan.len(), 6);
    let settings = plan.cell(0).unwrap().settings;
    assert_eq!((&*settings.prompt, settings.steps), ("a woman by Mucha", 30));
}

#[test]
fn paths_are_relative_to_the_file_that_contains_them() {
    let parents = child("").plan("child.toml").plan;
    assert_eq!(parents.pictures.keys().collect::<Vec<_>>(), ["base/me.png"]);
    let own = child("init_image = \"me.png\"").plan("child.toml").plan;
    assert_eq!(own.pictures.keys().collect::<Vec<_>>(), ["me.png"]);
    assert_ne!(own.pictures["me.png"].digest, parents.pictures["base/me.png"].digest);
}

#[test]
fn the_later_file_wins() {
    // A plain value removes the parent's axis; the rule about the axis is then tested against that value.
    let check = |more: &str, names: &[&str], cells: usize| {
        let plan = child(more).plan("child.toml").plan;
        assert_eq!((axes(&plan), plan.len()), (names.to_vec(), cells), "{more}");
    };
    check("strength = 0.5", &["artist"], 2);
    check("strength = 0.9", &["artist"], 1);
    check("[vars]\nartist = \"Klimt\"", &["strength"], 2);
    check("[zip.z]\nstrength = [0.5, 0.6]\nsteps = [40, 50]", &["artist", "z"], 4);
    check("[[exclude]]\nstrength = 0.5", &["artist", "strength"], 2);
    // Without its placeholder, the axis is removed, with its rules and its place on the sheet.
    check("prompt = \"{subject}\"", &["strength"], 2);
}

#[test]
fn an_unused_inherited_axis_is_noted() {
    let planned = child("prompt = \"{subject}\"").plan("child.toml");
    assert_eq!(planned.notes.len(), 1);
    assert!(planned.notes[0].starts_with("the axis `artist` of "), "{}", planned.notes[0]);
    assert_eq!((planned.plan.sheet.rows, planned.plan.sheet.columns.as_deref()), (None, Some("strength")));
}

#[test]
fn errors_point_to_the_right_file() {
    let error_text =
        |folder: Folder| folder.error_text(&folder.with("child.toml", &Overrides::default()).unwrap_err());
    insta::assert_snapshot!(error_text(folder("extends = \"base/parnt.toml\"\n")), @r#"
     x cannot read the experiment file base/parnt.toml: there is no such file
      ,-[child.toml:1:11]
    1 | extends = "base/parnt.toml"
      :           ^^^^^^^^|^^^^^^^^
      :                   `-- here
      `----
     help: did you mean `base/parent.toml`?
    "#);
    insta::assert_snapshot!(error_text(folder("extends = \"child.toml\"\n")), @r#"
     x `extends` forms a cycle: child.toml is already in the chain
      ,-[child.toml:1:11]
    1 | extends = "child.toml"
      :           ^^^^^^|^^^^^
      :                 `-- closes the cycle
      `----
    "#);
    let parent = Folder::new(&[
        ("base/parent.toml", "steps = 0\n"),
        ("child.toml", "extends = \"base/parent.toml\"\n"),
    ]);
    insta::assert_snapshot!(error_text(parent), @r#"
     x `steps` is `0`; allowed: a whole number from 1 to 1000
      ,-[base/parent.toml:1:9]
    1 | steps = 0
      :         |
      :         `-- allowed: a whole number from 1 to 1000
      `----
    "#);
}

#[test]
fn a_chain_of_three() {
    let folder = Folder::new(&[
        ("a.toml", "prompt = \"a\"\nsteps = 1\nseed = 1\n[sweep]\nguidance_scale = [1, 2]\n"),
        ("b.toml", "extends = \"a.toml\"\nsteps = 2\nprompt = \"b\"\n"),
        ("c.toml", "extends = \"b.toml\"\nprompt = \"c\"\n"),
    ]);
    let settings = folder.plan("c.toml").plan.cell(1).unwrap().settings;
    assert_eq!((&*settings.prompt, settings.steps, settings.seed, settings.guidance_scale), ("c", 2, 1, 2.0));
}
