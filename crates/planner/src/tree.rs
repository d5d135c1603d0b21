//! TOML text as a tree of nodes with their source locations. Apart from `written.rs`, only this file reads TOML.
//!
//! Numbers keep their decimal text, so that ranges can be exact. Not here: the meaning of keys.

use crate::place::{At, Origin};
use crate::problem::Problem;
use maquette_core::{MAX_TEXT, Value, shortened};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub at: At,
    pub data: Data,
}

/// The data of a value.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Flag(bool),
    /// From -2^63 to 2^64 - 1.
    Integer(i128),
    /// Its decimal text: `0.3`, `1e-3`.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the file's order.
    Table(Vec<Entry>),
    /// A value that no key allows; its description.
    Unfit(&'static str),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub at: At,
    pub node: Node,
}

/// Reads a file. A top-level `folder` changes the folder that its paths are relative to.
pub(crate) fn parse(mut origin: Origin) -> Result<(Arc<Origin>, Vec<Entry>), Problem> {
    let text = origin.text().to_owned();
    match DeTable::parse(&text) {
        Ok(table) => {
            if let Some(folder) = table.get_ref().get("folder").and_then(|node| node.get_ref().as_str()) {
                // All paths are rebased to the experiment file's own folder, whose prefix stays empty.
                if origin.layer != 0 {
                    origin.prefix = origin.rebase(folder);
                }
                origin.folder.push(folder);
            }
            let origin = Arc::new(origin);
            let entries = entries(&origin, 0, table.into_inner());
            Ok((origin, entries))
        }
        Err(error) => {
            let at = At { span: error.span().unwrap_or(0..0), origin: Arc::new(origin) };
            let message = format!("{} is not TOML: {}", at.origin.name(), error.message());
            Err(Problem::at(&at, message))
        }
    }
}

/// Reads a single value at `offset` in an origin's text.
pub(crate) fn parse_value(origin: &Arc<Origin>, offset: usize, text: &str) -> Result<Node, Problem> {
    DeValue::parse(text).map(|value| node(origin, offset, value)).map_err(|error| {
        let span = error.span().unwrap_or(0..text.len());
        let at = At { span: span.start + offset..span.end + offset, origin: Arc::clone(origin) };
        Problem::at(&at, format!("{} is not TOML: {}", origin.name(), error.message()))
    })
}

fn entries(origin: &Arc<Origin>, offset: usize, table: DeTable<'_>) -> Vec<Entry> {
    let place = |span: std::ops::Range<usize>| At {
        origin: Arc::clone(origin),
        span: span.start + offset..span.end + offset,
    };
    table
        .into_iter()
        .map(|(key, value)| Entry {
            at: place(key.span()),
            key: key.into_inner().into_owned(),
            node: node(origin, offset, value),
        })
        .collect()
}

fn node(origin: &Arc<Origin>, offset: usize, value: Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let at = At { origin: Arc::clone(origin), span: span.start + offset..span.end + offset };
    let data = match value.into_inner() {
        DeValue::String(text) if text.len() > MAX_TEXT => Data::Unfit("a text of more than 64 KiB"),
        DeValue::String(text) => Data::Text(text.into_owned()),
        // TOML requires signed 64-bit integers; seeds are unsigned.
        DeValue::Integer(n) => match i128::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&n) => Data::Integer(n),
            _ => Data::Unfit("a whole number of more than 64 bits"),
        },
        DeValue::Float(x) => match x.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Data::Number(x.as_str().to_owned()),
            _ => Data::Unfit("infinity or NaN"),
        },
        DeValue::Boolean(flag) => Data::Flag(flag),
        DeValue::Datetime(_) => Data::Unfit("a date"),
        DeValue::Array(list) => {
            Data::List(list.into_iter().map(|value| node(origin, offset, value)).collect())
        }
        DeValue::Table(table) => Data::Table(entries(origin, offset, table)),
    };
    Node { at, data }
}

impl Node {
    /// The value, if it is not a list or a table.
    pub fn scalar(&self) -> Option<Value> {
        match &self.data {
            Data::Flag(flag) => Some(Value::Flag(*flag)),
            Data::Integer(n) => Some(Value::Integer(*n)),
            Data::Number(text) => text.parse().ok().map(Value::Number),
            Data::Text(text) => Some(Value::Text(text.clone())),
            Data::List(_) | Data::Table(_) | Data::Unfit(_) => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn table(&self) -> Option<&[Entry]> {
        match &self.data {
            Data::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// A description of it for messages.
    pub fn what(&self) -> String {
        match &self.data {
            Data::Flag(flag) => format!("`{flag}`"),
            Data::Integer(n) => format!("`{n}`"),
            Data::Number(text) => format!("`{text}`"),
            Data::Text(text) => format!("the text `{}`", shortened(text)),
            Data::List(_) => "a list".to_owned(),
            Data::Table(_) => "a table".to_owned(),
            Data::Unfit(what) => (*what).to_owned(),
        }
    }
}

/// The entry of that key.
pub(crate) fn find<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key)
}
