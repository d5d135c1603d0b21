//! An axis: one dimension of the grid.

use crate::Value;
use serde::{Deserialize, Serialize};

/// One dimension of the grid: a key of `[sweep]` or one `[zip.*]` block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The setting or placeholder that it varies, or the name of the zip block.
    pub name: String,
    /// Its values in the file's order; never empty.
    pub values: Vec<AxisValue>,
}

impl Axis {
    /// The label of one position for lists and file names. A number, `true`, `false` or an empty label is given with the
    /// axis' name.
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
    /// Its label on a sheet.
    pub label: String,
    /// What it sets: one entry for a sweep, several for a zip. Names are settings or placeholders.
    pub set: Vec<(String, Value)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_described_with_the_name_of_the_axis() {
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
