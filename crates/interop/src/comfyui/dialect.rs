//! From ComfyUI's prompts to A1111's dialect.
//!
//! Parentheses weight words in both. Everything else that A1111's dialect gives a meaning is plain text in ComfyUI, and is
//! written so that it stays plain text. After `comfy/sd1_clip.py` of ComfyUI.

use crate::foreign::Foreign;
use maquette_core::composition::{is_word, plain_number};

/// Words with a meaning in A1111's dialect. CLIP does not distinguish upper and lower case.
const WORDS: &[(&str, &str)] = &[("AND", "and"), ("BREAK", "break")];

/// A colon in brackets that change nothing, so that it is not read as the start of a weight or a name.
const COLON: &str = "(::1)";

/// The textual inversions that the converted prompts name.
#[derive(Default)]
pub struct Converter {
    embeddings: Vec<String>,
}

impl Converter {
    /// The text of a prompt in A1111's dialect. Its words `AND` and `BREAK` stay, and are noted.
    pub fn convert(&mut self, out: &mut Foreign, setting: &str, text: &str) -> String {
        let text = self.take_embeddings(text);
        if WORDS.iter().any(|(word, _)| !places(&text, word).is_empty()) {
            out.note(format!(
                "{setting} contains AND or BREAK: plain words in ComfyUI, but not in A1111's dialect"
            ));
        }
        if text.contains('(') {
            out.note("ComfyUI weights words in parentheses differently from A1111: similar, not the same");
        }
        let text = escaped(&text).replace("<lora:", &format!("<lora{COLON}"));
        // A number after the last colon would be the weight of the whole prompt.
        match text.rsplit_once(':') {
            Some((before, number)) if plain_number(number.trim()).is_some() => {
                format!("{before}{COLON}{number}")
            }
            _ => text,
        }
    }

    /// Sets the textual inversions and the dialect.
    pub fn finish(self, out: &mut Foreign) {
        if !self.embeddings.is_empty() {
            out.set("embeddings", "embedding:", self.embeddings.join(" + ").as_str());
        }
        out.set("dialect", "dialect", "a1111");
    }

    /// Replaces `embedding:name` by the word, and notes the name.
    fn take_embeddings(&mut self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("embedding:") {
            plain.push_str(before);
            let end = after.find(|c: char| c.is_whitespace() || ",()[]:".contains(c)).unwrap_or(after.len());
            let name = &after[..end];
            if !name.is_empty() && !self.embeddings.iter().any(|known| known == name) {
                self.embeddings.push(name.to_owned());
            }
            let word = name.rsplit(['/', '\\']).next().unwrap_or(name);
            let endings = [".safetensors", ".pt", ".bin"];
            plain.push_str(endings.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word));
            rest = &after[end..];
        }
        plain + rest
    }
}

/// Converts the two prompts that `out` has.
pub fn convert_prompts(out: &mut Foreign) {
    let mut converter = Converter::default();
    for at in 0..out.settings.len() {
        if let ("prompt" | "negative_prompt", value) = &out.settings[at] {
            let (name, text) = (out.settings[at].0, value.as_text().unwrap_or_default().to_owned());
            out.settings[at].1 = converter.convert(out, name, &text).as_str().into();
        }
    }
    converter.finish(out);
}

/// A converted text as a part of a composed prompt, in which its own `AND` and `BREAK` would be separators.
pub fn without_separators(text: &str) -> String {
    let mut text = text.to_owned();
    for (word, plain) in WORDS {
        for at in places(&text, word) {
            text.replace_range(at..at + word.len(), plain);
        }
    }
    text
}

/// Where a word stands in a text.
fn places(text: &str, word: &str) -> Vec<usize> {
    let all = text.match_indices(word).map(|(at, _)| at);
    all.filter(|at| is_word(text, *at, word.len())).collect()
}

/// ComfyUI escapes parentheses only. Square brackets and other backslashes are text there, and are escaped here.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let parenthesis = chars.peek().copied().filter(|next| c == '\\' && matches!(next, '(' | ')'));
        match parenthesis {
            Some(parenthesis) => {
                escaped.extend(['\\', parenthesis]);
                chars.next();
            }
            None if matches!(c, '\\' | '[' | ']') => escaped.extend(['\\', c]),
            None => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::Tool;

    #[test]
    fn what_is_plain_text_in_comfyui_stays_plain_text() {
        let check = |text: &str, expected: &str| {
            let mut converter = Converter::default();
            assert_eq!(
                converter.convert(&mut Foreign::new(Tool::ComfyUI), "prompt", text),
                expected,
                "{text}"
            );
        };
        check("a (glass:1.3) bottle", "a (glass:1.3) bottle");
        check("[galaxy], [a:b:0.5]", r"\[galaxy\], \[a:b:0.5\]");
        check(r"\[x\]", r"\\\[x\\\]");
        check(r"\(x\), \\(y)", r"\(x\), \\\(y)");
        check(r"C:\cats", r"C:\\cats");
        check("a cat AND a dog BREAK SAND", "a cat AND a dog BREAK SAND");
        assert_eq!(without_separators("a cat AND a dog BREAK SAND"), "a cat and a dog break SAND");
        check("a clock at 12:30", "a clock at 12(::1)30");
        check("(12:30)", "(12:30)");
        check("<lora:x:1>, b", "<lora(::1)x:1>, b");
        check("embedding:art\\star.pt, b", "star, b");
        check("", "");
    }
}
