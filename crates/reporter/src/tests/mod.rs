//! Tests of sheets and differences. Here: plans and pictures for them.

mod animation;
mod constants;
mod diff;
mod fonts;
mod layout;
mod page;
mod pages;
mod pairing;
mod pixels;

use maquette_core::{
    Axis, AxisValue, Digest, Image, ModelCard, Plan, Scheduler, Selection, SheetSpec, Value, with_defaults,
};
use std::collections::BTreeMap;

/// A plan with an image-to-image base and those axes; every value sets the setting or placeholder of its axis.
pub fn plan(axes: Vec<Axis>) -> Plan {
    let given = [
        ("model", "tiny".into()),
        ("prompt", "portrait of {subject}, by {artist}".into()),
        ("init_image", "references/selfie.png".into()),
        ("strength", Value::Number(0.0)),
        ("seed", 7.into()),
        ("steps", 20.into()),
        ("dtype", "f32".into()),
    ];
    let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
    let card = ModelCard {
        fingerprint: Digest::of(b"tiny"),
        size: (64, 64),
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
        family: maquette_core::ModelFamily::StableDiffusion,
        shift: None,
        steps: None,
        guidance_scale: None,
    };
    let picture = maquette_core::FoundFile { file: "selfie.png".into(), digest: Digest::of(b"selfie") };
    Plan {
        name: "mucha".to_owned(),
        title: "In other hands".to_owned(),
        base: with_defaults(&given),
        vars: [("subject", "a man with a beard".into()), ("artist", "Edvard Munch".into())].map(owned).into(),
        axes,
        kept: Selection::All,
        drawn: BTreeMap::new(),
        models: [("tiny".to_owned(), card)].into(),
        pictures: [("references/selfie.png".to_owned(), picture)].into(),
        weights: BTreeMap::new(),
        trainings: Vec::new(),
        sheet: SheetSpec::default(),
        metrics: maquette_core::MetricsSpec::default(),
        naming: maquette_core::NAMING,
        numerics: 1,
        derived_from: None,
    }
}

/// An axis whose labels are its values.
pub fn axis<V: Into<Value>>(name: &str, values: impl IntoIterator<Item = V>) -> Axis {
    let value = |value: V| {
        let value = value.into();
        AxisValue { label: value.to_string(), set: vec![(name.to_owned(), value)] }
    };
    Axis { name: name.to_owned(), values: values.into_iter().map(value).collect() }
}

/// The axes of the main example: artists, strengths, seeds.
pub fn mucha() -> Plan {
    plan(vec![
        axis("artist", ["Alphonse Mucha", "Edvard Munch", "Vincent van Gogh and Edvard Munch"]),
        axis("strength", [0.3, 0.5, 0.7]),
        axis("seed", [7, 8]),
    ])
}

/// A picture of one colour.
pub fn flat(width: u32, height: u32, colour: [u8; 3]) -> Image {
    Image::new(width, height, colour.repeat((width * height) as usize)).unwrap()
}

/// The colour at a place.
pub fn pixel(image: &Image, x: u32, y: u32) -> [u8; 3] {
    let at = 3 * (y * image.width() + x) as usize;
    image.rgb()[at..at + 3].try_into().unwrap()
}
