//! Pictures rendered again from what they say, and compared.

use crate::support::{Project, log, picture, run};
use maquette::{Error, ErrorKind, Likeness, Overrides, Pixels, ReproduceOptions, Reproduction, Workspace};
use std::path::Path;

const PORTRAITS: &str = r#"
prompt = "portrait of a man, by {artist}"
init_image = "references/selfie.png"
steps = 3
scheduler = "euler"
[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
strength = [0.4, 0.9]
"#;

/// Reproduces a picture with those settings changed.
fn reproduce(workspace: &Workspace, image: &Path, set: &[&str]) -> Result<Reproduction, Error> {
    let set = set.iter().map(|set| (*set).to_owned()).collect();
    workspace.reproduce(image, &ReproduceOptions { set, save: None }, &mut |_| ())
}

#[test]
fn a_picture_is_rendered_again_and_compared() {
    let project = Project::new().with_selfie();
    project.write("portraits.toml", PORTRAITS);
    let mut experiment = project.experiment("portraits.toml");
    experiment.overrides = Overrides { only: vec!["artist=Edvard Munch".to_owned()], ..Overrides::default() };
    let workspace = project.engine();
    let ran = run(&workspace, &experiment);
    let image = picture(&ran.result.run, &log(&ran.result.run)[0]);
    let before = project.everything("");
    let same = reproduce(&workspace, &image, &[]).unwrap();
    assert_eq!((same.likeness, &same.pixels), (Likeness::Identical, &Pixels::Identical));
    assert!(same.changes.is_empty() && same.cell.before == Some(same.cell.now), "{same:?}");
    assert_eq!(project.everything(""), before, "nothing is written");

    let other = project.path().join("other.png");
    let options = ReproduceOptions { set: vec!["steps=8".to_owned()], save: Some(other.clone()) };
    let more = workspace.reproduce(&image, &options, &mut |_| ()).unwrap();
    assert!(matches!(more.pixels, Pixels::Different { .. }) && more.likeness != Likeness::Identical);
    let changes: Vec<_> = more.changes.iter().map(|it| [&*it.name, &*it.before, &*it.now]).collect();
    assert_eq!(changes, [["steps", "3", "8"]]);
    assert_eq!(reproduce(&workspace, &other, &[]).unwrap().likeness, Likeness::Identical);
}

#[test]
fn another_picture_is_a_difference_with_a_reason() {
    let project = Project::new();
    project.write("cat.toml", "prompt = \"a cat\"\nsteps = 1\n");
    let ran = run(&project.fake(), &project.experiment("cat.toml"));
    let image = picture(&ran.result.run, &log(&ran.result.run)[0]);
    // The fake's model is none of the engine's, and neither is its device.
    let other = reproduce(&project.engine(), &image, &[]).unwrap();
    assert_eq!(other.likeness, Likeness::Different);
    let names: Vec<&str> = other.changes.iter().map(|change| change.name.as_str()).collect();
    assert!(names.contains(&"model") && names.contains(&"device"), "{names:?}");
}

#[test]
fn a_picture_that_names_no_model_needs_one() {
    let project = Project::new();
    project.copy("metadata/a1111-sheet.png", "a1111-sheet.png");
    let (workspace, image) = (project.fake(), project.path().join("a1111-sheet.png"));
    let unnamed = reproduce(&workspace, &image, &[]).unwrap_err();
    assert!(matches!(unnamed, Error::NoModel { .. }), "{unnamed:?}");
    assert_eq!(unnamed.kind(), ErrorKind::NotFound);
    assert_eq!(unnamed.hint().as_deref(), Some("Name the model with `--set model=NAME`."));
    let named = reproduce(&workspace, &image, &["model=sketchbook"]).unwrap();
    assert_eq!(named.pixels, Pixels::Sizes { left: (8, 8), right: (512, 512) });
    assert_eq!((named.likeness, named.cell.before), (Likeness::Different, None));
    assert!(named.remarks.iter().any(|it| it.starts_with("not imported: Script = X/Y/Z plot")));
}
