//! The page of a run: what its data says, whatever happened to the run.

use crate::support::{Project, try_run};
use maquette::{
    DraftOptions, Error, Experiment, Run, RunEvent, RunOptions, RunProgress, Stop, StoreError, Workspace,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

pub const CATS: &str = "prompt = \"a {animal}\"\nsteps = 5\nwidth = 256\nheight = 192\n[sweep]\n\
                    animal = [\"cat\", \"dog\"]\nseed = [1, 2]\n";

/// Runs an experiment with its page and returns the run.
pub fn run(project: &Project, workspace: &Workspace, text: &str) -> Run {
    project.write("cats.toml", text);
    let ran = try_run(workspace, &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    assert_eq!(ran.warnings, [""; 0]);
    assert_eq!(ran.result.page, Some(ran.result.run.dir().join("index.html")));
    ran.result.run
}

/// The argument of a page's script, as a browser reads it.
pub fn argument(script: &Path, function: &str) -> Value {
    let script = fs::read_to_string(script).unwrap();
    let inside = script.strip_prefix(&format!("{function}('")).unwrap().strip_suffix("');\n").unwrap();
    assert!(!inside.contains(['<', '>', '&', '\n', '\u{2028}']), "{inside}");
    let (mut text, mut letters) = (String::new(), inside.chars());
    while let Some(letter) = letters.next() {
        match (letter, if letter == '\\' { letters.next() } else { None }) {
            ('\\', Some('u')) => {
                let digits: String = letters.by_ref().take(4).collect();
                text.extend(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()));
            }
            ('\\', escaped) => text.extend(escaped),
            (letter, _) => text.push(letter),
        }
    }
    serde_json::from_str(&text).unwrap()
}

pub fn data(run: &Run) -> Value {
    argument(&run.dir().join("page/data.js"), "maquettePage")
}

/// Without the time at which it was written.
fn state(run: &Run) -> Value {
    state_of(&run.page())
}

fn state_of(page: &Path) -> Value {
    let mut state = argument(&page.with_file_name("page/state.js"), "maquetteState");
    let written = state.as_object_mut().unwrap().remove("written").unwrap().as_u64().unwrap();
    assert!(written > 1_700_000_000, "{written}");
    state
}

/// Writes the page again and returns its data, without warnings.
pub fn again(workspace: &Workspace, run: &Run) -> Value {
    let mut warnings = Vec::new();
    let name = run.dir().to_string_lossy();
    workspace.write_page(&name, &mut |text| warnings.push(text.to_owned())).unwrap();
    assert_eq!(warnings, [""; 0]);
    data(run)
}

pub fn column<'a>(data: &'a Value, name: &str) -> &'a Value {
    data["pictures"]["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap()
}

#[test]
fn a_finished_run_has_a_page_with_all_pictures() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    let data = data(&run);
    assert_eq!(
        (&data["kind"], &data["run"]["name"], &data["run"]["state"]),
        (&json!("run"), &json!("cats@1"), &json!("complete"))
    );
    assert_eq!(data["run"]["notes"], json!([]));
    let pictures = &data["pictures"];
    assert_eq!(
        (&pictures["count"], &pictures["status"]),
        (&json!(4), &json!(["done", "done", "done", "done"]))
    );
    assert_eq!(pictures["size"][0], json!([256, 192]));
    assert_eq!(
        pictures["thumbnails"],
        json!([{ "folder": "page/thumbnails/160", "edge": 160, "spread": false }])
    );
    for (at, image) in pictures["image"].as_array().unwrap().iter().enumerate() {
        assert!(run.dir().join(image.as_str().unwrap()).is_file(), "{image}");
        assert_eq!(pictures["thumbnail"][at], true);
        let name = format!("page/thumbnails/160/{}.webp", &pictures["cell"][at].as_str().unwrap()[..16]);
        let thumbnail = maquette_picture::decode(&run.dir().join(name)).unwrap();
        assert_eq!((thumbnail.width(), thumbnail.height()), (160, 120));
    }
    assert_eq!(column(&data, "device")["values"], json!(["fake"]));
    assert_eq!(column(&data, "seconds")["kind"], "outcome");
    assert_eq!(
        state(&run),
        json!({ "revision": data["revision"], "state": "complete", "done": 4, "total": 4 })
    );
    for file in ["index.html", "page/app.js", "page/app.css"] {
        assert!(run.dir().join(file).is_file(), "{file}");
    }
    // Nothing has changed.
    assert_eq!(again(&project.engine(), &run), data);
}

