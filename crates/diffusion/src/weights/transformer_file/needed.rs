//! The other files of a transformer's model: their published names, where they are looked for, and where people get them.
//!
//! Not here: what is in them.

use crate::weights::original_names::Original;
use crate::weights::single_file::FlowVae;
use std::path::{Path, PathBuf};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// CLIP's text encoder (ViT-L), and OpenCLIP's (ViT-bigG).
    ClipL,
    ClipG,
    T5,
    Qwen3,
    /// Qwen2.5-VL.
    Qwen25Vl,
    /// Anima's, which is a part of its transformer.
    Conditioner,
    Vae(FlowVae),
    Tokenizer,
}

/// A file that a transformer needs.
#[derive(Debug)]
pub(super) struct Needed {
    pub what: What,
    /// Its folder in diffusers' layout, and its name there.
    pub part: &'static str,
    pub name: &'static str,
    /// Its published names, the preferred one first.
    files: &'static [&'static str],
    /// How the names of its GGUF files begin.
    gguf: Option<&'static str>,
    /// ComfyUI's folders for it.
    folders: &'static [&'static str],
    /// The prefix of its tensors in a checkpoint; of an autoencoder it depends on the file.
    pub prefix: Option<&'static str>,
    /// Where people get it.
    from: &'static str,
    /// The part that is left out with this one, if a model may be without it.
    pub optional: bool,
}

const TEXT: &str = "text_encoder/model.safetensors";
const TEXT_2: &str = "text_encoder_2/model.safetensors";
const TEXT_3: &str = "text_encoder_3/model.safetensors";
const TEXT_FOLDERS: &[&str] = &["text_encoders", "clip"];
const CONDITIONER: &str = "text_conditioner/diffusion_pytorch_model.safetensors";
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

const CLIP_L: Needed = Needed {
    what: What::ClipL,
    part: "text_encoder",
    name: TEXT,
    files: &["clip_l.safetensors"],
    gguf: None,
    folders: TEXT_FOLDERS,
    prefix: Some("text_encoders.clip_l.transformer."),
    from: "comfyanonymous/flux_text_encoders",
    optional: false,
};
const CLIP_G: Needed = Needed {
    what: What::ClipG,
    part: "text_encoder_2",
    name: TEXT_2,
    files: &["clip_g.safetensors"],
    prefix: Some("text_encoders.clip_g.transformer."),
    from: "text_encoders of Comfy-Org/stable-diffusion-3.5-fp8",
    ..CLIP_L
};
const T5: Needed = Needed {
    what: What::T5,
    part: "text_encoder_2",
    name: TEXT_2,
    files: &["t5xxl_fp16.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors", "t5xxl_fp8_e4m3fn.safetensors"],
    gguf: Some("t5-v1_1-xxl-encoder-"),
    folders: TEXT_FOLDERS,
    prefix: Some("text_encoders.t5xxl.transformer."),
    from: "comfyanonymous/flux_text_encoders, or as GGUF in city96/t5-v1_1-xxl-encoder-gguf",
    optional: false,
};
const QWEN3: Needed = Needed {
    what: What::Qwen3,
    part: "text_encoder",
    name: TEXT,
    files: &["qwen_3_4b.safetensors", "qwen_3_4b_fp8_mixed.safetensors"],
    gguf: Some("Qwen3-4B-"),
    folders: TEXT_FOLDERS,
    prefix: Some("text_encoders.qwen3_4b.transformer."),
    from: "split_files/text_encoders of Comfy-Org/z_image_turbo",
    optional: false,
};
/// The larger one of FLUX.2 klein 9B.
const QWEN3_8B: Needed = Needed {
    files: &["qwen_3_8b.safetensors", "qwen_3_8b_fp8mixed.safetensors"],
    gguf: Some("Qwen3-8B-"),
    prefix: Some("text_encoders.qwen3_8b.transformer."),
    from: "split_files/text_encoders of Comfy-Org/vae-text-encorder-for-flux-klein-9b",
    ..QWEN3
};
const QWEN3_TOKENIZER: Needed = Needed {
    what: What::Tokenizer,
    part: "tokenizer",
    name: "tokenizer/tokenizer.json",
    files: &["tokenizer.json"],
    gguf: None,
    folders: &["tokenizer"],
    prefix: None,
    from: "tokenizer of Tongyi-MAI/Z-Image-Turbo",
    optional: false,
};
/// Under a name of its own, because T5's and Qwen3's may be in the same folder.
const T5_TOKENIZER: Needed = Needed {
    part: "tokenizer_2",
    name: "tokenizer_2/tokenizer.json",
    files: &["t5_tokenizer.json"],
    folders: TEXT_FOLDERS,
    from: "tokenizer_2/tokenizer.json of black-forest-labs/FLUX.1-schnell",
    ..QWEN3_TOKENIZER
};
const AE: Needed = Needed {
    what: What::Vae(FlowVae::Flux1),
    part: "vae",
    name: VAE,
    files: &["ae.safetensors"],
    gguf: None,
    folders: &["vae"],
    prefix: None,
    from: "split_files/vae of Comfy-Org/z_image_turbo",
    optional: false,
};
const FLUX2_VAE: Needed = Needed {
    what: What::Vae(FlowVae::Flux2),
    files: &["flux2-vae.safetensors"],
    from: "split_files/vae of Comfy-Org/flux2-dev",
    ..AE
};
const SD3_VAE: Needed = Needed {
    what: What::Vae(FlowVae::StableDiffusion3),
    files: &["sd3.5_vae.safetensors", "sd3_vae.safetensors"],
    from: "vae/diffusion_pytorch_model.safetensors of stabilityai/stable-diffusion-3.5-medium",
    ..AE
};

