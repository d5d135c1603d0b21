//! Models from the hub: a small server of the test's own stands for it.

use crate::hub_server::{COMMIT, Fault, HubServer, REPOSITORY};
use crate::support::{Project, Ran, check_problem, check_says, fixture, problems, run, try_run};
use maquette::{Error, ErrorKind, HubError, ModelEntry, PlannedExperiment, RunOptions, Workspace};
use std::fs;

const EXPERIMENT: &str = "model = \"tester/tiny\"\nprompt = \"a cat\"\nsteps = 2\n";
const UNET: &str = "/cdn/unet/diffusion_pytorch_model.safetensors";

/// A project with an empty cache, and a hub with a tiny model.
struct Scene {
    server: HubServer,
    project: Project,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene { server: HubServer::of(&fixture("tiny-a")), project: Project::new() };
        scene.project.write("hub.toml", EXPERIMENT);
        scene
    }

    /// A workspace that asks this hub, with more variables set.
    fn workspace(&self, variables: &[(&str, &str)]) -> Workspace {
        let endpoint = self.server.endpoint();
        let variables = [&[("HF_ENDPOINT", &*endpoint)], variables].concat();
        self.project.engine().with_environment(self.project.environment(&variables))
    }

    fn plan(&self, variables: &[(&str, &str)]) -> Result<PlannedExperiment, Error> {
        self.workspace(variables).plan(&self.project.experiment("hub.toml"))
    }

    fn run(&self) -> Ran {
        run(&self.workspace(&[]), &self.project.experiment("hub.toml"))
    }

    fn try_run(&self, variables: &[(&str, &str)]) -> Result<(), Error> {
        let experiment = self.project.experiment("hub.toml");
        try_run(&self.workspace(variables), &experiment, &RunOptions::default()).map(drop)
    }

    fn nothing_is_cached(&self) -> bool {
        self.project.everything("hf").is_empty()
    }

    /// The hub's model in the list of models.
    fn listed(&self) -> Option<ModelEntry> {
        self.workspace(&[]).models().into_iter().find(|model| model.name == REPOSITORY)
    }
}

#[test]
fn a_plan_says_what_would_come_and_a_run_gets_it() {
    let scene = Scene::new();
    let problem = check_problem(
        scene.plan(&[]),
        &["`tester/tiny` is not on this machine: 12 files, 6", "KiB to download"],
        "maquette models fetch tester/tiny",
    );
    assert!(
        problem
            .place()
            .is_some_and(|(file, line, column)| file.ends_with("hub.toml") && (line, column) == (1, 9))
    );
    let without = RunOptions { download: false, ..RunOptions::default() };
    let experiment = scene.project.experiment("hub.toml");
    check_problem(try_run(&scene.workspace(&[]), &experiment, &without).map(drop), &["to download"], "");
    assert!(scene.nothing_is_cached(), "a plan downloads nothing");

    let ran = scene.run();
    assert_eq!((ran.downloaded, ran.files.len()), (vec![REPOSITORY.to_owned()], 12));
    assert_eq!(ran.result.summary.rendered, 1);
    let asked = scene.server.asked().len();

    // From now on the hub is not needed: not to plan, not to run, not to list.
    scene.plan(&[]).unwrap();
    assert_eq!(scene.run().counts(), [1, 0, 0, 0]);
    let names: Vec<String> = scene.workspace(&[]).models().into_iter().map(|model| model.name).collect();
    assert_eq!(names, ["sketchbook", REPOSITORY]);
    assert_eq!(scene.server.asked().len(), asked);
    let same = format!("model = \"tester/tiny@{COMMIT}\"\n");
    scene.project.write("hub.toml", EXPERIMENT.replace("model = \"tester/tiny\"\n", &same));
    scene.plan(&[("HF_HUB_OFFLINE", "1")]).unwrap();
}

#[test]
fn nothing_is_downloaded_for_an_experiment_that_is_wrong_elsewhere() {
    let scene = Scene::new();
    scene.project.write("hub.toml", format!("{EXPERIMENT}init_image = \"me.png\"\n"));
    let problems = problems(scene.try_run(&[]));
    for part in ["me.png", "is not on this machine"] {
        assert!(problems.iter().any(|problem| problem.to_string().contains(part)), "{problems:?}");
    }
    assert!(scene.nothing_is_cached());
}

