//! A value as a person writes it: text, a whole number, a number, or yes and no.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One value of a setting or of a `{placeholder}`.
///
/// `Display` is the only way a value becomes text: in prompts, labels, the CSV log and the canonical form
/// that names a cell. Numbers print as the shortest decimal that reads back as the same number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number; seeds live here.
    Integer(i64),
    /// Any other number; never NaN or infinite.
    Number(f64),
    /// Words.
    Text(String),
}

impl Value {
    /// The number in it, whole or not.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Integer(n) => Some(*n as f64),
            Value::Number(x) => Some(*x),
            Value::Flag(_) | Value::Text(_) => None,
        }
    }

    /// The whole number in it; `20.0` counts as whole.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(n) => Some(*n),
            Value::Number(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// The words in it.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Integer(n) => write!(f, "{n}"),
            Value::Number(x) => write!(f, "{x}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Value::Number(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_a_person_would_write_them() {
        let check = |value: Value, expected: &str| assert_eq!(value.to_string(), expected);
        check(Value::Number(0.3), "0.3");
        check(Value::Number(7.0), "7");
        check(Value::Integer(-1), "-1");
        check(Value::Flag(false), "false");
        check(Value::from("a, b"), "a, b");
    }

    #[test]
    fn values_survive_json() {
        for value in [Value::Integer(0), Value::Number(0.5), Value::Flag(true), Value::from("7")] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
        }
    }
}
