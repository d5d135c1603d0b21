//! What pictures say, Maquette's, those of other tools and damaged ones, and the experiments behind them.

use crate::huge_picture::huge_picture;
use crate::support::{Project, column, fixture, log, picture, run, try_run};
use maquette::{Error, ErrorKind, Origin, RunOptions, SheetPlace, Tool, Value};
use std::fs;

const PORTRAITS: &str = r#"
prompt = "portrait of a man, by {artist}"
init_image = "references/selfie.png"
steps = 3
scheduler = "euler"
[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
strength = [0.4, 0.9]
"#;

#[test]
fn a_picture_is_an_experiment_of_one_cell() {
    let project = Project::new().with_selfie();
    project.write("portraits.toml", PORTRAITS);
    let workspace = project.fake();
    let ran = run(&workspace, &project.experiment("portraits.toml"));
    // The reference picture is gone, and the run's own copy is found by its content.
    fs::remove_dir_all(project.path().join("references")).unwrap();
    let rows = log(&ran.result.run);
    let toml = workspace.experiment_of(&picture(&ran.result.run, &rows[0])).unwrap();
    assert!(toml.starts_with("# From alphonse-mucha"), "{toml}");
    project.write("elsewhere/one.toml", toml);
    let one = run(&workspace, &project.experiment("elsewhere/one.toml"));
    assert_eq!(one.counts(), [0, 1, 0, 0]);
    assert_eq!(log(&one.result.run)[0].cell(), rows[0].cell());
}

#[test]
fn a_sheet_says_what_it_shows() {
    let project = Project::new();
    project
        .write("cats.toml", "prompt = \"a {animal}\"\n[sweep]\nanimal = [\"cat\", \"dog\"]\nseed = [1, 2]\n");
    let workspace = project.fake();
    let ran = try_run(&workspace, &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let sheet = &ran.result.sheets[0];
    let shown = workspace.show(sheet).unwrap();
    let Some(Origin::Sheet(map)) = &shown.metadata.origin else { panic!("{shown:?}") };
    assert_eq!((map.run.as_str(), map.cells.len()), ("cats", 4));
    let rows = log(&ran.result.run);
    for row in &rows {
        let cell = shown.sheet.iter().find(|cell| cell.cell == row.cell()).unwrap();
        assert_eq!(cell.image.as_deref(), row.image());
        assert!(!cell.label.is_empty() && cell.place.width > 0, "{cell:?}");
    }
    let reproduced = workspace.reproduce(sheet, &Default::default(), &mut |_| ()).unwrap_err();
    assert!(matches!(&reproduced, Error::IsASheet { sheet, .. } if sheet.cells.len() == 4), "{reproduced:?}");
    assert_eq!(reproduced.kind(), ErrorKind::NotFound);
    assert!(reproduced.hint().unwrap().contains("--at COLUMN,ROW"));
}

#[test]
fn a_sheet_alone_is_its_own_recipe() {
    let project = Project::new().with_selfie();
    let given = "prompt = \"a {animal}\"\ninit_image = \"references/selfie.png\"\nsteps = 10\n[sweep]\nanimal = \
                 [\"cat\", \"dog\"]\nstrength = [0.3, 0.6, 0.9]\n[[exclude]]\nanimal = \"dog\"\nstrength = 0.6\n";
    project.write("cats.toml", given);
    let workspace = project.fake();
    let ran = try_run(&workspace, &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let rows = log(&ran.result.run);
    // Mailed to somebody who has nothing else.
    let other = Project::new();
    let sheet = other.write("sheet.png", fs::read(&ran.result.sheets[0]).unwrap());
    let elsewhere = other.fake();
    let toml = elsewhere.experiment_of(&sheet).unwrap();
    assert!(toml.contains("strength = [0.3, 0.6, 0.9]") && !toml.contains("folder"), "{toml}");
    assert!(!toml.contains(&project.path().display().to_string()), "no path of the machine: {toml}");
    let shown = elsewhere.show(&sheet).unwrap();
    assert_eq!(shown.sheet[1].label, "strength 0.6, animal cat");

    // Columns come first, as in the picture: 3,2 is the dog at 0.9.
    let at = |column, row| elsewhere.show_at(&sheet, SheetPlace { column, row });
    let info = at(3, 2).unwrap();
    let Some(Origin::Cell(info)) = &info.metadata.origin else { panic!("{info:?}") };
    let row = rows.iter().find(|row| row.cell() == info.cell).unwrap();
    assert_eq!((column(row, "animal"), column(row, "strength")), ("dog", "0.9"));
    for (column, row, expected) in
        [(2, 2, "leaves it out"), (4, 1, "columns 1 to 3, rows 1 to 2"), (0, 1, "1 to 3")]
    {
        let error = at(column, row).unwrap_err();
        assert!(matches!(error, Error::NoSuchPlace(_)) && error.to_string().contains(expected), "{error}");
    }

    // With the reference picture, both texts make the same cells again.
    let other = other.with_selfie();
    for (name, toml) in [
        ("whole.toml", toml),
        ("one.toml", elsewhere.experiment_at(&sheet, SheetPlace { column: 3, row: 2 }).unwrap()),
    ] {
        other.write(name, toml);
        let again = run(&elsewhere, &other.experiment(name));
        let cells: Vec<_> = log(&again.result.run).iter().map(maquette::LogRow::cell).collect();
        let expected: Vec<_> = rows.iter().map(maquette::LogRow::cell).collect();
        assert_eq!(cells, if name == "one.toml" { vec![info.cell] } else { expected }, "{name}");
    }
    let single = picture(&ran.result.run, &rows[0]);
    assert!(matches!(
        workspace.show_at(&single, SheetPlace { column: 1, row: 1 }),
        Err(Error::NotASheet { .. })
    ));
}

#[test]
fn a_sheet_of_an_older_version_says_what_it_lacks() {
    let project = Project::new();
    project
        .write("cats.toml", "prompt = \"a {animal}\"\n[sweep]\nanimal = [\"cat\", \"dog\"]\nseed = [1, 2]\n");
    let workspace = project.fake();
    let ran = try_run(&workspace, &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let image = maquette_picture::decode(&ran.result.sheets[0]).unwrap();
    let shown = workspace.show(&ran.result.sheets[0]).unwrap();
    let Some(Origin::Sheet(map)) = &shown.metadata.origin else { panic!("{shown:?}") };
    let text = serde_json::json!({ "maquette_sheet": 1, "run": "cats", "page": "sheet", "cells": map.cells });
    let old = maquette_picture::encode_png(&image, &[("maquette", &text.to_string())]).unwrap();
    // In its run everything is found.
    let inside = project.write("runs/cats/1/sheets/old.png", &old);
    let place = SheetPlace { column: 2, row: 1 };
    let found = workspace.show_at(&inside, place).unwrap();
    let Some(Origin::Cell(info)) = &found.metadata.origin else { panic!("{found:?}") };
    assert_eq!(info.cell, map.cells[1].0);
    assert!(workspace.experiment_of(&inside).unwrap().contains("[sweep]"));
    let alone = project.write("old.png", &old);
    for error in [workspace.show_at(&alone, place).map(drop), workspace.experiment_of(&alone).map(drop)] {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::SheetLacks { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("maquette report cats"), "{error:?}");
    }
    // A text that is too long is refused, not read.
    let huge = format!("{{\"maquette_sheet\": 1, \"run\": \"{}\"}}", "x".repeat(17 << 20));
    let huge = maquette_picture::encode_png(&image, &[("maquette", &huge)]).unwrap();
    let error = workspace.show(&project.write("huge.png", &huge)).unwrap_err();
    assert!(
        matches!(error, Error::NoOrigin { .. }) && error.to_string().contains("allowed: at most"),
        "{error}"
    );
}

#[test]
fn pictures_of_other_tools_become_experiments() {
    let project = Project::new();
    project.copy("metadata/a1111-full.png", "a1111-full.png");
    let image = project.path().join("a1111-full.png");
    let shown = project.engine().show(&image).unwrap();
    let Some(Origin::Foreign(foreign)) = &shown.metadata.origin else { panic!("{shown:?}") };
    assert_eq!((foreign.tool, foreign.get("steps")), (Tool::A1111, Some(&Value::Integer(28))));
    insta::assert_snapshot!(project.engine().experiment_of(&image).unwrap(), @r#"
# From the metadata of A1111 in a1111-full.png
# note: the text names no RNG, which in A1111 means the GPU's
model = "dream, final: 8"  # the name in the metadata; a path may be needed
vae = "vae-ft-mse-840000-ema-pruned.safetensors"  # no such file was found
embeddings = "bad-hands"
prompt = """
portrait of a sailor, (oil paint:1.2), [sketch:oil:0.3]
<lora:old-masters:0.7> BREAK evening light, 絵画"""
negative_prompt = """
bad-hands, lowres,
text"""
dialect = "a1111"
seed = 3141592653
noise = "torch-cuda"
variation_seed = 7
variation_strength = 0.15
steps = 28
guidance_scale = 6.5
scheduler = "dpmpp_2m"
sigmas = "karras"
spacing = "linspace"
width = 512
height = 640
clip_skip = 1
"#);
}

#[test]
fn nothing_that_a_picture_says_breaks_the_library() {
    let project = Project::new();
    let workspace = project.engine();
    let mut checked = 0;
    for entry in fs::read_dir(fixture("metadata")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.contains('.') {
            continue;
        }
        project.copy(&format!("metadata/{name}"), &name);
        let image = project.path().join(&name);
        let shown = workspace.show(&image).map(|shown| serde_json::to_string(&shown.metadata).unwrap());
        let experiment = workspace.experiment_of(&image);
        for error in [shown.err(), experiment.err()].into_iter().flatten() {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error:?}");
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked} fixtures");

    let Err(Error::NoOrigin { unreadable, .. }) = workspace.show(&project.path().join("bomb.png")) else {
        panic!("bomb.png says what made it")
    };
    assert!(unreadable.iter().any(|it| it.contains("cannot be unpacked")), "{unreadable:?}");
    let cut = workspace.show(&project.path().join("cut.png")).unwrap();
    assert!(cut.metadata.unreadable.iter().any(|it| it.contains("the picture is damaged")), "{cut:?}");
    project.write("huge.png", huge_picture(&fs::read(fixture("metadata/silent.png")).unwrap()));
    let huge = workspace.show(&project.path().join("huge.png")).unwrap();
    let Some(Origin::Foreign(foreign)) = huge.metadata.origin else { panic!("of no other tool") };
    let prompt = foreign.left.iter().find(|left| left.key == "prompt").unwrap();
    assert!(prompt.value.len() > 999_990 && prompt.why.contains("at most 65536 bytes"), "{}", prompt.why);
}

#[test]
fn a_picture_that_is_not_there_is_not_found() {
    let project = Project::new();
    let error = project.engine().show(&project.path().join("nothing.png")).unwrap_err();
    assert!(matches!(error, Error::Picture(_)) && error.to_string().contains("nothing.png"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
