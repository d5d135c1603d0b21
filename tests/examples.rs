//! The bundled experiments: each one can be planned and names its schema for editors.

use crate::support::{Workspace, repository};
use std::fs;
use std::path::PathBuf;

fn experiments() -> Vec<PathBuf> {
    let folder = repository().join("experiments");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    assert!(files.len() >= 5);
    files
}

/// A small model under the name of Stable Diffusion v1-4 in the hub's cache.
fn stand_in_for_v1_4(workspace: &Workspace) {
    let repository_folder = "hf/hub/models--CompVis--stable-diffusion-v1-4";
    workspace.write(&format!("{repository_folder}/refs/main"), "0123456789abcdef0123456789abcdef01234567\n");
    let model = repository().join("tests/fixtures/tiny-a");
    for part in ["", "scheduler", "text_encoder", "tokenizer", "unet", "vae"] {
        for entry in fs::read_dir(model.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&model).unwrap().to_string_lossy().into_owned();
                workspace.write(
                    &format!("{repository_folder}/snapshots/0123456789abcdef0123456789abcdef01234567/{name}"),
                    fs::read(path).unwrap(),
                );
            }
        }
    }
}

#[test]
fn every_example_plans() {
    let workspace = Workspace::new();
    stand_in_for_v1_4(&workspace);
    for file in experiments() {
        let ended = workspace.maquette(&["plan", file.to_str().unwrap()]).code(0);
        assert!(ended.stdout.contains("denoising steps"), "{}", ended.stdout);
        assert!(ended.stdout.contains("unknown until the first run on this machine"), "{}", ended.stdout);
    }
}

#[test]
fn every_example_names_its_schema() {
    for file in experiments() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("#:schema ./experiment.schema.json\n"), "{}", file.display());
    }
    let schema = fs::read_to_string(repository().join("experiments/experiment.schema.json")).unwrap();
    let fresh = Workspace::new().maquette(&["schema"]).code(0).stdout;
    assert!(schema == fresh, "experiments/experiment.schema.json is out of date; `just bless` updates it");
}

#[test]
fn the_main_example_has_the_size_in_the_readme() {
    let workspace = Workspace::new();
    let mucha = repository().join("experiments/mucha.toml");
    let plan = workspace.maquette(&["plan", mucha.to_str().unwrap(), "--cells", "2"]).code(0).stdout;
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let count = |name: &str| {
        let line =
            plan.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {plan}"));
        fields(line).pop().unwrap()
    };
    assert_eq!(count("cells"), "48");
    assert_eq!(count("distinct"), "48");
    assert_eq!(count("done"), "0");
    assert_eq!(count("model loads"), "1");
    assert_eq!(count("text encodes"), "5");
    assert_eq!(count("image encodes"), "1");
    // Strengths 0.3, 0.5, 0.7 and 0.9 of 20 steps leave 6, 10, 14 and 18, and pndm makes one call more for each.
    assert_eq!(count("denoising steps"), (12 * (6 + 10 + 14 + 18 + 4)).to_string());
    assert!(plan.contains("… and 46 more"));
}
