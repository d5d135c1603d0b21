//! The models against transformers, on tiny ones whose weights are computed from their names (`tests/fixtures/vision.py`).

#[path = "../../../../tests/fixtures/vision_model.rs"]
mod vision_model;

use self::vision_model::{weight_file, weights, write_vision_model};
use super::encoder::normalised;
use super::*;
use maquette_core::Image;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The largest difference to transformers in a vector of length 1, a mask's value or an estimate.
const TOLERANCE: f64 = 1e-4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vision")
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(fixtures().join("expected.json")).unwrap()).unwrap()
}

/// The model's folder, with its configuration changed by `change`.
fn folder(name: &str, change: impl Fn(&mut Value)) -> (tempfile::TempDir, ModelFolder) {
    let temporary = tempfile::tempdir().unwrap();
    write_vision_model(&fixtures().join(".."), name, temporary.path());
    let config = temporary.path().join("config.json");
    let mut value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    change(&mut value);
    fs::write(&config, value.to_string()).unwrap();
    let folder = ModelFolder::new(temporary.path());
    (temporary, folder)
}

/// A part of a reference picture: left, top, right, bottom.
fn picture(crop: &Value) -> Image {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/references/selfie.png");
    let whole = maquette_picture::decode(&file).unwrap();
    let [left, top, right, bottom]: [usize; 4] = serde_json::from_value(crop.clone()).unwrap();
    let row = |y: usize| {
        let at = |x: usize| 3 * (y * whole.width() as usize + x);
        &whole.rgb()[at(left)..at(right)]
    };
    let rgb: Vec<u8> = (top..bottom).flat_map(row).copied().collect();
    Image::new((right - left) as u32, (bottom - top) as u32, rgb).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_within(TOLERANCE, found, expected, what);
}

fn assert_within(tolerance: f64, found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let apart = found.iter().zip(expected).map(|(a, b)| f64::from(a - b).abs()).fold(0.0, f64::max);
    assert!(apart <= tolerance, "{what}: {apart} apart");
}

#[test]
fn vectors_of_pictures_and_texts_are_those_of_transformers() {
    let all = expected();
    let cases = [
        ("clip", EncoderFamily::Clip),
        ("siglip", EncoderFamily::Siglip),
        ("siglip2", EncoderFamily::Siglip),
    ];
    for (name, family) in cases {
        let expected = &all[name];
        let (_temporary, folder) = folder(name, |_| ());
        let encoder = Encoder::open(&folder, family).unwrap();
        let image = encoder.image(&picture(&all["crop"])).unwrap();
        assert_near(&image, &normalised(numbers(&expected["image"])), &format!("{name}: picture"));
        for (k, text) in all["texts"].as_array().unwrap().iter().enumerate() {
            let text = text.as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(expected["ids"][k].clone()).unwrap();
            assert_eq!(encoder.ids(text), ids, "{name}: {text}");
            let vector = encoder.text(text).unwrap();
            assert_near(&vector, &normalised(numbers(&expected["texts"][k])), &format!("{name}: {text}"));
        }
    }
}

#[test]
fn pictures_are_prepared_as_by_transformers_on_pillow() {
    let all = expected();
    for (name, shortest, normal) in
        [("clip", true, prepare::OPENAI), ("siglip", false, prepare::HALF), ("siglip2", false, prepare::HALF)]
    {
        let folder = ModelFolder::new(fixtures().join(name));
        let prepared = prepare::Preparation::of(&folder, prepare::Defaults { shortest, normal }).unwrap();
        let pixels = prepared.tensor(&picture(&all["crop"])).unwrap();
        let (_, channels, height, width) = pixels.dims4().unwrap();
        let all_pixels = pixels.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let every_fifth = (0..channels).flat_map(|c| {
            (0..height)
                .step_by(5)
                .flat_map(move |y| (0..width).step_by(5).map(move |x| (c * height + y) * width + x))
        });
        let found: Vec<f32> = every_fifth.map(|at| all_pixels[at]).collect();
        assert_near(&found, &numbers(&all[name]["pixels"]), name);
    }
}

