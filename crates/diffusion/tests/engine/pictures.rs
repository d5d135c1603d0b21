//! Whole pictures against diffusers with the same settings and seeds.

use crate::cases::{Case, Difference, cases, cases_in, difference, engine, render};
use crate::composed::{engine_of, zero_snr_model};
use maquette_diffusion::{DeviceName, Engine};

/// Changing every weight by a relative 3e-7 changes at most three levels of a picture, each by one
/// (`tests/fixtures/README.md`).
const HANDFUL: usize = 10;

/// The bundled model's pictures are ten times as large, with 49,152 levels or more: up to 37 of them were off by one.
const HUNDRED: usize = 100;

#[test]
fn pictures_match_diffusers() {
    check(&cases(), HANDFUL);
}

#[test]
fn every_scheduler_matches_its_class() {
    check(&cases_in("scheduled.json"), HANDFUL);
}

/// If this fails after the weights have changed, run `tests/fixtures/make.py --only sketchbook`.
#[test]
fn the_bundled_model_matches_diffusers() {
    check(&cases_in("sketchbook/cases.json"), HUNDRED);
}

#[test]
fn stable_diffusion_2() {
    check(&cases_in("sd2.json"), HANDFUL);
}

#[test]
fn stable_diffusion_xl() {
    check(&cases_in("sdxl.json"), HANDFUL);
}

#[test]
fn guidance_is_rescaled() {
    check(&cases_in("rescale/cases.json"), HANDFUL);
}

#[test]
fn guidance_is_rescaled_from_pure_noise() {
    let zero_snr = zero_snr_model();
    check_with(&mut engine_of(DeviceName::Cpu, zero_snr.path()), &cases_in("rescale/zero-snr.json"), HANDFUL);
}

#[test]
fn guidance_is_limited_to_an_interval() {
    check(&cases_in("interval/cases.json"), HANDFUL);
}

#[test]
fn deep_features_are_reused() {
    check(&cases_in("deepcache/cases.json"), HANDFUL);
}

fn check(cases: &[Case], off_by_one: usize) {
    check_with(&mut engine(DeviceName::Cpu, None), cases, off_by_one);
}

fn check_with(engine: &mut Engine, cases: &[Case], off_by_one: usize) {
    let mut wrong = Vec::new();
    for case in cases {
        let cell = case.cell();
        match &render(engine, std::slice::from_ref(&cell))[&cell.id] {
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
            Ok(image) => {
                let difference = difference(image, &case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > off_by_one {
                    wrong.push(format!("{}: {difference:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
