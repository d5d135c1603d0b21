//! Models that no family here can run, by name: other pipelines, and single parts of a model.
//!
//! What a folder is, is in its `model_index.json` or `modular_model_index.json`, or in the `config.json` of a folder with one part. Not here: single
//! files (`weights/single_file/`), and whether a supported model's configuration is supported (`models/`).

use crate::error::ModelError;
use crate::families::detect::TRANSFORMER_CONFIG;
use crate::families::files::{INDEX, MODULAR_INDEX, TEXT, TEXT_2, UNET_CONFIG};
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use serde_json::Value;

/// What is supported.
const SUPPORTED: &str = "Supported: Stable Diffusion 1 and 2, SDXL, latent consistency models of both, Stable Diffusion 3, Z-Image, FLUX.1, FLUX.2 klein, Chroma, Anima and Qwen-Image.";

/// The pipelines of supported families whose names begin like others.
const SUPPORTED_CLASSES: [&str; 23] = [
    "QwenImagePipeline",
    "QwenImageImg2ImgPipeline",
    "QwenImageInpaintPipeline",
    "QwenImageTransformer2DModel",
    "ChromaPipeline",
    "ChromaImg2ImgPipeline",
    "ChromaInpaintPipeline",
    "ChromaTransformer2DModel",
    "ZImagePipeline",
    "ZImageImg2ImgPipeline",
    "ZImageInpaintPipeline",
    "ZImageTransformer2DModel",
    "StableDiffusion3Pipeline",
    "StableDiffusion3Img2ImgPipeline",
    "StableDiffusion3InpaintPipeline",
    "SD3Transformer2DModel",
    "FluxPipeline",
    "FluxImg2ImgPipeline",
    "FluxInpaintPipeline",
    "FluxTransformer2DModel",
    "Flux2KleinPipeline",
    "Flux2KleinInpaintPipeline",
    "Flux2Transformer2DModel",
];

/// How classes of other pipelines and parts begin, and what they are. Of several, the first in the list counts.
const OTHERS: [(&str, &str); 62] = [
    ("StableDiffusion3", "Stable Diffusion 3"),
    ("SD3", "a part of Stable Diffusion 3"),
    ("StableDiffusionXLControlNet", "SDXL with a ControlNet"),
    ("StableDiffusionControlNet", "Stable Diffusion with a ControlNet"),
    ("ControlNet", "a ControlNet"),
    ("StableDiffusionXLAdapter", "SDXL with a T2I-Adapter"),
    ("StableDiffusionAdapter", "Stable Diffusion with a T2I-Adapter"),
    ("T2IAdapter", "a T2I-Adapter"),
    ("StableDiffusionXLInstructPix2Pix", "InstructPix2Pix on SDXL"),
    ("StableDiffusionInstructPix2Pix", "InstructPix2Pix"),
    ("StableDiffusionDepth2Img", "Stable Diffusion from a depth map"),
    ("StableDiffusionUpscale", "the x4 upscaler"),
    ("StableDiffusionLatentUpscale", "the latent upscaler"),
    ("StableDiffusionImageVariation", "Stable Diffusion for variations of an image"),
    ("StableDiffusionGLIGEN", "GLIGEN"),
    ("StableDiffusionLDM3D", "LDM3D"),
    ("StableUnCLIP", "Stable unCLIP"),
    ("StableVideoDiffusion", "Stable Video Diffusion"),
    ("StableCascade", "Stable Cascade"),
    ("StableAudio", "Stable Audio"),
    ("Wuerstchen", "Wuerstchen"),
    ("Kandinsky", "Kandinsky"),
    ("PixArt", "PixArt"),
    ("Flux2", "FLUX.2"),
    ("Flux", "FLUX"),
    ("VisualCloze", "VisualCloze, which follows examples with FLUX"),
    ("Sana", "Sana"),
    ("Hunyuan", "Hunyuan"),
    ("AuraFlow", "AuraFlow"),
    ("Lumina", "Lumina"),
    ("Kolors", "Kolors"),
    ("CogV", "CogView or CogVideoX"),
    ("QwenImageEdit", "Qwen-Image-Edit"),
    ("QwenImageLayered", "Qwen-Image-Layered"),
    ("QwenImageControlNet", "Qwen-Image with a ControlNet"),
    ("QwenImage", "Qwen-Image"),
    ("ZImage", "Z-Image"),
    ("Chroma", "Chroma"),
    ("HiDream", "HiDream"),
    ("OmniGen", "OmniGen"),
    ("Cosmos", "Cosmos"),
    ("Wan", "Wan"),
    ("LTX", "LTX-Video"),
    ("Mochi", "Mochi"),
    ("Krea2", "Krea 2"),
    ("Ideogram", "Ideogram"),
    ("AnimateDiff", "AnimateDiff"),
    ("PIA", "PIA, a model of videos"),
    ("TextToVideo", "a model of videos"),
    ("VideoToVideo", "a model of videos"),
    ("I2VGenXL", "I2VGen-XL, a model of videos"),
    ("AudioLDM", "AudioLDM"),
    ("MusicLDM", "MusicLDM"),
    ("Marigold", "Marigold, which estimates depth and the like"),
    ("PaintByExample", "Paint by Example"),
    ("AltDiffusion", "AltDiffusion"),
    ("Onnx", "an ONNX model"),
    ("IF", "DeepFloyd IF"),
    ("UNet2DConditionModel", "a UNet alone; use the whole folder of its model"),
    ("AutoencoderKL", "an autoencoder; use it with `vae`"),
    ("AutoencoderTiny", "an autoencoder; use it with `vae`"),
    ("MotionAdapter", "a motion adapter of AnimateDiff"),
];

