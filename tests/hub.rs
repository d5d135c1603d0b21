//! What the binary says of models from the hub and takes from its environment: a small server of the test's own stands for it.

use crate::hub_server::{COMMIT, Fault, HubServer, REPOSITORY};
use crate::support::{Ended, Workspace, repository};

const EXPERIMENT: &str = "model = \"tester/tiny\"\nprompt = \"a cat\"\nsteps = 2\n";
const UNET: &str = "/cdn/unet/diffusion_pytorch_model.safetensors";

/// A workspace with an empty cache, and a hub with a tiny model.
struct Scene {
    server: HubServer,
    workspace: Workspace,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene {
            server: HubServer::of(&repository().join("tests/fixtures/tiny-a")),
            workspace: Workspace::new(),
        };
        scene.workspace.write("hub.toml", EXPERIMENT);
        scene
    }

    fn maquette(&self, arguments: &[&str]) -> Ended {
        self.maquette_with(arguments, &[])
    }

    fn maquette_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.workspace.command(arguments);
        command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", self.server.endpoint());
        Ended::of(command.envs(variables.iter().copied()))
    }
}

#[test]
fn fetch_prints_the_folder_and_goes_on_after_a_cut() {
    let scene = Scene::new();
    scene.server.break_next(UNET, [Fault::Cut(100_000), Fault::Status(403, "")]);
    scene.maquette(&["models", "fetch", REPOSITORY]).code(7).says(&["unet/diffusion_pytorch_model", "403"]);
    scene.maquette(&["models"]).code(0);
    let ended = scene.maquette(&["models", "fetch", REPOSITORY, "--progress", "json"]).code(0);
    assert_eq!(scene.server.asked_for("GET", UNET).last().unwrap().headers["range"], "bytes=100000-");
    let folder = std::path::PathBuf::from(ended.stdout.trim());
    assert!(folder.ends_with(COMMIT) && folder.join("unet/config.json").is_file());
    assert!(ended.stderr.contains(r#"{"event":"downloaded","model":"tester/tiny"}"#), "{}", ended.stderr);
    scene.maquette(&["models", "fetch", REPOSITORY]).code(0).says(&["is up to date"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room_for_the_model() {
    // A file-size limit of the shell is the nearest thing to a full disk that needs no privileges.
    let scene = Scene::new();
    let mut shell = std::process::Command::new("bash");
    let maquette = env!("CARGO_BIN_EXE_maquette");
    let script = format!("trap '' XFSZ; ulimit -f 100; exec '{maquette}' models fetch {REPOSITORY}");
    shell.args(["-c", &script]).env("HF_ENDPOINT", scene.server.endpoint());
    shell.env("HF_HOME", scene.workspace.path().join("hf")).env_remove("HF_HUB_OFFLINE");
    let ended = Ended::of(shell.env_remove("HF_HUB_CACHE").env_remove("HF_TOKEN").env("NO_COLOR", "1"));
    ended.code(7).says(&["cannot write", ".incomplete"]);
    scene.maquette(&["models", "fetch", REPOSITORY]).code(0);
}

#[test]
fn plan_says_what_would_come_and_run_says_what_comes() {
    let scene = Scene::new();
    let told = ["`tester/tiny` is not on this machine: 12 files, 6", "maquette models fetch tester/tiny"];
    scene.maquette(&["plan", "hub.toml"]).code(3).says(&told).says(&["hub.toml:1:9"]);
    let ended = scene.maquette(&["run", "hub.toml"]).code(0);
    let ended = ended.says(&["downloading tester/tiny: 12 files", "licence: creativeml-openrail-m"]);
    let ended = ended.says(&["12/12 vae/diffusion_pytorch_model.safetensors, ", "1 rendered"]);
    assert!(ended.stdout.lines().last().unwrap().ends_with("index.html"));
    let listed = scene.maquette(&["models"]).code(0).stdout;
    assert!(listed.contains("a small model of drawn portraits") && listed.contains(REPOSITORY), "{listed}");
}

#[test]
fn variables_of_the_hub_are_read() {
    let scene = Scene::new();
    let offline = [("HF_HUB_OFFLINE", "1")];
    scene.maquette_with(&["run", "hub.toml"], &offline).code(3).says(&["tester/tiny", "HF_HUB_OFFLINE"]);
    scene.maquette_with(&["models", "fetch", REPOSITORY], &offline).code(7).says(&["HF_HUB_OFFLINE"]);
    assert!(scene.server.asked().is_empty());
    scene.server.want_token("hf_right", true);
    scene.maquette(&["plan", "hub.toml"]).code(3).says(&["`tester/tiny` is gated", "accept the terms"]);
    let file = scene.workspace.write("token", "hf_right\n");
    for token in [("HF_TOKEN", "hf_right"), ("HF_TOKEN_PATH", file.to_str().unwrap())] {
        scene.maquette_with(&["plan", "hub.toml"], &[token]).code(3).says(&["12 files"]);
    }
}
