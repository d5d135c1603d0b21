//! The parts of A1111's text: prompt, negative prompt, and settings as `Key: value` pairs.
//!
//! A1111 looks for the settings in the last line only. They are found wherever they stand: values may contain line breaks,
//! and extensions add lines after them. After `parse_generation_parameters` in `modules/infotext_utils.py` of
//! AUTOMATIC1111/stable-diffusion-webui, and `automatic.metadata.ts` of civitai/civitai. Deliberately not here: what the
//! keys mean.

use serde_json::Value as Json;

/// A line with fewer pairs than this is part of the prompt.
const LEAST_PAIRS: usize = 3;

/// Keys that every tool writes; a line with several pairs and one of these is the settings line.
const CORE: &[&str] = &["Steps", "Sampler", "Seed", "CFG scale", "Size", "Model"];

/// Lines that extensions add: the prompts before wildcards were filled.
const TEMPLATES: &[&str] = &["Template", "Negative Template"];

/// The parts of the text, not interpreted.
#[derive(Debug, Default, PartialEq)]
pub struct Parts {
    pub prompt: String,
    pub negative_prompt: String,
    pub pairs: Vec<(String, String)>,
    /// Pieces of the settings that are not pairs.
    pub strays: Vec<String>,
}

/// Splits the text; it cannot fail.
pub fn parts(text: &str) -> Parts {
    let lines: Vec<&str> = text.trim().lines().collect();
    let (at, pairs, strays) = settings(&lines).unwrap_or((lines.len(), Vec::new(), Vec::new()));
    let (mut prompt, mut negative_prompt): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut negative = false;
    for line in &lines[..at] {
        match line.trim().strip_prefix("Negative prompt:") {
            Some(rest) if !negative => {
                negative = true;
                negative_prompt.push(rest.trim());
            }
            _ if negative => negative_prompt.push(line.trim()),
            _ => prompt.push(line.trim()),
        }
    }
    let joined = |lines: Vec<&str>| lines.join("\n").trim().to_owned();
    Parts { prompt: joined(prompt), negative_prompt: joined(negative_prompt), pairs, strays }
}

type Settings = (usize, Vec<(String, String)>, Vec<String>);

/// The line where the settings begin, their pairs and strays: the last line that begins with `Steps:`, as almost every tool
/// writes it, otherwise the last line that has several pairs with a usual key, otherwise the last line if it has several
/// pairs.
fn settings(lines: &[&str]) -> Option<Settings> {
    let steps = |line: &str| line.trim_start().starts_with("Steps:");
    let usual = |line: &str| {
        let (pairs, _) = pairs(line);
        template(line).is_none()
            && is_settings(&pairs)
            && pairs.iter().any(|(key, _)| CORE.contains(&key.as_str()))
    };
    let last = |begins: &dyn Fn(&str) -> bool| {
        (0..lines.len()).rev().filter(|at| begins(lines[*at])).find_map(|at| settings_at(lines, at))
    };
    last(&steps).or_else(|| last(&usual)).or_else(|| settings_at(lines, lines.len().checked_sub(1)?))
}

/// The settings from a line on, and the templates after them; `None` for too few pairs.
fn settings_at(lines: &[&str], at: usize) -> Option<Settings> {
    let end = (at + 1..lines.len()).find(|at| template(lines[*at]).is_some()).unwrap_or(lines.len());
    let (mut pairs, strays) = pairs(&lines[at..end].join("\n"));
    if !is_settings(&pairs) {
        return None;
    }
    pairs.extend(templates(&lines[end..]));
    Some((at, pairs, strays))
}

fn is_settings(pairs: &[(String, String)]) -> bool {
    pairs.iter().filter(|(key, _)| is_key(key)).count() >= LEAST_PAIRS
}

/// The key and the first line of a template.
fn template(line: &str) -> Option<(&'static str, &str)> {
    let (key, rest) = line.trim().split_once(':')?;
    Some((TEMPLATES.iter().find(|known| **known == key)?, rest.trim()))
}

