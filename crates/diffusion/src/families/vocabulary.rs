//! The vocabulary of a model without its weights: its tokenizer, and textual inversions.

use crate::error::ModelError;
use crate::families::detect::{Kind, detect};
use crate::families::error::RenderError;
use crate::families::files::{TEXT, texts};
use crate::families::{anima, chroma, flux1, flux2, qwen_image, stable_diffusion_3, z_image};
use crate::text::encoder;
use crate::text::inversions::Inversions;
use crate::text::prompt_report::{ClipReader, PromptReader};
use crate::text::tokenizer::Tokenizer;
use crate::weights::config::ConfigFile;
use crate::weights::lora;
use crate::weights::source::ModelSource;
use crate::weights::textual_inversion::Inversion;
use maquette_core::{Dialect, Embedding, Lora};
use std::sync::Arc;

/// A model's tokenizer, without its weights. Fails for models whose text encoder is a language model: their prompts are not
/// read by CLIP's rules.
pub fn tokenizer(source: &ModelSource) -> Result<Tokenizer, ModelError> {
    if !detect(source).family().has_clip() {
        let reason = "it is a language model's, not CLIP's".to_owned();
        return Err(ModelError::Tokenizer { file: source.file_name(TEXT.tokenizer), reason });
    }
    let config = ConfigFile::open(source, TEXT.config)?;
    let (positions, words) = (encoder::positions(&config)?, encoder::vocabulary_size(&config)?);
    Tokenizer::load(source, TEXT.tokenizer, positions, words)
}

/// Reads prompts as a model does, without its weights: with its tokenizers and the words of textual inversions, also of those in
/// LoRAs.
pub fn prompt_reader(
    source: &ModelSource,
    embeddings: &[Embedding],
    dialect: Dialect,
    loras: &[Lora],
) -> Result<PromptReader, RenderError> {
    let kind = detect(source);
    let other = match kind {
        Kind::StableDiffusion | Kind::Sdxl => None,
        Kind::ZImage => Some(z_image::find_cut(source)?),
        Kind::StableDiffusion3 => stable_diffusion_3::find_cut(source)?,
        Kind::Flux1 => Some(flux1::find_cut(source)?),
        Kind::Flux2 => Some(flux2::find_cut(source)?),
        Kind::Chroma => Some(chroma::find_cut(source)?),
        Kind::Anima => Some(anima::find_cut(source)?),
        Kind::QwenImage => Some(qwen_image::find_cut(source)?),
    };
    let clip = match kind.family().has_clip() {
        true => {
            let tokenizer = tokenizer(source)?;
            let inversions = inversions(source, &tokenizer, embeddings, dialect, loras)?;
            let by = other.as_ref().map(|_| stable_diffusion_3::CLIP);
            Some(ClipReader { tokenizer, inversions, by })
        }
        false => None,
    };
    Ok(PromptReader { clip, other })
}

/// The words of textual inversions for a model, also of those in LoRAs, without its weights: every word has its tokens,
/// but no vectors yet.
pub fn inversions(
    source: &ModelSource,
    tokenizer: &Tokenizer,
    embeddings: &[Embedding],
    dialect: Dialect,
    loras: &[Lora],
) -> Result<Inversions, RenderError> {
    let configs = texts(detect(source)).iter().map(|part| ConfigFile::open(source, part.config));
    let widths =
        configs.map(|config| encoder::width(&config?)).collect::<Result<Vec<usize>, ModelError>>()?;
    let open = |embedding| Inversion::open(embedding, &widths, dialect).map(Arc::new);
    let mut list = embeddings.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    list.extend(lora::inversions(loras, &widths)?);
    Ok(Inversions::new(list, |word| tokenizer.has_token(word))?)
}
