//! Models that predict flow.

use crate::cases::{difference, engine};
use crate::device;
use crate::flow_cases::{FlowCase, cases_in};
use crate::pairs::{Pair, compare};
use crate::stored::Stored;
use candle_core::quantized::GgmlDType;

fn compare_file(file: &str) {
    let cases: Vec<FlowCase> = cases_in(file).into_iter().filter(FlowCase::is_plain).collect();
    let pair = |case: &FlowCase| Pair {
        name: case.case.name.clone(),
        settings: case.cell().settings,
        expected: case.case.expected(),
    };
    compare(file, &mut engine(device(), Some(2)), &cases.iter().map(pair).collect::<Vec<_>>());
}

#[test]
fn stable_diffusion_3() {
    compare_file("sd3/cases.json");
}

#[test]
fn flux_1() {
    compare_file("flux1/cases.json");
}

#[test]
fn chroma() {
    compare_file("chroma/cases.json");
}

#[test]
fn anima() {
    compare_file("anima/cases.json");
}

#[test]
fn qwen_image() {
    compare_file("qwen-image/cases.json");
}

#[test]
fn flux_2() {
    compare_file("flux2/cases.json");
}

#[test]
fn z_image() {
    compare_file("z-image/cases.json");
}

/// Other schedulers than the model's folder has, and fewer text encoders.
#[test]
fn other_folders() {
    for file in ["sd3/cases.json", "z-image/cases.json", "flux1/cases.json"] {
        for case in cases_in(file).iter().filter(|case| !case.is_plain()) {
            let (_model, mut engine) = case.engine(device());
            let (name, expected) = (case.case.name.clone(), case.case.expected());
            compare(&name.clone(), &mut engine, &[Pair { name, settings: case.cell().settings, expected }]);
        }
    }
}

#[test]
fn weights_of_fewer_bits() {
    let cell = cases_in("z-image/cases.json").remove(1).cell();
    let gguf = [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::BF16].map(Stored::gguf);
    for stored in gguf.into_iter().chain([Stored::scaled_float8()]) {
        let [packed, values] = stored.pictures(device(), &cell);
        let found = difference(&packed, &values);
        println!("weights of fewer bits: {} levels at most, {} differ", found.largest, found.count);
        assert!(found.largest <= 1, "{found:?}");
    }
}
