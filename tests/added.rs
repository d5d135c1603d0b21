//! LoRAs and textual inversions with the real binary: found by name, swept, used from prompts, refused.

use crate::support::{Workspace, repository};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A folder with a tiny model, and the fixtures' files in the usual folders.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let fixtures = repository().join("tests/fixtures");
    let mut folders = vec![fixtures.join("tiny-a")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(&fixtures).unwrap().to_str().unwrap().replace('\\', "/");
                    drop(workspace.write(&name, fs::read(&path).unwrap()));
                }
            }
        }
    }
    for file in ["lora/kohya.safetensors", "lora/locon.safetensors", "lora/peft.safetensors"] {
        let name = file.replace("lora/", "loras/");
        workspace.write(&name, fs::read(fixtures.join(file)).unwrap());
    }
    for file in ["embeddings/several.pt", "embeddings/one.safetensors"] {
        workspace.write(file, fs::read(fixtures.join(file)).unwrap());
    }
    workspace
}

fn log(workspace: &Workspace, run: &str) -> Vec<BTreeMap<String, String>> {
    let text = workspace.read(&format!("runs/{run}/log.csv"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        headers.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn pixels(workspace: &Workspace, run: &str, image: &str) -> Vec<u8> {
    image::open(workspace.path().join("runs").join(run).join(image)).unwrap().into_rgb8().into_raw()
}

#[test]
fn loras_are_an_axis_and_the_model_is_loaded_once() {
    let workspace = workspace();
    workspace.write(
        "style.toml",
        "model = \"tiny-a\"\nprompt = \"a man{tag}\"\nsteps = 2\nwidth = 32\nheight = 32\n\
         [sweep]\ntag = [\"\", \" <lora:locon:0.5>\"]\n\
         lora = [\"none\", \"kohya:{w}\", \"loras/kohya.safetensors:0.5 + locon:0.5\"]\n\
         w = [0.5, 1.0]\n",
    );
    let ended = workspace.maquette(&["run", "style.toml", "--no-sheets", "--progress", "json"]).code(0);
    let loadings = ended.stderr.lines().filter(|line| line.contains("\"loading\"")).count();
    assert_eq!(loadings, 1, "{}", ended.stderr);

    // None, two weights, and two LoRAs at once, each with and without a tag; cells that differ only in an unused `w` are one.
    let rows = log(&workspace, "style/1");
    assert_eq!(rows.len(), 8, "{rows:?}");
    assert!(rows.iter().all(|row| row["status"] == "done" && row["prompt"].trim() == "a man"), "{rows:?}");
    let pictures: BTreeMap<String, Vec<u8>> =
        rows.iter().map(|row| (row["lora"].clone(), pixels(&workspace, "style/1", &row["image"]))).collect();
    let distinct: BTreeSet<&Vec<u8>> = pictures.values().collect();
    // The same LoRAs make the same picture from the tag and from the setting; every other set makes a different one.
    let [setting, tag] = ["loras/kohya.safetensors:0.5 + locon:0.5", "kohya:0.5 + locon:0.5"];
    assert!(pictures[setting] == pictures[tag]);
    assert_eq!(distinct.len(), 7);
}

#[test]
fn words_of_embeddings_change_the_prompts_that_use_them() {
    let workspace = workspace();
    let file = |embeddings: &str| {
        format!(
            "model = \"tiny-a\"\nsteps = 2\nwidth = 32\nheight = 32\n{embeddings}[sweep]\n\
             prompt = [\"a portrait of charturner\", \"a portrait of a <hat>\", \"a boat\"]\n"
        )
    };
    workspace.write("plain.toml", file(""));
    workspace.write("words.toml", file("embeddings = \"several + one.safetensors\"\n"));
    for experiment in ["plain", "words"] {
        workspace.maquette(&["run", &format!("{experiment}.toml"), "--no-sheets"]).code(0);
    }
    let pictures = |run: &str| -> BTreeMap<String, Vec<u8>> {
        let rows = log(&workspace, run);
        rows.iter().map(|row| (row["prompt"].clone(), pixels(&workspace, run, &row["image"]))).collect()
    };
    let (plain, words) = (pictures("plain/1"), pictures("words/1"));
    for (prompt, picture) in &plain {
        assert_eq!(words[prompt] == *picture, prompt == "a boat", "{prompt}");
    }
}

#[test]
fn a_plan_counts_the_tokens_of_embeddings() {
    let workspace = workspace();
    // 74 words of one token each come first; with its embedding `charturner` takes five tokens fewer.
    let plan = |embeddings: &str| {
        let prompt = format!("{}charturner garden", "a ".repeat(74));
        let text = format!("model = \"tiny-a\"\nprompt = \"{prompt}\"\n{embeddings}guidance_scale = 1\n");
        workspace.write("long.toml", text);
        workspace.maquette(&["plan", "long.toml"]).code(0).stdout
    };
    insta::assert_snapshot!(first_note(&plan("")), @"85 tokens, of which 75 fit; ignored: `harturner garden`");
    insta::assert_snapshot!(first_note(&plan("embeddings = \"several\"\n")), @"80 tokens, of which 75 fit; ignored: `charturner garden`");
    // A word of the model's vocabulary cannot name an embedding.
    insta::assert_snapshot!(first_note(&plan("embeddings = \"a=several\"\n")), @r##"embeddings/several.pt: its word `a` is already in the model's vocabulary. Give it another: `embeddings = "<a>=embeddings/several.pt"`."##);
}

/// The note of a plan on its first prompt.
fn first_note(plan: &str) -> &str {
    let line = plan.lines().skip_while(|line| !line.starts_with("prompt `")).nth(1);
    line.unwrap_or_default().trim()
}

#[test]
fn unusable_files_are_reported() {
    let workspace = workspace();
    let plan = |line: &str| {
        workspace.write("wrong.toml", format!("model = \"tiny-a\"\nprompt = \"a boat\"\n{line}\n"));
        workspace.maquette(&["plan", "wrong.toml"])
    };
    plan("lora = \"koyha:0.5\"").code(3).says(&["no lora called `koyha`", "loras", "did you mean `kohya`?"]);
    plan("lora = \"xyz\"").code(3).says(&["no lora called `xyz`", "put a lora file into `loras/`"]);
    plan("embeddings = \"sevral\"")
        .code(3)
        .says(&["no embedding called `sevral`", "did you mean `several`?"]);
    workspace.write("tag.toml", "model = \"tiny-a\"\nprompt = \"a <lora:nobody:1>\"\n");
    workspace.maquette(&["plan", "tag.toml"]).code(3).says(&["no lora called `nobody`"]);

    workspace.write("loras/old.safetensors", b"\x80\x02}q\x00.");
    plan("lora = \"old\"").code(3).says(&["is a Python pickle", "use its safetensors version"]);

    // Whether a LoRA fits the model is only known when the model is loaded: its cell fails, the other does not.
    workspace.write(
        "other.toml",
        "model = \"tiny-a\"\nprompt = \"a boat\"\nsteps = 2\nwidth = 32\nheight = 32\n[sweep]\n\
         lora = [\"none\", \"peft\"]\n",
    );
    workspace
        .maquette(&["run", "other.toml", "--no-sheets"])
        .code(5)
        .says(&["for another model", "text embeddings of width 40"]);
    let rows = log(&workspace, "other/1");
    let status: Vec<_> = rows.iter().map(|row| (row["lora"].as_str(), row["status"].as_str())).collect();
    assert!(status.contains(&("peft:1", "failed")) || status.contains(&("peft", "failed")), "{status:?}");
    assert_eq!(rows.iter().filter(|row| row["status"] == "done").count(), 1);
}