const QWEN_IMAGE_VAE: Needed = Needed {
    what: What::Vae(FlowVae::QwenImage),
    files: &["qwen_image_vae.safetensors"],
    from: ANIMA_FILES,
    ..AE
};
const ANIMA_FILES: &str = "split_files of circlestone-labs/Anima";

const Z_IMAGE: &[Needed] = &[QWEN3, AE, QWEN3_TOKENIZER];
const FLUX1: &[Needed] = &[CLIP_L, T5, AE, T5_TOKENIZER];
/// Its folders have T5 in place of CLIP.
const CHROMA: &[Needed] = &[
    Needed { part: "text_encoder", name: TEXT, ..T5 },
    AE,
    Needed { part: "tokenizer", name: "tokenizer/tokenizer.json", ..T5_TOKENIZER },
];
const FLUX2: &[Needed] =
    &[QWEN3, FLUX2_VAE, Needed { from: "tokenizer of black-forest-labs/FLUX.2-klein-4B", ..QWEN3_TOKENIZER }];
const FLUX2_9B: &[Needed] = &[
    QWEN3_8B,
    FLUX2_VAE,
    Needed { from: "tokenizer of black-forest-labs/FLUX.2-klein-9B", ..QWEN3_TOKENIZER },
];
/// The conditioner has a prefix in the file of the transformer, so that it never has to be found.
const ANIMA: &[Needed] = &[
    Needed {
        files: &["qwen_3_06b_base.safetensors"],
        gguf: Some("Qwen3-0.6B-Base-"),
        prefix: Some("text_encoders.qwen3_06b.transformer."),
        from: ANIMA_FILES,
        ..QWEN3
    },
    Needed { what: What::Conditioner, part: "text_conditioner", name: CONDITIONER, ..QWEN3 },
    QWEN_IMAGE_VAE,
    Needed { from: "Qwen/Qwen3-0.6B-Base", ..QWEN3_TOKENIZER },
    Needed { part: "t5_tokenizer", name: "t5_tokenizer/tokenizer.json", ..T5_TOKENIZER },
];
const QWEN_IMAGE: &[Needed] = &[
    Needed {
        what: What::Qwen25Vl,
        files: &["qwen_2.5_vl_7b.safetensors", "qwen_2.5_vl_7b_fp8_scaled.safetensors"],
        gguf: Some("Qwen2.5-VL-7B-Instruct-"),
        prefix: Some("text_encoders.qwen25_7b.transformer."),
        from: "split_files/text_encoders of Comfy-Org/Qwen-Image_ComfyUI",
        ..QWEN3
    },
    Needed { from: "split_files/vae of Comfy-Org/Qwen-Image_ComfyUI", ..QWEN_IMAGE_VAE },
    Needed { from: "Qwen/Qwen2.5-VL-7B-Instruct", ..QWEN3_TOKENIZER },
];
/// A model may be without T5, as in diffusers; with it, it needs its tokenizer, too.
const SD3: &[Needed] = &[
    CLIP_L,
    CLIP_G,
    Needed { part: "text_encoder_3", name: TEXT_3, optional: true, ..T5 },
    SD3_VAE,
    Needed {
        part: "tokenizer_3",
        name: "tokenizer_3/tokenizer.json",
        from: "tokenizer_3/tokenizer.json of stabilityai/stable-diffusion-3.5-medium",
        ..T5_TOKENIZER
    },
];
/// The width of the text in FLUX.2 klein 9B: three states of Qwen3-8B.
const WIDTH_OF_9B: usize = 3 * 4096;

/// What a transformer needs besides; its text has `width` channels. A tokenizer comes after its text encoder.
pub(super) fn needed(of: Original, width: usize) -> &'static [Needed] {
    match of {
        Original::ZImage => Z_IMAGE,
        Original::StableDiffusion3(_) => SD3,
        Original::Flux1 => FLUX1,
        Original::Chroma => CHROMA,
        Original::Flux2 if width == WIDTH_OF_9B => FLUX2_9B,
        Original::Flux2 => FLUX2,
        Original::Anima => ANIMA,
        Original::QwenImage => QWEN_IMAGE,
    }
}