#[test]
fn half_precision_is_fetched_for_cells_in_half_precision() {
    let scene = Scene::new();
    for part in ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"] {
        let whole = scene.server.file(&format!("{part}.safetensors"));
        scene.server.put(&format!("{part}.fp16.safetensors"), &whole);
    }
    scene.project.write("hub.toml", format!("{EXPERIMENT}dtype = \"f16\"\n"));
    let files = scene.run().files;
    assert!(files.iter().any(|file| file == "unet/diffusion_pytorch_model.fp16.safetensors"), "{files:?}");
    assert!(scene.server.asked_for("GET", UNET).is_empty());
    let scene = Scene::new();
    scene.server.put("vae/diffusion_pytorch_model.fp16.safetensors", b"not asked for");
    scene.project.write("hub.toml", format!("{EXPERIMENT}[sweep]\ndtype = [\"f16\", \"f32\"]\n"));
    let files = scene.run().files;
    assert!(files.iter().any(|file| file == "vae/diffusion_pytorch_model.safetensors"), "{files:?}");
}

#[test]
fn a_fetch_goes_on_after_a_cut() {
    let scene = Scene::new();
    scene.server.break_next(UNET, [Fault::Cut(100_000), Fault::Status(403, "")]);
    let repository = REPOSITORY.parse().unwrap();
    let fetch = || scene.workspace(&[]).fetch_model(&repository, None, false, &mut |_| ());
    let error = fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let said = maquette::with_causes(&error);
    assert!(said.contains("unet/diffusion_pytorch_model") && said.contains("403"), "{said}");
    assert!(scene.listed().is_none_or(|model| model.card.is_none()), "it is not complete");
    let fetched = fetch().unwrap();
    assert_eq!(scene.server.asked_for("GET", UNET).last().unwrap().headers["range"], "bytes=100000-");
    assert!(!fetched.was_complete && fetched.folder.ends_with(COMMIT));
    assert!(fetched.folder.join("unet/config.json").is_file());
    assert!(fetch().unwrap().was_complete);
}

#[test]
fn what_the_hub_refuses_is_told_where_it_was_asked_for() {
    let scene = Scene::new();
    let check = |model: &str, message: &[&str], hint: &str| {
        scene.project.write("hub.toml", EXPERIMENT.replace(REPOSITORY, model));
        let problem = check_problem(scene.plan(&[]), message, hint);
        let (file, line, column) = problem.place().unwrap();
        assert!(file.ends_with("hub.toml") && (line, column) == (1, 9), "{file}:{line}:{column}");
        check_problem(scene.try_run(&[]), message, hint);
    };
    check("tester/other", &["has no repository `tester/other`"], "HF_TOKEN");
    check("tester/tiny@v2", &["`tester/tiny` has no revision `v2`"], "");
    scene.server.break_next("/revision/main", [Fault::Page, Fault::Page]);
    check(REPOSITORY, &["/api/models/tester/tiny/revision/main", "a web page, not JSON"], "HF_ENDPOINT");
    // A gated repository asks for its terms to be accepted; the token file will do, too.
    scene.server.want_token("hf_right", true);
    check_problem(scene.plan(&[]), &["`tester/tiny` is gated"], "ccept the terms");
    let file = scene.project.write("token", "hf_right\n");
    let token = [("HF_TOKEN_PATH", file.to_str().unwrap())];
    check_problem(scene.plan(&token), &["is not on this machine: 12 files"], "");
    scene.server.remove("vae/diffusion_pytorch_model.safetensors");
    scene.server.put("vae/diffusion_pytorch_model.bin", b"a pickle");
    let refused = problems(scene.try_run(&[("HF_TOKEN", "hf_right")]));
    check_says(&refused[0], &["vae/diffusion_pytorch_model.bin", "can run code"], "");
    assert!(scene.nothing_is_cached() && !scene.project.path().join("runs/hub").exists());
}

#[test]
fn offline_nothing_is_asked_for() {
    let scene = Scene::new();
    let offline = [("HF_HUB_OFFLINE", "1")];
    check_problem(scene.try_run(&offline), &["tester/tiny", "HF_HUB_OFFLINE"], "");
    let repository = REPOSITORY.parse().unwrap();
    let error = scene.workspace(&offline).fetch_model(&repository, None, false, &mut |_| ()).unwrap_err();
    assert!(matches!(error, Error::Hub(HubError::Offline(_))), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(scene.server.asked().is_empty());
}

#[test]
fn fingerprints_are_remembered_until_a_file_changes() {
    let scene = Scene::new();
    scene.run();
    let fingerprint = || scene.listed().unwrap().card.unwrap().unwrap().fingerprint;
    let before = fingerprint();
    let known = scene.project.read("runs/.fingerprints.json");
    assert!(known.contains(COMMIT));
    let forged = known.replace(&before.to_string(), &"0".repeat(64));
    assert_ne!(forged, known);
    scene.project.write("runs/.fingerprints.json", forged);
    assert_ne!(fingerprint(), before, "what is remembered is believed");
    let config = format!("hf/hub/models--tester--tiny/snapshots/{COMMIT}/vae/config.json");
    let text = scene.project.read(&config);
    fs::remove_file(scene.project.path().join(&config)).unwrap();
    scene.project.write(&config, text);
    assert_eq!(fingerprint(), before, "another file is looked at anew");
}
