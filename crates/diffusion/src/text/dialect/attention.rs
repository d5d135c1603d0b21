//! Weights of words: `(more)`, `(exactly:1.3)`, `[less]`, `\(literally\)`, and `BREAK`.
//!
//! The rules are those of A1111's attention syntax; its own examples are among the tests. Nothing here fails: an
//! unmatched bracket applies to the end, or is text. Not here: tokens, and applying weights to embeddings.

use maquette_core::composition::{is_word, plain_number};

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text whose words have one weight, by default 1. May be empty.
    Text {
        /// The text, without the syntax that gave it its weight.
        text: String,
        /// The product of all brackets around it.
        weight: f64,
    },
    /// `BREAK`: what follows starts a new chunk.
    Break,
}

/// The factor by which a round bracket multiplies a weight and a square one divides it.
const BRACKET: f64 = 1.1;

/// The word that ends a chunk, and the weight that it starts with, which no other word has. Brackets change that weight,
/// and then it is an ordinary word, in A1111 and here.
const BREAK: (&str, f64) = ("BREAK", -1.0);

/// The pieces of a prompt: at least one; adjacent pieces of the same weight are joined.
pub fn pieces(prompt: &str) -> Vec<Piece> {
    let mut reader = Reader::default();
    reader.read(prompt);
    let mut joined: Vec<(String, f64)> = Vec::new();
    for (text, weight) in reader.pieces {
        match joined.last_mut() {
            Some((before, same)) if *same == weight => before.push_str(&text),
            _ => joined.push((text, weight)),
        }
    }
    if joined.is_empty() {
        joined.push((String::new(), 1.0));
    }
    let piece = |(text, weight)| match (text == BREAK.0, weight == BREAK.1) {
        (true, true) => Piece::Break,
        _ => Piece::Text { text, weight },
    };
    joined.into_iter().map(piece).collect()
}

/// A prompt without the syntax of weights; a `BREAK` is a space.
pub fn without_weights(prompt: &str) -> String {
    let text = |piece: Piece| match piece {
        Piece::Text { text, .. } => text,
        Piece::Break => " ".to_owned(),
    };
    pieces(prompt).into_iter().map(text).collect()
}

/// What may be a mistake: a sentence each for unmatched brackets of either kind and for `BREAK`s in brackets.
pub fn oddities(prompt: &str) -> Vec<String> {
    let mut reader = Reader::default();
    reader.read(prompt);
    let mut oddities: Vec<String> = Vec::new();
    let mut report = |count: usize, one: &str, several: &str| match count {
        0 => {}
        1 => oddities.push(one.to_owned()),
        _ => oddities.push(several.replace("{}", &count.to_string())),
    };
    let open = reader.round.len() + reader.square.len();
    report(
        open,
        "a bracket is never closed: it applies to the end of the prompt",
        "{} brackets are never closed: they apply to the end of the prompt",
    );
    report(
        reader.strays,
        "a closing bracket has no opening bracket: it is text",
        "{} closing brackets have no opening brackets: they are text",
    );
    let words = reader.pieces.iter().filter(|(text, weight)| text == BREAK.0 && *weight != BREAK.1).count();
    report(
        words,
        "a `BREAK` is inside brackets, where it is an ordinary word",
        "{} `BREAK`s are inside brackets, where they are ordinary words",
    );
    oddities
}

#[derive(Default)]
struct Reader {
    pieces: Vec<(String, f64)>,
    /// The number of pieces before each open bracket.
    round: Vec<usize>,
    square: Vec<usize>,
    /// Closing brackets without an opening one.
    strays: usize,
}

impl Reader {
    fn read(&mut self, prompt: &str) {
        let mut rest = prompt;
        while let Some(sign) = rest.chars().next() {
            let mut taken = 1;
            match sign {
                '\\' => {
                    let escaped = rest[1..].chars().next().filter(|c| "()[]\\".contains(*c));
                    taken += escaped.map_or(0, char::len_utf8);
                    self.push(&rest[1..taken]);
                }
                '(' => self.round.push(self.pieces.len()),
                '[' => self.square.push(self.pieces.len()),
                ':' => match weight(rest) {
                    None => self.push(":"),
                    Some((weight, length)) => {
                        taken = length;
                        match self.round.pop() {
                            Some(open) => self.weigh(open, weight),
                            None => {
                                self.strays += 1;
                                self.push(&rest[..length]);
                            }
                        }
                    }
                },
                ')' => match self.round.pop() {
                    Some(open) => self.weigh(open, BRACKET),
                    None => self.stray(")"),
                },
                ']' => match self.square.pop() {
                    Some(open) => self.weigh(open, 1.0 / BRACKET),
                    None => self.stray("]"),
                },
                _ => {
                    taken = rest.find(['\\', '(', ')', '[', ']', ':']).unwrap_or(rest.len());
                    self.words(&rest[..taken]);
                }
            }
            rest = &rest[taken..];
        }
        for &open in &self.round.clone() {
            self.weigh(open, BRACKET);
        }
        for &open in &self.square.clone() {
            self.weigh(open, 1.0 / BRACKET);
        }
    }

    fn push(&mut self, text: &str) {
        self.pieces.push((text.to_owned(), 1.0));
    }

    fn stray(&mut self, bracket: &str) {
        self.strays += 1;
        self.push(bracket);
    }

    fn weigh(&mut self, open: usize, weight: f64) {
        for (_, of_piece) in &mut self.pieces[open..] {
            *of_piece *= weight;
        }
    }

    /// Text without syntax; spaces around each `BREAK` in it are removed.
    fn words(&mut self, text: &str) {
        let mut begin = 0;
        for (at, word) in text.match_indices(BREAK.0) {
            if is_word(text, at, word.len()) {
                self.push(text[begin..at].trim_end());
                self.pieces.push((BREAK.0.to_owned(), BREAK.1));
                let after = &text[at + word.len()..];
                begin = text.len() - after.trim_start().len();
            }
        }
        self.push(&text[begin..]);
    }
}

/// The weight after this colon, and its length up to and including the closing bracket.
fn weight(text: &str) -> Option<(f64, usize)> {
    let end = text.find(')')?;
    Some((plain_number(text[1..end].trim())?, end + 1))
}