#[test]
fn a_run_without_sheets_has_no_page() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let ran = crate::support::run(&project.fake(), &project.experiment("cats.toml"));
    assert_eq!(ran.result.page, None);
    assert!(!ran.result.run.dir().join("index.html").exists());
}

#[test]
fn the_page_is_there_while_the_run_goes_on() {
    let project = Project::new();
    let file = project.write("cats.toml", CATS);
    let workspace = project.fake();
    let (stop, mut seen, mut announced) = (Stop::new(), Vec::new(), None);
    let ran = workspace
        .run(&Experiment::at(file), &RunOptions::default(), &stop, &mut |event| match event {
            RunEvent::Progress(_) => {
                let page = workspace.write_page("cats", &mut |_| ()).unwrap();
                seen.push(state_of(&page));
            }
            RunEvent::Page(page) => announced = Some(page.to_owned()),
            _ => {}
        })
        .unwrap();
    assert_eq!(announced, ran.page);
    assert_eq!((&seen[0]["state"], &seen[0]["done"]), (&json!("running"), &json!(0)), "{seen:?}");
    assert!(seen.iter().all(|state| state["total"] == 4), "{seen:?}");
    assert_eq!(state(&ran.run)["state"], "complete");
}

#[test]
fn every_picture_can_be_copied_as_an_experiment() {
    let project = Project::new().with_selfie();
    let text = "prompt = \"{animal} in \\\"quotes\\\" {{{animal}}}\"\nnegative_prompt = \"</script>\"\nsteps = 5\n\
                init_image = \"references/selfie.png\"\n[sweep]\nanimal = [\"a\\nb\", \"it's '''\"]\nstrength = [0.5, 1]\n\
                scheduler = [\"ddim\", \"euler\"]\nseed = [18446744073709551615]\n";
    let run = run(&project, &project.fake(), text);
    let data = data(&run);
    let pictures = &data["pictures"];
    assert_eq!(pictures["count"], 8);
    for at in 0..8 {
        let mut toml = pictures["toml_head"].as_str().unwrap().to_owned();
        for column in pictures["columns"].as_array().unwrap().iter().filter(|it| it["kind"] == "setting") {
            let Some(number) = column["index"][at].as_u64() else { continue };
            let value = column["values"][number as usize].as_str().unwrap();
            let name = column["name"].as_str().unwrap();
            match column["type"].as_str().unwrap() {
                _ if value.is_empty() => {}
                "text" => {
                    let text = match name {
                        "prompt" | "negative_prompt" => value.replace('{', "{{").replace('}', "}}"),
                        _ => value.to_owned(),
                    };
                    toml += &format!("{name} = {}\n", json!(text));
                }
                _ => toml += &format!("{name} = {value}\n"),
            }
        }
        let file = project.write("copy.toml", &toml);
        let planned =
            project.fake().plan(&Experiment::at(file)).unwrap_or_else(|error| panic!("{error:?}\n{toml}"));
        assert_eq!(json!(planned.distinct[0].1.to_string()), pictures["cell"][at], "{toml}");
    }
    assert_eq!(pictures["reference"], json!(vec![0; 8]));
    let reference = &pictures["references"][0];
    assert!(run.dir().join(reference["image"].as_str().unwrap()).is_file());
    let selfie = maquette_picture::size(&project.path().join("references/selfie.png")).unwrap();
    assert_eq!(reference["size"], json!([selfie.0, selfie.1]));
}

#[test]
fn failed_cells_say_why() {
    let project = Project::new();
    let mut workspace = project.fake();
    let mut environment = project.environment(&[]);
    environment.fake_fail_on = Some("dog".to_owned());
    workspace = workspace.with_environment(environment);
    let run = run(&project, &workspace, CATS);
    let data = data(&run);
    assert_eq!(data["pictures"]["status"], json!(["done", "done", "failed", "failed"]));
    assert_eq!(data["run"]["state"], "complete");
    let problem = data["pictures"]["problem"][2].as_str().unwrap();
    assert!(!problem.is_empty() && data["pictures"]["image"][2].is_null(), "{problem}");
    assert_eq!(state(&run)["done"], 2);

    // They are tried again: nothing is complete until the last one has ended.
    let mut seen = Vec::new();
    let experiment = project.experiment("cats.toml");
    let again = workspace.run(&experiment, &RunOptions::default(), &Stop::new(), &mut |event| {
        if let RunEvent::Progress(RunProgress::Started { .. } | RunProgress::Failed { .. }) = event {
            seen.push(state_of(&workspace.write_page("cats", &mut |_| ()).unwrap())["state"].clone());
        }
    });
    assert_eq!(again.unwrap().summary.failures.len(), 2);
    assert!(!seen.is_empty() && seen.iter().all(|state| state == "running"), "{seen:?}");
    assert_eq!(state(&run)["state"], "complete");
}

