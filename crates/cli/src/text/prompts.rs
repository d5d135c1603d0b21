//! What there is to say about prompts, as text.

use maquette::{Cut, MOST_PROMPTS, PromptNote, PromptNotes, PromptReport, ReadChunk};

/// How many prompts are shown.
const SHOWN: usize = 8;

/// The prompts with something to say; empty when there are none.
pub fn prompts(PromptNotes { notes, more }: &PromptNotes) -> String {
    let mut text = String::new();
    for PromptNote { setting, text: prompt, reading } in notes.iter().take(SHOWN) {
        text += &format!("{setting} `{}`\n", shortened(prompt));
        text += &match reading {
            Ok(reading) => lines(reading),
            Err(error) => format!("  {error}\n"),
        };
    }
    if notes.len() > SHOWN {
        text += &format!("… and {} more prompts to look at\n", notes.len() - SHOWN);
    }
    if *more {
        text += &format!("only the first {MOST_PROMPTS} different prompts were read\n");
    }
    if text.is_empty() { text } else { text + "\n" }
}

fn lines(reading: &PromptReport) -> String {
    let mut text = String::new();
    if let Some(Cut { tokens, room, text: cut }) = &reading.cut {
        text += &format!("  {tokens} tokens, and {room} fit; without effect: `{}`\n", shortened(cut));
    }
    for chunks in &reading.long {
        text += &format!("  {} chunks:\n", chunks.len());
        for ReadChunk { tokens, text: words } in chunks {
            text += &format!("    {tokens:>3} tokens  `{}`\n", shortened(words));
        }
    }
    for oddity in &reading.oddities {
        text += &format!("  {oddity}\n");
    }
    text
}

/// The first and the last words of a text.
fn shortened(text: &str) -> String {
    const ENDS: usize = 36;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 2 * ENDS + 3 {
        return text;
    }
    let first: String = letters[..ENDS].iter().collect();
    let last: String = letters[letters.len() - ENDS..].iter().collect();
    // Whole words where there are any.
    let first = first.rsplit_once(' ').map_or(first.as_str(), |(words, _)| words);
    let last = last.split_once(' ').map_or(last.as_str(), |(_, words)| words);
    format!("{first} … {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_their_ends() {
        let check = |text: &str, expected: &str| assert_eq!(shortened(text), expected);
        check("a\n  short one", "a short one");
        check(
            "a portrait of a bearded man in the starry garden of monstera leaves, boats in the harbour, evening light",
            "a portrait of a bearded man in the … boats in the harbour, evening light",
        );
        check(&"ü".repeat(80), &format!("{0} … {0}", "ü".repeat(36)));
    }
}
