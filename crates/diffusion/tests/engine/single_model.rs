//! The tiny models that predict flow as single files, by the recipes of `tests/fixtures/single_files.py`.

use crate::checkpoint::{Tensors, by_recipe, fixture, tensors};
use crate::composed::composed;
use crate::copies::copy_folder;
use crate::stored::Transformer;
use std::path::Path;

/// A tiny model in single files.
pub struct SingleModel {
    pub tiny: &'static str,
    /// The names of its recipes begin with it.
    recipe: &'static str,
    /// The prefix of the transformer's tensors in a file of their own.
    prefix: &'static str,
    vae: &'static str,
    /// Its other files: where they are in the folder, and where people have them.
    files: &'static [(&'static str, &'static str)],
    /// Its text encoders: the folder, and the prefix of its tensors in a checkpoint.
    texts: &'static [(&'static str, &'static str)],
    /// What the shapes of tiny tensors do not say: files and folders that come from the folder.
    stated: &'static [&'static str],
    copy_parts: fn(&Path),
}

pub const FLUX1: SingleModel = SingleModel {
    tiny: "tiny-flux1",
    recipe: "flux1",
    prefix: "",
    vae: "ae.safetensors",
    files: &[
        ("text_encoder/model.safetensors", "text_encoders/clip_l.safetensors"),
        ("text_encoder_2/model.safetensors", "clip/t5xxl_fp16.safetensors"),
        ("tokenizer_2/tokenizer.json", "text_encoders/t5_tokenizer.json"),
    ],
    texts: &[("text_encoder", "clip_l"), ("text_encoder_2", "t5xxl")],
    stated: &["transformer/config.json", "text_encoder/config.json", "tokenizer", "vae/config.json"],
    copy_parts: |file| FLUX1.copy_parts(file),
};
pub const FLUX2: SingleModel = SingleModel {
    tiny: "tiny-flux2",
    recipe: "flux2",
    prefix: "",
    vae: "flux2-vae.safetensors",
    files: &[
        ("text_encoder/model.safetensors", "qwen_3_4b.safetensors"),
        ("tokenizer/tokenizer.json", "tokenizer/tokenizer.json"),
    ],
    texts: &[("text_encoder", "qwen3_4b")],
    stated: &["vae/config.json", "model_index.json"],
    copy_parts: |file| FLUX2.copy_parts(file),
};
pub const SD3: SingleModel = SingleModel {
    tiny: "tiny-sd3",
    recipe: "sd3",
    prefix: "",
    vae: "sd3.5_vae.safetensors",
    files: &[
        ("text_encoder/model.safetensors", "clip_l.safetensors"),
        ("text_encoder_2/model.safetensors", "clip_g.safetensors"),
        ("text_encoder_3/model.safetensors", "text_encoders/t5xxl_fp16.safetensors"),
        ("tokenizer_3/tokenizer.json", "t5_tokenizer.json"),
    ],
    texts: &[("text_encoder", "clip_l"), ("text_encoder_2", "clip_g"), ("text_encoder_3", "t5xxl")],
    stated: &[
        "text_encoder/config.json",
        "text_encoder_2/config.json",
        "tokenizer",
        "tokenizer_2",
        "vae/config.json",
    ],
    copy_parts: |file| SD3.copy_parts(file),
};
pub const CHROMA: SingleModel = SingleModel {
    tiny: "tiny-chroma",
    recipe: "chroma",
    prefix: "",
    vae: "ae.safetensors",
    files: &[
        ("text_encoder/model.safetensors", "clip/t5xxl_fp16.safetensors"),
        ("tokenizer/tokenizer.json", "text_encoders/t5_tokenizer.json"),
    ],
    texts: &[("text_encoder", "t5xxl")],
    stated: &["transformer/config.json", "vae/config.json"],
    copy_parts: |file| CHROMA.copy_parts(file),
};
pub const ANIMA: SingleModel = SingleModel {
    tiny: "tiny-anima",
    recipe: "anima",
    prefix: "net.",
    vae: "qwen_image_vae.safetensors",
    files: &[
        ("text_encoder/model.safetensors", "text_encoders/qwen_3_06b_base.safetensors"),
        ("tokenizer/tokenizer.json", "tokenizer.json"),
        ("t5_tokenizer/tokenizer.json", "text_encoders/t5_tokenizer.json"),
    ],
    texts: &[("text_encoder", "qwen3_06b")],
    stated: &["vae/config.json"],
    copy_parts: |file| ANIMA.copy_parts(file),
};
pub const QWEN_IMAGE: SingleModel = SingleModel {
    tiny: "tiny-qwen-image",
    recipe: "qwen-image",
    prefix: "",
    vae: "qwen_image_vae.safetensors",
    files: &[
        ("text_encoder/model.safetensors", "text_encoders/qwen_2.5_vl_7b.safetensors"),
        // The same tokenizer in one file.
        ("tiny-z-image/tokenizer/tokenizer.json", "tokenizer.json"),
    ],
    texts: &[("text_encoder", "qwen25_7b")],
    stated: &["transformer/config.json", "text_encoder/config.json", "vae/config.json"],
    copy_parts: |file| QWEN_IMAGE.copy_parts(file),
};
pub const MODELS: [SingleModel; 6] = [FLUX1, FLUX2, SD3, CHROMA, ANIMA, QWEN_IMAGE];

