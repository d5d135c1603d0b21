//! Fields that a spreadsheet would run as formulas, such as `=HYPERLINK(…)` in a prompt from someone else.
//!
//! As [OWASP advises](https://owasp.org/www-community/attacks/CSV_Injection), such a field gets an apostrophe in front,
//! which spreadsheets take for "this is text". Reading removes it. A field that has apostrophes and then such a character gets
//! one more, so that every text reads back unchanged; all other fields, `'tis` among them, stay as they are. Numbers are no
//! formulas: `-0.5` stays a number.

use std::borrow::Cow;

/// The version of logs in which fields are defused, in their column `format`. Logs without that column are not, and are read
/// as they are.
pub(crate) const FORMAT: u32 = 2;

/// The characters that begin a formula, also in the width of East Asian scripts; control characters before one are skipped.
const BEGINNINGS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A field for a CSV file.
pub(crate) fn defuse(field: &str) -> Cow<'_, str> {
    let is_number = || field.parse::<f64>().is_ok_and(f64::is_finite);
    match is_formula(field.trim_start_matches('\'')) && !is_number() {
        true => Cow::Owned(format!("'{field}")),
        false => Cow::Borrowed(field),
    }
}

/// The text of a field that [`defuse`] returned.
pub(crate) fn restore(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => field,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(BEGINNINGS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_get_an_apostrophe() {
        let check = |text: &str, expected: &str| {
            assert_eq!(defuse(text), expected);
            assert_eq!(restore(expected), text);
        };
        for same in ["", "a cat", "0.5", "-0.5", "-12", "+1e-3", "'tis", "'", "a=b", "(-1)", " =1", "1-1"] {
            check(same, same);
        }
        check("=1+1", "'=1+1");
        check("-a", "'-a");
        check("-0.5:1", "'-0.5:1");
        check("-inf", "'-inf");
        check("@SUM(A1)", "'@SUM(A1)");
        check("\t=1", "'\t=1");
        check("＝1", "'＝1");
        check("'=1", "''=1");
        check("''-x", "'''-x");
        // An apostrophe before a number is text, and stays different from the number.
        check("'-0.5", "''-0.5");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in "['=+\\-@\t\r\n＝0-9.ea ]{0,8}|.*") {
            let field = defuse(&text);
            prop_assert_eq!(restore(&field), &*text);
            prop_assert!(!is_formula(&field) || field.parse::<f64>().is_ok_and(f64::is_finite));
        }
    }
}
