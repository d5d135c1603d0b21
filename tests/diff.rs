//! What `maquette diff` prints and how it ends.

use crate::support::Workspace;

const CATS: &str =
    "prompt = \"a {animal}\"\nguidance_scale = 5\n[sweep]\nanimal = [\"cat\", \"dog\"]\nseed = [1, 2]\n";

fn run(workspace: &Workspace, experiment: &str) {
    workspace.write("cats.toml", experiment);
    workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--no-sheets"]).code(0);
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let workspace = Workspace::new();
    run(&workspace, CATS);
    workspace.maquette(&["diff", "cats@1", "cats@latest"]).code(0);
}

#[test]
fn a_changed_setting_is_named_and_the_pixels_are_measured() {
    let workspace = Workspace::new();
    run(&workspace, CATS);
    run(&workspace, &CATS.replace("guidance_scale = 5", "guidance_scale = 6").replace("[1, 2]", "[1, 2, 3]"));
    let ended = workspace.maquette(&["diff", "cats@1", "cats@2", "--sheets", "sheets"]).code(6);
    for part in ["guidance_scale", "5", "6", "only in cats@2", "PSNR"] {
        assert!(ended.stdout.contains(part), "{part} is not in:\n{}", ended.stdout);
    }
    let sheet = ended.stdout.lines().last().unwrap();
    assert!(image::open(workspace.path().join(sheet)).is_ok(), "{}", ended.stdout);

    let json = workspace.maquette(&["diff", "cats@1", "cats@2", "--json"]).code(6).stdout;
    let diff: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(diff["pairs"].as_array().unwrap().len(), 4);
    assert_eq!(diff["only_right"].as_array().unwrap().len(), 2);
    assert_eq!(diff["settings"][0]["name"], "guidance_scale");
}

#[test]
fn neighbours_inside_a_run_are_compared_and_shown_on_a_page() {
    let workspace = Workspace::new();
    run(&workspace, CATS);
    let ended = workspace.maquette(&["diff", "cats", "--along", "seed", "--page", "page"]).code(6);
    for part in ["cats@1 | the next seed", "2 cells in both: 2 with different pixels", "seed  1 → 2"] {
        assert!(ended.stdout.contains(part), "{part} is not in:\n{}", ended.stdout);
    }
    assert_eq!(ended.stdout.lines().last(), Some("page/index.html"));
    assert!(workspace.path().join("page/page/data.js").is_file());
    let json = workspace.maquette(&["diff", "cats", "--along", "seed", "--json"]).code(6).stdout;
    let diff: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&diff["left"], diff["pairs"].as_array().unwrap().len()), (&"cats@1".into(), 2));
    assert!(diff["pairing"][0].as_str().unwrap().contains("the next value of `seed`"), "{diff}");

    workspace.maquette(&["diff", "cats", "--along", "steps"]).code(7).says(&["allowed: `animal`, `seed`"]);
    workspace.maquette(&["diff", "cats"]).code(2);
    workspace.maquette(&["diff", "cats", "cats", "--along", "seed"]).code(2);
}
