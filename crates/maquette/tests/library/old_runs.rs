//! Runs that an earlier version made: read, drawn, compared, verified and used again.

use crate::support::{Project, run as run_of};
use maquette::{GenerationInfo, LogRow, Origin, PickChange, Run, RunContent, VerifyOptions};
use std::path::PathBuf;

/// A copy of the runs in `tests/fixtures/runs-before`, with the files that they were made from.
fn project() -> Project {
    let project = Project::new();
    project.copy("runs-before", "");
    project
}

fn image(project: &Project, run: &str, part: &str) -> PathBuf {
    let folder = format!("runs/portraits/{run}/images");
    let names = project.everything(&folder);
    let name = names.keys().find(|name| name.contains(part)).unwrap();
    project.path().join(folder).join(name)
}

fn info(project: &Project, image: &std::path::Path) -> Box<GenerationInfo> {
    let shown = project.engine().show(image).unwrap();
    let Some(Origin::Cell(info)) = shown.metadata.origin else { panic!("{shown:?}") };
    info
}

#[test]
fn old_pictures_are_shown() {
    let project = project();
    let info = info(&project, &image(&project, "2", "mucha_everywhere_small"));
    for (name, value) in [
        ("prompt", "portrait of a man, by Alphonse Mucha"),
        ("lora", "loras/small.safetensors"),
        ("model", "sketchbook"),
        ("strength", "0.6"),
    ] {
        let values = info.values();
        let (_, found) = values.iter().find(|(known, _)| known == name).unwrap();
        assert!(found.to_string().contains(value), "{name}: {found}");
    }
    let toml = project.engine().experiment_of(&image(&project, "1", "munch_a-part")).unwrap();
    assert!(toml.contains("mask = "), "{toml}");
}

#[test]
fn old_runs_are_listed_drawn_and_compared() {
    let project = project();
    let workspace = project.engine();
    let listed = workspace.list_runs().unwrap();
    let contents: Vec<_> = listed
        .iter()
        .map(|entry| {
            let RunContent { cells, done, failed, .. } = entry.content.as_ref().unwrap();
            (entry.run.to_string(), *cells, *done, *failed)
        })
        .collect();
    assert_eq!(contents, [("portraits@1".to_owned(), 4, 4, 0), ("portraits@2".to_owned(), 6, 4, 2)]);
    let sheets = workspace.report("portraits@2", &mut |_| ()).unwrap().sheets;
    assert!(sheets.iter().any(|sheet| sheet.ends_with("lora-small.png")), "{sheets:?}");
    let compared = workspace.diff("portraits@1", "portraits@2").unwrap().diff;
    let mut cells = compared.pairs.iter().map(|pair| &pair.left).chain(&compared.only_left);
    let is_munch = |(_, label): &(String, String)| label == "Edvard Munch";
    assert!(cells.any(|cell| cell.coordinates.iter().any(is_munch)), "{compared:?}");
}

#[test]
fn old_runs_are_verified() {
    let project = project();
    for (run, failed) in [("portraits@1", 0), ("portraits@2", 2)] {
        let verified = project.engine().verify(run, VerifyOptions::default(), &mut |_| ()).unwrap();
        assert!(verified.is_sound() && verified.remarks.is_empty(), "{verified:?}");
        let checked = &verified.checked;
        assert_eq!((checked.pictures, checked.failed, checked.unrendered), (4, failed, 0));
    }
}

#[test]
fn an_old_run_is_left_alone_by_a_new_one() {
    let project = project();
    let log = project.read("runs/portraits/2/log.csv");
    let ran = run_of(&project.engine(), &project.experiment("portraits.toml"));
    assert_eq!(ran.result.run.to_string(), "portraits@3");
    // Strength 0.6 leaves one of two steps, and cells are named by that now.
    assert_eq!(ran.counts(), [0, 0, 4, 0]);
    assert_eq!(project.read("runs/portraits/2/log.csv"), log);
}

/// A copy of the run in `tests/fixtures/runs-without-format`, whose texts look like those of newer logs.
fn without_format() -> Project {
    let project = Project::new();
    project.copy("runs-without-format", "");
    project
}

fn artists(run: &Run) -> Vec<(String, String)> {
    let text = |row: &LogRow, name: &str| row.get(name).unwrap_or_default().to_owned();
    run.log().unwrap().iter().map(|row| (text(row, "artist"), text(row, "format"))).collect()
}

#[test]
fn a_log_without_a_format_keeps_its_meaning() {
    let project = without_format();
    // It was renamed since.
    let run = project.find("formulas@1");
    assert_eq!(run.to_string(), "spreadsheet@1");
    let expected = [
        ("=Alphonse Mucha", "-0.5"),
        ("=Alphonse Mucha", "@home"),
        ("'-Edvard Munch", "-0.5"),
        ("'-Edvard Munch", "@home"),
    ];
    let expected = expected.map(|(artist, format)| (artist.to_owned(), format.to_owned()));
    assert_eq!(artists(&run), expected);
    let ssim = |run: &Run| -> Vec<Option<String>> {
        run.log().unwrap().iter().map(|row| row.metric("ssim").map(str::to_owned)).collect()
    };
    let before = ssim(&run);
    assert!(before.iter().all(Option::is_some), "{before:?}");
    assert_eq!(run.drafts().unwrap().len(), 4);
    assert_eq!((run.picks().unwrap().cells.len(), run.votes().unwrap().votes.len()), (1, 1));

    // Another metric is added to it: everything else in it stays.
    let log = project.read("runs/spreadsheet/1/log.csv");
    let names = ["psnr".to_owned()];
    let workspace = project.engine();
    workspace.measure("spreadsheet@1", &names, &Default::default(), &mut |_, _| ()).unwrap();
    let measured = project.read("runs/spreadsheet/1/log.csv");
    for (before, after) in log.lines().zip(measured.lines()) {
        assert!(after.starts_with(before), "{after}");
    }
    assert_eq!((artists(&run), ssim(&run)), (expected.to_vec(), before));

    let verified = workspace.verify("spreadsheet@1", VerifyOptions::default(), &mut |_| ()).unwrap();
    assert!(verified.is_sound() && verified.remarks.is_empty(), "{verified:?}");
    assert!(!workspace.report("spreadsheet@1", &mut |_| ()).unwrap().sheets.is_empty());
}

#[test]
fn a_run_without_formats_is_renamed_picked_and_left_alone_by_a_new_one() {
    let project = without_format();
    let workspace = project.engine();
    workspace.rename("spreadsheet", "table").unwrap();
    assert_eq!(project.find("formulas@1").to_string(), "table@1");
    let run = project.find("table@1");
    let cell = run.log().unwrap()[3].cell();
    let pick = PickChange { note: Some(Some("a note".to_owned())), ..PickChange::default() };
    run.update_pick(cell, &pick).unwrap();
    assert_eq!(run.picks().unwrap().cells.len(), 2);
    let log = project.read("runs/table/1/log.csv");
    let ran = run_of(&workspace, &project.experiment("formulas.toml"));
    assert_eq!(ran.result.run.to_string(), "formulas@2");
    let [done, reused, rendered, failed] = ran.counts();
    assert_eq!((done, reused + rendered, failed), (0, 4, 0));
    assert_eq!(artists(&ran.result.run), artists(&run));
    assert_eq!(project.read("runs/table/1/log.csv"), log);
}
