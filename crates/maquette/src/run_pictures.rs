//! The finished pictures of a run, with what each is compared with: its reference picture, the pictures of its subject, and
//! its neighbours.

use crate::error::{Error, with_causes};
use crate::logged_picture::decode_logged;
use crate::subject_pictures::SubjectPictures;
use maquette_core::{Axis, CellId, Digest, Fit, Image, Kind, Plan, Setting};
use maquette_diffusion::init_image::{Margin, fit};
use maquette_metrics::{Task, chunk_size};
use maquette_picture::decode;
use maquette_store::{Run, Status};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// The pictures of a run that are done, each once, in the grid's order. They are numbered from 0, and the pictures that they
/// are compared with after them.
pub(crate) struct RunPictures<'a> {
    run: &'a Run,
    plan: &'a Plan,
    pub pictures: Vec<Picture>,
    /// For each cell of the plan, the number of its picture.
    by_index: Vec<Option<usize>>,
    references: Vec<Reference>,
}

/// A finished picture.
pub(crate) struct Picture {
    pub cell: CellId,
    /// The label of its first position in the grid.
    pub label: String,
    coordinates: Vec<usize>,
    prompt: Arc<str>,
    size: (u32, u32),
    /// Relative to the run's folder.
    image: String,
    pixels: Option<Digest>,
    reference: Option<usize>,
    subject: Vec<usize>,
}

/// A reference picture as it was fitted to some cells, or a subject's picture cropped to their size.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Reference {
    file: Arc<Path>,
    fit: Fit,
    size: (u32, u32),
}

