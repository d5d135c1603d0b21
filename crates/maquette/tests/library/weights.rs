//! LoRAs and textual inversions: found by name, swept, taken out of prompts, refused by name.

use crate::support::{Project, check_problem, column, log, pixels, run};
use maquette::{Status, Workspace};
use std::collections::{BTreeMap, BTreeSet};

/// A project with a tiny model, and the fixtures' files where people keep theirs.
fn project() -> Project {
    let project = Project::new();
    project.copy("tiny-a", "tiny-a");
    for file in ["kohya.safetensors", "locon.safetensors", "peft.safetensors"] {
        project.copy(&format!("lora/{file}"), &format!("loras/{file}"));
    }
    for file in ["embeddings/several.pt", "embeddings/one.safetensors"] {
        project.copy(file, file);
    }
    project
}

#[test]
fn loras_are_an_axis_and_the_model_is_loaded_once() {
    let project = project();
    project.write(
        "style.toml",
        "model = \"tiny-a\"\nprompt = \"a man{tag}\"\nsteps = 2\nwidth = 32\nheight = 32\n\
         [sweep]\ntag = [\"\", \" <lora:locon:0.5>\"]\n\
         lora = [\"none\", \"kohya:{w}\", \"loras/kohya.safetensors:0.5 + locon:0.5\"]\n\
         w = [0.5, 1.0]\n",
    );
    let ran = run(&project.engine(), &project.experiment("style.toml"));
    assert_eq!(ran.loaded, ["tiny-a"]);

    // Twice with and without a tag: none, two weights, two at once; what differs only in an unused `w` is one cell.
    let rows = log(&ran.result.run);
    assert_eq!(rows.len(), 8, "{rows:?}");
    assert_eq!(ran.counts(), [0, 0, 8, 0]);
    assert!(rows.iter().all(|row| row.status() == Status::Done && column(row, "prompt").trim() == "a man"));
    let picture = |row| (column(row, "lora"), pixels(&ran.result.run, row).into_rgb());
    let pictures: BTreeMap<&str, Vec<u8>> = rows.iter().map(picture).collect();
    let distinct: BTreeSet<&Vec<u8>> = pictures.values().collect();
    // From the tag or from the setting, the same LoRAs make the same picture; every other set makes one of its own.
    let [setting, tag] = ["loras/kohya.safetensors:0.5 + locon:0.5", "kohya:0.5 + locon:0.5"];
    assert!(pictures[setting] == pictures[tag]);
    assert_eq!(distinct.len(), 7);
}

#[test]
fn words_of_embeddings_change_the_prompts_that_use_them() {
    let project = project();
    let pictures = |name: &str, embeddings: &str| -> BTreeMap<String, Vec<u8>> {
        let text = format!(
            "model = \"tiny-a\"\nsteps = 2\nwidth = 32\nheight = 32\n{embeddings}[sweep]\n\
             prompt = [\"a portrait of charturner\", \"a portrait of a <hat>\", \"a boat\"]\n"
        );
        project.write(name, text);
        let ran = run(&project.engine(), &project.experiment(name));
        let picture = |row| (column(row, "prompt").to_owned(), pixels(&ran.result.run, row).into_rgb());
        log(&ran.result.run).iter().map(picture).collect()
    };
    let plain = pictures("plain.toml", "");
    let words = pictures("words.toml", "embeddings = \"several + one.safetensors\"\n");
    assert_eq!(plain.len(), 3);
    for (prompt, picture) in &plain {
        assert_eq!(words[prompt] == *picture, prompt == "a boat", "{prompt}");
    }
}

