//! The part of a picture's steps that has guidance.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The UNet calls with guidance, as fractions of a picture's calls: diffusers' `start` and `stop` of its guiders
/// (Kynkäänniemi et al., arXiv 2404.07724). Written `START-STOP`, such as `0.1-0.8`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuidanceInterval {
    start: f64,
    stop: f64,
}

impl GuidanceInterval {
    /// The calls with guidance, of `calls`: from `int(start * calls)` to before `int(stop * calls)`, the products in f64.
    ///
    /// Source: `_is_cfg_enabled` of diffusers' `ClassifierFreeGuidance`.
    pub fn calls(self, calls: usize) -> Range<usize> {
        let at = |fraction: f64| (fraction * calls as f64) as usize;
        at(self.start)..at(self.stop)
    }
}

/// A text that is not an interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not two numbers from 0 to 1 in ascending order, joined by `-`")]
pub struct IntervalError(String);

impl FromStr for GuidanceInterval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<GuidanceInterval, IntervalError> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| (0.0..=1.0).contains(x));
        let pair = text.split_once('-').and_then(|(start, stop)| Some((number(start)?, number(stop)?)));
        match pair.filter(|(start, stop)| start <= stop) {
            Some((start, stop)) => Ok(GuidanceInterval { start, stop }),
            None => Err(IntervalError(text.to_owned())),
        }
    }
}

impl fmt::Display for GuidanceInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fractions_are_an_interval() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = text.parse::<GuidanceInterval>().ok().map(|interval| interval.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        };
        check("0.1-0.8", Some("0.1-0.8"));
        check(" 0 - 1.0 ", Some("0-1"));
        check("0.5-0.5", Some("0.5-0.5"));
        for wrong in ["", "0.5", "0.8-0.1", "-0.1-0.5", "0-1.5", "0-NaN", "a-b", "0.1,0.8"] {
            check(wrong, None);
        }
    }

    #[test]
    fn calls_are_those_of_diffusers() {
        let check = |text: &str, calls: usize, expected: Range<usize>| {
            assert_eq!(text.parse::<GuidanceInterval>().unwrap().calls(calls), expected, "{text} of {calls}");
        };
        check("0-1", 50, 0..50);
        check("0.1-0.8", 50, 5..40);
        check("0.2-0.7", 7, 1..4);
        // The product falls just below 29.
        check("0.29-1", 100, 28..100);
        check("0.1-0.12", 10, 1..1);
        check("0-1", 0, 0..0);
    }
}
