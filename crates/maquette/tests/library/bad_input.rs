//! What a person may get wrong: each says what, where and what is allowed, and leaves nothing half-written.

use crate::support::{Project, check_problem, check_says, fixture, problems, run, try_run};
use maquette::{Error, Experiment, PlanProblem, RunEvent, RunOptions, RunProgress, Stop};
use std::fs;

/// Runs an experiment that cannot work, asserts that it is refused for one reason and that nothing was left behind.
#[track_caller]
fn refused(project: &Project, experiment: &str, message: &[&str], hint: &str) -> PlanProblem {
    let file = project.write("bad.toml", experiment);
    let result = try_run(&project.engine(), &Experiment::at(file), &RunOptions::default());
    let problem = check_problem(result.map(drop), message, hint);
    let left = project.everything("runs");
    let left: Vec<_> = left.keys().filter(|it| it.ends_with(".png") || it.ends_with(".csv")).collect();
    assert!(left.is_empty() && !project.path().join("runs/bad").exists(), "left behind: {left:?}");
    problem
}

#[test]
fn a_missing_file() {
    let project = Project::new();
    let nowhere = project.experiment("nowhere.toml");
    check_problem(project.engine().plan(&nowhere), &["nowhere.toml"], "");
    let run = try_run(&project.engine(), &nowhere, &RunOptions::default());
    check_problem(run.map(drop), &["nowhere.toml"], "");
}

#[test]
fn an_experiment_in_another_encoding() {
    let project = Project::new();
    let text = "prompt = \"a cat\"\ntitle = \"Katzenstück\"\n";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    project.write("wide.toml", [b"\xff\xfe", &wide[..]].concat());
    project.write("latin1.toml", latin1);
    project.write("marked.toml", format!("\u{feff}{text}"));
    for (file, says) in [("wide.toml", "it is UTF-16"), ("latin1.toml", "such as Latin-1 or Windows-1252")] {
        let plan = project.engine().plan(&project.experiment(file));
        let problem = check_problem(plan, &[file, says], "save it as UTF-8");
        assert!(!problem.hint().unwrap().contains("did you mean"), "{problem:?}");
    }
    assert_eq!(project.engine().plan(&project.experiment("marked.toml")).unwrap().plan.title, "Katzenstück");
}

#[test]
fn an_experiment_that_is_a_picture_or_a_folder() {
    let project = Project::new().with_selfie();
    let check = |file: &str, message: &str, hint: &[&str]| {
        let plan = project.engine().plan(&project.experiment(file));
        let problem = check_problem(plan, &[message], "");
        hint.iter().for_each(|part| check_says(&problem, &[], part));
    };
    let allowed = "allowed: a TOML file in UTF-8";
    check("references/selfie.png", "selfie.png: it is a PNG image, not text", &[allowed, "maquette show"]);
    check("references", "it is a folder", &[allowed]);
    project.write("references/cat.toml", "prompt = \"a cat\"\n");
    check("references/", "it is a folder", &["did you mean `", "references/cat.toml`?"]);
}

#[test]
fn settings_that_cannot_be() {
    let check = |text: &str, message: &[&str], hint: &str, place: (usize, usize)| {
        let project = Project::new().with_selfie();
        let problem = refused(&project, text, message, hint);
        let (file, line, column) = problem.place().unwrap();
        assert!(file.ends_with("bad.toml") && (line, column) == place, "{text}: {line}:{column}");
    };
    check("prompt = \"a cat\nsteps = 3\n", &[], "", (1, 16));
    check("promt = \"a cat\"\n", &["promt"], "prompt", (1, 1));
    check("[sweep]\nseed = []\n", &["seed"], "", (2, 8));
    check("width = 130\n", &["width", "130", "multiple"], "", (1, 9));
    let strength = "init_image = \"references/selfie.png\"\nstrength = 1.5\n";
    check(strength, &["strength", "1.5", "from 0 to 1"], "", (2, 12));
    check("init_image = \"me.png\"\n", &["me.png"], "", (1, 14));
}

#[test]
fn pictures_that_cannot_be_read() {
    let project = Project::new().with_selfie();
    project.write("me.png", "I am a text file.");
    let no_picture = ["me.png", "its format is unknown", "PNG, JPEG, WebP"];
    refused(&project, "init_image = \"me.png\"\n", &no_picture, "");
    let whole = fs::read(project.path().join("references/selfie.png")).unwrap();
    project.write("half.png", &whole[..whole.len() / 2]);
    refused(&project, "init_image = \"half.png\"\n", &["half.png"], "");
}

#[test]
fn an_unknown_model() {
    let project = Project::new();
    refused(&project, "model = \"scetchbook\"\n", &["scetchbook"], "sketchbook");
    let offline = ["somebody/something", "HF_HUB_OFFLINE"];
    refused(&project, "model = \"somebody/something\"\n", &offline, "");
    let file = ["no model is called `models/some.safetensors`"];
    refused(&project, "model = \"models/some.safetensors\"\n", &file, "");
}

#[test]
fn an_unknown_device() {
    let error = Error::from("gpu".parse::<maquette::DeviceName>().unwrap_err());
    assert_eq!(error.kind(), maquette::ErrorKind::Experiment);
    assert!(error.to_string().contains("`gpu`") && error.to_string().contains("cuda:N"), "{error}");
}