/// The templates in the lines after the settings; each may have several lines.
fn templates(lines: &[&str]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (template(line), found.last_mut()) {
            (Some((key, value)), _) => found.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => *value += &format!("\n{line}"),
            (None, None) => {}
        }
    }
    found
}

/// The pairs of a text, and the pieces between its commas that are not pairs. A value is a JSON string, an object or a list,
/// or ends at a comma or before a line that begins with a key.
fn pairs(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut pairs, mut strays) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([',', ':']).unwrap_or(rest.len());
        let key = rest[..end].trim();
        if !rest[end..].starts_with(':') {
            if !key.is_empty() {
                strays.push(key.to_owned());
            }
            rest = rest[end..].trim_start_matches(',').trim_start();
            continue;
        }
        let value = rest[end + 1..].trim_start_matches([' ', '\t']);
        let (value, after) = quoted(value).or_else(|| json(value)).unwrap_or_else(|| {
            let end = unquoted(value);
            (value[..end].trim().to_owned(), &value[end..])
        });
        pairs.push((key.to_owned(), value));
        rest = after.trim_start_matches(',').trim_start();
    }
    (pairs, strays)
}

/// The length of a value without quotes.
fn unquoted(text: &str) -> usize {
    let begins_with_key = |text: &str| {
        let line = text.split('\n').next().unwrap_or_default();
        line.split_once(':').is_some_and(|(key, _)| is_key(key.trim()))
    };
    // Each line is looked at once: a text of a megabyte may have a hundred thousand values.
    let mut ends = text.match_indices([',', '\n']);
    let end = ends.find(|(at, sign)| *sign == "," || begins_with_key(&text[at + 1..]));
    end.map_or(text.len(), |(at, _)| at)
}

/// A quoted value that is followed by a comma, a line or the end of the text: its content, and the text after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })?;
    let after = ended(&inside[end + 1..])?;
    let value = serde_json::from_str(&text[..end + 2]);
    // Early versions escaped only quotes and backslashes, and no version forbids line breaks.
    let value = value.unwrap_or_else(|_| inside[..end].replace("\\\"", "\"").replace("\\\\", "\\"));
    Some((value, after))
}

/// A value that is an object or a list in JSON, as Civitai and stable-diffusion.cpp write it, without quotes.
fn json(text: &str) -> Option<(String, &str)> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    values.next()?.ok()?;
    let end = values.byte_offset();
    Some((text[..end].to_owned(), ended(&text[end..])?))
}

/// The text after a value, if the value ends there.
fn ended(after: &str) -> Option<&str> {
    let line = after.trim_start_matches([' ', '\t', '\r']);
    (line.is_empty() || line.starts_with([',', '\n'])).then(|| line.trim_start())
}

