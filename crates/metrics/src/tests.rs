//! Metrics against scikit-image and OpenCV (`tests/fixtures/metrics.py`), and pictures of a run together.

use crate::ciede2000::ciede2000;
use crate::psnr::{mean_squared_error, psnr};
use crate::sharpness::sharpness;
use crate::ssim::ssim;
use crate::{Embedder, METRICS, Metric, Pixels, Score, Task, measure, without_model};
use maquette_core::Image;
use maquette_picture::decode;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/metrics")
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    psnr: Option<f64>,
    ssim: f64,
    ciede2000: f64,
    sharpness: [f64; 2],
}

#[test]
fn metrics_are_those_of_scikit_image_and_opencv() {
    let text = std::fs::read_to_string(folder().join("cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 8);
    for Case {
        name,
        psnr: expected_psnr,
        ssim: expected_ssim,
        ciede2000: expected_colours,
        sharpness: sharp,
    } in cases
    {
        let [left, right] =
            ["left", "right"].map(|side| decode(&folder().join(format!("{name}-{side}.png"))).unwrap());
        let close = |what: &str, found: f64, expected: f64, tolerance: f64| {
            assert!((found - expected).abs() <= tolerance, "{name}: {what} is {found}, not {expected}");
        };
        let ratio = psnr(mean_squared_error(&left, &right).unwrap());
        match expected_psnr {
            Some(expected) => close("psnr", ratio, expected, 1e-9),
            None => assert_eq!(ratio, f64::INFINITY),
        }
        // scikit-image computes in f64.
        close("ssim", ssim(&left, &right).unwrap(), expected_ssim, 2e-5);
        // Its matrix from RGB to XYZ has six digits, palette's is exact.
        close("ciede2000", ciede2000(&left, &right).unwrap(), expected_colours, 5e-3);
        close("sharpness", sharpness(&left).unwrap(), sharp[0], 1e-9 * sharp[0]);
        close("sharpness", sharpness(&right).unwrap(), sharp[1], 1e-9 * sharp[1]);
    }
}

#[test]
fn pictures_that_cannot_be_compared_have_no_value() {
    let grey =
        |width: u32, height: u32| Image::new(width, height, vec![7; (3 * width * height) as usize]).unwrap();
    assert_eq!(mean_squared_error(&grey(12, 12), &grey(12, 13)), None);
    assert_eq!(ssim(&grey(12, 12), &grey(13, 12)), None);
    assert_eq!(ssim(&grey(10, 40), &grey(10, 40)), None);
    assert_eq!(ciede2000(&grey(1, 2), &grey(2, 1)), None);
    assert_eq!(sharpness(&grey(1, 1)), Some(0.0));
    assert_eq!(sharpness(&grey(0, 0)), None);
}

/// Smooth pictures: a colour and a slope.
fn picture(seed: u8) -> Image {
    let pixels = (0..32u32).flat_map(|y| {
        (0..32u32).flat_map(move |x| {
            let wave = f64::from(x * u32::from(seed % 7 + 1) + y * u32::from(seed % 5 + 1)) / 12.0;
            let level = (wave.sin() * 90.0 + 120.0) as u8;
            [level, level.wrapping_add(seed.wrapping_mul(37) / 4), 255 - level]
        })
    });
    Image::new(32, 32, pixels.collect()).unwrap()
}

fn columns(names: &[&str]) -> Vec<&'static Metric> {
    names.iter().map(|name| Metric::named(name).unwrap()).collect()
}

fn tasks(pictures: usize) -> Vec<Task> {
    let task = |number: usize| Task {
        name: format!("cell{number}").into(),
        picture: number,
        reference: Some(0),
        subject: Vec::new(),
        neighbours: [number.checked_sub(1), Some(number + 1)]
            .into_iter()
            .flatten()
            .filter(|at| *at < pictures)
            .collect(),
        prompt: "".into(),
    };
    (0..pictures).map(task).collect()
}

#[test]
fn every_metric_without_a_model_has_a_value() {
    let metrics: Vec<&Metric> = METRICS.iter().filter(|metric| metric.model.is_none()).collect();
    let mut measurers = without_model(&metrics);
    let names: Vec<&str> = measurers.iter().flat_map(|it| it.metrics()).map(|metric| metric.name).collect();
    let load = |number: usize| Ok(picture(number as u8 % 2));
    let measured = measure(&tasks(3), 2, &load, &mut measurers, &mut |_| true).unwrap();
    let last = measured[2].as_ref().unwrap();
    for (name, score) in names.iter().zip(last) {
        assert!(score.is_some(), "{name}");
    }
    let value = |name: &str| last[names.iter().position(|other| *other == name).unwrap()].clone().unwrap();
    // The third picture is the first again, which is also the reference.
    assert_eq!(value("duplicate_of"), Score::Text("cell0".to_owned()));
    assert_eq!((value("ssim"), value("dssim")), (Score::Number(1.0), Score::Number(0.0)));
    assert_eq!(value("psnr"), Score::Number(f64::INFINITY));
    assert!(value("neighbour_ssim").number().unwrap() < 0.9);
}

#[test]
fn chunks_do_not_change_values_and_bad_pictures_are_named() {
    let metrics = columns(&["ssim", "neighbour_ciede2000", "phash", "duplicate_of"]);
    let load = |number: usize| match number {
        2 => Err("gone".to_owned()),
        _ => Ok(picture(number as u8)),
    };
    let run =
        |chunk: usize| measure(&tasks(7), chunk, &load, &mut without_model(&metrics), &mut |_| true).unwrap();
    let whole = run(100);
    assert_eq!(whole[2], Err("gone".to_owned()));
    assert!(whole[3].as_ref().unwrap()[1].is_some(), "the other neighbour is there");
    for chunk in [1, 2, 3] {
        assert_eq!(run(chunk), whole);
    }
}

#[test]
fn other_colours_are_no_duplicates() {
    let grey = |level: u8, blue: u8| {
        let pixels = picture(3)
            .rgb()
            .chunks(3)
            .flat_map(|rgb| [rgb[0] / 2 + level, rgb[0] / 2 + level, blue])
            .collect();
        Image::new(32, 32, pixels).unwrap()
    };
    let pictures = [grey(20, 40), grey(21, 40), grey(20, 200)];
    let load = |number: usize| Ok(pictures[number].clone());
    let metrics = columns(&["duplicate_of"]);
    let found = measure(&tasks(3), 9, &load, &mut without_model(&metrics), &mut |_| true).unwrap();
    let original = |at: usize| found[at].as_ref().unwrap()[0].as_ref().map(ToString::to_string);
    assert_eq!([original(0), original(1), original(2)], [None, Some("cell0".to_owned()), None]);
}

#[test]
fn distances_of_pixels_are_differences_of_colours() {
    let flat = |rgb: [u8; 3]| Arc::new(Image::new(40, 24, rgb.repeat(40 * 24)).unwrap());
    let vectors = Pixels.embed(&[flat([255; 3]), flat([0; 3]), flat([255; 3])]).unwrap();
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    assert!((distance(&vectors[0], &vectors[1]) - 100.0).abs() < 1e-3, "white and black");
    assert_eq!(vectors[0], vectors[2]);
}

proptest! {
    #[test]
    fn values_stay_in_their_range(left in any::<u8>(), right in any::<u8>()) {
        let (left, right) = (picture(left), picture(right));
        let likeness = ssim(&left, &right).unwrap();
        prop_assert!((-1.0..=1.0).contains(&likeness));
        prop_assert!((likeness - ssim(&right, &left).unwrap()).abs() < 1e-6);
        prop_assert!(ciede2000(&left, &right).unwrap() >= 0.0);
        prop_assert_eq!(left == right, mean_squared_error(&left, &right) == Some(0.0));
    }
}
