//! How the binary reports what a person got wrong, a full disk and a run in use; what is found wrong is tested in the library.

use crate::support::Workspace;

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
fn an_unknown_device_or_precision() {
    let workspace = Workspace::new();
    workspace.write("fine.toml", "prompt = \"a cat\"\n");
    workspace.maquette(&["run", "fine.toml", "--device", "gpu"]).code(3).says(&["`gpu`", "cuda:N"]);
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    for (device, feature) in [("cuda", "--features cuda"), ("metal", "--features metal")] {
        workspace.maquette(&["run", "fine.toml", "--device", device]).code(3).says(&[
            "no support",
            feature,
            // Lines may end after the slash of `docs/gpu.md`.
            "gpu.md",
        ]);
    }
    workspace.maquette(&["run", "fine.toml", "--dtype", "f64"]).code(2).says(&["f64", "f32, f16, bf16"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room() {
    // A file-size limit of the shell is the nearest thing to a full disk that needs no privileges.
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
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("runs/full/1/log.csv"), "{said}");
    for file in workspace.files("runs").iter().filter(|file| file.ends_with(".png")) {
        let picture = image::open(workspace.path().join("runs").join(file));
        assert!(picture.is_ok(), "{file} is half-written");
    }
    let log = workspace.read("runs/full/1/log.csv");
    assert!(log.ends_with('\n'), "a row is half-written");
    // With room again the run goes on.
    workspace.maquette(&["run", "full.toml", "--backend", "fake"]).code(0).says(&["already done"]);
}

#[cfg(unix)]
#[test]
fn two_writers_of_one_run() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("long.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 200 }\n");
    let mut first = workspace.start_run(&["long.toml", "--no-sheets"]);
    first.wait_for("planned", 1);
    workspace.maquette(&["run", "long.toml"]).code(7).says(&["runs/long/1", "--worker"]);
    first.kill();
}

#[test]
fn an_experiment_that_is_wrong_is_shown_with_its_place_and_a_hint() {
    let workspace = Workspace::new().with_selfie();
    let text = "promt = \"a cat\"\n";
    workspace.write("bad.toml", text);
    for command in ["plan", "run"] {
        let says = ["`promt`", "bad.toml:1:1", text.trim_end(), "did you mean `prompt`?"];
        workspace.maquette(&[command, "bad.toml"]).code(3).says(&says);
        workspace.maquette(&[command, "nowhere.toml"]).code(3).says(&["nowhere.toml"]);
    }
    let strength = "init_image = \"references/selfie.png\"\nstrength = 1.5\nwidth = 130\n";
    workspace.write("bad.toml", strength);
    let ended = workspace.maquette(&["run", "bad.toml"]).code(3);
    ended.says(&["bad.toml:2:12", "1.5", "from 0 to 1"]);
    assert!(workspace.files("runs").is_empty());
}

#[test]
fn a_long_prompt_is_a_warning() {
    let workspace = Workspace::new();
    workspace.write("long.toml", format!("prompt = \"{} swansong\"\nsteps = 1\n", "portrait ".repeat(90)));
    workspace.maquette(&["run", "long.toml"]).code(0).says(&["longer than 77 tokens", "swansong"]);
}

#[test]
fn what_is_not_there_has_an_exit_code_and_a_hint() {
    let workspace = Workspace::new();
    workspace.write("fine.toml", "prompt = \"a cat\"\n");
    workspace.maquette(&["run", "fine.toml", "--backend", "fake"]).code(0);
    workspace.maquette(&["report", "fnie@latest"]).code(7).says(&["fnie", "fine@1"]);
    let sheets = workspace.maquette(&["report", "fine"]).code(0).stdout;
    assert!(sheets.lines().all(|sheet| workspace.path().join(sheet).is_file()) && !sheets.is_empty());
    workspace.maquette(&["show", "nothing.png"]).code(7).says(&["nothing.png"]);
}
