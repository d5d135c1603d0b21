//! What a plan says of models and weight files before anything is rendered.

use crate::support::{Project, fixture};
use maquette::Dtype;

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

/// Each combination of sizes is looked at: 14 positions of 4 pixels in the tiny Stable Diffusion 3.
#[test]
fn pictures_that_a_model_has_no_positions_for_are_noted() {
    let project = Project::new();
    project.copy("tiny-sd3", "model");
    let found =
        |sizes: &str| notes(&project, &format!("prompt = \"a\"\nsteps = 2\n[sweep]\nwidth = {sizes}\n"));
    let failing =
        |sizes: &str| found(sizes).into_iter().filter(|note| note.contains("will fail")).collect::<Vec<_>>();
    assert!(failing("[32, 56]").is_empty(), "{:?}", failing("[32, 56]"));
    let expected =
        "some cells will fail: model: `width` is 64; allowed: up to 56, for which the model has positions";
    assert_eq!(failing("[32, 64]"), [expected]);
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

/// Plans an experiment with a tiny model whose `file` has `text` in place of `old`; notes that contain "unless it is set" or "no
/// effect", and the first cell's steps and guidance scale.
fn sampling(tiny: &str, file: &str, [old, new]: [&str; 2], text: &str) -> (Vec<String>, u32, f64) {
    let project = Project::new();
    project.copy(tiny, "model");
    let path = format!("model/{file}");
    let before = project.read(&path);
    assert!(before.contains(old));
    project.write(&path, before.replace(old, new));
    project.write("e.toml", format!("model = \"model\"\nprompt = \"a hat\"\n{text}"));
    let planned = project.engine().plan(&project.experiment("e.toml")).unwrap();
    let settings = planned.plan.cell(0).unwrap().settings;
    let notes = planned.notes.into_iter();
    let notes = notes.filter(|note| note.contains("unless it is set") || note.contains("no effect"));
    (notes.collect(), settings.steps, settings.guidance_scale)
}

#[test]
fn flux2_klein_has_the_defaults_that_its_index_decides() {
    let klein = |distilled: &str, text: &str| {
        let is = ["\"is_distilled\": false", &format!("\"is_distilled\": {distilled}")];
        sampling("tiny-flux2", "model_index.json", is, text)
    };
    assert_eq!(klein("false", ""), (vec![], 50, 4.0));
    assert_eq!(klein("true", ""), (vec![], 4, 1.0));
    let (notes, steps, scale) = klein("true", "guidance_scale = 3\n");
    assert_eq!((steps, scale), (4, 3.0));
    assert!(notes.len() == 1 && notes[0].contains("`guidance_scale` has no effect"), "{notes:?}");
}

#[test]
fn flux1_has_the_defaults_that_its_transformer_decides() {
    let flux = |embeds: &str, text: &str| {
        let is = ["\"guidance_embeds\": true", &format!("\"guidance_embeds\": {embeds}")];
        sampling("tiny-flux1", "transformer/config.json", is, text)
    };
    assert_eq!(flux("true", ""), (vec![], 50, 3.5));
    assert_eq!(flux("false", ""), (vec![], 4, 1.0));
    let (notes, ..) = flux("false", "guidance_scale = 3\n");
    assert!(notes.len() == 1 && notes[0].contains("`guidance_scale` has no effect"), "{notes:?}");
}

#[test]
fn defaults_that_may_be_wrong_are_noted() {
    let check = |tiny: &str, text: &str, expected: &[&str]| {
        let same = ["_class_name", "_class_name"];
        let (notes, steps, _) = sampling(tiny, "transformer/config.json", same, text);
        assert_eq!(steps == 50, !text.contains("steps"));
        assert_eq!(notes.len(), expected.len(), "{notes:?}");
        notes.iter().zip(expected).for_each(|(note, part)| assert!(note.contains(part), "{note}"));
    };
    let turbo = ["Z-Image-Turbo is made for 1,", "Z-Image-Turbo is made for 8 or 9,"];
    check("tiny-z-image", "", &turbo);
    check("tiny-z-image", "guidance_scale = 7.5\n", &turbo[1..]);
    check("tiny-z-image", "[sweep]\nsteps = [8, 9]\n", &turbo[..1]);
    check("tiny-z-image", "steps = 9\nguidance_scale = 1\n", &[]);
    // The tiny one has a layer that the medium model alone has.
    check("tiny-sd3", "", &[]);
    let large = ["[\n    0\n  ]", "[]"];
    let (notes, ..) = sampling("tiny-sd3", "transformer/config.json", large, "steps = 4\n");
    assert!(notes.len() == 1 && notes[0].contains("Large Turbo is made for 1,"), "{notes:?}");
}

#[test]
fn the_weights_of_each_model_and_precision_are_forecast() {
    let project = Project::new();
    project.copy("tiny-a", "a");
    project.copy("tiny-z-image", "z");
    let forecast = |text: &str| {
        project.write("e.toml", format!("prompt = \"a hat\"\nsteps = 1\n{text}"));
        let planned = project.engine().plan(&project.experiment("e.toml")).unwrap();
        let forecast = project.engine().forecast(&planned).unwrap();
        let small = forecast.weights.iter().all(|model| model.excess.is_none());
        assert!(small, "{:?}", forecast.weights);
        let part = |model: &maquette::ModelWeights| {
            let parts = model.size.parts.iter().map(|part| part.part.clone()).collect::<Vec<_>>().join(" ");
            (model.model.clone(), model.dtype, parts)
        };
        forecast.weights.iter().map(part).collect::<Vec<_>>()
    };
    let of = |model: &str, dtype, parts: &str| (model.to_owned(), dtype, parts.to_owned());
    // Nothing is said of the bundled model.
    assert_eq!(forecast(""), []);
    let (a, z) = ("text_encoder vae unet", "text_encoder vae transformer");
    let expected =
        [of("a", Dtype::F32, a), of("a", Dtype::Bf16, a), of("z", Dtype::F32, z), of("z", Dtype::Bf16, z)];
    let swept = "[sweep]\nmodel = [\"a\", \"z\"]\ndtype = [\"f32\", \"bf16\"]\nseed = [1, 2]\n";
    assert_eq!(forecast(&format!("width = 64\nheight = 64\n{swept}")), expected);
}
