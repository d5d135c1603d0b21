//! Rendering into a run: keeps finished pictures, writes the log. One writer at a time; the lock falls with it.

use crate::log::{Status, read_logs};
use crate::log_writer::LogWriter;
use crate::{Run, Runs, Shard, StartReason, StoreError, Timings, atomic, cells, names, picture, timings};
use maquette_core::{Cell, CellId, Digest, Image, Outcome, Plan, Record, Remarks};
use maquette_interop::encode_cell;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// A run that is being rendered into, from [`Runs::start`].
pub struct RunWriter {
    runs: Runs,
    run: Run,
    plan: Arc<Plan>,
    shard: Option<Shard>,
    reason: StartReason,
    log: LogWriter,
    /// The picture of each cell that the log says is done.
    done: HashMap<CellId, String>,
    /// Which run rendered a cell; read from all logs when it is first asked for.
    renderers: Option<HashMap<CellId, String>>,
    _locks: Vec<File>,
}

impl RunWriter {
    pub(crate) fn new(
        runs: Runs,
        run: Run,
        plan: Plan,
        shard: Option<Shard>,
        reason: StartReason,
        log: LogWriter,
        locks: Vec<File>,
    ) -> Result<RunWriter, StoreError> {
        let rows = read_logs(run.dir())?;
        let done = rows.iter().filter(|row| row.status() == Status::Done);
        let done = done.map(|row| (row.cell(), row.image().unwrap_or_default().to_owned())).collect();
        let plan = Arc::new(plan);
        Ok(RunWriter { runs, run, plan, shard, reason, log, done, renderers: None, _locks: locks })
    }

    /// The run, for reading.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The plan that counts: the one in the run's folder, with the seeds that were drawn first.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// The share of the cells that is rendered here.
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// Why the run has the number it has.
    pub fn start_reason(&self) -> StartReason {
        self.reason
    }

    /// Whether the log says that this cell is done and its picture is there, whole.
    pub fn is_done(&self, id: &CellId) -> bool {
        let image = self.done.get(id);
        image.is_some_and(|image| picture::seems_to_show(&self.run.dir().join(image), id))
    }

    /// Whether some run seems to have finished that cell; [`RunWriter::reuse`] looks whether its picture is good.
    pub fn has_picture(&self, id: &CellId) -> bool {
        self.runs.has_cell(id)
    }

    /// Takes over the picture of a cell that some run has finished; `None` when there is none that can be used.
    pub fn reuse(&mut self, cell: &Cell) -> Result<Option<Record>, StoreError> {
        let Some(kept) = cells::find(self.runs.root(), &cell.id) else { return Ok(None) };
        let image = self.link(cell, &kept)?;
        let renderer = self.renderer(&cell.id);
        let outcome = Outcome::Done { image, reused: Some(renderer) };
        let remarks = picture::remarks(&kept)?;
        self.record(Record { cell: cell.clone(), outcome, seconds: None, device: None, remarks }).map(Some)
    }

    /// Keeps the picture of a cell that was rendered now, and writes its row.
    pub fn finish(
        &mut self,
        cell: &Cell,
        image: &Image,
        seconds: f64,
        device: &str,
        remarks: Remarks,
    ) -> Result<Record, StoreError> {
        let png = encode_cell(image, cell, &self.fingerprint(cell), &remarks)?;
        let kept = cells::keep(self.runs.root(), &cell.id, &png)?;
        let outcome = Outcome::Done { image: self.link(cell, &kept)?, reused: None };
        let (seconds, device) = (Some(seconds), Some(device.to_owned()));
        self.record(Record { cell: cell.clone(), outcome, seconds, device, remarks })
    }

    /// Writes the row of a cell that could not be rendered.
    pub fn fail(&mut self, cell: &Cell, error: &str, device: &str) -> Result<Record, StoreError> {
        let outcome = Outcome::Failed { error: error.to_owned() };
        let (cell, device) = (cell.clone(), Some(device.to_owned()));
        self.record(Record { cell, outcome, seconds: None, device, remarks: Remarks::default() })
    }

    /// Adds to what is known of how long things take here.
    pub fn remember(&self, measured: &Timings) -> Result<(), StoreError> {
        timings::add_to_file(self.runs.root(), measured)
    }

    /// The fingerprint of the model that a cell names.
    pub fn fingerprint(&self, cell: &Cell) -> Digest {
        // A cell comes from the plan, which has looked up every model it names.
        self.plan
            .models
            .get(&*cell.settings.model)
            .map_or(Digest::from_bytes([0; 32]), |card| card.fingerprint)
    }

    fn record(&mut self, record: Record) -> Result<Record, StoreError> {
        self.log.write(&record, &self.fingerprint(&record.cell))?;
        if let Outcome::Done { image, .. } = &record.outcome {
            self.done.insert(record.cell.id, image.clone());
        }
        Ok(record)
    }

    /// Gives a kept picture its readable name in this run.
    fn link(&self, cell: &Cell, kept: &std::path::Path) -> Result<String, StoreError> {
        let mut name = names::image_name(&self.plan, &cell.coordinates, &cell.id);
        let images = self.run.dir().join("images");
        let other =
            picture::cell_in(&images.join(&name)).ok().flatten().is_some_and(|found| found != cell.id);
        if other {
            name = names::long_image_name(&self.plan, &cell.coordinates, &cell.id);
        }
        atomic::link_atomic(kept, &images.join(&name))?;
        Ok(format!("images/{name}"))
    }

    fn renderer(&mut self, id: &CellId) -> String {
        let runs = &self.runs;
        let renderers = self.renderers.get_or_insert_with(|| renderers(runs));
        // A run that was deleted leaves its cells behind.
        renderers.get(id).cloned().unwrap_or_else(|| "?".to_owned())
    }
}

/// Which run rendered each cell. A log that cannot be read is left out: the picture is good all the same.
fn renderers(runs: &Runs) -> HashMap<CellId, String> {
    let mut renderers = HashMap::new();
    for run in runs.list().unwrap_or_default() {
        for row in run.log().unwrap_or_default() {
            if row.status() == Status::Done && row.reused().is_none() {
                renderers.insert(row.cell(), run.to_string());
            }
        }
    }
    renderers
}
