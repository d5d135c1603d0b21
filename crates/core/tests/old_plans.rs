//! Plans written by older versions are read correctly: lists of weight files as text, settings that did not exist yet,
//! and cells named by settings as written.

#![cfg(feature = "test-plans")]

use maquette_core::{CellId, Digest, FoundFile, NUMERICS, Plan, Value, WeightsKind, test_plans};
use serde_json::{Value as Json, json};

/// A plan from a `plan.json` without the versions of naming and numerics.
fn old(lora: &str, guidance_scale: f64) -> Plan {
    let mut plan = test_plans::plan(&[]);
    plan.weights.insert(
        WeightsKind::Lora.key("style"),
        FoundFile { file: "style.safetensors".into(), digest: Digest::of(b"style") },
    );
    let mut json = serde_json::to_value(&plan).unwrap();
    json.as_object_mut().unwrap().retain(|name, _| name != "naming" && name != "numerics");
    let base = json["base"].as_array_mut().unwrap();
    base.retain(|pair| pair[0] != "guidance_rescale" && pair[0] != "guidance_scale");
    base.extend([json!(["lora", lora]), json!(["guidance_scale", guidance_scale])]);
    serde_json::from_value::<Plan>(Json::clone(&json)).unwrap()
}

#[test]
fn lists_are_text_and_later_settings_have_their_defaults() {
    let settings = old("style:0.8", 7.5).cell(0).unwrap().settings;
    assert_eq!(settings.get("lora").unwrap().to_string(), "style:0.8");
    assert_eq!(settings.get("guidance_rescale"), Some(Value::Number(0.0)));
}

#[test]
fn cells_keep_the_names_in_their_log() {
    let names = |lora: &str, guidance_scale| {
        // The current name contains the current numerics.
        let plan = Plan { numerics: NUMERICS, ..old(lora, guidance_scale) };
        let cell = plan.cell(0).unwrap();
        assert_eq!(plan.id(0).unwrap(), cell.id);
        (cell.id, CellId::of(&cell.settings, &plan.models["sketchbook"]))
    };
    // Old cells are named by settings as written, even if those have no effect.
    let (none, zero) = (names("none", 7.5), names("style:0", 7.5));
    assert_ne!(none.0, zero.0);
    assert_eq!(none.1, zero.1);
    let (half, one) = (names("none", 0.5), names("none", 1.0));
    assert_ne!(half.0, one.0);
    assert_eq!(half.1, one.1);
    // Current names are names that these pictures had.
    assert_eq!((none.0, one.0), (none.1, one.1));
}

#[test]
fn cells_keep_the_numerics_that_rendered_them() {
    let plan = old("none", 7.5);
    assert_eq!((plan.naming, plan.numerics), (1, 1));
    let name = |numerics| Plan { numerics, ..plan.clone() }.id(0).unwrap();
    assert_eq!(plan.id(0).unwrap(), name(1));
    assert_ne!(name(1), name(2));
}

#[test]
fn every_rise_of_numerics_is_explained() {
    let changes =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../CHANGELOG.md")).unwrap();
    for version in 1..=NUMERICS {
        assert!(changes.contains(&format!("\n### {version}\n")), "CHANGELOG.md lacks numerics {version}");
    }
}
