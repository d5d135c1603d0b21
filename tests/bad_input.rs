//! Invalid input: each error says what is wrong, where, and what is allowed, and leaves no partial files.

use crate::support::{Ended, Workspace, repository};
use std::fs;
use std::path::Path;

/// Runs an invalid experiment; checks the error and that nothing was left behind.
#[track_caller]
pub fn refused(workspace: &Workspace, experiment: &str, says: &[&str]) -> Ended {
    workspace.write("bad.toml", experiment);
    let ended = workspace.maquette(&["run", "bad.toml"]).code(3).says(says);
    let left: Vec<_> = workspace
        .files("runs")
        .into_iter()
        .filter(|file| file.ends_with(".png") || file.ends_with(".csv"))
        .collect();
    assert!(left.is_empty() && !workspace.path().join("runs/bad").exists(), "left behind: {left:?}");
    ended
}

/// Copies a fixture model so that a test can change it.
fn tiny_model(workspace: &Workspace) {
    copy(&repository().join("tests/fixtures/tiny-a"), &workspace.path().join("tiny"));
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_name())
        };
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_missing_file() {
    let workspace = Workspace::new();
    workspace.maquette(&["run", "nowhere.toml"]).code(3).says(&["nowhere.toml"]);
    workspace.maquette(&["plan", "nowhere.toml"]).code(3).says(&["nowhere.toml"]);
}

#[test]
fn an_experiment_in_another_encoding() {
    let workspace = Workspace::new();
    let text = "prompt = \"a cat\"\ntitle = \"Katzenstück\"\n";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    workspace.write("wide.toml", [b"\xff\xfe", &wide[..]].concat());
    workspace.write("latin1.toml", latin1);
    workspace.write("marked.toml", format!("\u{feff}{text}"));
    for (file, says) in [("wide.toml", "it is UTF-16"), ("latin1.toml", "such as Latin-1 or Windows-1252")] {
        let ended = workspace.maquette(&["run", file]).code(3).says(&[file, says, "save it as UTF-8"]);
        assert!(!ended.stderr.contains("did you mean"), "{}", ended.stderr);
    }
    workspace.maquette(&["plan", "marked.toml"]).code(0);
}

#[test]
fn an_experiment_that_is_a_picture_or_a_folder() {
    let workspace = Workspace::new().with_selfie();
    let says =
        ["selfie.png", "it is a PNG image, not text", "allowed: a TOML file in UTF-8", "maquette show"];
    workspace.maquette(&["run", "references/selfie.png"]).code(3).says(&says);
    workspace
        .maquette(&["run", "references"])
        .code(3)
        .says(&["it is a folder", "allowed: a TOML file in UTF-8"]);
    workspace.write("references/cat.toml", "prompt = \"a cat\"\n");
    workspace.maquette(&["plan", "references/"]).code(3).says(&["did you mean `references/cat.toml`?"]);
}

#[test]
fn a_quote_that_is_not_closed() {
    let workspace = Workspace::new();
    workspace.write("fine.toml", "prompt = \"by {artist}\"\n[vars]\nartist = \"Klimt\"\n");
    let sweep =
        |values: &str| workspace.maquette(&["plan", "fine.toml", "--sweep", &format!("artist={values}")]);
    sweep("\"Mucha, Alphonse,Klimt").code(3).says(&["the quote `\"` is not closed", ":1:8"]);
    let plan = sweep("\"Mucha, Alphonse\",Klimt,\"7\",").code(0).stdout;
    assert!(plan.contains("\"Mucha, Alphonse\", Klimt, \"7\", \"\"\n"), "{plan}");
    let columns = |line: &str| {
        let parts = line[8..].split("  ").map(str::trim).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" | ")
    };
    let cells: Vec<_> = plan.lines().filter(|line| line.contains("by ")).map(columns).collect();
    let expected =
        ["\"Mucha, Alphonse\" | by Mucha, Alphonse", "Klimt | by Klimt", "\"7\" | by 7", "\"\" | \"by \""];
    assert_eq!(cells, expected);
}

