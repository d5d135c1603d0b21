//! The pictures around a training: those of the subject, of its class, and the samples.

use super::progress::TrainingProgress;
use crate::Workspace;
use crate::error::Error;
use crate::render::render;
use maquette_core::{
    Axis, AxisValue, Cell, CellId, FoundFile, Image, MetricsSpec, NAMING, NUMERICS, NamedFile, Plan,
    Selection, SheetSpec, Training, with_defaults,
};
use maquette_executor::Stop;
use maquette_files::limits;
use maquette_picture::{PictureError, decode, decode_bytes, encode_png};
use maquette_store::{StoreError, TrainingWriter};
use maquette_trainer::Picture;
use std::collections::BTreeMap;
use std::path::Path;

/// The pictures of a subject, as they were when the experiment was planned.
pub(super) fn of_subject(training: &Training) -> Result<Vec<Picture>, Error> {
    let pictures = training.images.iter().map(|image| {
        let mask = image.mask.as_ref().map(unchanged).transpose()?;
        Ok(Picture { image: unchanged(&image.image)?, mask })
    });
    pictures.collect()
}

fn unchanged(found: &FoundFile) -> Result<Image, Error> {
    let read = |source| PictureError::Read { path: found.file.clone(), source };
    let bytes = maquette_files::read(&found.file, limits::PICTURE).map_err(read)?;
    if maquette_core::Digest::of(&bytes) != found.digest {
        return Err(StoreError::Changed { path: found.file.clone() }.into());
    }
    Ok(decode_bytes(&found.file, &bytes)?)
}

/// The pictures of the class, rendered where they are missing; `None` if `stop` was requested.
pub(super) fn of_class(
    workspace: &Workspace,
    plan: &Plan,
    base: &Path,
    training: &Training,
    writer: &TrainingWriter,
    stop: &Stop,
    report: &mut dyn FnMut(TrainingProgress<'_>) -> Result<(), Error>,
) -> Result<Option<Vec<Image>>, Error> {
    if !training.has_prior() {
        return Ok(Some(Vec::new()));
    }
    let cells: Vec<Cell> = class_plan(plan, training).cells().collect::<Result<_, _>>()?;
    let missing: Vec<Cell> =
        cells.iter().filter(|cell| writer.class_picture(&cell.id).is_none()).cloned().collect();
    if !missing.is_empty() {
        let (of, mut done) = (cells.len(), cells.len() - missing.len());
        report(TrainingProgress::ClassPictures { done, of })?;
        let mut failed = None;
        let mut backend = workspace.backend(base, Some(plan))?;
        let mut ended = |id: CellId, result: Result<(Image, _), String>| {
            let kept = result
                .map_err(Error::CellFailed)
                .and_then(|(image, _)| Ok(writer.save_class_picture(&id, &encode_png(&image, &[])?)?));
            done += 1;
            let kept = kept.and_then(|()| report(TrainingProgress::ClassPictures { done, of }));
            failed = failed.take().or(kept.err());
        };
        // A few at a time, so that a stop does not wait for all.
        for some in missing.chunks(AT_ONCE) {
            if stop.is_requested() {
                return Ok(None);
            }
            render(backend.as_mut(), some.to_vec(), &mut |_| (), &mut ended)?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    let files = cells.iter().filter_map(|cell| writer.class_picture(&cell.id));
    Ok(Some(files.map(|file| decode(&file)).collect::<Result<_, _>>()?))
}

/// How many pictures of a class are rendered before a stop is noticed.
const AT_ONCE: usize = 16;

/// The grid of a class's pictures: the class's prompt with the defaults of the model, as diffusers' training scripts render
/// them, with seeds from 0 on.
fn class_plan(plan: &Plan, training: &Training) -> Plan {
    let prompt = training.class_prompt.replace('{', "{{").replace('}', "}}");
    let (width, height) = training.resolution;
    let base = with_defaults(&[
        ("model", training.model.as_str().into()),
        ("prompt", prompt.as_str().into()),
        ("width", i64::from(width).into()),
        ("height", i64::from(height).into()),
        ("dtype", "f32".into()),
    ]);
    let seeds = (0..training.num_class_images)
        .map(|seed| AxisValue {
            label: seed.to_string(),
            set: vec![("seed".to_owned(), i64::from(seed).into())],
        })
        .collect();
    let card = plan.models.get_key_value(&training.model);
    Plan {
        name: String::new(),
        title: String::new(),
        base,
        vars: Vec::new(),
        axes: vec![Axis { name: "seed".to_owned(), values: seeds }],
        kept: Selection::All,
        drawn: BTreeMap::new(),
        models: card.into_iter().map(|(name, card)| (name.clone(), card.clone())).collect(),
        pictures: BTreeMap::new(),
        weights: BTreeMap::new(),
        trainings: Vec::new(),
        sheet: SheetSpec::default(),
        metrics: MetricsSpec::default(),
        naming: NAMING,
        numerics: NUMERICS,
        derived_from: None,
    }
}

/// Renders samples with the weights after a step, which have been saved. Returns what could not be rendered.
pub(super) fn samples(
    workspace: &Workspace,
    plan: &Plan,
    base: &Path,
    training: &Training,
    cells: &[Cell],
    step: u32,
    writer: &TrainingWriter,
) -> Result<Vec<std::path::PathBuf>, Error> {
    let cells: Vec<Cell> = cells.iter().map(|cell| with_weights(cell, training, step)).collect();
    let numbers: BTreeMap<CellId, usize> =
        cells.iter().enumerate().map(|(nth, cell)| (cell.id, nth)).collect();
    // The engine is dropped afterwards: training needs the memory.
    let mut backend = workspace.backend(base, Some(plan))?;
    let (mut files, mut failed) = (Vec::new(), None);
    let mut ended = |id: CellId, result: Result<(Image, _), String>| {
        let number = numbers.get(&id).copied().unwrap_or(0);
        let kept = result
            .map_err(Error::CellFailed)
            .and_then(|(image, _)| Ok(writer.save_sample(step, number, &encode_png(&image, &[])?)?));
        match kept {
            Ok(file) => files.push(file),
            Err(error) => failed = Some(error),
        }
    };
    render(backend.as_mut(), cells, &mut |_| (), &mut ended)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(files),
    }
}

/// A cell of a subject with its weights after another number of steps.
fn with_weights(cell: &Cell, training: &Training, step: u32) -> Cell {
    let mut cell = cell.clone();
    let planned = cell.settings.train_steps.map(|step| training.weights_digest(step));
    let weights = |file: &mut NamedFile| {
        if Some(file.digest) == planned {
            file.file = training.weights_file(step).as_path().into();
            file.digest = training.weights_digest(step);
        }
    };
    cell.settings.lora.iter_mut().map(|lora| &mut lora.file).for_each(weights);
    cell.settings.embeddings.iter_mut().map(|embedding| &mut embedding.file).for_each(weights);
    cell
}
