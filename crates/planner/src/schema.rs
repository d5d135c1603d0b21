//! The JSON Schema of the experiment file, with which editors complete and check it.
//!
//! Generated from the table of settings. What only the planner can check (which placeholders exist, whether a step
//! reaches the end of its range) is not in it.

use crate::MetricNames;
use crate::metrics::NEIGHBOURS;
use crate::sheet::{CELL, PAGE};
use crate::subject::FILE_KEYS;
use maquette_core::{Kind, MAX_VALUES, SETTINGS, Setting, TRAINING_SETTINGS};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// The schema, JSON Schema draft 2020-12, as text for a file; with the metrics that an experiment may name.
pub fn schema(metrics: &MetricNames<'_>) -> String {
    let mut properties = Map::new();
    let mut put = |name: &str, about: &str, mut schema: Value| {
        schema["description"] = about.into();
        properties.insert(name.to_owned(), schema);
    };
    let text = json!({ "type": "string" });
    put("title", "Heading of the contact sheets.", text.clone());
    put(
        "extends",
        "Another experiment file, relative to this one: its tables merge key by key, its values are replaced.",
        text.clone(),
    );
    put("folder", "Where relative paths start; this file's own folder unless given.", text.clone());
    let cell = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    put(
        "derived_from",
        "The run and the cells that this experiment was derived from, as `maquette next` writes them.",
        json!({
            "type": "object",
            "properties": {
                "run": { "type": "string", "minLength": 1 },
                "cells": { "type": "array", "items": cell },
            },
            "required": ["run"],
            "additionalProperties": false,
        }),
    );
    for setting in SETTINGS {
        put(setting.name, setting.about, value(setting));
    }
    put(
        "vars",
        "Values for the {placeholders} in the prompts.",
        json!({
            "type": "object",
            "propertyNames": { "not": { "enum": names() } },
            "additionalProperties": { "$ref": "#/$defs/plain" },
        }),
    );
    let words = json!({ "$ref": "#/$defs/axis_of_words" });
    put(
        "sweep",
        "The axes of the grid, in the file's order, the last one varying fastest: settings and {placeholders}.",
        json!({ "type": "object", "properties": axes(), "additionalProperties": words }),
    );
    let columns = json!({ "type": "object", "properties": zip_columns(), "additionalProperties": words });
    put(
        "zip",
        "Axes that set several names together, row by row: columns of equal length.",
        json!({ "type": "object", "additionalProperties": columns }),
    );
    let rules = json!({ "type": "array", "items": { "$ref": "#/$defs/rule" } });
    put("exclude", "Cells to leave out: those that match all lines of a block.", rules.clone());
    put("only", "Cells to keep: those that match all lines of one block.", rules);
    let axis_name = |about: &str| json!({ "type": "string", "description": about });
    let edge = |allowed: RangeInclusive<i64>, about: &str| json!({ "type": "integer", "minimum": allowed.start(), "maximum": allowed.end(), "description": about });
    put(
        "sheet",
        "How the contact sheets are laid out; axes not named make pages.",
        json!({
            "type": "object",
            "properties": {
                "rows": axis_name("The axis that runs down."),
                "columns": axis_name("The axis that runs across."),
                "cell": edge(CELL, "Longest edge of a thumbnail in pixels."),
                "max": edge(PAGE, "Longest edge of a page in pixels."),
            },
            "additionalProperties": false,
        }),
    );
    put(
        "subject",
        "Subjects that models are trained on, each in a table `[subject.NAME]`; the placeholder {subject} names one of them.",
        json!({ "type": "object", "additionalProperties": subject_schema() }),
    );
    put("metrics", "What to measure in the pictures; does not change them.", metrics_schema(metrics));
    let plain = json!({ "type": ["string", "number", "boolean"] });
    let some = json!({ "type": "array", "items": { "$ref": "#/$defs/plain" }, "minItems": 1 });
    let one_or_more = json!({ "anyOf": [{ "$ref": "#/$defs/plain" }, some] });
    let test = json!({
        "type": "object",
        "properties": {
            "above": { "type": "number" },
            "below": { "type": "number" },
            "not": one_or_more,
            "like": { "type": "string", "description": "Text in which * matches any characters and ? one character." },
        },
        "additionalProperties": false,
        "minProperties": 1,
    });
    let mut definitions = definitions();
    definitions.insert("plain".to_owned(), plain);
    definitions.insert("axis_of_words".to_owned(), axis(&json!({ "$ref": "#/$defs/plain" }), false));
    definitions.insert(
        "rule".to_owned(),
        json!({ "type": "object", "minProperties": 1, "additionalProperties": { "anyOf": [one_or_more, test] } }),
    );
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Maquette experiment",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions,
    });
    format!("{schema:#}\n")
}