#[test]
fn a_broken_toml() {
    refused(&Workspace::new(), "prompt = \"a cat\nsteps = 3\n", &["bad.toml"]);
}

#[test]
fn an_unknown_key_and_the_nearest_one() {
    refused(&Workspace::new(), "promt = \"a cat\"\n", &["promt", "prompt"]);
}

#[test]
fn a_missing_picture() {
    refused(&Workspace::new(), "init_image = \"me.png\"\n", &["me.png"]);
}

#[test]
fn a_file_that_is_not_a_picture() {
    let workspace = Workspace::new();
    workspace.write("me.png", "I am a text file.");
    refused(&workspace, "init_image = \"me.png\"\n", &["me.png", "its format is unknown", "PNG, JPEG, WebP"]);
}

#[test]
fn a_truncated_picture() {
    let workspace = Workspace::new().with_selfie();
    let whole = fs::read(workspace.path().join("references/selfie.png")).unwrap();
    workspace.write("half.png", &whole[..whole.len() / 2]);
    refused(&workspace, "init_image = \"half.png\"\n", &["half.png"]);
}

#[test]
fn a_strength_of_one_and_a_half() {
    let workspace = Workspace::new().with_selfie();
    let experiment = "init_image = \"references/selfie.png\"\nstrength = 1.5\n";
    refused(&workspace, experiment, &["strength", "1.5", "from 0 to 1"]);
}

#[test]
fn an_empty_axis() {
    refused(&Workspace::new(), "[sweep]\nseed = []\n", &["seed"]);
}

#[test]
fn an_unknown_model() {
    refused(&Workspace::new(), "model = \"scetchbook\"\n", &["scetchbook", "sketchbook"]);
    let says = ["somebody/something", "HF_HUB_OFFLINE"];
    refused(&Workspace::new(), "model = \"somebody/something\"\n", &says);
    refused(
        &Workspace::new(),
        "model = \"models/some.safetensors\"\n",
        &["no model is called `models/some.safetensors`"],
    );
}

#[test]
fn a_size_that_the_model_does_not_allow() {
    refused(&Workspace::new(), "width = 130\n", &["width", "130", "multiple"]);
}

#[test]
fn an_unknown_device_or_precision() {
    let workspace = Workspace::new();
    workspace.write("fine.toml", "prompt = \"a cat\"\n");
    workspace.maquette(&["run", "fine.toml", "--device", "gpu"]).code(3).says(&["`gpu`", "cuda:N"]);
    workspace.maquette(&["run", "fine.toml", "--dtype", "f64"]).code(2).says(&["f64", "f32, f16, bf16"]);
}

#[test]
fn a_truncated_weight_file() {
    let workspace = Workspace::new();
    tiny_model(&workspace);
    let file = workspace.path().join("tiny/unet/diffusion_pytorch_model.safetensors");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 100]).unwrap();
    failing_model(&workspace, &["unet/diffusion_pytorch_model.safetensors"]);
}

#[test]
fn a_tensor_of_the_wrong_shape() {
    let workspace = Workspace::new();
    tiny_model(&workspace);
    let file = workspace.path().join("tiny/unet/config.json");
    let config = fs::read_to_string(&file).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["cross_attention_dim"] = (config["cross_attention_dim"].as_u64().unwrap() + 8).into();
    fs::write(&file, config.to_string()).unwrap();
    failing_model(&workspace, &["shape", "attn2"]);
}

/// A model whose weights do not fit fails every cell with the reason; no picture is written.
#[track_caller]
fn failing_model(workspace: &Workspace, says: &[&str]) {
    workspace.write("model.toml", "model = \"tiny\"\nprompt = \"a cat\"\nsteps = 2\n");
    workspace.maquette(&["run", "model.toml"]).code(5).says(says);
    let pictures: Vec<_> =
        workspace.files("runs").into_iter().filter(|file| file.contains("images/")).collect();
    assert!(pictures.is_empty(), "{pictures:?}");
}