impl SingleModel {
    /// The transformer's tensors.
    pub fn tensors(&self) -> Tensors {
        let tensors = self.bare_tensors().into_iter();
        tensors.map(|(key, tensor)| (format!("{}{key}", self.prefix), tensor)).collect()
    }

    fn bare_tensors(&self) -> Tensors {
        by_recipe(&format!("single_files/{}-transformer.tsv", self.recipe), self.tiny)
    }

    /// The same with what completes it.
    pub fn transformer(&self) -> Transformer {
        Transformer { tensors: self.tensors(), copy_parts: self.copy_parts }
    }

    /// The whole model, with the prefixes of checkpoints.
    pub fn checkpoint(&self, of_vae: &str) -> Tensors {
        let folder = composed(&[self.tiny]);
        let below = |prefix: String, tensors: Tensors| {
            tensors.into_iter().map(move |(key, tensor)| (format!("{prefix}{key}"), tensor))
        };
        let texts = self.texts.iter().flat_map(|(part, name)| {
            let file = folder.path().join(part).join("model.safetensors");
            below(format!("text_encoders.{name}.transformer."), tensors(&file))
        });
        let transformer = below("model.diffusion_model.".to_owned(), self.bare_tensors());
        transformer.chain(texts).chain(below(of_vae.to_owned(), self.vae_tensors())).collect()
    }

    /// Puts the other parts beside the transformer's file.
    pub fn copy_parts(&self, file: &Path) {
        let folder = file.parent().unwrap();
        self.copy_stated(file);
        for (from, to) in self.files {
            self.copy_file(from, &folder.join(to));
        }
        let vae = folder.join("vae").join(self.vae);
        std::fs::create_dir_all(vae.parent().unwrap()).unwrap();
        candle_core::safetensors::save(&self.vae_tensors(), vae).unwrap();
    }

    /// Puts what is not inferred from tiny shapes into the folder with the name of the file.
    pub fn copy_stated(&self, file: &Path) {
        for name in self.stated {
            let (from, to) = (composed(&[self.tiny]), file.with_extension("").join(name));
            match from.path().join(name) {
                from if from.is_dir() => copy_folder(&from, &to),
                from => copy(&from, &to),
            }
        }
    }

    /// Puts T5's tokenizer, which no checkpoint has, beside the file.
    pub fn copy_tokenizer(&self, file: &Path) {
        for (from, to) in self.files.iter().filter(|(_, to)| to.ends_with(".json")) {
            self.copy_file(from, &file.parent().unwrap().join(to));
        }
    }

    /// Copies a file of the model, or of the fixtures.
    fn copy_file(&self, from: &str, to: &Path) {
        match from.starts_with("tiny-") {
            true => copy(&fixture(from), to),
            false => copy(&composed(&[self.tiny]).path().join(from), to),
        }
    }

    fn vae_tensors(&self) -> Tensors {
        by_recipe(&format!("single_files/{}-vae.tsv", self.recipe), self.tiny)
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}
