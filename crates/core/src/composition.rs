//! `AND`: a prompt composed of several, each with its own weight.
//!
//! Composable diffusion (Liu et al., arXiv 2206.01714) in A1111's syntax: `a cat :1.2 AND a dog`. It is in this crate
//! because it determines whether there is guidance. Not here: the rest of A1111's dialect, which the engine reads.

/// One of the prompts that `AND` joins.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The prompt, without its weight.
    pub text: String,
    /// The weight after the last colon, 1 if there is none; it may be negative.
    pub weight: f64,
}

/// The parts of a prompt, at least one.
///
/// A number after the last colon is a weight even without `AND`, as in A1111: `a clock at 12:30` is `a clock at 12` with
/// a weight of 30.
pub fn compose(prompt: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, and) in prompt.match_indices("AND") {
        if is_word(prompt, at, and.len()) {
            parts.push(part(&prompt[begin..at]));
            begin = at + and.len();
        }
    }
    parts.push(part(&prompt[begin..]));
    parts
}

/// Whether `text[at..at + len]` is a whole word: not adjacent to a letter, digit or underscore.
pub fn is_word(text: &str, at: usize, len: usize) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    !text[..at].ends_with(part_of_word) && !text[at + len..].starts_with(part_of_word)
}

fn part(text: &str) -> Part {
    let text = text.trim_end();
    let weighted =
        text.rsplit_once(':').and_then(|(text, weight)| Some((text, plain_number(weight.trim())?)));
    match weighted {
        Some((text, weight)) => Part { text: text.trim_end().to_owned(), weight },
        None => Part { text: text.to_owned(), weight: 1.0 },
    }
}

/// Parses a decimal number with an optional sign and dot; no exponent, infinity or NaN.
pub fn plain_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_joins_prompts() {
        let check = |prompt: &str, expected: &[(&str, f64)]| {
            let parts = compose(prompt);
            let found: Vec<(&str, f64)> =
                parts.iter().map(|part| (part.text.as_str(), part.weight)).collect();
            assert_eq!(found, expected, "{prompt}");
        };
        check("", &[("", 1.0)]);
        check("a cat", &[("a cat", 1.0)]);
        check("a cat AND a dog", &[("a cat", 1.0), (" a dog", 1.0)]);
        check("a cat :1.2 AND a dog:-.5 AND x", &[("a cat", 1.2), (" a dog", -0.5), (" x", 1.0)]);
        check("a\nb : +2. \n AND", &[("a\nb", 2.0), ("", 1.0)]);
        check("(a:1.2)", &[("(a:1.2)", 1.0)]);
        check("a:b:3", &[("a:b", 3.0)]);
        check("a:1e3", &[("a:1e3", 1.0)]);
        check("a:. AND b:1.2.3 AND c:", &[("a:.", 1.0), (" b:1.2.3", 1.0), (" c:", 1.0)]);
        check("SAND AND_ STANDARD and éAND", &[("SAND AND_ STANDARD and éAND", 1.0)]);
        check("ANDAND (x AND y)", &[("ANDAND (x", 1.0), (" y)", 1.0)]);
    }
}
