//! Prompts to token ids: CLIP's byte-pair encoding, truncated and padded to the text encoder's length.
//!
//! Not here: weights of words, embeddings.

use crate::error::ModelError;
use crate::text::cut::{Cut, text_from};
use crate::text::inversions::Inversions;
use crate::text::tokenizer_files::{self, add_tokens};
use crate::text::tokenizer_settings::Settings;
use crate::weights::source::ModelSource;
use maquette_tokenizer::clip_tokenizer;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use tokenizers::AddedToken;

/// The tokenizer of a model.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    file: String,
    bos: u32,
    eos: u32,
    pad: u32,
    length: usize,
    /// The size of the text encoder's vocabulary; ids of textual inversions follow.
    vocabulary: usize,
    /// The added tokens that stand for several vectors, with the ids of the others.
    more: HashMap<u32, Vec<u32>>,
}

/// A token, or a word of a textual inversion with the ids of all its vectors, which stay together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its ids, at least one.
    pub ids: Vec<u32>,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// A prompt as input of the text encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Always of the same length, 77 in Stable Diffusion: the start token, the prompt, the end token, padding.
    pub ids: Vec<u32>,
    /// The part of the prompt that was truncated.
    pub cut: Option<String>,
}

/// Whether a tokenizer has tokens beside CLIP's own: textual inversions that were saved with the model.
pub(crate) fn has_added_tokens(source: &ModelSource, folder: &str) -> Result<bool, ModelError> {
    let settings = Settings::read(source, folder)?;
    Ok(settings.added.iter().any(|token| !settings.special().contains(&token.content.as_str())))
}

impl Tokenizer {
    /// Reads the tokenizer from one of a model's folders. `positions` and `words` are the text encoder's length and
    /// vocabulary size.
    pub(crate) fn load(
        source: &ModelSource,
        folder: &str,
        positions: usize,
        words: usize,
    ) -> Result<Tokenizer, ModelError> {
        let settings = Settings::read(source, folder)?;

        let special = settings.special();
        let assemble =
            |vocab: &Map<String, Value>, merges: &str| clip_tokenizer(vocab, merges, &special, &settings.unk);
        let (mut inner, file) = tokenizer_files::open(source, folder, &assemble)?;
        let fail = |reason: String| ModelError::Tokenizer { file: file.clone(), reason };
        if let Some((token, id)) = inner.get_vocab(false).into_iter().max_by_key(|(_, id)| *id)
            && id as usize >= words
        {
            return Err(fail(beyond(&token, id, words)));
        }
        add_tokens(&mut inner, &settings, &special).map_err(fail)?;
        let id = |token: &str| {
            let id = inner.token_to_id(token).ok_or_else(|| fail(format!("it has no token `{token}`")))?;
            if id as usize >= words { Err(fail(beyond(token, id, words))) } else { Ok(id) }
        };
        let (bos, eos, pad) = (id(&settings.bos)?, id(&settings.eos)?, id(&settings.pad)?);
        let length = match settings.max_length {
            Some(length) if length < positions as u64 => length as usize,
            _ => positions,
        };
        if length < 2 {
            return Err(fail("its model_max_length is too small for the start and end tokens".to_owned()));
        }
        let more = vectors(&inner);
        Ok(Tokenizer { inner, file, bos, eos, pad, length, vocabulary: words, more })
    }

    /// The ids of a prompt. What does not fit is truncated and returned as text.
    pub fn encode(&self, prompt: &str) -> Result<Tokens, ModelError> {
        self.encode_with(prompt, &Inversions::default())
    }

    /// The same with textual inversions, whose ids follow those of the vocabulary.
    pub fn encode_with(&self, prompt: &str, inversions: &Inversions) -> Result<Tokens, ModelError> {
        let words = self.words(prompt, inversions)?;
        let room = self.room();
        let all = words.iter().flat_map(|word| word.ids.iter().map(|&id| (id, word.span.start)));
        let ids: Vec<u32> = all.clone().map(|(id, _)| id).take(room).collect();
        let cut = all.clone().nth(room).map(|(_, start)| text_from(prompt, start));
        Ok(Tokens { ids: self.framed(&ids), cut })
    }

    /// What does not fit of a prompt.
    pub(crate) fn cut(&self, prompt: &str, inversions: &Inversions) -> Result<Option<Cut>, ModelError> {
        let tokens = self.words(prompt, inversions)?.iter().map(|word| word.ids.len()).sum();
        let cut = self.encode_with(prompt, inversions)?.cut;
        Ok(cut.map(|text| Cut { tokens, room: self.room(), length: self.length, text, by: None }))
    }

    /// How many ids fit between the start and end tokens.
    pub fn room(&self) -> usize {
        self.length - 2
    }

    /// At most [`Tokenizer::room`] ids between the start and end tokens, with padding.
    pub fn framed(&self, ids: &[u32]) -> Vec<u32> {
        let mut framed = vec![self.bos];
        framed.extend(ids);
        framed.push(self.eos);
        framed.resize(self.length, self.pad);
        framed
    }

    /// The id of a comma that ends a word.
    pub fn comma(&self) -> Option<u32> {
        self.inner.token_to_id(",</w>")
    }

