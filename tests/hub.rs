//! Models from the hub, end to end, with a small local server in its place.

use crate::hub_server::{COMMIT, Fault, HubServer, REPOSITORY};
use crate::support::{Ended, Workspace, repository};
use std::fs;

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
fn plan_shows_the_download_and_run_downloads() {
    let scene = Scene::new();
    let expected = [
        "`tester/tiny` is not on this machine: 12 files, 6",
        "KiB to download",
        "maquette models fetch tester/tiny",
    ];
    scene.maquette(&["plan", "hub.toml"]).code(3).says(&expected).says(&["hub.toml"]);
    assert!(scene.workspace.files("hf").is_empty(), "plan downloads nothing");

    let ended = scene.maquette(&["run", "hub.toml"]).code(0);
    let ended = ended.says(&["downloading tester/tiny: 12 files", "licence: creativeml-openrail-m"]);
    let ended = ended.says(&["12/12 vae/diffusion_pytorch_model.safetensors, ", "1 rendered"]);
    assert!(ended.stdout.lines().last().unwrap().ends_with(".png"));
    let requests = scene.server.asked().len();

    // From now on planning, running and listing do not use the hub.
    scene.maquette(&["plan", "hub.toml"]).code(0);
    scene.maquette(&["run", "hub.toml"]).code(0).says(&["1 already done"]);
    let listed = scene.maquette(&["models"]).code(0).stdout;
    assert!(listed.contains("a small model of drawn portraits") && listed.contains(REPOSITORY), "{listed}");
    assert_eq!(scene.server.asked().len(), requests);
    let same = format!("model = \"tester/tiny@{COMMIT}\"\n");
    scene.workspace.write("hub.toml", EXPERIMENT.replace("model = \"tester/tiny\"\n", &same));
    scene.maquette_with(&["plan", "hub.toml"], &[("HF_HUB_OFFLINE", "1")]).code(0);
}

#[test]
fn nothing_is_downloaded_for_an_experiment_with_other_errors() {
    let scene = Scene::new();
    scene.workspace.write("hub.toml", format!("{EXPERIMENT}init_image = \"me.png\"\n"));
    scene.maquette(&["run", "hub.toml"]).code(3).says(&["me.png", "is not on this machine"]);
    assert!(scene.workspace.files("hf").is_empty());
}

#[test]
fn half_precision_weights_are_fetched_for_cells_in_half_precision() {
    let scene = Scene::new();
    for part in ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"] {
        let whole = scene.server.file(&format!("{part}.safetensors"));
        scene.server.put(&format!("{part}.fp16.safetensors"), &whole);
    }
    scene.workspace.write("hub.toml", format!("{EXPERIMENT}dtype = \"f16\"\n"));
    scene.maquette(&["run", "hub.toml"]).code(0).says(&["unet/diffusion_pytorch_model.fp16.safetensors"]);
    assert!(scene.server.asked_for("GET", UNET).is_empty());
    let scene = Scene::new();
    scene.server.put("vae/diffusion_pytorch_model.fp16.safetensors", b"not asked for");
    let both = format!("{EXPERIMENT}[sweep]\ndtype = [\"f16\", \"f32\"]\n");
    scene.workspace.write("hub.toml", both);
    scene.maquette(&["run", "hub.toml"]).code(0).says(&["vae/diffusion_pytorch_model.safetensors"]);
}

#[test]
fn fetch_prints_the_folder_and_resumes_after_a_broken_connection() {
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

#[test]
fn errors_of_the_hub_have_their_place_in_the_experiment() {
    let scene = Scene::new();
    let plan = |scene: &Scene, model: &str, says: &[&str]| {
        scene.workspace.write("hub.toml", EXPERIMENT.replace(REPOSITORY, model));
        scene.maquette(&["plan", "hub.toml"]).code(3).says(says).says(&["hub.toml:1:9"]);
        scene.maquette(&["run", "hub.toml"]).code(3).says(says);
    };
    plan(&scene, "tester/other", &["has no repository `tester/other`", "HF_TOKEN"]);
    plan(&scene, "tester/tiny@v2", &["`tester/tiny` has no revision `v2`"]);
    scene.server.break_next("/revision/main", [Fault::Page, Fault::Page]);
    plan(
        &scene,
        REPOSITORY,
        &["/api/models/tester/tiny/revision/main", "a web page, not JSON", "HF_ENDPOINT"],
    );
    scene.server.want_token("hf_right", true);
    plan_gated(&scene);
    scene.server.remove("vae/diffusion_pytorch_model.safetensors");
    scene.server.put("vae/diffusion_pytorch_model.bin", b"a pickle");
    let token = [("HF_TOKEN", "hf_right")];
    scene.workspace.write("hub.toml", EXPERIMENT);
    scene
        .maquette_with(&["run", "hub.toml"], &token)
        .code(3)
        .says(&["vae/diffusion_pytorch_model.bin", "can run code"]);
    assert!(scene.workspace.files("hf").is_empty() && !scene.workspace.path().join("runs/hub").exists());
}

/// A gated repository requires that its terms are accepted; a token file works, too.
fn plan_gated(scene: &Scene) {
    scene.maquette(&["plan", "hub.toml"]).code(3).says(&["`tester/tiny` is gated", "accept the terms"]);
    let token = scene.workspace.write("token", "hf_right\n");
    let token = [("HF_TOKEN_PATH", token.to_str().unwrap())];
    scene.maquette_with(&["plan", "hub.toml"], &token).code(3).says(&["is not on this machine: 12 files"]);
}

#[test]
fn offline_and_unreachable() {
    let scene = Scene::new();
    let offline = [("HF_HUB_OFFLINE", "1")];
    scene.maquette_with(&["run", "hub.toml"], &offline).code(3).says(&["tester/tiny", "HF_HUB_OFFLINE"]);
    scene.maquette_with(&["models", "fetch", REPOSITORY], &offline).code(7).says(&["HF_HUB_OFFLINE"]);
    assert!(scene.server.asked().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_too_full_for_the_model() {
    // A file-size limit of the shell is the closest to a full disk that needs no privileges.
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
fn fingerprints_are_cached_until_a_file_changes() {
    let scene = Scene::new();
    scene.maquette(&["run", "hub.toml"]).code(0);
    let fingerprint = |scene: &Scene| {
        let listed = scene.maquette(&["models"]).code(0).stdout;
        let line = listed.lines().find(|line| line.starts_with(REPOSITORY)).unwrap().to_owned();
        line.split_whitespace().rev().nth(1).unwrap().to_owned()
    };
    let before = fingerprint(&scene);
    let known = scene.workspace.read("runs/.fingerprints.json");
    assert!(known.contains(COMMIT));
    let forged = known.replace(&before, &"0".repeat(before.len()));
    assert_ne!(forged, known);
    scene.workspace.write("runs/.fingerprints.json", forged);
    assert_ne!(fingerprint(&scene), before, "the cached fingerprint is used");
    let config = format!("hf/hub/models--tester--tiny/snapshots/{COMMIT}/vae/config.json");
    let text = scene.workspace.read(&config);
    fs::remove_file(scene.workspace.path().join(&config)).unwrap();
    scene.workspace.write(&config, text);
    assert_eq!(fingerprint(&scene), before, "a new file is read again");
}
