//! LoRAs, textual inversions and VAEs: their forms, and how their files are looked up.

use crate::folder::{message, planned};

/// The value of `lora` in each cell of an experiment.
fn loras(text: &str) -> Vec<String> {
    let plan = planned(text).plan;
    let cells = plan.cells().map(|cell| cell.unwrap().settings);
    cells
        .map(|settings| settings.get("lora").map_or_else(|| "none".to_owned(), |value| value.to_string()))
        .collect()
}

#[test]
fn every_form_of_a_lora() {
    let check = |lora: &str, expected: &str| {
        assert_eq!(loras(&format!("prompt = \"x\"\nlora = {lora}\n")), [expected], "{lora}");
    };
    check("\"\"", "none");
    check("\"none\"", "none");
    check("\"oil\"", "oil:1");
    check("\"a/oil.safetensors:0.80\"", "a/oil.safetensors:0.8");
    check("{ file = \"oil\", weight = -1 }", "oil:-1");
    check("{ file = \"oil\", weight = 0.8, text_weight = 0.5 }", "oil:0.5:0.8");
    check("{ file = \"oil\", text_weight = 0 }", "oil:0:1");
    check("\"oil:0.50:0.8\"", "oil:0.5:0.8");
    check("\"oil:1:1\"", "oil:1");
    check("[\"oil:0.5\", { file = \"hand\" }]", "oil:0.5 + hand:1");
}

#[test]
fn loras_and_their_weights_can_be_axes() {
    let axis =
        "prompt = \"x\"\n[sweep]\nlora = [\"none\", \"oil:0\", { file = \"oil\" }, [\"oil\", \"hand:2\"]]\n";
    assert_eq!(loras(axis), ["none", "oil:0", "oil:1", "oil:1 + hand:2"]);
    let labels: Vec<String> =
        planned(axis).plan.axes[0].values.iter().map(|value| value.label.clone()).collect();
    assert_eq!(labels, ["none", "oil:0", "oil", "oil + hand:2"]);
    let weights = "prompt = \"x\"\nlora = \"oil:{w}\"\n[sweep]\nw = { from = 0, to = 1, step = 0.5 }\n";
    assert_eq!(loras(weights), ["oil:0", "oil:0.5", "oil:1"]);
}

#[test]
fn a_prompt_may_name_loras() {
    let text =
        "prompt = \"a cat <lora:{style}:0.8>\"\nlora = \"hand\"\n[sweep]\nstyle = [\"oil\", \"ink\"]\n";
    assert_eq!(loras(text), ["hand:1 + oil:0.8", "hand:1 + ink:0.8"]);
    assert_eq!(&*planned(text).plan.cell(0).unwrap().settings.prompt, "a cat ");
}

#[test]
fn the_same_file_under_another_name_is_the_same_cell() {
    let id = |text: &str| planned(text).plan.id(0).unwrap();
    let plain = id("prompt = \"x\"\n");
    assert_ne!(id("prompt = \"x\"\nlora = \"oil\"\n"), plain);
    assert_eq!(id("prompt = \"x\"\nlora = \"none\"\n"), plain);
    assert_eq!(id("prompt = \"x<lora:oil:0.5>\"\n"), id("prompt = \"x\"\nlora = \"oil:0.5\"\n"));
    assert_ne!(
        id("prompt = \"x\"\nembeddings = \"hat=h.pt\"\n"),
        id("prompt = \"x\"\nembeddings = \"h.pt\"\n")
    );
}

#[test]
fn missing_weight_files_are_errors() {
    let check = |line: &str, expected: &str| {
        let found = message(&format!("prompt = \"x\"\n{line}\n"));
        assert!(found.contains(expected), "{found}");
    };
    check("lora = \"unknown:0.5\"", "there is no lora `unknown`");
    check("embeddings = [\"unknown\"]", "there is no embedding `unknown`");
    check("vae = \"unknown\"", "there is no vae `unknown`");
    check("lora = { weight = 1 }", "has no `file`");
    check("lora = { file = \"x\", wait = 1 }", "`wait` is");
    check("lora = 3", "`lora` is");
    check("embeddings = \"x{w}\"", "allowed: text without placeholders");
}

#[test]
fn tags_that_would_be_ignored_are_problems_of_the_plan() {
    let error =
        message("prompt = \"x {tag}\"\n[sweep]\ntag = [\"<lora:oil:1>\", \"<lora:oil:1:lbw=MIDD>\"]\n");
    assert!(error.contains("`lbw` gives a weight to each block"), "{error}");
}
