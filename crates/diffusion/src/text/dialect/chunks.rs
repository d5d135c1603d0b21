//! Chunks: splits a prompt of any length into texts that fit the text encoder.
//!
//! The rules are A1111's: a chunk ends when it is full, or at the last comma if it is near the end, or at a `BREAK`. Not
//! here: turning words into ids, and the start, end and padding around a chunk (`tokenizer.rs`).

use std::ops::Range;

/// How far before the end of a full chunk a comma may be, in ids, for the words after it to move to the next one.
const NEAR: usize = 20;

/// One token of a text, or all vectors of an embedding's word, which stay together.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its ids, at least one.
    pub ids: Vec<u32>,
    /// Its weight.
    pub weight: f64,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// An element of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A token.
    Token(Token),
    /// The end of a chunk.
    Break,
}

/// The tokens between the start and end tokens of one text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk {
    /// Its tokens in order.
    pub tokens: Vec<Token>,
}

impl Chunk {
    /// How many ids it has.
    pub fn length(&self) -> usize {
        self.tokens.iter().map(|token| token.ids.len()).sum()
    }

    /// Its ids, and the weight of each.
    pub fn ids(&self) -> impl Iterator<Item = (u32, f64)> {
        self.tokens.iter().flat_map(|token| token.ids.iter().map(|&id| (id, token.weight)))
    }

    /// Its bytes in the text; `None` when it is empty.
    pub fn span(&self) -> Option<Range<usize>> {
        Some(self.tokens.first()?.span.start..self.tokens.last()?.span.end)
    }
}

/// The chunks of a text, at least one, each with at most `room` ids; `comma` is the id of a comma.
pub fn chunks(items: impl IntoIterator<Item = Item>, room: usize, comma: Option<u32>) -> Vec<Chunk> {
    let mut done = Vec::new();
    let mut open = Chunk::default();
    // The last comma of the open chunk: its index among the tokens and among the ids.
    let mut last_comma: Option<(usize, usize)> = None;
    for item in items {
        let Item::Token(token) = item else {
            done.push(std::mem::take(&mut open));
            last_comma = None;
            continue;
        };
        let length = open.length();
        if token.ids.first().copied() == comma {
            last_comma = Some((open.tokens.len(), length));
        } else if let Some((at, ids)) = last_comma
            && length == room
            && room - ids <= NEAR
        {
            let moved = open.tokens.split_off(at + 1);
            done.push(std::mem::replace(&mut open, Chunk { tokens: moved }));
            last_comma = None;
        }
        let full = open.length() == room || open.length() + token.ids.len() > room;
        if full && !open.tokens.is_empty() {
            done.push(std::mem::take(&mut open));
            last_comma = None;
        }
        // An embedding with more vectors than fit in a chunk is split.
        let mut parts = token.ids.chunks(room.max(1)).map(|ids| Token { ids: ids.to_vec(), ..token.clone() });
        open.tokens.extend(parts.next());
        for part in parts {
            done.push(std::mem::replace(&mut open, Chunk { tokens: vec![part] }));
        }
    }
    if !open.tokens.is_empty() || done.is_empty() {
        done.push(open);
    }
    done
}
