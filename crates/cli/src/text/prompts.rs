//! Notes on prompts, as text.

use maquette::{Cut, MOST_PROMPTS, PromptNote, PromptNotes, PromptReport, ReadChunk};

/// The most prompts that are printed.
const MOST_PRINTED: usize = 8;

/// The prompts that have notes; empty if there are none.
pub fn prompts(PromptNotes { notes, more }: &PromptNotes) -> String {
    let mut text = String::new();
    for PromptNote { setting, text: prompt, reading } in notes.iter().take(MOST_PRINTED) {
        text += &format!("{setting} `{}`\n", shortened(prompt));
        text += &match reading {
            Ok(reading) => lines(reading),
            Err(error) => format!("  {error}\n"),
        };
    }
    match notes.len().saturating_sub(MOST_PRINTED) {
        0 => {}
        1 => text += "… and 1 more prompt with notes\n",
        more => text += &format!("… and {more} more prompts with notes\n"),
    }
    if *more {
        text += &format!("only the first {MOST_PROMPTS} distinct prompts were checked\n");
    }
    if text.is_empty() { text } else { text + "\n" }
}

fn lines(reading: &PromptReport) -> String {
    let mut text = String::new();
    for Cut { tokens, room, text: cut, by, .. } in &reading.cuts {
        let by = by.map(|encoder| format!(" by {encoder}")).unwrap_or_default();
        text += &format!("  {tokens} tokens, of which {room} fit; ignored{by}: `{}`\n", shortened(cut));
    }
    for chunks in &reading.long {
        text += &format!("  {} chunks:\n", chunks.len());
        for ReadChunk { tokens, text: chunk } in chunks {
            text += &format!("    {tokens:>3} tokens  `{}`\n", shortened(chunk));
        }
    }
    for oddity in &reading.oddities {
        text += &format!("  {oddity}\n");
    }
    text
}

/// A text on one line; of a long one the first and the last words.
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
    // Cut between words where possible.
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
