//! The examples of the repository, each read and planned.

use crate::metrics::NAMES;
use maquette_core::{Digest, Dtype, FoundFile, ModelCard, Scheduler, WeightsKind};
use maquette_planner::{AssetError, AssetResolver, MetricNames, Overrides, Request, plan};
use std::path::{Path, PathBuf};

/// Accepts any model name, as a model of 512 pixels; pictures must exist.
struct Anything;

impl AssetResolver for Anything {
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        Ok(Digest::of(model.as_bytes()))
    }

    fn model(&self, name: &str, _: Dtype) -> Result<ModelCard, AssetError> {
        let fingerprint = Digest::of(name.as_bytes());
        Ok(ModelCard {
            fingerprint,
            size: (512, 512),
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
        let bytes = std::fs::read(file)
            .map_err(|error| AssetError { message: format!("{}: {error}", file.display()), help: None })?;
        Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) })
    }
}

#[test]
fn every_example_plans() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut planned = Vec::new();
    let metrics: Vec<&str> =
        NAMES.metrics.iter().copied().chain(["sketchbook_likeness", "sketchbook_subject"]).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            let overrides = Overrides::default();
            let request = Request {
                file: &file,
                text: None,
                overrides: &overrides,
                default_dtype: Dtype::F32,
                drawn: None,
                metrics: MetricNames { metrics: &metrics, ..NAMES },
                draw: &mut || 0,
            };
            let done =
                plan(request, &Anything).unwrap_or_else(|error| panic!("{file:?}: {:?}", error.problems));
            assert_eq!(done.distinct.len(), done.plan.len(), "{file:?} makes a picture twice");
            assert!(done.notes.is_empty(), "{file:?}: {:?}", done.notes);
            planned.push((done.plan.name.clone(), done.plan.len()));
        }
    }
    planned.sort();
    assert!(planned.contains(&("mucha".to_owned(), 48)), "{planned:?}");
}