#[test]
fn a_pickled_checkpoint_and_a_missing_autoencoder() {
    let project = Project::new();
    project.write("painter.ckpt", "PK");
    let pickle = ["painter.ckpt", "Python pickle", "Use the model's .safetensors file"];
    refused(&project, "model = \"painter.ckpt\"\nprompt = \"a cat\"\n", &pickle, "");
    project.write("painter.safetensors", "PK");
    let not_whole = ["painter.safetensors is not a valid safetensors file"];
    refused(&project, "model = \"painter.safetensors\"\nprompt = \"a cat\"\n", &not_whole, "");
    let vae = "vae = \"soft.safetensors\"\nprompt = \"a cat\"\n";
    refused(&project, vae, &["`soft.safetensors`", "looked in"], "");
}

#[test]
fn every_problem_is_named_at_once() {
    let project = Project::new();
    let file = project.write("bad.toml", "init_image = \"me.png\"\nmodel = \"scetchbook\"\n");
    let problems = problems(project.engine().plan(&Experiment::at(file)));
    let of = |part: &str| problems.iter().find(|it| it.to_string().contains(part)).unwrap();
    check_says(of("me.png"), &[], "");
    check_says(of("scetchbook"), &[], "sketchbook");
}

/// A project with a tiny model that a test may break.
fn tiny_model() -> Project {
    let project = Project::new();
    project.copy("tiny-a", "tiny");
    project
}

/// A model whose weights do not fit fails every cell with the reason; no picture is made.
#[track_caller]
fn failing_model(project: &Project, says: &[&str]) {
    project.write("model.toml", "model = \"tiny\"\nprompt = \"a cat\"\nsteps = 2\n");
    let ran = run(&project.engine(), &project.experiment("model.toml"));
    assert_eq!(ran.counts(), [0, 0, 0, 1]);
    let error = &ran.result.summary.failures[0].error;
    assert!(says.iter().all(|part| error.contains(part)), "{error}");
    let left = project.everything("runs");
    assert!(!left.keys().any(|file| file.contains("images/")), "{:?}", left.keys());
}

#[test]
fn a_truncated_weight_file() {
    let project = tiny_model();
    let file = "unet/diffusion_pytorch_model.safetensors";
    let whole = fs::read(fixture("tiny-a").join(file)).unwrap();
    project.write(&format!("tiny/{file}"), &whole[..whole.len() - 100]);
    failing_model(&project, &[file]);
}

#[test]
fn a_model_that_is_replaced_during_a_run_makes_no_pictures_under_the_old_name() {
    let project = tiny_model();
    let file = "tiny/unet/diffusion_pytorch_model.safetensors";
    project.write(
        "two.toml",
        "prompt = \"a cat\"\nsteps = 1\nwidth = 64\nheight = 64\n[sweep]\nmodel = [\"sketchbook\", \"tiny\"]\nseed = [1, 2]\n",
    );
    let (engine, options) = (project.engine(), RunOptions { sheets: false, ..RunOptions::default() });
    let result = engine.run(&project.experiment("two.toml"), &options, &Stop::new(), &mut |event| {
        if let RunEvent::Progress(RunProgress::Loading { model }) = event
            && model == "sketchbook"
        {
            let mut weights = fs::read(project.path().join(file)).unwrap();
            let last = weights.len() - 1;
            weights[last] ^= 1;
            project.write(file, weights);
        }
    });
    let summary = result.unwrap().summary;
    assert_eq!((summary.rendered, summary.failures.len()), (2, 2));
    let error = &summary.failures[0].error;
    assert!(error.contains("the files of `tiny` have changed since the plan was made"), "{error}");
    let ran = run(&engine, &project.experiment("two.toml"));
    assert_eq!((ran.result.run.to_string().as_str(), ran.result.summary.rendered), ("two@2", 2));
}

#[test]
fn a_tensor_of_the_wrong_shape() {
    let project = tiny_model();
    let mut config: serde_json::Value = serde_json::from_str(&project.read("tiny/unet/config.json")).unwrap();
    config["cross_attention_dim"] = (config["cross_attention_dim"].as_u64().unwrap() + 8).into();
    project.write("tiny/unet/config.json", config.to_string());
    failing_model(&project, &["shape", "attn2"]);
}

#[test]
fn a_prompt_that_is_too_long_says_what_is_cut() {
    let project = Project::new();
    project.write("long.toml", format!("prompt = \"{} swansong\"\nsteps = 1\n", "portrait ".repeat(90)));
    let ran = run(&project.engine(), &project.experiment("long.toml"));
    assert_eq!(ran.counts(), [0, 0, 1, 0]);
    let cut = |warning: &String| warning.contains("longer than 77 tokens") && warning.contains("swansong");
    assert!(ran.warnings.iter().any(cut), "{:?}", ran.warnings);
}

#[test]
fn a_label_that_wants_to_leave_the_run_folder() {
    let project = Project::new();
    let text = "prompt = \"{where}\"\n[sweep]\nwhere = [\"../../../outside\", \"/etc/passwd\"]\n";
    project.write("escape.toml", text);
    let ran = try_run(&project.fake(), &project.experiment("escape.toml"), &RunOptions::default()).unwrap();
    assert_eq!(ran.counts(), [0, 0, 2, 0]);
    let files = project.everything("");
    let outside: Vec<_> = files.keys().filter(|file| !file.starts_with("runs/")).collect();
    assert_eq!(outside, ["escape.toml"]);
}
