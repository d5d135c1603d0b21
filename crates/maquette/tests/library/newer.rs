//! Files of a run, and pictures, that a newer version has written: each is refused with its format and the way out, and stays
//! as it is.

use crate::support::{Project, picture, run};
use maquette::{Error, PickChange, Run, StoreError};
use std::fs;

const CATS: &str =
    "prompt = \"{animal}\"\nwidth = 16\nheight = 16\n[sweep]\nanimal = [\"=cat\", \"'-dog\", \"-0.5\"]\n";

fn started() -> (Project, Run) {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let run = run(&project.fake(), &project.experiment("cats.toml")).result.run;
    (project, run)
}

#[track_caller]
fn check_newer<T: std::fmt::Debug>(result: Result<T, StoreError>, file: &str, format: u64) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(file) && text.contains(&format!("has format {format}; this version")), "{text}");
    assert!(error.hint().unwrap().contains("update maquette"), "{error:?}");
}

#[test]
fn each_file_of_a_run_is_refused() {
    let (project, run) = started();
    let change = |name: &str, from: &str, to: &str| {
        let path = run.dir().join(name);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{name}: {before}");
        fs::write(&path, before.replace(from, to)).unwrap();
        let changed = fs::read(&path).unwrap();
        move || {
            assert_eq!(fs::read(&path).unwrap(), changed, "it stays as it is");
            fs::write(&path, &before).unwrap();
        }
    };

    let restore = change("plan.json", "\"format\": 1", "\"format\": 2");
    check_newer(run.plan(), "plan.json", 2);
    let error = project.engine().report("cats@1", &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("has format 2"), "{error}");
    restore();

    // The names of its cells would be others.
    let restore = change("plan.json", "\"naming\": ", "\"naming\": 9");
    let error = run.plan().unwrap_err().to_string();
    assert!(error.contains("plan.json` has naming 9"), "{error}");
    restore();

    let restore = change("log.csv", ",2\n", ",3\n");
    check_newer(run.log(), "log.csv", 3);
    let error = project.engine().report("cats@1", &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("has format 3"), "{error}");
    restore();

    let cell = run.log().unwrap()[0].cell();
    let pick = PickChange { note: Some(Some("a note".to_owned())), ..PickChange::default() };
    run.update_pick(cell, &pick).unwrap();
    let restore = change("picks.toml", "format = 1", "format = 2");
    check_newer(run.picks(), "picks.toml", 2);
    check_newer(run.update_pick(cell, &pick), "picks.toml", 2);
    restore();
    assert_eq!(run.picks().unwrap().cells.len(), 1);

    project.write("runs/cats/1/votes.csv", "left,right,choice,when\n");
    let error = run.votes().unwrap_err().to_string();
    assert!(error.contains("votes.csv") && error.contains("a newer version of maquette"), "{error}");

    project.write("runs/.names.json", "{\"format\": 3, \"names\": {}}\n");
    check_newer(project.engine().runs().find("dogs@1"), ".names.json", 3);
}

#[test]
fn a_picture_says_that_it_is_newer() {
    let (project, run) = started();
    let path = picture(&run, &run.log().unwrap()[0]);
    let image = maquette_picture::decode(&path).unwrap();
    for text in ["{\"maquette\":2,\"cell\":\"?\"}", "{\"maquette_sheet\":2}"] {
        let png = maquette_picture::encode_png(&image, &[("maquette", text)]).unwrap();
        let path = project.write("newer.png", png);
        let error = project.engine().show(&path).unwrap_err();
        let Error::NoOrigin { unreadable, .. } = &error else { panic!("{error:?}") };
        let [problem] = &unreadable[..] else { panic!("{error:?}") };
        assert!(problem.contains("has format 2, which a newer version of maquette has written"), "{problem}");
    }
}

#[test]
fn a_run_whose_plan_is_newer_is_left_alone_by_another_one() {
    let (project, first) = started();
    let plan = first.dir().join("plan.json");
    let newer = fs::read_to_string(&plan).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(&plan, &newer).unwrap();
    let ran = run(&project.fake(), &project.experiment("cats.toml"));
    assert_eq!(ran.result.run.to_string(), "cats@2");
    assert_eq!(ran.counts(), [0, 3, 0, 0]);
    assert_eq!(fs::read_to_string(&plan).unwrap(), newer);
}

#[test]
fn fields_that_spreadsheets_would_run_are_defused_and_read_back() {
    let (_project, run) = started();
    let text = fs::read_to_string(run.dir().join("log.csv")).unwrap();
    assert!(text.contains(",'=cat,") && text.contains(",''-dog,") && text.contains(",-0.5,"), "{text}");
    let values: Vec<String> =
        run.log().unwrap().iter().map(|row| row.get("animal").unwrap().to_owned()).collect();
    assert_eq!(values, ["=cat", "'-dog", "-0.5"]);
    let folder = tempfile::tempdir().unwrap();
    run.export_image_folder(&folder.path().join("set")).unwrap();
    let table = fs::read_to_string(folder.path().join("set/metadata.csv")).unwrap();
    assert!(table.contains(",'=cat,") && table.contains(",-0.5,"), "{table}");
}

#[cfg(unix)]
#[test]
fn a_picture_that_is_a_link_out_of_the_run_is_not_followed() {
    let (project, run) = started();
    let rows = run.log().unwrap();
    let secret = project.write("secret.png", fs::read(picture(&run, &rows[1])).unwrap());
    let path = picture(&run, &rows[0]);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&secret, &path).unwrap();
    let error = run.export_image_folder(&project.path().join("set")).unwrap_err();
    assert!(error.to_string().contains("leads out of the folder"), "{error}");
    let verified = project.fake().verify("cats@1", Default::default(), &mut |_| ()).unwrap();
    assert!(verified.checked.problems.iter().any(|it| it.problem.contains("leads out")), "{verified:?}");
}
