//! Renaming runs in a real folder, and finding them by their former names.

use crate::run_tests::{Folder, artists, finish, is_done, reuse};
use crate::{Run, StartReason, StoreError};
use maquette_core::test_plans::plan;
use maquette_core::{Digest, Plan};
use std::path::Path;

fn named(name: &str, plan: Plan) -> Plan {
    Plan { name: name.to_owned(), ..plan }
}

fn names(runs: &[Run]) -> Vec<String> {
    runs.iter().map(Run::to_string).collect()
}

fn all(folder: &Folder) -> Vec<String> {
    names(&folder.runs.list().unwrap())
}

#[test]
fn an_experiment_gets_another_name_and_is_resumed_under_it() {
    let folder = Folder::new();
    let one = plan(&[("seed", vec!["1"])]);
    drop(folder.start(&one));
    let mut run = folder.start(&artists());
    finish(&mut run, 0);
    let error = folder.runs.rename("test", "best").unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(run);

    assert_eq!(names(&folder.runs.rename("test", "best").unwrap()), ["best@1", "best@2"]);
    assert_eq!(all(&folder), ["best@1", "best@2"]);
    assert_eq!(std::fs::read_link(folder.runs.root().join("best/latest")).unwrap(), Path::new("2"));
    // Names in logs and plans still lead to the runs.
    for (query, expected) in
        [("test@1", "best@1"), ("test@2", "best@2"), ("test", "best@2"), ("test@latest", "best@2")]
    {
        assert_eq!(folder.runs.find(query).unwrap().to_string(), expected, "{query}");
    }
    assert!(folder.runs.find("test@3").is_err());
    // The experiment file was renamed as well, and is otherwise unchanged.
    let mut run = folder.start(&named("best", artists()));
    assert_eq!((run.start_reason(), run.run().to_string().as_str()), (StartReason::Resumed, "best@2"));
    let cell = run.plan().cell(0).unwrap();
    assert!(is_done(&mut run, &cell.id));
    drop(run);

    // A new run of the old name does not get an old number, and knows who rendered what it reuses.
    let mut run = folder.start(&artists());
    assert_eq!((run.start_reason(), run.run().to_string().as_str()), (StartReason::First, "test@3"));
    reuse(&mut run, &cell).unwrap();
    assert_eq!(run.run().log().unwrap()[0].reused(), Some("best@2"));
}

#[test]
fn a_single_run_gets_another_name() {
    let folder = Folder::new();
    for seed in ["1", "2", "3"] {
        drop(folder.start(&plan(&[("seed", vec![seed])])));
    }
    assert_eq!(names(&folder.runs.rename("test@3", "best").unwrap()), ["best@1"]);
    assert_eq!(names(&folder.runs.rename("test@1", "best").unwrap()), ["best@2"]);
    assert_eq!(all(&folder), ["best@1", "best@2", "test@2"]);
    let latest = |name: &str| std::fs::read_link(folder.runs.root().join(name).join("latest")).unwrap();
    assert_eq!((latest("best").to_str(), latest("test").to_str()), (Some("2"), Some("2")));
    assert_eq!(folder.runs.find("best").unwrap().plan().unwrap().name, "best");
    assert_eq!(folder.runs.find("test@3").unwrap().to_string(), "best@1");
    // Back, twice: the chain of names is followed.
    assert_eq!(names(&folder.runs.rename("best@1", "other").unwrap()), ["other@1"]);
    assert_eq!(folder.runs.find("test@3").unwrap().to_string(), "other@1");
    assert_eq!(folder.runs.present_name("best@1").unwrap(), "other@1");
    assert_eq!(folder.runs.present_name("test@2").unwrap(), "test@2");
    // The last run of a name.
    folder.runs.rename("test@2", "other").unwrap();
    assert!(!folder.runs.root().join("test/latest").exists());
    assert_eq!(folder.start(&artists()).run().to_string(), "test@4");
}

#[test]
fn a_name_that_is_taken_or_not_plain_is_refused() {
    let folder = Folder::new();
    drop(folder.start(&artists()));
    drop(folder.start(&named("other", artists())));
    let error = |query: &str, name: &str| folder.runs.rename(query, name).unwrap_err().to_string();
    assert!(error("test", "other").starts_with("the name `other` is taken"), "{}", error("test", "other"));
    for name in ["", "a/b", "..", ".hidden", "a b", "con"] {
        assert!(error("test", name).contains("cannot be written"), "{name}");
    }
    assert!(error("nothing", "x").starts_with("there is no run"));
    assert_eq!(all(&folder), ["other@1", "test@1"]);
    // A run that is elsewhere is not moved.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(folder.runs.root().join("test/1"), elsewhere.path().join("1")).unwrap();
    let path = elsewhere.path().join("1").display().to_string();
    assert!(error(&path, "x").contains("is not in the runs folder"), "{}", error(&path, "x"));
}

#[test]
fn a_name_that_logs_may_use_for_another_run_is_refused() {
    let folder = Folder::new();
    drop(folder.start(&artists()));
    folder.runs.rename("test", "best").unwrap();
    drop(folder.start(&named("other", artists())));
    let error = folder.runs.rename("other", "test").unwrap_err().to_string();
    assert_eq!(error, "the name `test@1` is taken: it was the name of `best@1`");
    // The run itself may get its name back.
    assert_eq!(names(&folder.runs.rename("best", "test").unwrap()), ["test@1"]);
    assert_eq!(folder.runs.find("best@1").unwrap().to_string(), "test@1");
}

#[test]
fn an_interrupted_renaming_is_finished_by_the_same_command() {
    let folder = Folder::new();
    let root = folder.runs.root();
    drop(folder.start(&artists()));
    folder.runs.rename("test", "best").unwrap();
    // Interrupted before the plans were corrected.
    let plan = root.join("best/1/plan.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replacen("\"best\"", "\"test\"", 1)).unwrap();
    assert_eq!(names(&folder.runs.rename("test", "best").unwrap()), ["best@1"]);
    assert_eq!(std::fs::read_to_string(&plan).unwrap(), text);
    // Interrupted before the folder was moved.
    std::fs::rename(root.join("best"), root.join("test")).unwrap();
    assert_eq!(names(&folder.runs.rename("test", "best").unwrap()), ["best@1"]);
    std::fs::create_dir(root.join("test")).unwrap();
    std::fs::rename(root.join("best/1"), root.join("test/1")).unwrap();
    assert_eq!(names(&folder.runs.rename("test@1", "best").unwrap()), ["best@1"]);
    assert_eq!(all(&folder), ["best@1"]);
    let source = Digest::of(serde_json::to_string(&artists().axes).unwrap().as_bytes());
    assert_eq!(
        folder.runs.find("best").unwrap().source().unwrap(),
        source,
        "nothing else in the plan changed"
    );
}
