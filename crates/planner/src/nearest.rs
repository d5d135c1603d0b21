//! The nearest valid word for a misspelt one.

/// Words less alike than this are not what a person meant.
const ALIKE: f64 = 0.55;

/// A hint that names the nearest of the words; `None` when none is near.
pub fn did_you_mean<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, words).map(|near| format!("did you mean `{near}`?"))
}

/// The word most like another, whatever its case, and never the same word.
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = word.to_lowercase();
    let likeness = |word: &str| strsim::normalized_damerau_levenshtein(&written, &word.to_lowercase());
    let mut best = (ALIKE, None);
    for word in words.into_iter().filter(|other| *other != word) {
        let like = likeness(word);
        if like > best.0 {
            best = (like, Some(word));
        }
    }
    best.1
}

/// Words in backticks, with commas between.
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