impl Needed {
    /// The file for a transformer in `file`: in the folder with its name, beside it, in ComfyUI's folders beside it or beside
    /// its folder. In the first of these places that has one, published names come before GGUF files; of several GGUF files
    /// it is the largest.
    pub fn find(&self, file: &Path) -> Option<PathBuf> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let beside = self.folders.iter().map(|name| folder.join(name));
        let above = self.folders.iter().map(|name| folder.join("..").join(name));
        let places = [file.with_extension(""), folder.to_owned()].into_iter().chain(beside).chain(above);
        places.into_iter().find_map(|place| {
            let published = self.files.iter().map(|name| place.join(name)).find(|path| path.is_file());
            published.or_else(|| largest_gguf(&place, self.gguf?))
        })
    }

    /// Its names, and where people get it.
    pub fn how_to_get(&self) -> String {
        let gguf = self.gguf.map(|start| format!("{start}*.gguf"));
        let mut names: Vec<String> = self.files.iter().map(|name| (*name).to_owned()).chain(gguf).collect();
        let last = names.pop().unwrap_or_default();
        let names = if names.is_empty() { last } else { format!("{} or {last}", names.join(", ")) };
        format!("{names} (in {})", self.from)
    }
}

/// The largest GGUF file in a folder whose name is `start` and a type of weights, such as `Q4_K_M`; of several the first by name.
fn largest_gguf(folder: &Path, start: &str) -> Option<PathBuf> {
    let entries = if folder.as_os_str().is_empty() { Path::new(".") } else { folder }.read_dir().ok()?;
    let mut found: Vec<(u64, String)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let size = folder.join(&name).metadata().ok().filter(std::fs::Metadata::is_file)?.len();
            is_gguf_of(&name, start).then_some((size, name))
        })
        .collect();
    found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    found.into_iter().next().map(|(_, name)| folder.join(name))
}

/// Whether a file is named `start`, a type of weights and `.gguf`, in upper or lower case: `Qwen3-4B-Instruct-…` is another
/// model than `Qwen3-4B-…`.
fn is_gguf_of(name: &str, start: &str) -> bool {
    let (name, start) = (name.to_lowercase(), start.to_lowercase());
    let Some(rest) = name.strip_suffix(".gguf").and_then(|stem| stem.strip_prefix(&start)) else {
        return false;
    };
    // Those of unsloth begin with "UD-".
    let rest = rest.strip_prefix("ud-").unwrap_or(rest);
    ["q", "iq", "f", "bf"].iter().any(|kind| {
        rest.strip_prefix(kind).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gguf_files_of_other_models_are_not_taken() {
        let check =
            |name: &str, expected: bool| assert_eq!(is_gguf_of(name, "Qwen3-4B-"), expected, "{name}");
        check("Qwen3-4B-Q4_K_M.gguf", true);
        check("qwen3-4b-bf16.gguf", true);
        check("Qwen3-4B-UD-Q5_K_XL.gguf", true);
        check("Qwen3-4B-Instruct-2507-Q4_K_M.gguf", false);
        check("Qwen3-4B-Base-Q4_K_M.gguf", false);
        check("Qwen3-4B-Q4_K_M.safetensors", false);
    }

    #[test]
    fn the_nearest_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("diffusion_models");
        let write = |name: &str, length: usize| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![0; length]).unwrap();
        };
        write("diffusion_models/flux.safetensors", 1);
        let check = |expected: &str| {
            let found = T5.find(&models.join("flux.safetensors")).map(|path| path.canonicalize().unwrap());
            let expected =
                (!expected.is_empty()).then(|| folder.path().join(expected).canonicalize().unwrap());
            assert_eq!(found, expected);
        };
        check("");
        write("clip/t5-v1_1-xxl-encoder-Q4_K_M.gguf", 3);
        write("clip/t5-v1_1-xxl-encoder-Q8_0.gguf", 5);
        check("clip/t5-v1_1-xxl-encoder-Q8_0.gguf");
        write("clip/t5xxl_fp8_e4m3fn.safetensors", 1);
        check("clip/t5xxl_fp8_e4m3fn.safetensors");
        write("text_encoders/t5xxl_fp16.safetensors", 1);
        check("text_encoders/t5xxl_fp16.safetensors");
        write("diffusion_models/t5-v1_1-xxl-encoder-f16.gguf", 1);
        check("diffusion_models/t5-v1_1-xxl-encoder-f16.gguf");
        write("diffusion_models/flux/t5xxl_fp8_e4m3fn_scaled.safetensors", 1);
        check("diffusion_models/flux/t5xxl_fp8_e4m3fn_scaled.safetensors");
    }
}
