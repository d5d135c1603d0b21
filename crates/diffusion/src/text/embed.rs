//! Embeds texts of A1111's dialect: encodes their chunks, then applies weights.
//!
//! Not here: parsing prompts (`dialect/`), and the embedding of each step (`conditioning.rs`).

use crate::error::ModelError;
use crate::text::dialect::{Chunk, Item, Piece, Token, chunks, pieces};
use crate::text::error::TextError;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;
use candle_core::{DType, Tensor};

/// The chunks of a text, and the text without the dialect's syntax, to which the chunks' spans refer.
pub(crate) fn text_chunks(
    tokenizer: &Tokenizer,
    inversions: &Inversions,
    text: &str,
) -> Result<(Vec<Chunk>, String), ModelError> {
    let (mut items, mut bare) = (Vec::new(), String::new());
    for piece in pieces(text) {
        match piece {
            Piece::Break => {
                items.push(Item::Break);
                bare.push(' ');
            }
            Piece::Text { text, weight } => {
                let begin = bare.len();
                items.extend(tokenizer.words(&text, inversions)?.into_iter().map(|word| {
                    let span = begin + word.span.start..begin + word.span.end;
                    Item::Token(Token { ids: word.ids, weight, span })
                }));
                bare.push_str(&text);
            }
        }
    }
    Ok((chunks(items, tokenizer.room(), tokenizer.comma()), bare))
}

/// Embeddings of consecutive texts of one prompt, `[1, tokens, width]` each, all padded to the longest.
///
/// `encode` gives the embeddings of a chunk's ids, `[1, ids, width]`. Each is multiplied by its token's weight; then the
/// mean over the chunk, of all texts together, is restored: A1111's emphasis "Original", which encodes them as one batch.
pub(crate) fn embed(
    tokenizer: &Tokenizer,
    inversions: &Inversions,
    texts: &[impl AsRef<str>],
    mut encode: impl FnMut(&[u32]) -> candle_core::Result<Tensor>,
) -> Result<Vec<Tensor>, TextError> {
    // A repeated text, as in `[a|b]`, is encoded once and counted as often as it occurs.
    let mut distinct: Vec<(&str, Vec<Chunk>, f64)> = Vec::new();
    for text in texts {
        let text = text.as_ref();
        match distinct.iter_mut().find(|(known, ..)| *known == text) {
            Some((_, _, times)) => *times += 1.0,
            None => distinct.push((text, text_chunks(tokenizer, inversions, text)?.0, 1.0)),
        }
    }
    let most = distinct.iter().map(|(_, chunks, _)| chunks.len()).max().unwrap_or(0);
    let empty = Chunk::default();
    let mut embeddings: Vec<Vec<Tensor>> = vec![Vec::new(); distinct.len()];
    for k in 0..most {
        let (mut before, mut after) = (0.0, 0.0);
        let mut encoded = Vec::new();
        let mut weighted = false;
        for (_, chunks, times) in &distinct {
            let chunk = chunks.get(k).unwrap_or(&empty);
            let (ids, mut weights): (Vec<u32>, Vec<f32>) =
                chunk.ids().map(|(id, weight)| (id, weight as f32)).unzip();
            let ids = tokenizer.framed(&ids);
            weights.insert(0, 1.0);
            weights.resize(ids.len(), 1.0);
            weighted |= weights.iter().any(|&weight| weight != 1.0);
            let plain = encode(&ids)?;
            let (dtype, weights) =
                (plain.dtype(), Tensor::new(weights, plain.device())?.reshape((1, ids.len(), 1))?);
            let plain = plain.to_dtype(DType::F32)?;
            let heavy = plain.broadcast_mul(&weights)?;
            before += times * total(&plain)?;
            after += times * total(&heavy)?;
            encoded.push((heavy, dtype));
        }
        for (embedding, (heavy, dtype)) in embeddings.iter_mut().zip(encoded) {
            // Without weights the mean has not changed.
            let restored = if weighted { (heavy * (before / after))? } else { heavy };
            embedding.push(restored.to_dtype(dtype)?);
        }
    }
    let embeddings: Vec<Tensor> =
        embeddings.iter().map(|chunks| Tensor::cat(chunks, 1)).collect::<Result<_, _>>()?;
    let of = |text: &str| distinct.iter().position(|(known, ..)| *known == text);
    Ok(texts.iter().filter_map(|text| of(text.as_ref())).map(|at| embeddings[at].clone()).collect())
}

/// The sum of all values, on the host: they nearly cancel, and the result must not depend on the device.
fn total(tensor: &Tensor) -> candle_core::Result<f64> {
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
}

#[cfg(test)]
mod tests;
