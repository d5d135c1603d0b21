//! A picture with what it is compared with, and the value of a metric.

use maquette_core::Image;
use std::fmt;
use std::sync::Arc;

/// One picture, with what its metrics compare it with.
#[derive(Debug, Clone)]
pub struct MetricInput {
    /// The short name of its cell, by which metrics refer to it.
    pub name: Arc<str>,
    /// The picture.
    pub image: Arc<Image>,
    /// The reference picture of the cell, at the picture's size; `None` if the cell has none.
    pub reference: Option<Arc<Image>>,
    /// The pictures of the subject that the cell is compared with, at the picture's size; empty if there is none.
    pub subject: Vec<Arc<Image>>,
    /// The pictures of the cells one step away along one axis; those of another size are left out by metrics that compare
    /// pixels.
    pub neighbours: Vec<Arc<Image>>,
    /// The prompt, placeholders filled; may be empty.
    pub prompt: Arc<str>,
}

/// The value of a metric for one picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Score {
    /// A number; may be infinite, but is not NaN.
    Number(f64),
    /// Text.
    Text(String),
}

impl Score {
    /// The number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Score::Number(number) => Some(*number),
            Score::Text(_) => None,
        }
    }
}

/// As in the log: numbers to six significant digits, so that they are the same on every machine.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The word that JavaScript, Python and Rust read.
            Score::Number(number) if number.is_infinite() => {
                f.write_str(if *number > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Score::Number(number) => {
                // The text of a finite number reads back.
                let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(*number);
                // No negative zero.
                write!(f, "{}", rounded + 0.0)
            }
            Score::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        let check = |number: f64, expected: &str| assert_eq!(Score::Number(number).to_string(), expected);
        check(0.123_456_789, "0.123457");
        check(1_234.567_89, "1234.57");
        check(12_345_678.0, "12345700");
        check(1.0, "1");
        check(0.0, "0");
        check(-0.0, "0");
        check(f64::INFINITY, "Infinity");
        assert_eq!("Infinity".parse::<f64>(), Ok(f64::INFINITY));
    }
}
