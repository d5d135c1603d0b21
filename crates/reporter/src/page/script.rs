//! The files of a page besides its pictures: the app, its HTML, and data as a classic script.
//!
//! A page that is opened from disk may not fetch files, so data is a script that calls a function of the app. It is data of
//! strangers: prompts, names, errors. It stays inside a string, whatever it contains.

use maquette_core::Digest;
use serde::Serialize;

/// The app, built from `crates/reporter/page`.
pub const APP_JS: &[u8] = include_bytes!("../../page/dist/app.js");

/// The style of the app.
pub const APP_CSS: &[u8] = include_bytes!("../../page/dist/app.css");

/// The HTML of every page, with a place for its title.
const INDEX: &str = include_str!("../../page/index.html");

/// The HTML of a page with that title.
pub fn index_html(title: &str) -> String {
    INDEX.replace("{{title}}", &escape_html(title))
}

/// `data.js` for a page: `maquettePage('<JSON>')`.
pub fn data_script(page: &impl Serialize) -> String {
    script("maquettePage", page)
}

/// `state.js` for a page: `maquetteState('<JSON>')`.
pub fn state_script(state: &super::PageState) -> String {
    script("maquetteState", state)
}

/// The revision of a page: 16 digits that depend on everything in it.
pub(super) fn revision(page: &impl Serialize) -> String {
    let mut digits = Digest::of(json(page).as_bytes()).to_string();
    digits.truncate(16);
    digits
}

/// A call with one argument: JSON inside a JavaScript string, in which no character ends the string, the script or the line.
fn script(function: &str, value: &impl Serialize) -> String {
    let json = json(value);
    let mut script = String::with_capacity(json.len() + json.len() / 16 + 32);
    script.push_str(function);
    script.push_str("('");
    for letter in json.chars() {
        match letter {
            '\\' => script.push_str(r"\\"),
            '\'' => script.push_str(r"\'"),
            '<' => script.push_str(r"\u003c"),
            '>' => script.push_str(r"\u003e"),
            '&' => script.push_str(r"\u0026"),
            // Line breaks in older JavaScript.
            '\u{2028}' => script.push_str(r"\u2028"),
            '\u{2029}' => script.push_str(r"\u2029"),
            // JSON has no other line breaks or control characters.
            letter => script.push(letter),
        }
    }
    script.push_str("');\n");
    script
}

fn json(value: &impl Serialize) -> String {
    // The types of a page have no maps with keys other than text, so this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads the argument of a script as JavaScript would, for the escapes that a script has.
    fn argument(script: &str) -> String {
        let inside = script.strip_prefix("f('").unwrap().strip_suffix("');\n").unwrap();
        let (mut text, mut letters) = (String::new(), inside.chars());
        while let Some(letter) = letters.next() {
            match (letter, if letter == '\\' { letters.next() } else { None }) {
                ('\\', Some('u')) => {
                    let digits: String = letters.by_ref().take(4).collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                ('\\', escaped) => text.push(escaped.unwrap()),
                (letter, _) => text.push(letter),
            }
        }
        text
    }

    fn check(text: &str) {
        let script = script("f", &text);
        let inside = &script[3..script.len() - 4];
        assert!(!inside.contains(['<', '>', '&', '\n', '\r', '\u{2028}', '\u{2029}']), "{script:?}");
        // Every quote is escaped by an odd number of backslashes before it.
        let quotes = inside
            .match_indices('\'')
            .map(|(at, _)| inside[..at].chars().rev().take_while(|letter| *letter == '\\').count());
        assert!(quotes.into_iter().all(|backslashes| backslashes % 2 == 1), "{script:?}");
        let read: String = serde_json::from_str(&argument(&script)).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn hostile_text_stays_inside_the_string() {
        for text in [
            "</script><script>alert(1)</script>",
            "<!-- <script>",
            "'); alert(1); ('",
            "\\'); alert(1); //",
            "\u{2028}alert(1)\u{2029}",
            "\"&amp;\" \\u003c \r\n\t\0",
            "مرحبا \u{202e}txt",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in "[\\\\'\"<>&/ a\n\r\u{2028}\u{2029}\u{0}-\u{1f}é\u{10000}]{0,24}") {
            check(&text);
        }
    }

    #[test]
    fn a_title_is_text() {
        let html = index_html("</title><script>alert('\"&')</script>");
        assert!(!html.contains("<script>alert"), "{html}");
        assert!(html.contains("&lt;/title&gt;&lt;script&gt;alert(&#39;&quot;&amp;&#39;)"), "{html}");
    }

    #[test]
    fn the_html_allows_only_files_beside_it() {
        let policy = index_html("").to_lowercase();
        assert!(
            policy.contains("content-security-policy") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
        assert!(!policy.contains("http://") && !policy.contains("https://"), "{policy}");
    }
}
