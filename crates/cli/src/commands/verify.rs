//! `maquette verify`: whether a run is what it says: every picture against its log row and its name, and some cells
//! rendered again. Nothing is written.

use super::reproduce::words;
use crate::args::BackendName;
use crate::args::{Common, VerifyArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::{self, Outcome, store_failure, talk};
use crate::recall::base_of;
use crate::verification::{Checked, check, spread};
use crate::world::{FakeMachine, Machine};
use crate::{planning, rendering};
use maquette_core::{Cell, CellId, Dtype, Plan};
use maquette_diffusion::DeviceName;
use maquette_picture::decode;
use maquette_planner::World;
use maquette_reporter::{Likeness, Pixels};
use maquette_store::Run;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// What a run came to.
#[derive(Serialize)]
struct Report {
    run: String,
    #[serde(flatten)]
    checked: Checked,
    /// The cells that were rendered again, in the order of their names.
    again: Vec<Again>,
    /// What is another way than when the run was made.
    remarks: Vec<String>,
}

/// One cell rendered again.
#[derive(Serialize)]
struct Again {
    cell: CellId,
    image: String,
    label: String,
    /// How it compares; `missing` where there is no picture to compare with, `failed` where none was made now.
    outcome: &'static str,
    told: String,
    pixels: Option<Pixels>,
}

pub fn verify(args: &VerifyArgs, common: &Common) -> Outcome {
    let run = planning::runs(&common.runs)?.find(&args.run).map_err(store_failure(Exit::NotFound))?;
    let plan = run.plan().map_err(store_failure(Exit::NotFound))?;
    let log = run.log().map_err(store_failure(Exit::NotFound))?;
    // Backwards, so that the first of several identical cells stands for them.
    let mut places: HashMap<CellId, usize> = HashMap::new();
    for index in (0..plan.len()).rev() {
        places.insert(plan.id(index).or_exit(Exit::Unexpected)?, index);
    }
    let checked = check(&run, &log, &places);

    // Pictures that are missing are worth rendering too: the answer is that they cannot be compared.
    let done = log.iter().filter(|row| places.contains_key(&row.cell()));
    let images: BTreeMap<CellId, String> =
        done.filter_map(|row| Some((row.cell(), row.image()?.to_owned()))).collect();
    let sample = spread(&images.keys().copied().collect::<Vec<_>>(), args.sample, args.seed);
    let mut cells = Vec::new();
    for id in &sample {
        cells.push(plan.cell(places[id]).or_exit(Exit::Unexpected)?);
    }
    let (again, remarks) = render_again(args, common, &run, &plan, cells, &images)?;
    let report = Report { run: run.to_string(), checked, again, remarks };
    output::print(&match args.again.json {
        true => serde_json::to_string_pretty(&report).unwrap_or_default() + "\n",
        false => report.told(),
    })?;
    Ok(if report.is_sound() { Exit::Done } else { Exit::Different })
}

fn render_again(
    args: &VerifyArgs,
    common: &Common,
    run: &Run,
    plan: &Plan,
    mut cells: Vec<Cell>,
    images: &BTreeMap<CellId, String>,
) -> Result<(Vec<Again>, Vec<String>), Failure> {
    if cells.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let device = match args.again.backend {
        BackendName::Engine => args.again.device.parse::<DeviceName>().or_exit(Exit::Experiment)?,
        BackendName::Fake => DeviceName::Cpu,
    };
    let base = base_of(run).unwrap_or_else(|| PathBuf::from("."));
    let runs = planning::runs(&common.runs)?;
    let mut remarks = other_models(args, plan, &cells, Machine::new(base.clone(), runs));
    let mut backend = rendering::backend(args.again.backend, device, base, None)?;
    remarks.extend(other_devices(run, &cells, &backend.device()));
    // A model is loaded once; the answer is in the order of the names all the same.
    let found: HashMap<CellId, Cell> = cells.iter().map(|cell| (cell.id, cell.clone())).collect();
    cells.sort_by(|a, b| a.settings.model.cmp(&b.settings.model));
    let count = cells.len();
    let mut again: BTreeMap<CellId, Again> = BTreeMap::new();
    rendering::render(backend.as_mut(), cells, common.quiet, &mut |id, ended| {
        let Some(cell) = found.get(&id) else { return };
        let image = images.get(&id).cloned().unwrap_or_default();
        let before = decode(&run.dir().join(&image)).map_err(|error| error.to_string());
        let (outcome, told, pixels) = match (before, ended) {
            (Ok(before), Ok((now, _))) => {
                let pixels = Pixels::of(&before, &now);
                (pixels.likeness().word(), words(&pixels), Some(pixels))
            }
            (Err(problem), _) => ("missing", problem, None),
            (_, Err(error)) => ("failed", error, None),
        };
        let label = plan.label(&cell.coordinates);
        again.insert(id, Again { cell: id, image, label, outcome, told, pixels });
        if !common.quiet {
            talk(format_args!("{} of {count} rendered again", again.len()));
        }
    })?;
    Ok((again.into_values().collect(), remarks))
}

/// The models of these cells that are not what they were.
fn other_models(args: &VerifyArgs, plan: &Plan, cells: &[Cell], machine: Machine) -> Vec<String> {
    let world: Box<dyn World> = match args.again.backend {
        BackendName::Engine => Box::new(machine),
        BackendName::Fake => Box::new(FakeMachine),
    };
    let mut names: Vec<(&str, Dtype)> =
        cells.iter().map(|cell| (&*cell.settings.model, cell.settings.dtype)).collect();
    names.sort_unstable();
    names.dedup_by_key(|(name, _)| *name);
    let told = names.into_iter().filter_map(|(name, dtype)| {
        let before = plan.models.get(name)?.fingerprint;
        match world.model(name, dtype) {
            Ok(card) if card.fingerprint == before => None,
            Ok(card) => Some(format!(
                "the model `{name}` is not what it was: its fingerprint was {}… and is {}…",
                before.short(),
                card.fingerprint.short()
            )),
            Err(error) => Some(error.to_string()),
        }
    });
    told.collect()
}

/// The other devices that these cells were rendered on.
fn other_devices(run: &Run, cells: &[Cell], now: &str) -> Option<String> {
    let log = run.log().ok()?;
    let rows = log.iter().filter(|row| cells.iter().any(|cell| cell.id == row.cell()));
    let mut devices: Vec<&str> =
        rows.filter_map(|row| row.device()).filter(|device| *device != now).collect();
    devices.sort_unstable();
    devices.dedup();
    let devices = devices.join(", ");
    (!devices.is_empty()).then(|| format!("rendered on {devices} before, on {now} now"))
}

impl Report {
    /// Whether every check and every comparison held.
    fn is_sound(&self) -> bool {
        let held =
            |again: &Again| [Likeness::Identical.word(), Likeness::Close.word()].contains(&again.outcome);
        self.checked.problems.is_empty() && self.again.iter().all(held)
    }

    fn told(&self) -> String {
        let mut text = String::new();
        for problem in &self.checked.problems {
            text += &format!("wrong: {}: {}\n", problem.image, problem.problem);
        }
        let rows = self
            .again
            .iter()
            .map(|it| vec![it.outcome.to_owned(), it.cell.short(), it.label.clone(), it.told.clone()]);
        if !self.again.is_empty() {
            text += output::table(&["", "", "", ""], rows).trim_start_matches('\n');
        }
        for remark in &self.remarks {
            text += &format!("note: {remark}\n");
        }
        let Checked { pictures, problems, failed, unrendered } = &self.checked;
        text += &format!("{pictures} pictures checked, {} wrong", problems.len());
        for (count, what) in [(failed, "cells had failed"), (unrendered, "cells are not rendered yet")] {
            if *count > 0 {
                text += &format!("; {count} {what}");
            }
        }
        let outcomes = ["identical", "close", "different", "missing", "failed"];
        let counts =
            outcomes.map(|outcome| (self.again.iter().filter(|it| it.outcome == outcome).count(), outcome));
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, outcome)| format!("{count} {outcome}")).collect();
        if !counts.is_empty() {
            text += &format!("\n{} rendered again: {}", self.again.len(), counts.join(", "));
        }
        text + "\n"
    }
}
