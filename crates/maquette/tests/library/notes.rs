//! What a plan says of models and weight files before anything is rendered.

use crate::support::{Project, fixture};

/// Plans an experiment with a model in the folder `model`.
fn notes(project: &Project, text: &str) -> Vec<String> {
    project.write("e.toml", format!("model = \"model\"\n{text}"));
    project.engine().plan(&project.experiment("e.toml")).unwrap().notes
}

fn with_model(files: &str) -> Project {
    let project = Project::new();
    project.copy("tiny-a", "model");
    if !files.is_empty() {
        project.copy(&format!("readings/{files}"), "model");
    }
    project
}

#[test]
fn an_ordinary_model_has_no_notes() {
    assert!(notes(&with_model(""), "prompt = \"a hat\"\n").is_empty());
}

#[test]
fn what_is_read_in_another_way_is_noted() {
    let check = |files: &str, text: &str, expected: &str| {
        let found = notes(&with_model(files), &format!("prompt = \"a hat\"\n{text}"));
        assert!(found.iter().any(|note| note.contains(expected)), "{files}: {found:?}");
    };
    let unknown = "its own scheduler, DEISMultistepScheduler, is not supported";
    check("unknown", "scheduler = \"euler\"\n", unknown);
    check("unknown", "scheduler = \"dpmpp_2m\"\n", "dpmpp_2m uses dpmsolver++ instead");
    check("index", "", "the scheduler is EulerDiscreteScheduler, as model_index.json says");
    check("offset-0", "", "`steps_offset` in scheduler/scheduler_config.json is ignored");
    check("clip", "", "`clip_sample` in scheduler/scheduler_config.json is ignored");
    // What no configuration can do is said once, for all cells.
    let failing = "some cells will fail: model: `pndm` ";
    check("", "prediction_type = \"sample\"\nscheduler = \"pndm\"\n", "`prediction_type` is `sample`");
    check("", "scheduler = \"pndm\"\n[sweep]\nsteps = [3, 1000]\nseed = [1, 2, 3]\n", failing);
}

#[test]
fn a_scheduler_that_is_not_supported_is_named_where_it_is_wanted() {
    let project = with_model("unknown");
    project.write("e.toml", "model = \"model\"\nprompt = \"a hat\"\n");
    let error = format!("{:?}", project.engine().plan(&project.experiment("e.toml")).unwrap_err());
    assert!(error.contains("DEISMultistepScheduler, which is not supported"), "{error}");
    assert!(error.contains("`dpmpp_2m`"), "{error}");
}

#[test]
fn words_that_no_prompt_has_are_noted() {
    let project = with_model("");
    project
        .write("embeddings/one.safetensors", std::fs::read(fixture("embeddings/one.safetensors")).unwrap());
    let found = |text: &str| {
        let notes = notes(&project, &format!("embeddings = \"one\"\n{text}"));
        notes.iter().filter(|note| note.contains("is in no prompt")).cloned().collect::<Vec<_>>()
    };
    let unused = found("prompt = \"a man\"\n");
    assert!(unused.len() == 1 && unused[0].contains("the word `<hat>`"), "{unused:?}");
    assert!(found("prompt = \"a man with a <HAT>\"\n").is_empty());
    assert!(found("prompt = \"a man\"\nnegative_prompt = \"<hat>\"\n").is_empty());
    assert_eq!(found("prompt = \"a man\"\nnegative_prompt = \"<hat>\"\nguidance_scale = 1\n").len(), 1);
    // In A1111's dialect the word is the file's name.
    assert_eq!(found("prompt = \"a <hat>\"\ndialect = \"a1111\"\n").len(), 1);
    assert!(found("prompt = \"a (one:1.2)\"\ndialect = \"a1111\"\n").is_empty());
}

#[test]
fn trigger_words_that_no_prompt_has_are_noted() {
    let project = with_model("");
    let header = r#"{"__metadata__":{"modelspec.trigger_phrase":"ohwx man, Woodcut"},"lora_unet_mid_block_attentions_0_proj_in.diff_b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(1.0_f32.to_le_bytes());
    project.write("loras/style.safetensors", file);
    let found = |prompt: &str| notes(&project, &format!("lora = \"style\"\nprompt = \"{prompt}\"\n"));
    let both = found("a man");
    assert!(both.iter().any(|note| note.contains("no prompt has `ohwx man`, `Woodcut`")), "{both:?}");
    let one = found("a woodcut");
    assert!(one.iter().any(|note| note.contains("no prompt has `ohwx man`, with which")), "{one:?}");
    assert!(!found("a woodcut of OHWX man").iter().any(|note| note.contains("no prompt has")));
}