#[test]
fn a_plan_counts_the_tokens_of_embeddings() {
    let project = project();
    // 74 words of one token each come first; with its embedding `charturner` takes five tokens fewer.
    let reading = |embeddings: &str| {
        let prompt = format!("{}charturner garden", "a ".repeat(74));
        let text = format!("model = \"tiny-a\"\nprompt = \"{prompt}\"\n{embeddings}guidance_scale = 1\n");
        project.write("long.toml", text);
        let workspace = project.engine();
        let planned = workspace.plan(&project.experiment("long.toml")).unwrap();
        let notes = workspace.forecast(&planned).unwrap().prompts.notes;
        assert_eq!((notes.len(), notes[0].setting, &notes[0].text), (1, "prompt", &prompt));
        notes[0].reading.clone()
    };
    let cut = |embeddings: &str| {
        let cut = reading(embeddings).unwrap().cuts.remove(0);
        (cut.tokens, cut.room, cut.text)
    };
    assert_eq!(cut(""), (85, 75, "harturner garden".to_owned()));
    assert_eq!(cut("embeddings = \"several\"\n"), (80, 75, "charturner garden".to_owned()));
    // An ordinary word cannot have another meaning.
    let error = reading("embeddings = \"a=several\"\n").unwrap_err();
    let error = error.replace(&*format!("{}/", project.path().display()), "");
    assert_eq!(
        error,
        "embeddings/several.pt: its word `a` is already in the model's vocabulary. Give it another: \
         `embeddings = \"<a>=embeddings/several.pt\"`."
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let project = project();
    let check = |workspace: &Workspace, lines: &str, message: &[&str], hint: &str| {
        project.write("wrong.toml", format!("model = \"tiny-a\"\n{lines}\n"));
        check_problem(workspace.plan(&project.experiment("wrong.toml")), message, hint);
    };
    let workspace = project.engine();
    let boat = "prompt = \"a boat\"\n";
    let refused = |line: &str, message: &[&str], hint: &str| {
        check(&workspace, &format!("{boat}{line}"), message, hint);
    };
    refused("lora = \"koyha:0.5\"", &["no lora called `koyha`", "loras"], "did you mean `kohya`?");
    refused("lora = \"xyz\"", &["no lora called `xyz`"], "put a lora file into `loras/`");
    refused("embeddings = \"sevral\"", &["no embedding called `sevral`"], "did you mean `several`?");
    check(&workspace, "prompt = \"a <lora:nobody:1>\"", &["no lora called `nobody`"], "");
    let blocks = "prompt = \"a <lora:kohya:1:lbw=MIDD>\"";
    check(&workspace, blocks, &["`<lora:kohya:1:lbw=MIDD>`", "`lbw` gives a weight to each block"], "");
    project.copy("adapters/peft-lora/adapter_model.safetensors", "loras/alone.safetensors");
    refused("lora = \"alone\"", &["no adapter_config.json beside it"], "");

    project.write("loras/old.safetensors", b"\x80\x02}q\x00.");
    refused("lora = \"old\"", &["is a Python pickle", "use its safetensors version"], "");

    // Whether it fits the model is seen with the model: that cell fails, the other is there.
    project.write(
        "other.toml",
        "model = \"tiny-a\"\nprompt = \"a boat\"\nsteps = 2\nwidth = 32\nheight = 32\n[sweep]\n\
         lora = [\"none\", \"peft\"]\n",
    );
    let ran = run(&workspace, &project.experiment("other.toml"));
    assert_eq!(ran.counts(), [0, 0, 1, 1]);
    let error = &ran.result.summary.failures[0].error;
    assert!(error.contains("for another model") && error.contains("text embeddings of width 40"), "{error}");
    let rows = log(&ran.result.run);
    let failed = rows.iter().find(|row| row.status() == Status::Failed).unwrap();
    assert!(["peft", "peft:1"].contains(&column(failed, "lora")), "{failed:?}");
}

#[test]
fn a_lora_may_be_a_folder_and_have_two_weights() {
    let project = project();
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
        project.copy(&format!("adapters/peft-lora/{file}"), &format!("loras/adapter/{file}"));
    }
    project.write(
        "weights.toml",
        "model = \"tiny-a\"\nprompt = \"a boat{tag}\"\nsteps = 2\nwidth = 32\nheight = 32\n\
         [sweep]\nlora = [\"adapter\", \"loras/adapter/adapter_model.safetensors\", \"kohya:0:0.8\", \"kohya:0.8\"]\n\
         tag = [\"\"]\n",
    );
    let ran = run(&project.engine(), &project.experiment("weights.toml"));
    // The folder and its file are the same LoRA.
    assert_eq!(ran.counts(), [0, 0, 3, 0]);
    project.write(
        "tags.toml",
        "model = \"tiny-a\"\nsteps = 2\nwidth = 32\nheight = 32\n[sweep]\n\
         prompt = [\"a boat<lora:adapter>\", \"a boat<lora:kohya:0:0.8>\", \"a boat<lora:kohya:te=0.8>\"]\n",
    );
    let again = run(&project.engine(), &project.experiment("tags.toml"));
    assert_eq!(again.counts()[2], 0, "all of them are reused: {:?}", again.counts());
    let rows = log(&ran.result.run);
    let distinct: BTreeSet<Vec<u8>> =
        rows.iter().map(|row| pixels(&ran.result.run, row).into_rgb()).collect();
    assert_eq!(distinct.len(), 3);
}