const TRANSFORMERS: [&str; 7] = [
    "QwenImageTransformer2DModel",
    "ChromaTransformer2DModel",
    "CosmosTransformer3DModel",
    "ZImageTransformer2DModel",
    "SD3Transformer2DModel",
    "FluxTransformer2DModel",
    "Flux2Transformer2DModel",
];

const TEXT_ENCODERS: [&str; 5] = [
    "CLIPTextModel",
    "CLIPTextModelWithProjection",
    "Qwen3Model",
    "Qwen3ForCausalLM",
    "Qwen2_5_VLForConditionalGeneration",
];

/// The parts of a supported model, and their classes if not every class is supported.
const PARTS: [(&str, &[&str]); 15] = [
    ("transformer", &TRANSFORMERS),
    ("text_encoder_3", &["T5EncoderModel"]),
    ("tokenizer_3", &[]),
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderKLQwenImage", "AutoencoderTiny"]),
    ("text_conditioner", &["AnimaTextConditioner"]),
    ("t5_tokenizer", &[]),
    ("text_encoder", &TEXT_ENCODERS),
    ("text_encoder_2", &["CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel"]),
    ("tokenizer", &[]),
    ("tokenizer_2", &[]),
    ("scheduler", &[]),
    ("safety_checker", &[]),
    ("feature_extractor", &[]),
    // Only for pictures as prompts, which nothing here has.
    ("image_encoder", &[]),
];

/// Refuses a model that is none of a supported family.
pub(super) fn refuse(source: &ModelSource) -> Result<(), ModelError> {
    let refused = |what: String| Err(ModelError::Kind { model: source.name(), what, supported: SUPPORTED });
    let Some(index) = [INDEX, MODULAR_INDEX].into_iter().find(|index| source.has(index)) else {
        let part = match source.has(UNET_CONFIG) || source.has(TRANSFORMER_CONFIG) {
            true => None,
            false if source.has("adapter_config.json") => Some("a LoRA; use it with `lora`".to_owned()),
            false if source.has("config.json") => other(class(&ConfigFile::open(source, "config.json")?)),
            false => None,
        };
        return match part {
            Some(what) => refused(what),
            None if source.has(TEXT_2.config) && !source.has(TEXT.config) => refused(refiner()),
            None => Ok(()),
        };
    };
    let index = ConfigFile::open(source, index)?;
    // Modular pipelines have the same parts as those of the same name without this word.
    let class = class(&index);
    if let Some(what) = other(&class.replace("Modular", "")) {
        return refused(what);
    }
    for (part, value) in index.entries() {
        // Settings of the pipeline are no lists, and parts that are left out are lists of null. In the list of a modular pipeline
        // the file and the class are followed by where it is.
        let Some(found) = value.as_array().and_then(|list| list.get(1)).and_then(Value::as_str) else {
            continue;
        };
        let known = PARTS.iter().find(|(name, _)| *name == part);
        let is_chromas = class.starts_with("Chroma") && (part, found) == ("text_encoder", "T5EncoderModel");
        match known {
            // Its list is the file and the class of the pipeline's own code.
            _ if part.starts_with('_') || is_chromas => {}
            Some((_, classes)) if classes.is_empty() || classes.contains(&found) => {}
            _ => return refused(format!("a {class} whose `{part}` is a {found}")),
        }
    }
    let lacks_text =
        index.get("text_encoder").and_then(Value::as_array).is_some_and(|it| it.iter().all(Value::is_null));
    if index.flag("requires_aesthetics_score", false)? || lacks_text && source.has(TEXT_2.config) {
        return refused(refiner());
    }
    Ok(())
}

fn refiner() -> String {
    "the SDXL refiner, which has one text encoder and an aesthetic score as input and only refines pictures of SDXL base; \
     use SDXL base alone"
        .to_owned()
}

/// What a class is, if it belongs to another kind of model.
fn other(class: &str) -> Option<String> {
    if SUPPORTED_CLASSES.contains(&class) {
        return None;
    }
    let (_, what) = OTHERS.iter().find(|(prefix, _)| class.starts_with(prefix))?;
    Some(format!("{what} ({class})"))
}

