//! A run goes on from another current folder: its files are known by their content.

use crate::support::{Ended, Workspace, repository};
use std::fs;

#[test]
fn a_run_goes_on_from_another_folder() {
    let workspace = Workspace::new();
    workspace.write(
        "project/loras.toml",
        "prompt = \"portrait of a man, by Edvard Munch\"\nsteps = 2\nlora = \"small\"\n[sweep]\nseed = [1, 2]\n",
    );
    let lora = fs::read(repository().join("tests/fixtures/runs-before/loras/small.safetensors")).unwrap();
    workspace.write("project/loras/small.safetensors", lora);
    workspace.maquette(&["run", "project/loras.toml", "--no-sheets", "--only", "seed=1"]).code(0);
    let before = workspace.files("runs/loras/1/images");
    let picture = fs::read(workspace.path().join("runs/loras/1/images").join(&before[0])).unwrap();
    // The picture and its cell are taken away, so that it has to be rendered again.
    fs::remove_file(workspace.path().join("runs/loras/1/images").join(&before[0])).unwrap();
    fs::remove_dir_all(workspace.path().join("runs/.cells")).unwrap();
    let mut command =
        workspace.command(&["run", "loras.toml", "--no-sheets", "--only", "seed=1", "--runs", "../runs"]);
    let ended = Ended::of(command.current_dir(workspace.path().join("project"))).code(0);
    ended.says(&["resuming, the experiment is unchanged", "1 rendered, 0 finished earlier"]);
    assert_eq!(workspace.files("runs/loras/1/images"), before);
    assert!(fs::read(workspace.path().join("runs/loras/1/images").join(&before[0])).unwrap() == picture);
}