/// The schema of a table `[subject.NAME]`.
fn subject_schema() -> Value {
    let files =
        json!({ "type": ["string", "array"], "minLength": 1, "items": { "type": "string", "minLength": 1 } });
    let described = |about: &str, mut schema: Value| {
        schema["description"] = about.into();
        schema
    };
    let paths = FILE_KEYS.iter().map(|(key, about)| ((*key).to_owned(), described(about, files.clone())));
    let settings = TRAINING_SETTINGS
        .iter()
        .map(|setting| (setting.name.to_owned(), described(setting.about, value(setting))));
    let properties: Map<String, Value> = paths.chain(settings).collect();
    json!({ "type": "object", "properties": properties, "required": ["images", "word"], "additionalProperties": false })
}

fn metrics_schema(metrics: &MetricNames<'_>) -> Value {
    let measure = json!({
        "type": "array",
        "items": { "enum": metrics.metrics },
        "uniqueItems": true,
        "description": "The metrics that are measured at the end of a run.",
    });
    let neighbours = json!({ "type": "string", "description": NEIGHBOURS });
    let mut properties =
        Map::from_iter([("measure".to_owned(), measure), ("neighbours".to_owned(), neighbours)]);
    for (name, about) in metrics.models {
        let model = json!({ "type": "string", "minLength": 1, "description": about });
        properties.insert((*name).to_owned(), model);
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The schema of one value of a setting.
fn value(setting: &Setting) -> Value {
    match setting.kind {
        Kind::Text | Kind::Model | Kind::Path => json!({ "type": "string" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Weights => {
            let file = json!({ "type": "string", "minLength": 1 });
            let entry = match setting.name {
                "lora" => {
                    json!({ "file": file, "weight": { "type": "number" }, "text_weight": { "type": "number" } })
                }
                _ => json!({ "file": file, "word": { "type": "string", "minLength": 1 } }),
            };
            let table = json!({ "type": "object", "properties": entry, "required": ["file"], "additionalProperties": false });
            let one = json!({ "anyOf": [{ "type": "string" }, table] });
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Interval => {
            json!({ "type": "string", "pattern": "^ *[0-9.]+ *- *[0-9.]+ *$" })
        }
        // Editors use 64-bit floats or 63-bit integers, so the planner checks the maximum.
        Kind::Seed => json!({ "type": "integer", "minimum": 0 }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
    }
}

fn described(setting: &Setting, mut schema: Value) -> Value {
    schema["description"] = setting.about.into();
    schema
}

fn names() -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.name).collect()
}

/// References to the axes of settings, by name; each axis is defined once.
fn axes() -> Map<String, Value> {
    let refer = |setting: &Setting| {
        let schema = json!({ "$ref": format!("#/$defs/{}", definition(setting)) });
        (setting.name.to_owned(), described(setting, schema))
    };
    SETTINGS.iter().map(refer).collect()
}

fn definition(setting: &Setting) -> String {
    format!("axis_of_{}", setting.name)
}

/// The definitions that `axes` references.
fn definitions() -> Map<String, Value> {
    let define = |setting: &Setting| {
        let numbers = matches!(setting.kind, Kind::Seed | Kind::Integer { .. } | Kind::Number { .. });
        let mut schema = axis(&value(setting), setting.kind == Kind::Seed);
        if !numbers && let Some(forms) = schema["anyOf"].as_array_mut() {
            forms.retain(|form| form["properties"].get("to").is_none());
        }
        (definition(setting), schema)
    };
    SETTINGS.iter().map(define).collect()
}

fn zip_columns() -> Map<String, Value> {
    let mut columns = axes();
    let label = json!({ "type": "array", "items": { "type": "string" }, "description": "What a sheet calls each row." });
    columns.insert("label".to_owned(), label);
    columns
}

/// The forms of an axis with values of the schema `value`.
fn axis(value: &Value, seeds: bool) -> Value {
    let form = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let labelled = form(json!({ "label": { "type": "string" }, "value": value }), &["value"]);
    let list = json!({ "type": "array", "minItems": 1, "maxItems": MAX_VALUES, "items": { "anyOf": [value, labelled] } });
    let number = json!({ "type": "number" });
    let count = json!({ "type": "integer", "minimum": 1, "maximum": MAX_VALUES });
    let text = json!({ "type": "string", "minLength": 1 });
    let mut forms = vec![
        list,
        form(json!({ "from": number, "to": number, "step": number }), &["from", "to", "step"]),
        form(json!({ "from": number, "to": number, "count": count }), &["from", "to", "count"]),
        form(json!({ "file": text }), &["file"]),
        form(json!({ "glob": text }), &["glob"]),
    ];
    if seeds {
        forms.push(form(json!({ "count": count, "from": value }), &["count"]));
        forms.push(form(json!({ "random": count }), &["random"]));
    }
    json!({ "anyOf": forms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::KEYS;
    use std::collections::BTreeSet;

    #[test]
    fn every_top_level_key_is_in_the_schema_and_described() {
        let schema: Value = serde_json::from_str(&schema(&MetricNames::default())).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        let found: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(found, KEYS.iter().copied().chain(names()).collect());
        assert!(properties.values().all(|property| property["description"].is_string()));
    }
}
