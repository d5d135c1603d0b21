//! The table of ComfyUI's nodes: which input each output of a node passes on, and in which order the editor writes a
//! node's values.
//!
//! After the classes in `nodes.py` and `comfy_extras/` of ComfyUI, and those of widespread node packages. What a node means
//! is in the other files.

/// A class of nodes.
#[derive(Debug)]
pub struct Kind {
    /// Its `class_type`.
    pub class: &'static str,
    /// Outputs by number, each with the input that it passes on; the input `ONLY` is the only one.
    passes: &'static [(u64, &'static str)],
    /// Its values in the editor's order; `CONTROL` for what the editor adds after a seed.
    pub widgets: &'static [&'static str],
    /// Whether everything that it does to a picture is read: it holds, loads, encodes, decodes or saves.
    pub is_read: bool,
}

/// The only input of a reroute, whose name varies.
pub const ONLY: &str = "";

/// `fixed`, `increment`, `decrement` or `randomize`: what the editor does to a seed after a run.
pub const CONTROL: &str = "";

/// A node whose inputs are read.
const fn reads(class: &'static str, widgets: &'static [&'static str]) -> Kind {
    Kind { class, passes: &[], widgets, is_read: true }
}

/// A node that passes inputs on, and does nothing else that is not read.
const fn hands(
    class: &'static str,
    passes: &'static [(u64, &'static str)],
    widgets: &'static [&'static str],
) -> Kind {
    Kind { class, passes, widgets, is_read: true }
}