    /// The words of a text, without start and end tokens and padding.
    ///
    /// The word of a textual inversion is matched regardless of case, but not as a part of another word.
    pub fn words(&self, text: &str, inversions: &Inversions) -> Result<Vec<Word>, ModelError> {
        let mut words = Vec::new();
        let mut from = 0;
        for (span, first, count) in find_inversions(text, inversions) {
            self.plain(text, from..span.start, &mut words)?;
            from = span.end;
            let ids = (0..count).map(|i| (self.vocabulary + first + i) as u32).collect();
            words.push(Word { ids, span });
        }
        self.plain(text, from..text.len(), &mut words)?;
        Ok(words)
    }

    /// The words of textual inversions that a text contains.
    pub fn inversions_in<'a>(&self, text: &str, inversions: &'a Inversions) -> BTreeSet<&'a str> {
        let found = find_inversions(text, inversions);
        let is_found = |number: usize| found.iter().any(|(_, first, _)| *first == number);
        inversions.words().filter(|(_, first, _)| is_found(*first)).map(|(word, ..)| word).collect()
    }

    /// The id of a token, as the vocabulary writes it.
    pub(crate) fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token with an id, as the vocabulary writes it.
    pub(crate) fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// How many ids the text encoder has.
    pub(crate) fn vocabulary_size(&self) -> usize {
        self.vocabulary
    }

    /// Whether a text is a token, at the end of a word or within one.
    pub fn has_token(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        [text, &lower, &format!("{lower}</w>")].iter().any(|token| self.inner.token_to_id(token).is_some())
    }

    fn plain(&self, text: &str, span: Range<usize>, words: &mut Vec<Word>) -> Result<(), ModelError> {
        let encoding = self
            .inner
            .encode(&text[span.clone()], false)
            .map_err(|error| ModelError::Tokenizer { file: self.file.clone(), reason: error.to_string() })?;
        for (&id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            let (start, end) = (span.start + start, span.start + end);
            let mut ids = vec![id];
            // Only as it is written in the vocabulary: diffusers replaces it in the text.
            if let Some(more) = self.more.get(&id)
                && self.inner.id_to_token(id).as_deref() == text.get(start..end)
            {
                ids.extend(more);
            }
            // Such an id may be one of a textual inversion's.
            if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.vocabulary) {
                let token = self.inner.id_to_token(id).unwrap_or_default();
                let reason = beyond(&token, id, self.vocabulary);
                return Err(ModelError::Tokenizer { file: self.file.clone(), reason });
            }
            words.push(Word { ids, span: start..end });
        }
        Ok(())
    }
}

/// Where textual inversions' words are in a text: the bytes, the first vector, and the number of vectors.
fn find_inversions(text: &str, inversions: &Inversions) -> Vec<(Range<usize>, usize, usize)> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut known: Vec<(Vec<char>, usize, usize)> = inversions
        .words()
        .map(|(word, first, count)| (word.to_lowercase().chars().collect(), first, count))
        .collect();
    // Of two words that begin at the same place, the longer one is used.
    known.sort_by_key(|(word, ..)| std::cmp::Reverse(word.len()));
    let mut found = Vec::new();
    let mut end = 0;
    for (at, _) in text.char_indices() {
        if at < end {
            continue;
        }
        let starts = |word: &[char]| {
            let length = length_of(&text[at..], word)?;
            let (before, after) = (&text[..at], &text[at + length..]);
            let within = word.first().is_some_and(|&c| part_of_word(c)) && before.ends_with(part_of_word)
                || word.last().is_some_and(|&c| part_of_word(c)) && after.starts_with(part_of_word);
            (!within).then_some(length)
        };
        let first = known.iter().find_map(|(word, first, count)| Some((starts(word)?, *first, *count)));
        if let Some((length, first, count)) = first {
            end = at + length;
            found.push((at..end, first, count));
        }
    }
    found
}

/// The length in bytes of the lower-case `word` at the start of a text, if it is there.
fn length_of(text: &str, word: &[char]) -> Option<usize> {
    let mut expected = word.iter();
    for (at, c) in text.char_indices() {
        if expected.len() == 0 {
            return Some(at);
        }
        if !c.to_lowercase().all(|c| expected.next() == Some(&c)) {
            return None;
        }
    }
    (expected.len() == 0).then_some(text.len())
}

/// What is wrong with a token for which the text encoder has no embedding.
fn beyond(token: &str, id: u32, words: usize) -> String {
    format!("its token `{token}` has the id {id}, but the text encoder's vocabulary has {words} words")
}

/// The added tokens that stand for several vectors, with the ids of the others: `<hat>` for `<hat>_1`, `<hat>_2` and so on.
///
/// Source: `_maybe_convert_prompt` of diffusers' `loaders/textual_inversion.py`.
fn vectors(inner: &tokenizers::Tokenizer) -> HashMap<u32, Vec<u32>> {
    let added = inner.get_added_tokens_decoder();
    let ids: HashMap<&str, u32> = added.iter().map(|(&id, token)| (&*token.content, id)).collect();
    let more = |token: &AddedToken| -> Vec<u32> {
        (1..).map_while(|number| ids.get(&*format!("{}_{number}", token.content)).copied()).collect()
    };
    added.iter().map(|(&id, token)| (id, more(token))).filter(|(_, more)| !more.is_empty()).collect()
}
