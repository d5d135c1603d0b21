//! Plans, cells and images for the tests of other crates (feature `test-plans`).

use crate::{
    Axis, AxisValue, Cell, Digest, Image, MetricsSpec, ModelCard, NAMING, NamedFile, Plan, Scheduler,
    Selection, Settings, SheetSpec, Value, with_defaults,
};
use std::collections::BTreeMap;
use std::path::Path;

/// A model card.
pub fn card() -> ModelCard {
    ModelCard {
        fingerprint: Digest::of(b"weights"),
        size: (24, 16),
        multiple_of: 8,
        reading: 1,
        scheduler: Some(Scheduler::Ddim),
        scheduler_class: None,
        spacing: None,
        sigmas: None,
        prediction_type: None,
        zero_snr: None,
        inpainting: false,
        guidance_embedding: false,
        safety_checker: false,
        safety_checker_weights: None,
        family: crate::ModelFamily::StableDiffusion,
        shift: None,
        steps: None,
        guidance_scale: None,
    }
}

/// A plan with those axes; an axis with the name of a setting sets it, others set placeholders.
pub fn plan(axes: &[(&str, Vec<&str>)]) -> Plan {
    let axis = |(name, labels): &(&str, Vec<&str>)| Axis {
        name: (*name).to_owned(),
        values: labels.iter().map(|label| axis_value(name, label)).collect(),
    };
    let given: [(&str, Value); 4] = [
        ("prompt", "portrait of a cat".into()),
        ("seed", 7.into()),
        ("steps", 20.into()),
        ("dtype", "f32".into()),
    ];
    Plan {
        name: "test".to_owned(),
        title: String::new(),
        base: with_defaults(&given),
        vars: vec![("subject".to_owned(), "a cat".into())],
        axes: axes.iter().map(axis).collect(),
        kept: Selection::All,
        drawn: BTreeMap::new(),
        models: BTreeMap::from([("sketchbook".to_owned(), card())]),
        pictures: BTreeMap::new(),
        weights: BTreeMap::new(),
        trainings: Vec::new(),
        sheet: SheetSpec::default(),
        metrics: MetricsSpec::default(),
        naming: NAMING,
        // So that the names in tests stay.
        numerics: 1,
        derived_from: None,
    }
}

/// The one cell of a plan without axes.
pub fn cell() -> Cell {
    plan(&[]).cell(0).unwrap()
}

/// A small picture whose colours depend on the cell.
pub fn image(cell: &Cell) -> Image {
    let bytes = cell.id.0.as_bytes();
    let rgb = (0..24 * 16 * 3).map(|at| bytes[at % 32].wrapping_add((at / 72) as u8)).collect();
    Image::new(24, 16, rgb).unwrap()
}

/// Sets a reference picture and a strength.
pub fn with_init_image(settings: &mut Settings, strength: f64) {
    settings.init_image = Some(NamedFile {
        path: "references/selfie.png".into(),
        file: Path::new("/somewhere/references/selfie.png").into(),
        digest: Digest::of(b"selfie"),
    });
    settings.fit = Some(crate::Fit::Crop);
    settings.strength = Some(strength);
}

fn axis_value(name: &str, label: &str) -> AxisValue {
    let value = label.parse::<i64>().map(Value::from).or_else(|_| label.parse::<f64>().map(Value::from));
    AxisValue { label: label.to_owned(), set: vec![(name.to_owned(), value.unwrap_or(label.into()))] }
}