/// The class that a file names, or nothing.
fn class(file: &ConfigFile) -> &str {
    match file.get("_class_name") {
        Some(Value::Array(list)) => list.last().and_then(Value::as_str).unwrap_or_default(),
        Some(name) => name.as_str().unwrap_or_default(),
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Writes a model_index.json, or the `config.json` of a part, and gives the reason for which it is refused.
    fn reason(file: &str, content: &Value) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), content.to_string()).unwrap();
        let source = ModelSource::Folder(folder.path().to_owned());
        let error = refuse(&source).err()?.to_string();
        Some(error.replace(&folder.path().display().to_string(), "FOLDER"))
    }

    /// Every pipeline of diffusers with the classes of its parts (`tests/fixtures/parts/pipelines.json`).
    #[test]
    fn only_pipelines_with_the_parts_of_a_supported_model_are_accepted() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parts/pipelines.json");
        let pipelines: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let is_accepted = |(class, parts): &(&String, &BTreeMap<String, String>)| {
            let parts = parts.iter().map(|(part, class)| (part.clone(), json!(["library", class])));
            let class = ("_class_name".to_owned(), json!(class));
            reason(INDEX, &Value::Object(parts.chain([class]).collect())).is_none()
        };
        let accepted: Vec<&str> =
            pipelines.iter().filter(is_accepted).map(|(class, _)| class.as_str()).collect();
        // Some are other ways to sample with an ordinary model.
        let expected = [
            "ChromaImg2ImgPipeline",
            "ChromaInpaintPipeline",
            "ChromaPipeline",
            "CycleDiffusionPipeline",
            "Flux2KleinInpaintPipeline",
            "Flux2KleinPipeline",
            "FluxImg2ImgPipeline",
            "FluxInpaintPipeline",
            "FluxPipeline",
            "LatentConsistencyModelImg2ImgPipeline",
            "LatentConsistencyModelPipeline",
            "QwenImageImg2ImgPipeline",
            "QwenImageInpaintPipeline",
            "QwenImagePipeline",
            "SemanticStableDiffusionPipeline",
            "StableDiffusion3Img2ImgPipeline",
            "StableDiffusion3InpaintPipeline",
            "StableDiffusion3Pipeline",
            "StableDiffusionAttendAndExcitePipeline",
            "StableDiffusionImg2ImgPipeline",
            "StableDiffusionInpaintPipeline",
            "StableDiffusionModelEditingPipeline",
            "StableDiffusionPAGImg2ImgPipeline",
            "StableDiffusionPAGInpaintPipeline",
            "StableDiffusionPAGPipeline",
            "StableDiffusionPanoramaPipeline",
            "StableDiffusionParadigmsPipeline",
            "StableDiffusionPipeline",
            "StableDiffusionSAGPipeline",
            "StableDiffusionXLImg2ImgPipeline",
            "StableDiffusionXLInpaintPipeline",
            "StableDiffusionXLPAGImg2ImgPipeline",
            "StableDiffusionXLPAGInpaintPipeline",
            "StableDiffusionXLPAGPipeline",
            "StableDiffusionXLPipeline",
        ];
        assert_eq!(accepted, expected);
    }

    #[test]
    fn other_models_are_refused_by_name() {
        let check = |file: &str, content: Value, expected: &str| {
            let expected = format!("FOLDER is {expected}, which is not supported. {SUPPORTED}");
            assert_eq!(reason(file, &content), Some(expected));
        };
        check(INDEX, json!({"_class_name": "FluxKontextPipeline"}), "FLUX (FluxKontextPipeline)");
        let refiner = json!({
            "_class_name": "StableDiffusionXLImg2ImgPipeline",
            "requires_aesthetics_score": true,
            "text_encoder": [null, null],
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        });
        check(INDEX, refiner, &super::refiner());
        let next = json!({"_class_name": ["pipeline", "Next"], "mixer": ["pipeline", "Mixer"]});
        check(INDEX, next, "a Next whose `mixer` is a Mixer");
        let other_text = json!({"_class_name": "StableDiffusionPipeline", "text_encoder": ["transformers", "T5EncoderModel"]});
        check(INDEX, other_text, "a StableDiffusionPipeline whose `text_encoder` is a T5EncoderModel");
        check("config.json", json!({"_class_name": "ControlNetModel"}), "a ControlNet (ControlNetModel)");
        check("adapter_config.json", json!({}), "a LoRA; use it with `lora`");
        let anima = |class: &str| json!({"_class_name": "AnimaModularPipeline", "transformer": ["diffusers", class, {"subfolder": "transformer"}]});
        assert_eq!(reason(MODULAR_INDEX, &anima("CosmosTransformer3DModel")), None);
        let wan = "a AnimaModularPipeline whose `transformer` is a WanTransformer3DModel";
        check(MODULAR_INDEX, anima("WanTransformer3DModel"), wan);
        let edit = json!({"_class_name": "QwenImageEditModularPipeline"});
        check(MODULAR_INDEX, edit, "Qwen-Image-Edit (QwenImageEditPipeline)");
        let cosmos = json!({"_class_name": "Cosmos2TextToImagePipeline"});
        check(INDEX, cosmos, "Cosmos (Cosmos2TextToImagePipeline)");
        let custom = json!({"_class_name": ["my_code", "StableDiffusionPipeline"], "watermark": null, "unet": [null, null]});
        assert_eq!(reason(INDEX, &custom), None);
    }
}
