//! The JSON Schema of the experiment file, so that editors complete and check it.
//!
//! Made from the table of settings; what only the planner can know (which placeholders there are, whether a step
//! reaches its end) is not in it.

use crate::range::MOST;
use maquette_core::{Kind, SETTINGS, Setting};
use serde_json::{Map, Value, json};

/// The schema, JSON Schema draft 2020-12, as text for a file.
pub fn schema() -> String {
    let mut properties = Map::new();
    let mut put = |name: &str, schema: Value| _ = properties.insert(name.to_owned(), schema);
    put("title", json!({ "type": "string", "description": "Heading of the contact sheets." }));
    put(
        "extends",
        json!({ "type": "string", "description": "Another experiment file, relative to this one: its tables merge key by key, its arrays and values are replaced." }),
    );
    put(
        "folder",
        json!({ "type": "string", "description": "Where relative paths start; this file's own folder unless given." }),
    );
    for setting in SETTINGS {
        put(setting.name, described(setting, value(setting)));
    }
    put(
        "vars",
        json!({ "type": "object", "description": "Words for the {placeholders} of the prompts.", "propertyNames": { "not": { "enum": names() } }, "additionalProperties": { "$ref": "#/$defs/plain" } }),
    );
    put(
        "sweep",
        json!({ "type": "object", "description": "The axes of the grid, in the file's order, the last one moving fastest: settings and {placeholders}.", "properties": axes(), "additionalProperties": axis(&json!({ "$ref": "#/$defs/plain" }), false) }),
    );
    put(
        "zip",
        json!({ "type": "object", "description": "Axes that set several names together, row by row: columns of equal length.", "additionalProperties": { "type": "object", "properties": zip_columns(), "additionalProperties": axis(&json!({ "$ref": "#/$defs/plain" }), false) } }),
    );
    put(
        "exclude",
        json!({ "type": "array", "description": "Cells to leave out: each block drops the cells that match all of its lines.", "items": { "$ref": "#/$defs/rule" } }),
    );
    put(
        "only",
        json!({ "type": "array", "description": "Cells to keep: a cell must match all lines of one block.", "items": { "$ref": "#/$defs/rule" } }),
    );
    put(
        "sheet",
        json!({ "type": "object", "description": "How the contact sheets are laid out; axes not named make pages.", "properties": {
        "rows": { "type": "string", "description": "The axis that runs down." },
        "columns": { "type": "string", "description": "The axis that runs across." },
        "cell": { "type": "integer", "minimum": 16, "maximum": 4096, "description": "Longest edge of a thumbnail in pixels." },
        "max": { "type": "integer", "minimum": 256, "maximum": 65_500, "description": "Longest edge of a page in pixels." },
    }, "additionalProperties": false }),
    );
    let plain = json!({ "type": ["string", "number", "boolean"] });
    let one_or_more = json!({ "anyOf": [{ "$ref": "#/$defs/plain" }, { "type": "array", "items": { "$ref": "#/$defs/plain" }, "minItems": 1 }] });
    let test = json!({ "type": "object", "properties": {
        "above": { "type": "number" },
        "below": { "type": "number" },
        "not": one_or_more,
        "like": { "type": "string", "description": "Text with * for any letters and ? for one." },
    }, "additionalProperties": false, "minProperties": 1 });
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Maquette experiment",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": {
            "plain": plain,
            "rule": { "type": "object", "minProperties": 1, "additionalProperties": { "anyOf": [one_or_more, test] } },
        },
    });
    format!("{schema:#}\n")
}

/// What one value of a setting may be.
fn value(setting: &Setting) -> Value {
    match setting.kind {
        Kind::Text | Kind::Path => json!({ "type": "string" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Integer { min, max: i64::MAX } => json!({ "type": "integer", "minimum": min }),
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

/// The axes of settings, by name.
fn axes() -> Map<String, Value> {
    let axis = |setting: &Setting| {
        let numbers = matches!(setting.kind, Kind::Integer { .. } | Kind::Number { .. });
        let mut schema = axis(&value(setting), setting.name == "seed");
        if !numbers && let Some(forms) = schema["anyOf"].as_array_mut() {
            forms.retain(|form| form["properties"].get("to").is_none());
        }
        (setting.name.to_owned(), described(setting, schema))
    };
    SETTINGS.iter().map(axis).collect()
}

fn zip_columns() -> Map<String, Value> {
    let mut columns = axes();
    let label = json!({ "type": "array", "items": { "type": "string" }, "description": "What a sheet calls each row." });
    columns.insert("label".to_owned(), label);
    columns
}

/// The forms of an axis whose values are as `value` says.
fn axis(value: &Value, seeds: bool) -> Value {
    let form = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let labelled = form(json!({ "label": { "type": "string" }, "value": value }), &["value"]);
    let list =
        json!({ "type": "array", "minItems": 1, "maxItems": MOST, "items": { "anyOf": [value, labelled] } });
    let number = json!({ "type": "number" });
    let count = json!({ "type": "integer", "minimum": 1, "maximum": MOST });
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
