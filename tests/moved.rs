//! Files are identified by content: moved files are found again, changed files make other pictures.

use crate::line::log;
use crate::support::{Workspace, repository};
use std::fs;

const LORAS: &str = r#"
prompt = "portrait of a man, by Edvard Munch"
steps = 2
lora = "small"

[sweep]
seed = [1, 2]
"#;

/// An experiment with a LoRA in a project, run from the project's folder.
fn project() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("project/loras.toml", LORAS);
    let lora = fs::read(repository().join("tests/fixtures/runs-before/loras/small.safetensors")).unwrap();
    workspace.write("project/loras/small.safetensors", lora);
    workspace.maquette(&["run", "project/loras.toml", "--no-sheets"]).code(0);
    workspace
}

/// Removes one finished picture, so that its cell has to be rendered again.
fn remove_picture(workspace: &Workspace) -> (String, Vec<u8>) {
    let rows = log(workspace, "loras/1");
    let image = workspace.path().join("runs/loras/1").join(&rows[0]["image"]);
    let bytes = fs::read(&image).unwrap();
    fs::remove_file(image).unwrap();
    let cell = &rows[0]["cell"];
    fs::remove_file(workspace.path().join(format!("runs/.cells/{}/{cell}.png", &cell[..2]))).unwrap();
    (rows[0]["image"].clone(), bytes)
}

#[test]
fn a_run_is_resumed_when_its_files_have_moved() {
    let move_lora = |workspace: &Workspace| {
        let project = workspace.path().join("project");
        fs::rename(project.join("loras/small.safetensors"), project.join("small.safetensors")).unwrap();
        workspace.path().to_owned()
    };
    let move_project = |workspace: &Workspace| {
        fs::create_dir(workspace.path().join("elsewhere")).unwrap();
        fs::rename(workspace.path().join("project"), workspace.path().join("elsewhere/project")).unwrap();
        workspace.path().join("elsewhere")
    };
    let change_folder = |workspace: &Workspace| workspace.path().join("project");
    type Move<'a> = (&'a dyn Fn(&Workspace) -> std::path::PathBuf, &'a str, &'a str);
    let moves: [Move; 3] = [
        (&move_lora, "project/loras.toml", "runs"),
        (&move_project, "project/loras.toml", "../runs"),
        (&change_folder, "loras.toml", "../runs"),
    ];
    for (change, file, runs) in moves {
        let workspace = project();
        let (image, before) = remove_picture(&workspace);
        let folder = change(&workspace);
        let mut command = workspace.command(&["run", file, "--no-sheets", "--runs", runs]);
        let ended = crate::support::Ended::of(command.current_dir(folder)).code(0);
        ended.says(&["resuming, the experiment is unchanged", "1 rendered, 1 finished earlier"]);
        let after = fs::read(workspace.path().join("runs/loras/1").join(image)).unwrap();
        assert!(before == after, "{file}");
    }
}

#[test]
fn verify_finds_a_moved_lora_and_reports_a_missing_one() {
    let workspace = project();
    let lora = workspace.path().join("project/loras/small.safetensors");
    fs::rename(&lora, workspace.path().join("project/small.safetensors")).unwrap();
    let verify = ["verify", "loras", "--sample", "1"];
    workspace.maquette(&verify).code(0).stdout.contains("1 identical").then_some(()).unwrap();
    fs::remove_file(workspace.path().join("project/small.safetensors")).unwrap();
    let ended = workspace.maquette(&verify).code(6);
    assert!(ended.stdout.contains("the lora `small` with the digest"), "{ended:?}");
}

#[test]
fn another_file_under_the_same_name_makes_another_picture() {
    let workspace = project();
    workspace.write("project/loras/small.safetensors", {
        let original = repository().join("tests/fixtures/runs-before/loras/small.safetensors");
        let mut bytes = fs::read(original).unwrap();
        // The last byte is part of a weight.
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    });
    let ended = workspace.maquette(&["run", "project/loras.toml", "--no-sheets"]).code(0);
    ended.says(&["new run, the experiment has changed", "2 rendered, 0 finished earlier"]);
}