/// A node that passes inputs on, changed in a way that Maquette does not have.
const fn changes(class: &'static str, passes: &'static [(u64, &'static str)]) -> Kind {
    Kind { class, passes, widgets: &[], is_read: false }
}

const BOTH: &[(u64, &str)] = &[(0, "positive"), (1, "negative")];
const CONDITIONING: &[(u64, &str)] = &[(0, "conditioning")];
const MODEL: &[(u64, &str)] = &[(0, "model")];
const SAMPLES: &[(u64, &str)] = &[(0, "samples")];
const IMAGE: &[(u64, &str)] = &[(0, "image")];
const PIXELS: &[(u64, &str)] = &[(0, "pixels")];

/// Every known class.
const KINDS: &[Kind] = &[
    // Samplers and their parts.
    reads("KSampler", &["seed", CONTROL, "steps", "cfg", "sampler_name", "scheduler", "denoise"]),
    reads(
        "KSamplerAdvanced",
        &[
            "add_noise",
            "noise_seed",
            CONTROL,
            "steps",
            "cfg",
            "sampler_name",
            "scheduler",
            "start_at_step",
            "end_at_step",
            "return_with_leftover_noise",
        ],
    ),
    reads("SamplerCustom", &["add_noise", "noise_seed", CONTROL, "cfg"]),
    reads("SamplerCustomAdvanced", &[]),
    reads("RandomNoise", &["noise_seed", CONTROL]),
    reads("DisableNoise", &[]),
    reads("KSamplerSelect", &["sampler_name"]),
    reads("BasicScheduler", &["scheduler", "steps", "denoise"]),
    reads("KarrasScheduler", &["steps", "sigma_max", "sigma_min", "rho"]),
    reads("ExponentialScheduler", &["steps", "sigma_max", "sigma_min"]),
    reads("Flux2Scheduler", &["steps", "width", "height"]),
    reads("SplitSigmas", &["step"]),
    reads("SplitSigmasDenoise", &["denoise"]),
    reads("CFGGuider", &["cfg"]),
    reads("BasicGuider", &[]),
    // Prompts.
    reads("CLIPTextEncode", &["text"]),
    reads(
        "CLIPTextEncodeSDXL",
        &["width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"],
    ),
    reads("CLIPTextEncodeSDXLRefiner", &["ascore", "width", "height", "text"]),
    reads("CLIPTextEncodeSD3", &["clip_l", "clip_g", "t5xxl", "empty_padding"]),
    reads("CLIPTextEncodeFlux", &["clip_l", "t5xxl", "guidance"]),
    reads("ConditioningCombine", &[]),
    reads("ConditioningConcat", &[]),
    reads("ConditioningAverage", &["conditioning_to_strength"]),
    reads("ConditioningZeroOut", &[]),
    changes("ConditioningSetArea", CONDITIONING),
    changes("ConditioningSetAreaPercentage", CONDITIONING),
    changes("ConditioningSetAreaStrength", CONDITIONING),
    changes("ConditioningSetMask", CONDITIONING),
    changes("ConditioningSetTimestepRange", CONDITIONING),
    changes("ControlNetApply", CONDITIONING),
    hands("FluxGuidance", CONDITIONING, &["guidance"]),
    changes("ReferenceLatent", CONDITIONING),
    changes("StyleModelApply", CONDITIONING),
    changes("unCLIPConditioning", CONDITIONING),
    changes("GLIGENTextboxApply", &[(0, "conditioning_to")]),
    changes("ACN_AdvancedControlNetApply", BOTH),
    changes("ControlNetApplyAdvanced", BOTH),
    changes("ControlNetApplySD3", BOTH),
    changes("ControlNetInpaintingAliMamaApply", BOTH),
    changes("InstructPixToPixConditioning", BOTH),
    changes("InpaintModelConditioning", &[(0, "positive"), (1, "negative"), (2, "pixels")]),
    hands("CLIPSetLastLayer", &[(0, "clip")], &["stop_at_clip_layer"]),
    // Models.
    reads("CheckpointLoader", &["config_name", "ckpt_name"]),
    reads("CheckpointLoaderSimple", &["ckpt_name"]),
    reads("UNETLoader", &["unet_name", "weight_dtype"]),
    reads("CLIPLoader", &["clip_name", "type", "device"]),
    reads("DualCLIPLoader", &["clip_name1", "clip_name2", "type", "device"]),
    reads("TripleCLIPLoader", &["clip_name1", "clip_name2", "clip_name3"]),
    reads("UnetLoaderGGUF", &["unet_name"]),
    reads("UnetLoaderGGUFAdvanced", &["unet_name", "dequant_dtype", "patch_dtype", "patch_on_device"]),
    reads("CLIPLoaderGGUF", &["clip_name", "type"]),
    reads("DualCLIPLoaderGGUF", &["clip_name1", "clip_name2", "type"]),
    reads("TripleCLIPLoaderGGUF", &["clip_name1", "clip_name2", "clip_name3"]),
    reads("VAELoader", &["vae_name"]),
    hands("LoraLoader", &[(0, "model"), (1, "clip")], &["lora_name", "strength_model", "strength_clip"]),
    hands("LoraLoaderModelOnly", MODEL, &["lora_name", "strength_model"]),
    hands("Power Lora Loader (rgthree)", &[(0, "model"), (1, "clip")], &[]),
    hands("RescaleCFG", MODEL, &["multiplier"]),
    hands("ModelSamplingDiscrete", MODEL, &["sampling", "zsnr"]),
    hands("ModelSamplingAuraFlow", MODEL, &["shift"]),
    hands("ModelSamplingFlux", MODEL, &["max_shift", "base_shift", "width", "height"]),
    hands("ModelSamplingSD3", MODEL, &["shift"]),
    changes("DifferentialDiffusion", MODEL),
    changes("FreeU", MODEL),
    changes("FreeU_V2", MODEL),
    changes("HyperTile", MODEL),
    changes("HypernetworkLoader", MODEL),
    changes("IPAdapter", MODEL),
    changes("IPAdapterAdvanced", MODEL),
    changes("IPAdapterUnifiedLoader", MODEL),
    changes("ModelSamplingContinuousEDM", MODEL),
    changes("ModelSamplingContinuousV", MODEL),
    changes("PatchModelAddDownscale", MODEL),
    changes("PerturbedAttentionGuidance", MODEL),
    changes("SelfAttentionGuidance", MODEL),
    changes("TomePatchModel", MODEL),
    // Latents.
    reads("EmptyLatentImage", &["width", "height", "batch_size"]),
    reads("EmptySD3LatentImage", &["width", "height", "batch_size"]),
    reads("EmptyFlux2LatentImage", &["width", "height", "batch_size"]),
    hands("VAEDecode", SAMPLES, &[]),
    hands("VAEDecodeTiled", SAMPLES, &["tile_size", "overlap"]),
    hands("VAEEncode", PIXELS, &[]),
    hands("VAEEncodeTiled", PIXELS, &["tile_size", "overlap"]),
    changes("VAEEncodeForInpaint", PIXELS),
    changes("SetLatentNoiseMask", SAMPLES),
    hands("RepeatLatentBatch", SAMPLES, &["amount"]),
    changes("LatentCrop", SAMPLES),
    changes("LatentFlip", SAMPLES),
    changes("LatentFromBatch", SAMPLES),
    changes("LatentRotate", SAMPLES),
    changes("LatentUpscale", SAMPLES),
    changes("LatentUpscaleBy", SAMPLES),
    // Pictures.
    reads("LoadImage", &["image", "upload"]),
    reads("PreviewImage", &[]),
    reads("SaveAnimatedPNG", &["filename_prefix", "fps", "compress_level"]),
    reads("SaveAnimatedWEBP", &["filename_prefix", "fps", "lossless", "quality", "method"]),
    reads("SaveImage", &["filename_prefix"]),
    reads("SaveImageWebsocket", &[]),
    Kind {
        class: "ImageScale",
        passes: IMAGE,
        widgets: &["upscale_method", "width", "height", "crop"],
        is_read: false,
    },
    changes("FaceDetailer", IMAGE),
    changes("ImageBlur", IMAGE),
    changes("ImageCrop", IMAGE),
    changes("ImageInvert", IMAGE),
    changes("ImagePadForOutpaint", IMAGE),
    changes("ImageQuantize", IMAGE),
    changes("ImageScaleBy", IMAGE),
    changes("ImageScaleToTotalPixels", IMAGE),
    changes("ImageSharpen", IMAGE),
    changes("ImageUpscaleWithModel", IMAGE),
    changes("UltimateSDUpscale", IMAGE),
    // Wires and values.
    hands("Reroute", &[(0, ONLY)], &[]),
    hands("Reroute (rgthree)", &[(0, ONLY)], &[]),
    reads("MarkdownNote", &[]),
    reads("Note", &[]),
    reads("PrimitiveBoolean", &["value"]),
    reads("PrimitiveFloat", &["value"]),
    reads("PrimitiveInt", &["value", CONTROL]),
    reads("PrimitiveNode", &["value", CONTROL]),
    reads("PrimitiveString", &["value"]),
    reads("PrimitiveStringMultiline", &["value"]),
    reads("StringConcatenate", &["string_a", "string_b", "delimiter"]),
    reads("CR Seed", &["seed", CONTROL]),
    reads("FloatConstant", &["value"]),
    reads("INTConstant", &["value"]),
    reads("ImpactWildcardProcessor", &["wildcard_text", "populated_text", "mode"]),
    reads("Seed (rgthree)", &["seed"]),
    reads("ShowText|pysssss", &["text"]),
    reads("StringConstant", &["string"]),
    reads("StringConstantMultiline", &["string", "strip_newlines"]),
    reads("Text Multiline", &["text"]),
    reads("easy seed", &["seed", CONTROL]),
];

/// Nodes that hold a value, and the input that has it.
const VALUES: &[(&str, &str)] = &[
    ("CR Seed", "seed"),
    ("FloatConstant", "value"),
    ("INTConstant", "value"),
    // What the wildcards of its other text became.
    ("ImpactWildcardProcessor", "populated_text"),
    ("PrimitiveBoolean", "value"),
    ("PrimitiveFloat", "value"),
    ("PrimitiveInt", "value"),
    ("PrimitiveNode", "value"),
    ("PrimitiveString", "value"),
    ("PrimitiveStringMultiline", "value"),
    ("Seed (rgthree)", "seed"),
    // It shows a text that is linked to it.
    ("ShowText|pysssss", "text"),
    ("StringConstant", "string"),
    ("StringConstantMultiline", "string"),
    ("Text Multiline", "text"),
    ("easy seed", "seed"),
];

impl Kind {
    /// The class of that name, if it is known.
    pub fn of(class: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.class == class)
    }

    /// The input that an output passes on.
    pub fn passes(&self, output: u64) -> Option<&'static str> {
        self.passes.iter().find(|(known, _)| *known == output).map(|(_, input)| *input)
    }
}

/// The input of a node that holds a value; `None` for any other node.
pub fn value_input(class: &str) -> Option<&'static str> {
    VALUES.iter().find(|(known, _)| *known == class).map(|(_, input)| *input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_listed_once() {
        for (number, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..number].iter().all(|other| other.class != kind.class), "{}", kind.class);
        }
        assert!(VALUES.iter().all(|(class, _)| Kind::of(class).is_some_and(|kind| kind.is_read)));
    }
}
