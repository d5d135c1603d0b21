//! Suggestions for misspelt words.

/// The least similarity for a word to be suggested, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.55;

/// Longer words are not compared, in bytes; nor are words after so many others.
const LONGEST: usize = 256;
const MOST_WORDS: usize = 10_000;

/// A hint that suggests the nearest of the words; `None` if none is similar enough.
pub fn did_you_mean<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, words).map(|near| format!("did you mean `{near}`?"))
}

/// The word most similar to another one, ignoring case; never the word itself.
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = word.to_lowercase();
    let likeness = |word: &str| strsim::normalized_damerau_levenshtein(&written, &word.to_lowercase());
    let mut best = (MIN_SIMILARITY, None);
    // The comparison takes time and memory by the product of both lengths.
    let short = |other: &&str| *other != word && other.len() <= LONGEST;
    for word in words.into_iter().filter(|_| word.len() <= LONGEST).filter(short).take(MOST_WORDS) {
        let like = likeness(word);
        if like > best.0 {
            best = (like, Some(word));
        }
    }
    best.1
}

/// Words in backticks, separated by commas.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["seed", "steps", "strength", "scheduler", "Edvard Munch"];
        let check = |word: &str, expected: Option<&str>| assert_eq!(nearest(word, words), expected, "{word}");
        check("sede", Some("seed"));
        check("Strenght", Some("strength"));
        check("Edward Munch", Some("Edvard Munch"));
        check("Seed", Some("seed"));
        check("strength", None);
        check("xyzzy", None);
        check("", None);
    }
}
