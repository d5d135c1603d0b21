//! What `runs`, `clean`, `rename`, `animate` and `run --draft` print and how they end.

use crate::support::Workspace;

const CATS: &str = "title = \"Cats\"\nprompt = \"a {animal}\"\nsteps = 20\n[sweep]\nanimal = [\"cat\", \"dog\"]\nseed = [1, 2]\n";

fn cats() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("cats.toml", CATS);
    workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--no-sheets"]).code(0);
    workspace
}

#[test]
fn runs_are_listed_as_a_table_and_as_json() {
    let workspace = cats();
    let table = workspace.maquette(&["runs"]).code(0).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("run") && lines[0].ends_with("title"), "{table}");
    for part in ["cats@1", "4 of 4", "sketchbook", "Cats", "20"] {
        assert!(lines[1].contains(part), "{part} is not in:\n{table}");
    }
    let json = workspace.maquette(&["runs", "--json"]).code(0).stdout;
    let runs: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&runs[0]["run"], &runs[0]["done"], &runs[0]["picks"]),
        (&"cats@1".into(), &4.into(), &0.into())
    );
}

#[test]
fn clean_says_what_it_frees_and_removes_only_with_yes() {
    let workspace = cats();
    workspace.maquette(&["clean"]).code(0).says(&[]);
    std::fs::remove_dir_all(workspace.path().join("runs/cats/1")).unwrap();
    let before = workspace.files("runs");
    let listed = workspace.maquette(&["clean"]).code(0).says(&["nothing was removed"]);
    assert!(
        listed.stdout.contains("4  cells that no run uses") && listed.stdout.contains("frees "),
        "{}",
        listed.stdout
    );
    assert_eq!(workspace.files("runs").iter().filter(|file| file.ends_with(".png")).count(), 4);
    let removed = workspace.maquette(&["clean", "--yes"]).code(0);
    assert_eq!(removed.stdout, listed.stdout);
    assert_eq!(workspace.files("runs").iter().filter(|file| file.ends_with(".png")).count(), 0, "{before:?}");
    assert_eq!(workspace.maquette(&["clean", "--yes"]).code(0).stdout, "nothing to remove\n");
}

#[test]
fn a_run_with_picks_is_removed_only_with_them() {
    let workspace = cats();
    let log = std::fs::read_to_string(workspace.path().join("runs/cats/1/log.csv")).unwrap();
    let cell = log.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    workspace.write("runs/cats/1/picks.toml", format!("[cells.{cell}]\nmark = \"pick\"\n"));
    let refused = workspace.maquette(&["clean", "--run", "cats@1", "--yes"]).code(1);
    refused.says(&["`cats@1` has 1 pick", "--with-picks"]);
    workspace.maquette(&["clean", "--run", "cats@1", "--with-picks", "--yes"]).code(0);
    assert!(!workspace.path().join("runs/cats/1").exists());
}

#[test]
fn a_renamed_run_is_found_under_both_names() {
    let workspace = cats();
    let ended =
        workspace.maquette(&["rename", "cats", "felines"]).code(0).says(&["maquette report felines@1"]);
    assert_eq!(ended.stdout, "runs/felines/1\n");
    workspace.maquette(&["diff", "cats@1", "felines@1"]).code(0);
    workspace.maquette(&["rename", "felines", "a/b"]).code(1).says(&["a/b"]);
    workspace.maquette(&["rename", "dogs", "x"]).code(7).says(&["there is no run `dogs`"]);
}

#[test]
fn an_animation_is_written_where_it_is_wanted() {
    let workspace = cats();
    let ended = workspace.maquette(&["animate", "cats", "--along", "seed", "-o", "cats.gif"]).code(0);
    assert_eq!(ended.stdout, "cats.gif\n");
    assert!(std::fs::read(workspace.path().join("cats.gif")).unwrap().starts_with(b"GIF89a"));
    let named = workspace.maquette(&["animate", "cats", "--along", "seed", "--only", "animal=dog"]).code(0);
    assert_eq!(named.stdout, "cats-1-seed.webp\n");
    workspace
        .maquette(&["animate", "cats", "--along", "steps"])
        .says(&["`steps` is not an axis", "`animal`, `seed`"]);
}

#[test]
fn drafts_are_counted_apart() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", CATS);
    let plan = workspace.maquette(&["plan", "cats.toml", "--draft", "--draft-steps", "2"]).code(0);
    assert!(plan.stdout.contains("4 in 12 denoising steps"), "{}", plan.stdout);
    let ended = workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--draft"]).code(0);
    let sheet = ended.stdout.lines().find(|line| line.ends_with(".png")).unwrap().to_owned();
    ended.says(&[
        "4 drafts, 4 to render",
        "4 cells, 4 to render",
        "drafts: 4 rendered",
        "4 rendered, 0 finished earlier",
    ]);
    let shown = workspace.maquette(&["show", &sheet, "--at", "2,1"]).code(0);
    assert!(shown.stdout.contains("seed") && shown.stdout.contains("cat"), "{}", shown.stdout);
    workspace.maquette(&["show", &sheet, "--at", "3,1"]).code(7).says(&["columns 1 to 2, rows 1 to 2"]);
    let toml = workspace.maquette(&["show", &sheet, "--toml"]).code(0).stdout;
    assert!(toml.contains("[sweep]"), "{toml}");
    workspace.maquette(&["run", "cats.toml", "--draft-steps", "2"]).code(2);
}

#[test]
fn a_run_that_was_killed_is_not_in_use_any_more() {
    let workspace = Workspace::new();
    workspace.write(
        "men.toml",
        "prompt = \"a man\"\nsteps = 200\nwidth = 64\nheight = 64\n[sweep]\nseed = [1, 2]\n",
    );
    let mut running = workspace.start_run(&["men.toml"]);
    running.wait_for("stepped", 2);
    let in_use = || {
        let json = workspace.maquette(&["runs", "--json"]).code(0).stdout;
        let table = workspace.maquette(&["runs"]).code(0).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        (json[0]["in_use"].as_bool().unwrap(), table.contains("0 of 2, in use"))
    };
    let page = |state: &str| {
        workspace.maquette(&["report", "men"]).code(0);
        let page = workspace.read("runs/men/1/page/state.js");
        assert!(page.contains(&format!("\"state\":\"{state}\"")), "{page}");
    };
    assert_eq!(in_use(), (true, true));
    page("running");
    // As by `kill -9`: nothing is written on the way out.
    running.kill();
    assert_eq!(in_use(), (false, false));
    page("incomplete");
}
