//! Time and memory needed to plan a grid of a million cells: `cargo bench -p maquette-planner`.
//!
//! No statistics: the expected result is about a second and far below a kilobyte per cell.

#![allow(clippy::print_stdout)]

use maquette_core::{Digest, Dtype, FoundFile, ModelCard, Scheduler, WeightsKind};
use maquette_planner::{AssetError, AssetResolver, MetricNames, Overrides, Request, plan, work};
use std::path::{Path, PathBuf};
use std::time::Instant;

struct Fake;

impl AssetResolver for Fake {
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        Ok(Digest::of(model.as_bytes()))
    }

    fn model(&self, name: &str, _: Dtype) -> Result<ModelCard, AssetError> {
        let fingerprint = Digest::of(name.as_bytes());
        Ok(ModelCard {
            fingerprint,
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
        })
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

    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError> {
        Ok(FoundFile { file: file.to_owned(), digest: Digest::of(b"a picture") })
    }
}

/// A million cells of a typical experiment: placeholders, a picture, strengths, many seeds.
const EXPERIMENT: &str = r#"
prompt = "portrait of {subject}, by {artist}"
negative_prompt = "blurry"
init_image = "selfie.png"
[vars]
subject = "a man with a beard, monstera leaves"
[sweep]
artist = ["Alphonse Mucha", "Vincent van Gogh", "Edvard Munch", "Vincent van Gogh and Edvard Munch"]
strength = { from = 0.1, to = 1.0, step = 0.1 }
guidance_scale = [5, 7.5, 10, 12.5, 15]
seed = { count = 5000 }
"#;

const RULE: &str = "[[exclude]]\nartist = \"Edvard Munch\"\nstrength = { above = 0.8 }\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (before, mut largest) = (resident(), 0);
    for (what, rules) in [("no rules", ""), ("a rule", RULE)] {
        let file = folder.path().join("million.toml");
        std::fs::write(&file, format!("{EXPERIMENT}{rules}"))?;
        let start = Instant::now();
        let overrides = Overrides::default();
        let request = Request {
            file: &file,
            text: None,
            overrides: &overrides,
            default_dtype: Dtype::F32,
            drawn: None,
            metrics: MetricNames::default(),
            draw: &mut || 0,
        };
        let planned = plan(request, &Fake)?;
        let planning = start.elapsed();
        let start = Instant::now();
        let work = work(&planned.plan, &planned.distinct)?;
        let counting = start.elapsed();
        let cells = planned.plan.len();
        println!("{what}: {cells} cells planned in {planning:.2?}, counted in {counting:.2?}; {work:?}");
        largest = largest.max(cells);
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("{} bytes per cell at the peak", after.saturating_sub(before) * 1024 / largest);
    }
    Ok(())
}

/// The peak resident memory of this process in KiB; `None` where the system does not report it.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