#[test]
fn a_run_whose_drafts_are_there_is_not_complete() {
    let project = Project::new();
    project.write("cats.toml", CATS.replace("steps = 5", "steps = 20"));
    let (workspace, stop) = (project.fake(), Stop::new());
    let options = RunOptions { draft: Some(DraftOptions::default()), ..RunOptions::default() };
    let (mut drafts, mut seen) = (0, Vec::new());
    let result = workspace.run(&project.experiment("cats.toml"), &options, &stop, &mut |event| {
        if matches!(event, RunEvent::Progress(RunProgress::Finished { .. })) {
            drafts += 1;
            if drafts == 4 {
                seen.push(state_of(&workspace.write_page("cats", &mut |_| ()).unwrap()));
                stop.request();
            }
        }
    });
    let run = result.unwrap().run;
    assert_eq!((&seen[0]["state"], &seen[0]["done"]), (&json!("running"), &json!(0)), "{seen:?}");
    let data = data(&run);
    assert_eq!(data["pictures"]["draft"], json!([true, true, true, true]));
    assert_eq!(
        (&data["run"]["state"], &state(&run)["done"], &state(&run)["total"]),
        (&json!("incomplete"), &json!(0), &json!(4))
    );
}

#[test]
fn a_deleted_or_damaged_picture_is_a_problem_of_its_cell() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    let before = data(&run);
    let image = |at: usize| run.dir().join(before["pictures"]["image"][at].as_str().unwrap());
    fs::remove_file(image(0)).unwrap();
    // Not through the hard link to the cell.
    fs::remove_file(image(1)).unwrap();
    fs::write(image(1), "not a picture").unwrap();
    let bytes = fs::read(image(2)).unwrap();
    fs::remove_file(image(2)).unwrap();
    fs::write(image(2), &bytes[..bytes.len() / 2]).unwrap();

    let data = again(&project.engine(), &run);
    let pictures = &data["pictures"];
    assert_eq!(pictures["status"], json!(["missing", "done", "done", "done"]));
    assert_eq!(data["run"]["state"], "incomplete");
    for (at, says) in [(0, "is gone"), (1, "not a readable picture"), (2, "not a readable picture")] {
        assert!(pictures["problem"][at].as_str().unwrap().contains(says), "{pictures:#}");
        assert_eq!((&pictures["image"][at], &pictures["thumbnail"][at]), (&Value::Null, &json!(false)));
    }
    assert_eq!(pictures["image"][3], before["pictures"]["image"][3]);
    let thumbnails = fs::read_dir(run.dir().join("page/thumbnails/160")).unwrap().count();
    assert_eq!(thumbnails, 1, "those of the other pictures are removed");
    // The next run repairs it.
    try_run(&project.fake(), &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let after = self::data(&run);
    assert_eq!(after["pictures"]["status"], before["pictures"]["status"]);
    assert_eq!(after["pictures"]["image"], before["pictures"]["image"]);
}

#[test]
fn the_thumbnail_of_another_picture_is_made_again() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    let data = data(&run);
    let image = run.dir().join(data["pictures"]["image"][0].as_str().unwrap());
    let cell = data["pictures"]["cell"][0].as_str().unwrap();
    let thumbnail = run.dir().join(format!("page/thumbnails/160/{}.webp", &cell[..16]));
    let before = (fs::read(&thumbnail).unwrap(), thumbnail.metadata().unwrap().modified().unwrap());
    again(&project.engine(), &run);
    assert_eq!(thumbnail.metadata().unwrap().modified().unwrap(), before.1);

    let other = maquette_core::Image::new(256, 192, vec![200; 3 * 256 * 192]).unwrap();
    fs::remove_file(&image).unwrap();
    fs::write(&image, maquette_picture::encode_png(&other, &[]).unwrap()).unwrap();
    again(&project.engine(), &run);
    assert_ne!(fs::read(&thumbnail).unwrap(), before.0);
    assert!(maquette_picture::decode(&thumbnail).unwrap().rgb().iter().all(|level| level.abs_diff(200) < 4));
}

