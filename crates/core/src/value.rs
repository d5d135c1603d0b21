//! Values in experiment files: text, a whole number, a number, true or false, or a list of weight files.

use crate::weights::{WeightRef, list_text};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// One value of a setting or of a `{placeholder}`.
///
/// `Display` is the only conversion of a value to text: in prompts, labels, the CSV log and the canonical form
/// that names a cell. Numbers are written as the shortest decimal that reads back as the same number.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number, from -2^63 to 2^64 - 1, which includes all of torch's seeds.
    Integer(i128),
    /// Any other number; never NaN or infinite.
    Number(f64),
    /// Text; also a list of weight files that contains placeholders.
    Text(String),
    /// Weight files; see [`crate::Kind::Weights`].
    Weights(Vec<WeightRef>),
}

impl Value {
    /// The value as a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Integer(n) => Some(*n as f64),
            Value::Number(x) => Some(*x),
            Value::Flag(_) | Value::Text(_) | Value::Weights(_) => None,
        }
    }

    /// The value as a whole number below 2^63; `20.0` counts as whole.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(n) => i64::try_from(*n).ok(),
            Value::Number(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// The value as a whole number from 0 to 2^64 - 1; `20.0` counts as whole.
    pub fn as_unsigned(&self) -> Option<u64> {
        match self {
            Value::Integer(n) => u64::try_from(*n).ok(),
            _ => self.as_integer().and_then(|n| u64::try_from(n).ok()),
        }
    }

    /// A seed as a value.
    pub fn seed(seed: u64) -> Value {
        Value::Integer(seed.into())
    }

    /// Whether it is empty text or an empty list.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Text(text) => text.is_empty(),
            Value::Weights(list) => list.is_empty(),
            Value::Flag(_) | Value::Integer(_) | Value::Number(_) => false,
        }
    }

    /// The value as text.
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
            Value::Weights(list) => f.write_str(&list_text(list)),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Flag(flag) => to.serialize_bool(*flag),
            Value::Integer(n) => match (i64::try_from(*n), u64::try_from(*n)) {
                (Ok(n), _) => to.serialize_i64(n),
                (_, Ok(n)) => to.serialize_u64(n),
                _ => Err(serde::ser::Error::custom(format!("`{n}` does not fit in 64 bits"))),
            },
            Value::Number(x) => to.serialize_f64(*x),
            Value::Text(text) => to.serialize_str(text),
            Value::Weights(list) => list.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, true, false or a list of weight files")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
                Ok(Value::Flag(flag))
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Value, E> {
                Ok(Value::Integer(n.into()))
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
                Ok(Value::Integer(n.into()))
            }

            fn visit_f64<E: de::Error>(self, x: f64) -> Result<Value, E> {
                Ok(Value::Number(x))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::from(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    list.push(entry);
                }
                Ok(Value::Weights(list))
            }
        }

        from.deserialize_any(AnyValue)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n.into())
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
    use crate::parse_weights;

    fn weights(text: &str) -> Value {
        Value::Weights(parse_weights(text).unwrap())
    }

    #[test]
    fn values_are_formatted_as_in_experiment_files() {
        let check = |value: Value, expected: &str| assert_eq!(value.to_string(), expected);
        check(Value::Number(0.3), "0.3");
        check(Value::Number(7.0), "7");
        check(Value::Integer(-1), "-1");
        check(Value::seed(u64::MAX), "18446744073709551615");
        check(Value::Flag(false), "false");
        check(Value::from("a, b"), "a, b");
        check(weights("style:0.80 + hand"), "style:0.8 + hand");
        check(weights("<hat>=words/h.pt"), "<hat>=words/h.pt");
        check(weights(""), "none");
    }

    #[test]
    fn values_round_trip_through_json() {
        let large = [Value::seed(u64::MAX), i64::MIN.into(), i64::MAX.into()];
        let values =
            [0.into(), 0.5.into(), Value::Flag(true), "7".into(), weights("a:0 + b"), weights("w=a")];
        for value in values.into_iter().chain(large) {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
        }
        let beyond = Value::Integer(1 << 64);
        assert!(serde_json::to_string(&beyond).is_err());
    }

    #[test]
    fn seeds_have_the_range_of_torch() {
        let check =
            |value: Value, expected: Option<u64>| assert_eq!(value.as_unsigned(), expected, "{value}");
        check(Value::seed(u64::MAX), Some(u64::MAX));
        check(Value::Number(20.0), Some(20));
        check(Value::Integer(1 << 64), None);
        check(Value::Integer(-1), None);
        check("1".into(), None);
    }
}
