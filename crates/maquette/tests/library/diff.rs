//! Two runs compared.

use crate::support::{Project, run};
use maquette::{Diff, Error, ErrorKind, Pixels, StoreError};

const CATS: &str =
    "prompt = \"a {animal}\"\nguidance_scale = 5\n[sweep]\nanimal = [\"cat\", \"dog\"]\nseed = [1, 2]\n";

/// The first run's difference to the second, after running both texts.
fn diff(project: &Project, texts: &[&str], left: &str, right: &str) -> Diff {
    for text in texts {
        project.write("cats.toml", text);
        run(&project.fake(), &project.experiment("cats.toml"));
    }
    project.engine().diff(left, right).unwrap().diff
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let diff = diff(&Project::new(), &[CATS], "cats@1", "cats@latest");
    assert!(diff.is_empty() && diff.pairs.len() == 4, "{diff:?}");
}

#[test]
fn a_changed_setting_is_named_and_the_pixels_are_measured() {
    let project = Project::new();
    let other = CATS.replace("guidance_scale = 5", "guidance_scale = 6").replace("[1, 2]", "[1, 2, 3]");
    let found = diff(&project, &[CATS, &other], "cats@1", "cats@2");
    let [change] = &found.settings[..] else { panic!("{:?}", found.settings) };
    assert_eq!(change.name, "guidance_scale");
    assert_eq!((change.left.as_deref(), change.right.as_deref()), (Some("5"), Some("6")));
    assert_eq!((found.pairs.len(), found.only_left.len(), found.only_right.len()), (4, 0, 2));
    let measured = |pixels: &Pixels| matches!(pixels, Pixels::Different { psnr, .. } if psnr.is_finite());
    assert!(found.pairs.iter().all(|pair| measured(&pair.pixels)), "{found:?}");

    let comparison = project.engine().diff("cats@1", "cats@2").unwrap();
    let sheets = comparison.write_sheets(&project.path().join("sheets"), &mut |_| ()).unwrap();
    assert!(!sheets.is_empty() && sheets.iter().all(|sheet| maquette_picture::decode(sheet).is_ok()));
}

#[test]
fn added_values_line_up_and_shared_cells_are_identical() {
    let grown = CATS.replace("[\"cat\", \"dog\"]", "[\"bird\", \"dog\", \"cat\"]");
    let found = diff(&Project::new(), &[CATS, &grown], "cats@1", "cats@2");
    assert_eq!((found.pairs.len(), found.only_left.len(), found.only_right.len()), (4, 0, 2));
    assert!(found.pairs.iter().all(|pair| pair.pixels == Pixels::Identical), "{found:?}");
}

#[test]
fn a_run_that_is_not_there_is_not_found() {
    let project = Project::new();
    project.write("fine.toml", "prompt = \"a cat\"\n");
    run(&project.fake(), &project.experiment("fine.toml"));
    let workspace = project.engine();
    let check = |error: Error, asked: &str| {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.hint().is_some_and(|hint| hint.contains("fine@1")), "{error:?}");
        let Error::Store(StoreError::NoRun { query: what, .. }) = error else { panic!("{error:?}") };
        assert_eq!(what, asked);
    };
    check(workspace.report("fnie@latest", &mut |_| ()).unwrap_err(), "fnie@latest");
    check(workspace.diff("fine@1", "fine@9").err().unwrap(), "fine@9");
    check(workspace.verify("fnie", Default::default(), &mut |_| ()).unwrap_err(), "fnie");
}