#[test]
fn damaged_rows_of_the_log_are_named() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    let path = run.dir().join("log.csv");
    let log = fs::read_to_string(&path).unwrap();
    let before = data(&run);
    let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
    let place = |at: usize| {
        let cell = before["pictures"]["cell"][at].as_str().unwrap();
        log.lines().position(|line| line.starts_with(cell)).unwrap()
    };
    let (damaged, moved) = (place(1), place(2));
    lines[damaged] = lines[damaged].replacen("done", "dome", 1);
    lines[moved] = lines[moved].replacen("images/", "../../../images/", 1);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let data = again(&project.engine(), &run);
    let pictures = &data["pictures"];
    assert_eq!(pictures["status"], json!(["done", "missing", "missing", "done"]));
    let note = data["run"]["notes"][0].as_str().unwrap();
    assert!(note.starts_with(&format!("line {} of log.csv has no valid status", damaged + 1)), "{note}");
    assert_eq!(&pictures["problem"][1], note);
    assert!(
        pictures["problem"][2].as_str().unwrap().contains("not a picture in the run's folder"),
        "{pictures:#}"
    );
    assert!(pictures["image"][2].is_null());
    assert_eq!(data["run"]["state"], "incomplete");
}

#[test]
fn a_run_in_shards_is_one_page() {
    let project = Project::new();
    let experiment = Experiment::at(project.write("cats.toml", CATS));
    let shard = |shard: &str| {
        let options = RunOptions { shard: Some(shard.parse().unwrap()), ..RunOptions::default() };
        try_run(&project.fake(), &experiment, &options).unwrap().result.run
    };
    let first = shard("1/2");
    let data = data(&first);
    assert_eq!(data["pictures"]["status"], json!(["done", "missing", "done", "missing"]));
    assert_eq!(data["run"]["state"], "incomplete");
    assert!(data["pictures"]["problem"][1].is_null());
    let second = shard("2/2");
    assert_eq!(self::data(&second)["run"]["state"], "complete");
}

#[test]
fn runs_of_an_earlier_version_have_pages() {
    let project = Project::new();
    project.copy("runs-before", "");
    let workspace = project.engine();
    let page = workspace.write_page("portraits@2", &mut |_| ()).unwrap();
    let data = argument(&page.with_file_name("page/data.js"), "maquettePage");
    let status = data["pictures"]["status"].as_array().unwrap();
    assert_eq!(status.iter().filter(|status| *status == "done").count(), 4, "{status:?}");
    assert_eq!(status.iter().filter(|status| *status == "failed").count(), 2, "{status:?}");
    assert_eq!(data["run"]["notes"], json!([]));
}

#[test]
fn a_plan_of_another_version_is_refused() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    let path = run.dir().join("plan.json");
    let plan = fs::read_to_string(&path).unwrap();
    fs::write(&path, plan.replacen("\"format\": 1", "\"format\": 9", 1)).unwrap();
    let error = project.engine().write_page("cats", &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("has format 9; this version of maquette reads format 1"), "{error}");

    // A plan that was edited by hand.
    fs::write(&path, plan.replace("a {animal}", "a {nobody}")).unwrap();
    let error = project.engine().write_page("cats", &mut |_| ()).unwrap_err();
    assert!(matches!(error, Error::Setting(_) | Error::Store(StoreError::Damaged { .. })), "{error:?}");
}

#[test]
fn hostile_text_is_data() {
    let project = Project::new();
    let bad = "</script><script>alert(1)</script>";
    let text = format!(
        "title = \"{bad}\"\nprompt = \"{{words}} '\\\\u2028\\u2028 \\u202e & \\\"\"\n[sweep]\n\
         words = [\"{bad}\", \"<!--\", \"'); alert(1); ('\", \"\\\\\"]\n"
    );
    let run = run(&project, &project.fake(), &text);
    let data = data(&run);
    assert_eq!(data["run"]["title"], bad);
    assert_eq!(data["grid"]["axes"][0]["values"][0]["set"], json!([["words", bad]]));
    assert_eq!(column(&data, "words")["values"], json!([bad, "<!--", "'); alert(1); ('", "\\"]));
    assert_eq!(column(&data, "prompt")["values"][3], "\\ '\\u2028\u{2028} \u{202e} & \"");
    let html = fs::read_to_string(run.dir().join("index.html")).unwrap();
    assert!(!html.contains("<script>alert") && html.contains("&lt;/script&gt;"), "{html}");
}

#[test]
fn a_page_that_cannot_be_written_is_a_warning() {
    let project = Project::new();
    let run = run(&project, &project.fake(), CATS);
    fs::remove_dir_all(run.dir().join("page")).unwrap();
    fs::write(run.dir().join("page"), "a file in the way").unwrap();
    let ran = try_run(&project.fake(), &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    assert_eq!((&ran.result.page, ran.counts()), (&None, [4, 0, 0, 0]));
    assert!(
        ran.warnings.iter().any(|warning| warning.contains("the page could not be written")),
        "{:?}",
        ran.warnings
    );
    assert!(project.engine().write_page("cats", &mut |_| ()).is_err());
}