#[test]
fn models_that_cannot_be_computed_exactly_are_refused() {
    let check = |name: &str, family, change: &dyn Fn(&mut Value), reason: &str| {
        let (_temporary, folder) = folder(name, change);
        let error = Encoder::open(&folder, family).err().expect(reason).to_string();
        assert!(error.contains(reason), "{error}");
    };
    use EncoderFamily::{Clip, Siglip};
    check(
        "clip",
        Clip,
        &|config| config["text_config"]["hidden_act"] = "gelu".into(),
        "its activation is `gelu`",
    );
    check(
        "clip",
        Clip,
        &|config| config["vision_config"]["layer_norm_eps"] = 1e-6.into(),
        "epsilon of its norms",
    );
    check("clip", Siglip, &|_| (), "it is a model for `clip`, not for `siglip`");
    check("siglip", Siglip, &|config| config["model_type"] = "siglip2".into(), "flexible sizes");
    check(
        "siglip",
        Siglip,
        &|config| config["text_config"]["projection_size"] = 64.into(),
        "projected to 64 numbers",
    );
    check(
        "siglip",
        Siglip,
        &|config| config["vision_config"]["vision_use_head"] = false.into(),
        "no pooling head",
    );
    check("siglip", Siglip, &|config| config["model_type"] = "bert".into(), "allowed: clip, siglip");
}

#[test]
fn captions_are_those_of_transformers() {
    let all = expected();
    let (_temporary, folder) = folder("blip", |_| ());
    let mut captioner = Captioner::open(&folder).unwrap();
    for case in all["blip"]["captions"].as_array().unwrap() {
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        let text = case["text"].as_str().unwrap().to_owned();
        assert_eq!(captioner.caption(&picture(&case["crop"])).unwrap(), Caption { text, ids });
    }
}

#[test]
fn masks_are_those_of_transformers() {
    let all = expected();
    let (_temporary, folder) = folder("sam", |_| ());
    let segmenter = Segmenter::open(&folder).unwrap();
    let image = picture(&all["crop"]);
    let seen = segmenter.see(&image).unwrap();
    // candle's decoder has the tanh form of GELU and another epsilon; `as_candle` is transformers with these two.
    let kinds = [("exact", 5e-4), ("as_candle", TOLERANCE)];
    let cases = kinds
        .iter()
        .flat_map(|kind| all["sam"][kind.0].as_array().unwrap().iter().map(move |case| (kind, case)));
    for ((kind, tolerance), case) in cases {
        let points: Vec<(f64, f64)> = serde_json::from_value(case["points"].clone()).unwrap();
        let (values, quality) = segmenter.values(&seen, &points).unwrap();
        let best = case["best"].as_u64().unwrap() as usize;
        assert!((quality - case["iou"][best].as_f64().unwrap()).abs() < *tolerance, "{kind}: {quality}");
        let sampled = (0..280).step_by(40).flat_map(|y| (0..400).step_by(40).map(move |x| y * 400 + x));
        let found: Vec<f32> = sampled.map(|at| values[at]).collect();
        assert_within(*tolerance, &found, &numbers(&case["full"]), kind);
        // A pixel whose value is nearly 0 may fall on either side.
        let segment = segmenter.segment(&seen, &points).unwrap();
        assert_eq!((segment.width, segment.height), (image.width(), image.height()));
        let white = segment.inside.iter().filter(|&&inside| inside).count() as i64;
        let doubtful = values.iter().filter(|value| f64::from(value.abs()) <= *tolerance).count() as i64;
        assert!(
            (white - case["white"].as_i64().unwrap()).abs() <= doubtful,
            "{kind}: {white}, {doubtful} doubtful"
        );
    }
}

