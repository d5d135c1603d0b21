//! Columns of the log as a page has them: every value once, and for each picture the number of its value.

use super::{Better, Column, ColumnKind, ColumnType};
use std::collections::HashMap;

/// A column while it is filled, a value for each picture in turn.
pub(super) struct ColumnBuilder {
    values: Vec<String>,
    numbers: HashMap<String, u32>,
    index: Vec<u32>,
}

/// A column of the log's outcomes and metrics, with a text for each picture; empty text where it does not apply.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedColumn {
    /// Its name in the log.
    pub name: String,
    /// Whether it is a metric; an outcome otherwise.
    pub is_metric: bool,
    /// The type of its values, if it is known.
    pub r#type: Option<ColumnType>,
    /// One line about it.
    pub help: String,
    /// For a metric: which values are better.
    pub better: Option<Better>,
    /// For a metric: its lowest and highest value, where it has them.
    pub range: Option<(Option<f64>, Option<f64>)>,
    /// The text for each picture.
    pub texts: Vec<String>,
}

impl ColumnBuilder {
    pub fn new() -> ColumnBuilder {
        ColumnBuilder { values: Vec::new(), numbers: HashMap::new(), index: Vec::new() }
    }

    pub fn push(&mut self, text: String) {
        // Neighbours often have the same value.
        if let Some(&last) = self.index.last()
            && self.values[last as usize] == text
        {
            return self.index.push(last);
        }
        let number = *self.numbers.entry(text).or_insert_with_key(|text| {
            self.values.push(text.clone());
            (self.values.len() - 1) as u32
        });
        self.index.push(number);
    }

    /// `type`: that of its values if it is not known.
    pub fn finish(self, name: &str, kind: ColumnKind, r#type: Option<ColumnType>, help: &str) -> Column {
        let ColumnBuilder { values, index, .. } = self;
        Column {
            name: name.to_owned(),
            kind,
            r#type: r#type.unwrap_or_else(|| type_of(&values)),
            index: (values.len() > 1).then_some(index),
            values: if values.is_empty() { vec![String::new()] } else { values },
            help: help.to_owned(),
            better: None,
            range: None,
        }
    }
}

impl LoggedColumn {
    pub(super) fn into_column(self) -> Column {
        let kind = if self.is_metric { ColumnKind::Metric } else { ColumnKind::Outcome };
        let mut builder = ColumnBuilder::new();
        self.texts.into_iter().for_each(|text| builder.push(text));
        let column = builder.finish(&self.name, kind, self.r#type, &self.help);
        Column { better: self.better, range: self.range, ..column }
    }
}

/// Numbers if every text that is not empty is one, for JavaScript as well, and there is one.
fn type_of(values: &[String]) -> ColumnType {
    let mut texts = values.iter().filter(|text| !text.is_empty()).peekable();
    let some = texts.peek().is_some();
    let is_number = |text: &String| {
        text.trim_start_matches('-') == "Infinity" || text.parse::<f64>().is_ok_and(f64::is_finite)
    };
    match some && texts.all(is_number) {
        true => ColumnType::Number,
        false => ColumnType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(texts: &[&str]) -> Column {
        let mut builder = ColumnBuilder::new();
        texts.iter().for_each(|text| builder.push((*text).to_owned()));
        builder.finish("strength", ColumnKind::Placeholder, None, "")
    }

    #[test]
    fn a_value_is_listed_once() {
        let check = |texts: &[&str], values: &[&str], index: Option<&[u32]>, r#type: ColumnType| {
            let column = column(texts);
            assert_eq!((&column.values[..], column.index.as_deref()), (&values.map_to_owned()[..], index));
            assert_eq!(column.r#type, r#type, "{texts:?}");
        };
        check(&["0.3", "0.3", "0.5", "0.3"], &["0.3", "0.5"], Some(&[0, 0, 1, 0]), ColumnType::Number);
        check(&["7", "7"], &["7"], None, ColumnType::Number);
        check(&["", "7"], &["", "7"], Some(&[0, 1]), ColumnType::Number);
        check(&["7", "none"], &["7", "none"], Some(&[0, 1]), ColumnType::Text);
        check(&["inf", "1"], &["inf", "1"], Some(&[0, 1]), ColumnType::Text);
        check(&["Infinity", "1"], &["Infinity", "1"], Some(&[0, 1]), ColumnType::Number);
        check(&["", ""], &[""], None, ColumnType::Text);
        check(&[], &[""], None, ColumnType::Text);
    }

    trait MapToOwned {
        fn map_to_owned(&self) -> Vec<String>;
    }

    impl MapToOwned for &[&str] {
        fn map_to_owned(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }

    proptest! {
        #[test]
        fn every_text_is_found_again(texts in prop::collection::vec("[ab]{0,2}", 0..20)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let column = column(&texts);
            for (at, text) in texts.iter().enumerate() {
                let number = column.index.as_ref().map_or(0, |index| index[at] as usize);
                prop_assert_eq!(&column.values[number], text);
            }
        }
    }
}