/// Whether A1111 reads it as a key: a letter, followed by at least one letter, space, `-` or `/`.
fn is_key(key: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut chars = key.chars();
    chars.next().is_some_and(word)
        && key.chars().count() > 1
        && chars.all(|c| word(c) || matches!(c, ' ' | '-' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_parts_are_found() {
        let check = |text: &str, prompt: &str, negative_prompt: &str, pairs: usize| {
            let parts = parts(text);
            assert_eq!((&*parts.prompt, &*parts.negative_prompt), (prompt, negative_prompt), "{text}");
            assert_eq!(parts.pairs.len(), pairs, "{text}");
        };
        check("a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 1", "a cat", "dog", 3);
        check("a\n\nb\nNegative prompt: c\nd\nSteps: 1, Seed: 2, Size: 8x8", "a\n\nb", "c\nd", 3);
        check("Steps: 20, Sampler: Euler, Seed: 1", "", "", 3);
        check("Negative prompt: x\nSteps: 20, Sampler: Euler, Seed: 1", "", "x", 3);
        // Two pairs are part of the prompt, and so are keys of one letter.
        check("a cat\nSteps: 20, Sampler: Euler", "a cat\nSteps: 20, Sampler: Euler", "", 0);
        check("a: 1, b: 2, c: 3", "a: 1, b: 2, c: 3", "", 0);
        // A prompt that contains settings, and one that contains `Negative prompt:`.
        check(
            "Steps: 1, Sampler: b, Seed: 3\nSteps: 2, Sampler: c, Seed: 4",
            "Steps: 1, Sampler: b, Seed: 3",
            "",
            3,
        );
        check("no Negative prompt: here\nSteps: 2, Sampler: c, Seed: 4", "no Negative prompt: here", "", 3);
        check("", "", "", 0);
        // Anywhere: a value with a line break, a template after it, another key on its own line.
        check("a cat\nSteps: 20, Wildcard prompt: \"x\ny\", Seed: 1, Size: 8x8", "a cat", "", 4);
        check("a cat\nSteps: 20, Wildcard prompt: x\ny z, Seed: 1, Size: 8x8", "a cat", "", 4);
        check(
            "a\nSteps: 2, Sampler: c, Seed: 4\nTemplate: {a|b: c}, d: e, f: g\nNegative Template: x",
            "a",
            "",
            5,
        );
        check(
            "a\nSteps: 2, Sampler: c, Seed: 4, Version: v1\nADetailer model: x, ADetailer prompt: y",
            "a",
            "",
            6,
        );
        check("a\nSampler: c, Seed: 4, Steps: 2\nTemplate: x", "a", "", 4);
        // Other keys only count in the last line.
        check(
            "Hat: red, Coat: blue, Boots: green\na cat",
            "Hat: red, Coat: blue, Boots: green\na cat",
            "",
            0,
        );
        check("a cat\nHat: red, Coat: blue, Boots: green", "a cat", "", 3);
        check("\r\na\r\nNegative prompt: b\r\nSteps: 2, Sampler: c, Seed: 4\r\n", "a", "b", 3);
    }

    #[test]
    fn pairs_and_their_quotes() {
        let check = |line: &str, expected: &[(&str, &str)], stray: &[&str]| {
            let (found, strays) = pairs(line);
            let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(found, expected, "{line}");
            assert_eq!(strays, stray, "{line}");
        };
        check("Steps: 20, CFG scale: 7.5", &[("Steps", "20"), ("CFG scale", "7.5")], &[]);
        check(
            r#"Lora hashes: "a: 1, b: 2", Version: v1"#,
            &[("Lora hashes", "a: 1, b: 2"), ("Version", "v1")],
            &[],
        );
        check(r#"Model: "a \"b\" \u00e9, c""#, &[("Model", "a \"b\" é, c")], &[]);
        check(r#"Model: "a \d, b", Seed: 1"#, &[("Model", r"a \d, b"), ("Seed", "1")], &[]);
        // Unfinished and misplaced quotes end at the comma.
        check(r#"Model: "a, Seed: 1"#, &[("Model", "\"a"), ("Seed", "1")], &[]);
        check(r#"Model: "a" b, Seed: 1"#, &[("Model", "\"a\" b"), ("Seed", "1")], &[]);
        // JSON without quotes, if it is JSON. A1111 writes a key that equals its value only once.
        check("Skip layers: [7, 8, 9], Seed: 1", &[("Skip layers", "[7, 8, 9]"), ("Seed", "1")], &[]);
        check("Skip layers: [7, x], Seed: 1", &[("Skip layers", "[7"), ("Seed", "1")], &["x]"]);
        let resources = r#"[{"type":"lora","weight":0.8,"modelName":"a, b: \"c\""}]"#;
        check(
            &format!("Civitai resources: {resources}, Seed: 1"),
            &[("Civitai resources", resources), ("Seed", "1")],
            &[],
        );
        check(r#"Seed: 1, Hashes: {"model": "0a"}"#, &[("Seed", "1"), ("Hashes", r#"{"model": "0a"}"#)], &[]);
        check("Steps: 20, Tiling, Seed: 1", &[("Steps", "20"), ("Seed", "1")], &["Tiling"]);
        check("Steps:, Seed: 1,", &[("Steps", ""), ("Seed", "1")], &[]);
        check(",,:,", &[("", "")], &[]);
    }
}
