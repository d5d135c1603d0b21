//! The JSON Schema.

use crate::metrics::NAMES;
use maquette_core::SETTINGS;
use maquette_planner::schema;

#[test]
fn the_schema_has_every_setting_in_every_place() {
    let schema: serde_json::Value = serde_json::from_str(&schema(&NAMES)).unwrap();
    let properties = &schema["properties"];
    for setting in SETTINGS {
        assert_eq!(properties[setting.name]["description"], setting.about);
        let axis = format!("axis_of_{}", setting.name);
        let refers = serde_json::json!(format!("#/$defs/{axis}"));
        assert_eq!(properties["sweep"]["properties"][setting.name]["$ref"], refers);
        let columns = &properties["zip"]["additionalProperties"]["properties"];
        assert_eq!(columns[setting.name]["$ref"], refers);
        assert!(schema["$defs"][axis]["anyOf"].is_array());
    }
    assert_eq!(properties["strength"]["maximum"], 1.0);
    assert_eq!(properties["steps"]["minimum"], 1);
    assert_eq!(properties["scheduler"]["enum"][4], "euler_a");
    let forms = |name: &str| schema["$defs"][format!("axis_of_{name}")]["anyOf"].as_array().unwrap().len();
    assert_eq!((forms("seed"), forms("strength"), forms("prompt")), (7, 5, 3));
    assert_eq!(schema["additionalProperties"], false);
}
