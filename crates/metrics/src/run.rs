//! Measures the pictures of many cells: loads them in chunks, on all cores, within bounded memory.

use crate::{Embedder, Measurer, MetricInput, Score};
use maquette_core::Image;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The memory for the pictures of a chunk, in bytes.
const CHUNK: u64 = 256 << 20;

/// The most pictures in a chunk.
const MOST: u64 = 256;

/// What to measure: a picture, and what it is compared with. Pictures are numbers that mean something to the caller's
/// `load`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The short name of the cell.
    pub name: Arc<str>,
    /// The picture.
    pub picture: usize,
    /// The reference picture at the picture's size.
    pub reference: Option<usize>,
    /// The pictures of the subject, at the picture's size.
    pub subject: Vec<usize>,
    /// The pictures of the neighbours.
    pub neighbours: Vec<usize>,
    /// The prompt, placeholders filled.
    pub prompt: Arc<str>,
}

/// The values of one task, in the order of the measurers and their metrics; or why its picture cannot be read.
pub type Measured = Result<Vec<Option<Score>>, String>;

/// Reads a picture by its number, or says why it cannot be read.
pub type Load<'a> = &'a (dyn Fn(usize) -> Result<Image, String> + Sync);

/// How many pictures of at most that many pixels are loaded at once, with a reference picture and two neighbours each.
pub fn chunk_size(pixels: u64) -> usize {
    (CHUNK / (4 * 3 * pixels.max(1))).clamp(1, MOST) as usize
}

/// Measures every task, `chunk` at a time. A picture that several tasks of a chunk name is loaded once. A neighbour, a
/// reference or a picture of the subject that cannot be read counts as absent. `progress` gets the number of tasks that are done after each chunk, and
/// returns whether to go on; the tasks that are left have no values.
///
/// # Errors
///
/// That of a measurer.
pub fn measure(
    tasks: &[Task],
    chunk: usize,
    load: Load<'_>,
    measurers: &mut [Box<dyn Measurer>],
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Measured>, String> {
    let mut measured = Vec::with_capacity(tasks.len());
    for tasks in tasks.chunks(chunk.max(1)) {
        let named = tasks.iter().flat_map(|task| {
            let beside = task.subject.iter().chain(&task.neighbours).copied();
            [task.picture].into_iter().chain(task.reference).chain(beside)
        });
        let pictures = load_all(named.collect(), load);
        let input = |task: &Task| {
            let found = |number: &usize| pictures[number].as_ref().ok().cloned();
            Ok(MetricInput {
                name: Arc::clone(&task.name),
                image: pictures[&task.picture].clone()?,
                reference: task.reference.as_ref().and_then(found),
                subject: task.subject.iter().filter_map(found).collect(),
                neighbours: task.neighbours.iter().filter_map(found).collect(),
                prompt: Arc::clone(&task.prompt),
            })
        };
        let (mut inputs, mut outcomes) = (Vec::new(), Vec::new());
        for task in tasks {
            outcomes.push(input(task).map(|input| {
                inputs.push(input);
                Vec::new()
            }));
        }
        for measurer in &mut *measurers {
            let mut rows = measurer.measure(&inputs)?.into_iter();
            for values in outcomes.iter_mut().flatten() {
                values.extend(rows.next().unwrap_or_else(|| vec![None; measurer.metrics().len()]));
            }
        }
        measured.extend(outcomes);
        if !progress(measured.len()) {
            break;
        }
    }
    let mut first = 0;
    for measurer in measurers {
        let count = measurer.metrics().len();
        if let Some(rows) = measurer.finish() {
            for (values, row) in measured.iter_mut().flatten().zip(rows) {
                values[first..first + count].clone_from_slice(&row);
            }
        }
        first += count;
    }
    Ok(measured)
}

/// The vectors of many pictures, `chunk` at a time; `None` for a picture that cannot be read.
///
/// # Errors
///
/// That of the embedder.
pub fn embed(
    pictures: &[usize],
    chunk: usize,
    load: Load<'_>,
    embedder: &mut dyn Embedder,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Option<Vec<f32>>>, String> {
    let mut vectors = Vec::with_capacity(pictures.len());
    for chunk in pictures.chunks(chunk.max(1)) {
        let loaded = load_all(chunk.iter().copied().collect(), load);
        let found: Vec<Option<Arc<Image>>> = chunk.iter().map(|number| loaded[number].clone().ok()).collect();
        let batch: Vec<Arc<Image>> = found.iter().flatten().cloned().collect();
        let mut rows = embedder.embed(&batch)?.into_iter();
        vectors.extend(found.iter().map(|image| image.as_ref().and_then(|_| rows.next())));
        progress(vectors.len());
    }
    Ok(vectors)
}

fn load_all(numbers: BTreeSet<usize>, load: Load<'_>) -> HashMap<usize, Result<Arc<Image>, String>> {
    let numbers: Vec<usize> = numbers.into_iter().collect();
    numbers.par_iter().map(|&number| (number, load(number).map(Arc::new))).collect()
}
