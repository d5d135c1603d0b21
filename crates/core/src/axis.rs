//! An axis: one dimension of the grid.

use crate::Value;
use serde::{Deserialize, Serialize};

/// One dimension of the grid: a key of `[sweep]` or one `[zip.*]` block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The setting or placeholder that it sweeps, or the name of the zip block.
    pub name: String,
    /// Its values in the file's order; never empty.
    pub values: Vec<AxisValue>,
}

impl Axis {
    /// What a list or a file name says of one position: words stand for themselves, a bare number needs the axis'
    /// name before it to mean anything.
    pub fn describe(&self, at: usize) -> String {
        let (name, label) = (&self.name, &self.values[at].label);
        let number = label.parse::<f64>().is_ok_and(f64::is_finite);
        match label.as_str() {
            "" => format!("{name} (empty)"),
            "true" | "false" => format!("{name} {label}"),
            _ if number => format!("{name} {label}"),
            _ => label.clone(),
        }
    }
}

/// One position on an axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisValue {
    /// What a sheet says of it.
    pub label: String,
    /// What it sets: one entry for a sweep, several for a zip. Names are settings or placeholders.
    pub set: Vec<(String, Value)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_themselves_and_numbers_need_a_name() {
        let check = |label: &str, expected: &str| {
            let values = vec![AxisValue { label: label.to_owned(), set: vec![] }];
            assert_eq!(Axis { name: "lens".to_owned(), values }.describe(0), expected);
        };
        check("50mm", "50mm");
        check("50", "lens 50");
        check("-0.5", "lens -0.5");
        check("true", "lens true");
        check("nan", "nan");
        check("", "lens (empty)");
    }
}