#[test]
fn the_aesthetic_head_is_the_original_one() {
    let all = expected();
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("head.safetensors");
    fs::write(&file, weight_file(&all["aesthetic"]["tensors"])).unwrap();
    let head = AestheticHead::open(&file).unwrap();
    let vector = normalised(weights("vector", &[768]));
    let score = head.score(vector).unwrap();
    let expected = all["aesthetic"]["score"].as_f64().unwrap();
    assert!((score - expected).abs() < TOLERANCE, "{score}, {expected}");
}

#[test]
fn likeness_is_what_torch_computes_and_highest_for_one_sitter() {
    let network = Likeness::bundled().unwrap();
    let traits = |name: &Value| {
        let file = format!("../../experiments/references/{}.png", name.as_str().unwrap());
        let image = maquette_picture::decode(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        network.traits(&image).unwrap()
    };
    let (mut same, mut other) = (f64::INFINITY, 0.0_f64);
    for case in expected()["likeness"].as_array().unwrap() {
        let (a, b) = (traits(&case["pair"][0]), traits(&case["pair"][1]));
        let likeness = a.likeness(&b);
        assert!((likeness - b.likeness(&a)).abs() < 1e-12);
        assert!((likeness - case["likeness"].as_f64().unwrap()).abs() < TOLERANCE, "{case}: {likeness}");
        // Of the reference pictures, selfie and selfie-2 show one sitter, five/1 to five/5 another, sitter a third.
        let family = |k: usize| case["pair"][k].as_str().unwrap()[..4].to_owned();
        match family(0) == family(1) {
            true => same = same.min(likeness),
            false => other = other.max(likeness),
        }
    }
    assert!(same > other + 0.1, "one sitter {same}, two sitters {other}");
}

#[test]
fn measurers_leave_out_what_does_not_apply() {
    let input = |reference: Option<&Image>, subject: &[&Image], prompt: &str| crate::MetricInput {
        name: "0a1b2c3d".into(),
        image: picture(&serde_json::json!([0, 0, 512, 512])).into(),
        reference: reference.cloned().map(Into::into),
        subject: subject.iter().map(|&image| image.clone().into()).collect(),
        neighbours: Vec::new(),
        prompt: prompt.into(),
    };
    let metric = |name: &str| crate::Metric::named(name).unwrap();
    let all = expected();
    let (_temporary, folder) = folder("clip", |_| ());
    let metrics = ["clip_text", "clip_reference", "clip_subject"].map(metric).to_vec();
    let mut clip = model_measurer("clip", Some(&folder), metrics).unwrap();
    let mut sitters = model_measurer(
        "sketchbook",
        None,
        ["sketchbook_likeness", "sketchbook_subject"].map(metric).to_vec(),
    )
    .unwrap();
    let reference = picture(&all["crop"]);
    let other = picture(&serde_json::json!([0, 0, 256, 256]));
    let batch = [
        input(Some(&reference), &[], "a man"),
        input(None, &[&reference, &other], "a man"),
        input(None, &[], ""),
    ];
    let known = |rows: Vec<Vec<Option<crate::Score>>>| -> Vec<Vec<bool>> {
        rows.iter().map(|row| row.iter().map(Option::is_some).collect()).collect()
    };
    let expected = [[true, true, false], [true, false, true], [false, false, false]];
    assert_eq!(known(clip.measure(&batch).unwrap()), expected);
    assert_eq!(known(sitters.measure(&batch).unwrap()), [[true, false], [false, true], [false, false]]);
    assert!(matches!(model_measurer("clip", None, Vec::new()), Err(ModelError::NoFolder(_))));

    let image = std::sync::Arc::new(reference);
    let vectors =
        model_embedder("clip", Some(&folder)).unwrap().embed(&[image.clone(), image.clone()]).unwrap();
    assert_eq!((vectors.len(), vectors[0].len(), vectors[0] == vectors[1]), (2, 24, true));
    assert_eq!(model_embedder("sketchbook", None).unwrap().embed(&[image]).unwrap()[0].len(), 30);
}
