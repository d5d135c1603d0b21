//! What is left to do, and in which order.

use crate::pass::Pass;
use crate::{ExecuteError, Stop};
use maquette_core::{CellId, DeepCache, Digest, Dtype, Lora, Plan, Settings};
use maquette_store::{PictureProblem, Reuse, RunWriter};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The distinct cells of one share, by what is left to do.
pub(crate) struct Todo {
    pub total: usize,
    pub done: usize,
    pub reused: usize,
    /// The cells to render, in the order of rendering: the number of each, and its name.
    pub render: Vec<(usize, CellId)>,
    /// Warnings about damaged rows of the log and pictures that differ from the rendered ones.
    pub warnings: Vec<(Option<CellId>, String)>,
}

/// How many cells are reused with one wait for the disk.
const AT_ONCE: usize = 256;

/// The most damaged rows that get a warning each.
const NAMED: usize = 5;

/// Finds the cells that are done, reuses those that other runs have finished, and orders the rest.
pub(crate) fn todo(pass: &Pass<'_>, run: &mut RunWriter, stop: &Stop) -> Result<Todo, ExecuteError> {
    let cells = &pass.cells;
    // Damaged rows of drafts are not worth a word.
    let warnings = if pass.drafts { vec![] } else { damage(run) };
    let mut todo = Todo { total: cells.len(), done: 0, reused: 0, render: vec![], warnings };
    let (done, problems) = run.check_done(&cells.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    let mut warned: HashSet<CellId> = problems.iter().map(|problem| problem.cell).collect();
    todo.warnings.extend(problems.iter().map(replaced));
    todo.done = done.len();
    let left = cells.iter().filter(|(_, id)| !done.contains(id));
    let left: Vec<_> = left.map(|(number, id)| (*number, *id, run.has_picture(id))).collect();
    for some in left.chunks(AT_ONCE) {
        let mut batch = run.batch();
        for &(number, id, has_picture) in some {
            if !stop.is_requested() && has_picture {
                match batch.reuse(&(pass.cell)(number)?)? {
                    Reuse::Taken => {
                        todo.reused += 1;
                        continue;
                    }
                    Reuse::Absent => {}
                    // Often the same file under its other name, which has a warning already.
                    Reuse::Unusable(problem) if warned.insert(id) => todo.warnings.push(replaced(&problem)),
                    Reuse::Unusable(_) => {}
                }
            }
            todo.render.push((number, id));
        }
        batch.commit()?;
    }
    order(pass, &mut todo.render)?;
    Ok(todo)
}

fn replaced(problem: &PictureProblem) -> (Option<CellId>, String) {
    (Some(problem.cell), format!("{problem}, so it is replaced"))
}

/// The damaged rows of the run's logs, each in a sentence.
fn damage(run: &RunWriter) -> Vec<(Option<CellId>, String)> {
    let rows = run.damaged_rows();
    let mut warnings: Vec<_> =
        rows.iter().take(NAMED).map(|row| (row.cell, format!("{row}, so it counts as missing"))).collect();
    match rows.len().saturating_sub(NAMED) {
        0 => {}
        1 => warnings.push((None, "1 more row of the log is damaged".to_owned())),
        more => warnings.push((None, format!("{more} more rows of the log are damaged"))),
    }
    warnings
}

/// Groups cells by model, then size, then precision, then LoRAs, then DeepCache, so that a model is loaded once, its weights
/// rarely change, and cells that lie together can share calls; groups and the cells inside them keep the plan's order.
fn order(pass: &Pass<'_>, cells: &mut Vec<(usize, CellId)>) -> Result<(), ExecuteError> {
    let mut groups = Groups::default();
    let mut grouped = Vec::with_capacity(cells.len());
    for &(number, id) in cells.iter() {
        grouped.push((groups.of(&(pass.cell)(number)?.settings), (number, id)));
    }
    // The sort is stable: cells of one group keep their order.
    grouped.sort_by_key(|(group, _)| *group);
    *cells = grouped.into_iter().map(|(_, cell)| cell).collect();
    Ok(())
}

/// Cells in the order of their groups.
pub(crate) struct Grouped {
    /// The number of each cell, and its name.
    pub cells: Vec<(usize, CellId)>,
    /// The number of each cell's group.
    pub groups: Vec<u32>,
}

/// The cells of a plan in the same groups. Inside a group, cells with the same prompt lie
/// together, so that workers that share the plan encode few prompts twice.
pub(crate) fn order_to_share(plan: &Plan, cells: &[(usize, CellId)]) -> Result<Grouped, ExecuteError> {
    let (mut groups, mut prompts) = (Groups::default(), HashMap::new());
    let mut grouped = Vec::with_capacity(cells.len());
    for &(number, id) in cells {
        let settings = plan.cell(number)?.settings;
        let next = prompts.len();
        let prompt = *prompts.entry(Arc::clone(&settings.prompt)).or_insert(next);
        grouped.push(((groups.of(&settings), prompt), (number, id)));
    }
    grouped.sort_by_key(|(order, _)| *order);
    let mut numbers: Vec<u32> = Vec::with_capacity(grouped.len());
    for (at, ((group, _), _)) in grouped.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| (grouped[before].0.0, numbers[before]));
        numbers.push(match before {
            Some((same, number)) if same == *group => number,
            Some((_, number)) => number + 1,
            None => 0,
        });
    }
    Ok(Grouped { cells: grouped.into_iter().map(|(_, cell)| cell).collect(), groups: numbers })
}

/// Numbers models, sizes, precisions, sets of LoRAs and settings of DeepCache by first appearance.
#[derive(Default)]
struct Groups {
    models: HashMap<Arc<str>, usize>,
    sizes: HashMap<(u32, u32), usize>,
    dtypes: HashMap<Dtype, usize>,
    /// Files and the bits of their weights.
    loras: HashMap<Vec<(Digest, [u64; 2])>, usize>,
    deepcache: HashMap<Option<DeepCache>, usize>,
}

impl Groups {
    fn of(&mut self, settings: &Settings) -> [usize; 5] {
        fn number<K: Eq + std::hash::Hash>(numbers: &mut HashMap<K, usize>, key: K) -> usize {
            let next = numbers.len();
            *numbers.entry(key).or_insert(next)
        }
        let model = number(&mut self.models, Arc::clone(&settings.model));
        let size = number(&mut self.sizes, (settings.width, settings.height));
        let loras = settings.lora.iter().map(Lora::key).collect();
        let (dtype, loras) = (number(&mut self.dtypes, settings.dtype), number(&mut self.loras, loras));
        [model, size, dtype, loras, number(&mut self.deepcache, settings.deepcache())]
    }
}
