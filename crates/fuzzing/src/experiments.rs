//! Experiment files, lists of values, prompts.

use crate::folder::Folder;
use maquette_core::{Digest, Dtype, FoundFile, ModelCard, Scheduler, WeightsKind};
use maquette_diffusion::prompt::{compose, oddities, pieces, schedule};
use maquette_planner::{AssetError, AssetResolver, MetricNames, Overrides, Request, folder, plan};
use std::path::{Path, PathBuf};

/// Every file exists, and every model is the same.
struct AnyAssets;

impl AssetResolver for AnyAssets {
    fn model(&self, name: &str, _: Dtype) -> Result<ModelCard, AssetError> {
        Ok(ModelCard {
            fingerprint: Digest::of(name.as_bytes()),
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
            safety_checker: true,
            safety_checker_weights: None,
            family: maquette_core::ModelFamily::StableDiffusion,
            shift: None,
            steps: None,
            guidance_scale: None,
        })
    }

    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        Ok(Digest::of(model.as_bytes()))
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError> {
        // A resolved experiment names the same file by another path.
        let name = file.file_name().unwrap_or_default();
        Ok(FoundFile { file: file.to_owned(), digest: Digest::of(name.as_encoded_bytes()) })
    }

    fn trained(&self) -> PathBuf {
        PathBuf::new()
    }

    fn mask_fits(&self, _: &Path, _: &Path) -> Result<(), AssetError> {
        Ok(())
    }

    fn weights(&self, _: WeightsKind, name: &str) -> Result<FoundFile, AssetError> {
        Ok(FoundFile { file: name.into(), digest: Digest::of(name.as_bytes()) })
    }
}

/// Plans a text as an experiment. What it resolves to must plan to the same cells.
pub fn experiment(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // Files of other tests must not matter, and walking a file system is not what is tested.
    if text.contains("extends") || text.contains("glob") || text.contains("file") || may_be_large(text) {
        return;
    }
    let _ = folder(text);
    let Some((cells, resolved)) = planned(text) else { return };
    // Random seeds are drawn again for the resolved text only if it still names them.
    let (again, _) = planned(&resolved).expect("a resolved experiment can be planned");
    assert_eq!(cells, again, "{resolved}");
}

/// Whether the grid may have hundreds of thousands of cells. Every cell is named when it is planned, which takes minutes for
/// some millions of them without optimisation, and is no fault.
fn may_be_large(text: &str) -> bool {
    ["count", "to", "step"].into_iter().flat_map(|key| text.split(key).skip(1)).any(|rest| {
        let number = rest.trim_start_matches([' ', '=', '"', '\'', '+']);
        let number = number.split(|c: char| !c.is_ascii_alphanumeric() && !".-_".contains(c)).next();
        let number = number.unwrap_or_default();
        let is_number = number.starts_with(|c: char| c.is_ascii_digit() || "-.".contains(c));
        let digits = number.split('.').next().unwrap_or_default().chars().filter(char::is_ascii_digit);
        let is_small = digits.count() <= 3 && !number.contains(char::is_alphabetic);
        is_number && (!is_small || number.starts_with("0.00") || number.starts_with(".00"))
    })
}

/// The first cells of an experiment, and what it resolves to.
fn planned(text: &str) -> Option<(Vec<String>, String)> {
    let mut next = 0;
    let request = Request {
        file: Path::new("fuzz.toml"),
        text: Some(text),
        overrides: &Overrides::default(),
        default_dtype: Dtype::F32,
        drawn: None,
        metrics: MetricNames { metrics: &["psnr", "ssim"], models: &[("clip", "CLIP")] },
        draw: &mut || {
            next += 1;
            next
        },
    };
    let planned = plan(request, &AnyAssets)
        .map_err(|error| error.problems.iter().for_each(|it| drop(it.to_string())))
        .ok()?;
    planned.plan.check().expect("a plan is within its limits");
    let cells = (0..planned.plan.len().min(20))
        .map(|index| planned.plan.cell(index).expect("a planned cell").id.to_string());
    Some((cells.collect(), planned.resolved))
}

/// Reads a list of values.
pub fn list(input: &[u8]) {
    thread_local! { static FOLDER: Folder = Folder::new(); }
    FOLDER.with(|folder| {
        folder.write("list.txt", input);
        let file =
            folder.write("list.toml", b"prompt = \"{a}\"\nseed = 1\n[sweep]\na = { file = \"list.txt\" }\n");
        let request = Request {
            file: &file,
            text: None,
            overrides: &Overrides::default(),
            default_dtype: Dtype::F32,
            drawn: None,
            metrics: MetricNames { metrics: &[], models: &[] },
            draw: &mut || 0,
        };
        let _ = plan(request, &AnyAssets);
    });
}

/// Reads a text as a prompt of A1111's dialect.
pub fn dialect(input: &[u8]) {
    let Ok(prompt) = std::str::from_utf8(input) else { return };
    oddities(prompt);
    for part in compose(prompt) {
        assert!(part.weight.is_finite());
        for stage in schedule(&part.text, 20) {
            assert!(!pieces(&stage.text).is_empty());
        }
    }
}
