//! Values against those of diffusers (`tests/fixtures/safety`, with the script that generated them), and broken folders.

use super::*;
use safetensors::SafeTensors;
use serde::Deserialize;
use std::path::{Path, PathBuf};

const FILE: &str = "safety_checker/model.safetensors";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/safety")
}

fn load(folder: &Path) -> std::result::Result<SafetyChecker, ModelError> {
    SafetyChecker::load(&ModelSource::Folder(folder.to_owned()), &Device::Cpu, DType::F32)
}

fn numbers(tensors: &SafeTensors, name: &str) -> Vec<f32> {
    let (numbers, _) = tensors.tensor(name).unwrap().data().as_chunks::<4>();
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn pixels_cosines_and_verdicts_match_diffusers() {
    #[derive(Deserialize)]
    struct File {
        verdicts: Vec<bool>,
    }
    let checker = load(&fixtures()).unwrap();
    let bytes = std::fs::read(fixtures().join("values.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let text = std::fs::read_to_string(fixtures().join("cases.json")).unwrap();
    let verdicts = serde_json::from_str::<File>(&text).unwrap().verdicts;
    assert!(verdicts.contains(&true) && verdicts.contains(&false));
    // One level of 255, in units of the smallest deviation.
    let level = 1.001 / 255.0 / 0.261;
    for (k, verdict) in verdicts.into_iter().enumerate() {
        let image = maquette_picture::decode(&fixtures().join(format!("{k}.png"))).unwrap();
        let pixels = numbers(&tensors, &format!("{k}.pixels"));
        let found = checker.preprocessor.pixels(&image).unwrap();
        assert!(largest_difference(&found, &pixels) <= level, "{k}: {}", largest_difference(&found, &pixels));
        let off = found.iter().zip(&pixels).filter(|(a, b)| (**a - **b).abs() > 1e-5).count();
        assert!(200 * off <= pixels.len(), "{k}: {off} levels differ");
        let (special, concepts) = checker.cosines(&pixels).unwrap();
        for (found, name) in [(special, "special"), (concepts, "concepts")] {
            let expected = numbers(&tensors, &format!("{k}.{name}"));
            assert!(largest_difference(&found, &expected) < 1e-5, "{k} {name}: {found:?} {expected:?}");
        }
        assert_eq!(checker.detects(&image).unwrap(), verdict, "{k}");
    }
}

#[test]
fn margins_are_rounded_and_special_care_lowers_later_thresholds() {
    let check = |special: &[f32], concepts: &[f32], expected: bool| {
        let (care, others) = (vec![0.2; special.len()], vec![0.25; concepts.len()]);
        assert_eq!(verdict((special, &care), (concepts, &others)), expected, "{special:?} {concepts:?}");
    };
    check(&[0.1], &[0.1, 0.2504], false);
    check(&[0.1], &[0.1, 0.2506], true);
    check(&[0.21], &[0.1, 0.2404], false);
    check(&[0.21], &[0.1, 0.2406], true);
    check(&[0.1, 0.195], &[0.245], false);
    check(&[0.21, 0.195], &[0.245], true);
}

/// The error of loading a changed copy of the fixture's folder.
fn broken(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for file in [CONFIG, FILE, "feature_extractor/preprocessor_config.json"].map(Path::new) {
        std::fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        std::fs::copy(fixtures().join(file), folder.path().join(file)).unwrap();
    }
    change(folder.path());
    load(folder.path()).err().map_or("it loads".to_owned(), |error| error.to_string())
}

fn replace(file: &str, from: &'static str, to: &'static str) -> impl FnOnce(&Path) {
    move |folder| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from));
        std::fs::write(folder.join(file), text.replace(from, to)).unwrap();
    }
}

#[test]
fn errors_of_broken_folders_name_the_file() {
    let check = |error: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let preprocessor = "feature_extractor/preprocessor_config.json";
    check(broken(|_| ()), &["it loads"]);
    check(
        broken(|folder| std::fs::remove_file(folder.join(preprocessor)).unwrap()),
        &["has no", preprocessor],
    );
    check(broken(replace(preprocessor, "\"resample\": 3", "\"resample\": 2")), &["`resample` is 2", "3"]);
    check(broken(replace(preprocessor, "\"height\": 28", "\"height\": 30")), &["`crop_size`", "square"]);
    check(
        broken(replace(preprocessor, ": 28", ": 21")),
        &[preprocessor, "`crop_size`", "28, the image_size"],
    );
    check(
        broken(replace(CONFIG, "\"projection_dim\": 24", "\"projection_dim\": 20")),
        &["visual_projection.weight", "[24, 32]", "[20, 32]"],
    );
    check(broken(replace(CONFIG, "\"vision_config\"", "\"vision\"")), &["`vision_config` is absent"]);
    check(
        broken(|folder| std::fs::write(folder.join(FILE), "cut short").unwrap()),
        &["model.safetensors", "not a valid safetensors file"],
    );
}

#[test]
fn newer_tensor_names_are_supported() {
    let rename = |folder: &Path| {
        let file = folder.join(FILE);
        let bytes = std::fs::read(&file).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let renamed = tensors
            .tensors()
            .into_iter()
            .map(|(name, tensor)| (name.replace("vision_model.vision_model.", "vision_model."), tensor));
        let renamed: Vec<_> = renamed.collect();
        assert!(renamed.iter().all(|(name, _)| !name.contains("vision_model.vision_model")));
        std::fs::write(&file, safetensors::serialize(renamed, None).unwrap()).unwrap();
    };
    assert_eq!(broken(rename), "it loads");
}