#[test]
fn a_prompt_that_is_too_long_is_cut_with_a_warning() {
    let workspace = Workspace::new();
    workspace.write("long.toml", format!("prompt = \"{} swansong\"\nsteps = 1\n", "portrait ".repeat(90)));
    workspace.maquette(&["run", "long.toml"]).code(0).says(&["longer than 77 tokens", "swansong"]);
}

#[test]
fn a_label_with_parent_folders() {
    let workspace = Workspace::new();
    workspace.write(
        "escape.toml",
        "prompt = \"{where}\"\n[sweep]\nwhere = [\"../../../outside\", \"/etc/passwd\"]\n",
    );
    workspace.maquette(&["run", "escape.toml", "--backend", "fake"]).code(0);
    let outside: Vec<_> = workspace.files("").into_iter().filter(|file| !file.starts_with("runs/")).collect();
    assert_eq!(outside, ["escape.toml"]);
}

#[test]
fn a_run_that_does_not_exist() {
    let workspace = Workspace::new();
    workspace.write("fine.toml", "prompt = \"a cat\"\n");
    workspace.maquette(&["run", "fine.toml", "--backend", "fake"]).code(0);
    workspace.maquette(&["report", "fnie@latest"]).code(7).says(&["fnie", "fine@1"]);
    workspace.maquette(&["diff", "fine@1", "fine@9"]).code(7).says(&["fine@9"]);
    workspace.maquette(&["show", "nothing.png"]).code(7).says(&["nothing.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    // A file-size limit of the shell is the closest to a full disk that needs no privileges.
    let workspace = Workspace::new();
    let long = "a cat, ".repeat(60);
    workspace.write("full.toml", format!("prompt = \"{long}\"\n[sweep]\nseed = {{ count = 60 }}\n"));
    let maquette = env!("CARGO_BIN_EXE_maquette");
    let script =
        format!("trap '' XFSZ; ulimit -f 24; exec '{maquette}' run full.toml --backend fake --no-sheets");
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(workspace.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("runs/full/1/log.csv"), "{errors}");
    for file in workspace.files("runs").iter().filter(|file| file.ends_with(".png")) {
        let picture = image::open(workspace.path().join("runs").join(file));
        assert!(picture.is_ok(), "{file} is half-written");
    }
    let log = workspace.read("runs/full/1/log.csv");
    assert!(log.ends_with('\n'), "a row is half-written");
    // With space again the run is resumed.
    workspace.maquette(&["run", "full.toml", "--backend", "fake"]).code(0).says(&["already done"]);
}

#[cfg(unix)]
#[test]
fn two_writers_of_one_run() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("long.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 200 }\n");
    let mut first = workspace.start_run(&["long.toml", "--no-sheets"]);
    first.wait_for("planned", 1);
    workspace.maquette(&["run", "long.toml"]).code(7).says(&["runs/long/1", "--shard"]);
    first.kill();
}

#[test]
fn a_pickled_checkpoint_and_a_missing_autoencoder() {
    let workspace = Workspace::new();
    workspace.write("painter.ckpt", "PK");
    let says = ["painter.ckpt", "Python pickle", "Use the model's .safetensors file"];
    refused(&workspace, "model = \"painter.ckpt\"\nprompt = \"a cat\"\n", &says);
    workspace.write("painter.safetensors", "PK");
    refused(
        &workspace,
        "model = \"painter.safetensors\"\nprompt = \"a cat\"\n",
        &["painter.safetensors is not a valid safetensors file"],
    );
    refused(
        &workspace,
        "vae = \"soft.safetensors\"\nprompt = \"a cat\"\n",
        &["`soft.safetensors`", "looked in"],
    );
}