impl RunPictures<'_> {
    /// Without `subjects` no picture is compared with one of a subject.
    pub fn of<'a>(
        run: &'a Run,
        plan: &'a Plan,
        subjects: &SubjectPictures,
    ) -> Result<RunPictures<'a>, Error> {
        let log = run.log()?;
        let done = log.iter().filter(|row| row.status() == Status::Done);
        let rows: HashMap<CellId, _> = done.map(|row| (row.cell(), row)).collect();
        let (mut pictures, mut references) = (Vec::new(), Vec::new());
        let mut numbers: HashMap<CellId, usize> = HashMap::new();
        let mut reference_numbers: HashMap<Reference, usize> = HashMap::new();
        let mut by_index = Vec::with_capacity(plan.len());
        for index in 0..plan.len() {
            let cell = plan.cell(index)?;
            let Some(row) = rows.get(&cell.id) else {
                by_index.push(None);
                continue;
            };
            let number = *numbers.entry(cell.id).or_insert_with(|| {
                let settings = &cell.settings;
                let size = (settings.width, settings.height);
                let mut fitted = |file: &Arc<Path>, fit| {
                    let reference = Reference { file: Arc::clone(file), fit, size };
                    *reference_numbers.entry(reference.clone()).or_insert_with(|| {
                        references.push(reference);
                        references.len() - 1
                    })
                };
                let fit = settings.fit.unwrap_or(Fit::Crop);
                let reference = settings.init_image.as_ref().map(|picture| fitted(&picture.file, fit));
                let subject = subjects.at(plan, &cell.coordinates).iter();
                let subject = subject.map(|file| fitted(file, Fit::Crop)).collect();
                pictures.push(Picture {
                    cell: cell.id,
                    label: plan.label(&cell.coordinates),
                    coordinates: cell.coordinates,
                    prompt: Arc::clone(&settings.prompt),
                    size,
                    image: row.image().unwrap_or_default().to_owned(),
                    pixels: row.pixels(),
                    reference,
                    subject,
                });
                pictures.len() - 1
            });
            by_index.push(Some(number));
        }
        Ok(RunPictures { run, plan, pictures, by_index, references })
    }

    /// The number of the picture at each position of the grid that is a cell, with its coordinates.
    pub fn positions(&self) -> impl Iterator<Item = (Vec<usize>, Option<usize>)> {
        self.by_index.iter().enumerate().map(|(index, number)| (self.plan.coordinates(index), *number))
    }

    /// What to measure; `neighbours` is the number of the axis along which they lie.
    pub fn tasks(&self, neighbours: Option<usize>) -> Vec<Task> {
        let task = |(number, picture): (usize, &Picture)| Task {
            name: picture.cell.short().into(),
            picture: number,
            reference: picture.reference.map(|reference| self.pictures.len() + reference),
            subject: picture.subject.iter().map(|reference| self.pictures.len() + reference).collect(),
            neighbours: neighbours.map_or(Vec::new(), |axis| self.neighbours(picture, axis)),
            prompt: Arc::clone(&picture.prompt),
        };
        self.pictures.iter().enumerate().map(task).collect()
    }

    fn neighbours(&self, picture: &Picture, axis: usize) -> Vec<usize> {
        let at = picture.coordinates[axis];
        let beside = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
        let numbers = beside.filter_map(|at| {
            let mut coordinates = picture.coordinates.clone();
            coordinates[axis] = at;
            self.by_index[self.plan.index_at(&coordinates)?]
        });
        numbers.collect()
    }

    /// How many pictures to load at once.
    pub fn chunk(&self) -> usize {
        let pixels =
            self.pictures.iter().map(|picture| u64::from(picture.size.0) * u64::from(picture.size.1));
        chunk_size(pixels.max().unwrap_or(0))
    }

    /// Loads a picture, or fits a reference picture to its cells as the engine did.
    pub fn load(&self, number: usize) -> Result<Image, String> {
        match self.pictures.get(number) {
            Some(picture) => self.rendered(picture),
            None => {
                let Reference { file, fit: how, size } = &self.references[number - self.pictures.len()];
                let picture = decode(file).map_err(|error| with_causes(&error))?;
                fit(&picture, *how, Margin::Mean, size.0, size.1).map_err(|error| with_causes(&error))
            }
        }
    }

    /// The reference pictures that cannot be read, each with the reason.
    pub fn missing_references(&self) -> Vec<String> {
        self.unreadable(self.pictures.iter().filter_map(|picture| picture.reference))
    }

    /// The pictures of subjects that cannot be read, each with the reason.
    pub fn unreadable_subjects(&self) -> Vec<String> {
        self.unreadable(self.pictures.iter().flat_map(|picture| picture.subject.iter().copied()))
    }

    fn unreadable(&self, references: impl Iterator<Item = usize>) -> Vec<String> {
        let files: BTreeSet<&Path> = references.map(|number| &*self.references[number].file).collect();
        files.into_iter().filter_map(|file| decode(file).err()).map(|error| with_causes(&error)).collect()
    }

    fn rendered(&self, picture: &Picture) -> Result<Image, String> {
        let path = self.run.dir().join(&picture.image);
        let image = decode_logged(self.run, &picture.image).map_err(|error| with_causes(&error))?;
        match picture.pixels {
            Some(pixels) if pixels != image.digest() => {
                Err(format!("`{}` was edited: its pixels are not the rendered ones", path.display()))
            }
            _ => Ok(image),
        }
    }
}

/// The values of an axis as numbers; `None` if it is not an axis of numbers, or is one of seeds.
pub(crate) fn axis_numbers(axis: &Axis) -> Option<Vec<f64>> {
    let seed = |name: &str| Setting::named(name).is_some_and(|setting| matches!(setting.kind, Kind::Seed));
    let number = |set: &[(String, maquette_core::Value)]| match set {
        [(name, value)] if !seed(name) => value.as_number(),
        _ => None,
    };
    axis.values.iter().map(|value| number(&value.set)).collect()
}

/// The axis along which neighbours lie: the named one, or the innermost axis of numbers that has several and is not one of
/// seeds.
pub(crate) fn neighbour_axis(plan: &Plan) -> Option<usize> {
    let named = plan.metrics.neighbours.as_ref();
    match named.and_then(|name| plan.axes.iter().position(|axis| axis.name == *name)) {
        Some(axis) => Some(axis),
        None => plan.axes.iter().rposition(|axis| axis.values.len() > 1 && axis_numbers(axis).is_some()),
    }
}
