//! Whole pictures against diffusers' in f32, which the fixtures contain; the CPU's are the same but for a few levels, each
//! off by one (`engine/pictures.rs`).

use crate::added_cases::added;
use crate::cases::{Case, cases_in, engine};
use crate::composed::{engine_of, inpainting_model, zero_snr_model};
use crate::device;
use crate::pairs::{Pair, compare};
use tempfile::TempDir;

fn pair(case: &Case) -> Pair {
    Pair { name: case.name.clone(), settings: case.cell().settings, expected: case.expected() }
}

/// Two rows at a time: one picture, guided or not. `batches` tests more rows.
fn compare_file(file: &str, includes: impl Fn(&Case) -> bool) {
    let pairs: Vec<Pair> = cases_in(file).iter().filter(|case| includes(case)).map(pair).collect();
    compare(file, &mut engine(device(), Some(2)), &pairs);
}

fn compare_with(model: &TempDir, file: &str, includes: impl Fn(&Case) -> bool) {
    let pairs: Vec<Pair> = cases_in(file).iter().filter(|case| includes(case)).map(pair).collect();
    compare(file, &mut engine_of(device(), model.path()), &pairs);
}

fn sees_mask(case: &Case) -> bool {
    case.name.starts_with("seeing")
}

#[test]
fn stable_diffusion_1() {
    compare_file("cases.json", |_| true);
}

#[test]
fn dialects() {
    compare_file("dialect.json", |_| true);
}

#[test]
fn masks() {
    compare_file("masks/cases.json", |case| !sees_mask(case));
}

#[test]
fn inpainting_models() {
    compare_with(&inpainting_model(), "masks/cases.json", sees_mask);
}

#[test]
fn stable_diffusion_2() {
    compare_file("sd2.json", |_| true);
}

#[test]
fn stable_diffusion_xl() {
    compare_file("sdxl.json", |_| true);
}

#[test]
fn schedulers() {
    compare_file("scheduled.json", |_| true);
}

#[test]
fn rescaled_guidance() {
    compare_file("rescale/cases.json", |_| true);
}

#[test]
fn rescaled_guidance_from_pure_noise() {
    compare_with(&zero_snr_model(), "rescale/zero-snr.json", |_| true);
}

#[test]
fn bundled_model() {
    compare_file("sketchbook/cases.json", |_| true);
}

#[test]
fn deep_features() {
    compare_file("deepcache/cases.json", |_| true);
}

#[test]
fn guidance_intervals() {
    compare_file("interval/cases.json", |_| true);
}

#[test]
fn controlnets() {
    compare_file("controlnet/cases.json", |case| !sees_mask(case));
    compare_with(&inpainting_model(), "controlnet/cases.json", sees_mask);
}

#[test]
fn ip_adapters() {
    compare_file("ip_adapter/cases.json", |_| true);
}

#[test]
fn loras() {
    compare_added("lora");
}

#[test]
fn textual_inversions() {
    compare_added("embeddings");
}

fn compare_added(folder: &str) {
    let pairs: Vec<Pair> =
        added(folder).iter().map(|added| Pair { settings: added.settings(), ..pair(&added.case) }).collect();
    compare(folder, &mut engine(device(), Some(2)), &pairs);
}
