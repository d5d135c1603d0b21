//! The round trip: settings to a picture, the picture to an experiment, the experiment to the same cell.

use super::*;
use maquette_core::{Cell, Dtype, FoundFile, Image, ModelCard, Remarks, SETTINGS, Scheduler, WeightsKind};
use maquette_interop::{FileHashes, Origin, encode_cell, read_metadata};
use maquette_planner::{AssetError, AssetResolver, Overrides, Request, plan};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// Finds every model, and the files in `base`; or every file.
struct Files {
    base: PathBuf,
    all: bool,
}

impl AssetResolver for Files {
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        Ok(Digest::of(model.as_bytes()))
    }

    fn trained(&self) -> PathBuf {
        PathBuf::new()
    }

    fn mask_fits(&self, _: &Path, _: &Path) -> Result<(), AssetError> {
        Ok(())
    }

    fn model(&self, name: &str, _: Dtype) -> Result<ModelCard, AssetError> {
        Ok(ModelCard {
            fingerprint: Digest::of(name.as_bytes()),
            size: (64, 64),
            multiple_of: 8,
            reading: 1,
            scheduler: Some(Scheduler::Pndm),
            scheduler_class: None,
            spacing: None,
            sigmas: None,
            prediction_type: None,
            zero_snr: None,
            inpainting: false,
            guidance_embedding: false,
            safety_checker: true,
            safety_checker_weights: None,
            family: maquette_core::ModelFamily::StableDiffusion,
            shift: None,
            steps: None,
            guidance_scale: None,
        })
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError> {
        match std::fs::read(file) {
            Ok(bytes) => Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) }),
            Err(_) if self.all => Ok(FoundFile { file: file.to_owned(), digest: Digest::of(b"") }),
            Err(error) => Err(AssetError { message: format!("{}: {error}", file.display()), help: None }),
        }
    }

    fn weights(&self, _: WeightsKind, name: &str) -> Result<FoundFile, AssetError> {
        self.picture(&self.base.join(name))
    }
}

/// A folder with the files that the settings may name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["me.png", "mask.png", "vae.safetensors", "oil.safetensors", "ink.safetensors", "hat.pt"] {
        std::fs::create_dir_all(folder.path().join("files")).unwrap();
        std::fs::write(folder.path().join("files").join(name), name).unwrap();
    }
    folder
}

fn planned(folder: &Path, text: &str) -> Result<Cell, String> {
    planned_in(&Files { base: folder.to_owned(), all: false }, folder, text)
}

fn planned_in(files: &Files, folder: &Path, text: &str) -> Result<Cell, String> {
    let request = Request {
        file: &folder.join("x.toml"),
        text: Some(text),
        overrides: &Overrides::default(),
        default_dtype: Dtype::F32,
        drawn: None,
        metrics: crate::measure::metric_names(),
        draw: &mut || 0,
    };
    let planned = plan(request, files).map_err(|error| {
        let problems: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        format!("{}\n{text}", problems.join("\n"))
    })?;
    planned.plan.cell(0).map_err(|error| error.to_string())
}

/// Texts of prompts, with everything that TOML, templates and dialects treat as syntax.
fn prompt_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a cat".to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,4}",
        Just("{artist}".to_owned()),
        Just("}} {{".to_owned()),
        Just("'''\n\"\"\"".to_owned()),
        Just("\\n # [sweep]\nsteps = 3".to_owned()),
        Just("\t\u{1b}\r\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.join(", ").replace("<lora:", "<"))
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(texts).prop_map(Value::from)
}

fn choice(name: &str) -> impl Strategy<Value = Value> + use<> {
    let options: &'static [&'static str] = match Setting::named(name).map(|setting| setting.kind) {
        Some(Kind::Choice(options)) => options,
        _ => &[],
    };
    let options: Vec<&str> = options.iter().copied().filter(|option| *option != "auto").collect();
    prop::sample::select(options).prop_map(Value::from)
}

/// Values for all settings but the model, including some that have no effect together.
fn settings() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let number = |range: std::ops::RangeInclusive<f64>| range.prop_map(Value::Number);
    let texts = (
        prompt_text().prop_map(Value::Text),
        prompt_text().prop_map(Value::Text),
        one_of(&["", "files/me.png"]),
        one_of(&["", "files/mask.png"]),
        one_of(&["", "files/vae.safetensors"]),
        one_of(&["none", "files/oil.safetensors:0.7", "files/ink.safetensors + files/oil.safetensors:-0.25"]),
        one_of(&["none", "files/hat.pt", "cap=files/hat.pt"]),
    );
    let numbers = (
        0..=i64::MAX,
        2..=1000i64,
        number(0.0..=100.0),
        number(0.5..=1.0),
        number(0.0..=1.0),
        (0..=i64::MAX, prop_oneof![Just(0.0), 0.0..=1.0]),
        (1..=128i64, 1..=128i64),
        0..=11i64,
        one_of(&["0-1", "0.1-0.8", "0.5-0.5"]),
    );
    let choices = (
        choice("scheduler"),
        choice("sigmas"),
        choice("spacing"),
        choice("noise"),
        choice("dialect"),
        choice("fit"),
        choice("dtype"),
        any::<bool>(),
    );
    (texts, numbers, choices).prop_map(|(texts, numbers, choices)| {
        let (prompt, negative_prompt, init_image, mask, vae, lora, embeddings) = texts;
        let (seed, steps, guidance_scale, strength, eta, variation, size, clip_skip, interval) = numbers;
        let (scheduler, sigmas, spacing, noise, dialect, fit, dtype, safety_checker) = choices;
        let mut given = vec![
            ("prompt", prompt),
            ("negative_prompt", negative_prompt),
            ("vae", vae),
            ("lora", lora),
            ("embeddings", embeddings),
            ("seed", seed.into()),
            ("steps", steps.into()),
            ("guidance_scale", guidance_scale),
            ("guidance_interval", interval),
            ("noise", noise),
            ("dialect", dialect),
            ("variation_seed", variation.0.into()),
            ("variation_strength", variation.1.into()),
            ("width", (8 * size.0).into()),
            ("height", (8 * size.1).into()),
            ("clip_skip", clip_skip.into()),
            ("dtype", dtype),
            ("safety_checker", Value::Flag(safety_checker)),
        ];
        let known: Option<Scheduler> = scheduler.as_text().and_then(|word| word.parse().ok());
        if known == Some(Scheduler::Ddim) {
            given.push(("eta", eta));
        }
        if known.is_some_and(Scheduler::has_sigmas) {
            given.push(("sigmas", sigmas));
        }
        if known.is_some_and(|scheduler| scheduler.own_spacing().is_some()) {
            given.push(("spacing", spacing));
        }
        given.push(("scheduler", scheduler));
        if init_image.as_text() != Some("") {
            given.extend([("init_image", init_image), ("mask", mask), ("fit", fit), ("strength", strength)]);
        }
        given
    })
}

/// The cell of an experiment, and the cell of the experiment behind its picture.
fn round_trip(folder: &Path, text: &str) -> Result<(Cell, Cell), String> {
    let cell = planned(folder, text)?;
    let image = Image::new(8, 8, vec![7; 192]).unwrap();
    let path = folder.join("picture.png");
    let model = Digest::of(cell.settings.model.as_bytes());
    std::fs::write(
        &path,
        encode_cell(&image, &cell, &model, &FileHashes::default(), &Remarks::default()).unwrap(),
    )
    .unwrap();
    let Some(Origin::Cell(info)) = read_metadata(&path).unwrap().origin else { return Err("no info".into()) };
    let again =
        planned(folder, &recreate(&info, &NearbyFiles::around(&path, None)).text("A picture\nsteps = 1"))?;
    Ok((cell, again))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_experiment_of_a_picture_has_the_same_cell(given in settings()) {
        let folder = folder();
        let line = |(name, value): (&str, Value)| Line { name: name.to_owned(), value, remark: String::new() };
        let text = experiment(&[], &given.into_iter().map(line).collect::<Vec<_>>());
        let (cell, again) = round_trip(folder.path(), &text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(again.id, cell.id);
        for setting in SETTINGS.iter().filter(|it| !matches!(it.kind, Kind::Path | Kind::Weights)) {
            prop_assert_eq!(again.settings.get(setting.name), cell.settings.get(setting.name));
        }
    }
}

#[test]
fn files_are_recognised_by_their_content() {
    let folder = folder();
    let text = "init_image = \"files/me.png\"\nlora = \"files/oil.safetensors:0.5\"\nembeddings = \"files/hat.pt\"\n";
    let (cell, again) = round_trip(folder.path(), text).unwrap();
    assert_eq!(again.id, cell.id);
    // Files that are moved beside the picture and renamed are found.
    for (from, to) in [("me.png", "selfie.png"), ("oil.safetensors", "o.safetensors"), ("hat.pt", "h.pt")] {
        std::fs::rename(folder.path().join("files").join(from), folder.path().join(to)).unwrap();
    }
    let path = folder.path().join("picture.png");
    let Some(Origin::Cell(info)) = read_metadata(&path).unwrap().origin else { panic!() };
    let recreated = recreate(&info, &NearbyFiles::around(&path, None));
    assert_eq!(planned(folder.path(), &recreated.text("")).unwrap().id, cell.id);
    // Another file under the old name is not used.
    std::fs::write(folder.path().join("files/me.png"), "another").unwrap();
    std::fs::remove_file(folder.path().join("selfie.png")).unwrap();
    let recreated = recreate(&info, &NearbyFiles::around(&path, None));
    let line = recreated.lines.iter().find(|line| line.name == "init_image").unwrap();
    let digest = Digest::of(b"me.png").short();
    assert_eq!(line.value, "files/me.png".into());
    assert_eq!(line.remark, format!("no file with the digest {digest}… was found"));
}

#[test]
fn plans_of_foreign_pictures_have_the_imported_settings() {
    let folder = folder();
    let files = Files { base: folder.path().to_owned(), all: true };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/metadata");
    let mut checked = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        let Some(Origin::Foreign(foreign)) = read_metadata(&path).ok().and_then(|found| found.origin) else {
            continue;
        };
        let recreated = recreate_foreign(&foreign, &NearbyFiles::default());
        let cell = planned_in(&files, folder.path(), &recreated.text("Another tool's")).unwrap();
        for (name, value) in foreign.settings.iter().filter(|(name, _)| !matches!(*name, "prompt" | "lora")) {
            // These do not apply without a reference picture, at strength 0, or with a model that does not predict flow or does not
            // take the guidance scale.
            let applies = cell.settings.get(name);
            let idle = [
                "strength",
                "mask",
                "variation_seed",
                "variation_strength",
                "embeddings",
                "vae",
                "init_image",
                "shift",
                "true_cfg_scale",
            ];
            if applies.is_some() || !idle.contains(name) {
                assert_eq!(
                    applies.unwrap_or("".into()).to_string(),
                    value.to_string(),
                    "{name} of {}",
                    path.display()
                );
            }
        }
        checked += 1;
    }
    assert!(checked > 20, "{checked} pictures of other tools");
}
