//! Prompt experiments with diffusion models, as a library: the whole program except its command line.
//!
//! A [`Workspace`] is a runs folder and a device. It plans an experiment file, runs it, and reads the results. Nothing here
//! prints, ends the process or catches signals: operations return data and report progress through a callback.
//!
//! ```
//! use maquette::{Experiment, RunEvent, RunOptions, Stop, Workspace};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("cats.toml");
//! std::fs::write(&file, r#"
//!     prompt = "portrait of a woman, by {artist}"
//!     steps = 1
//!     width = 64
//!     height = 64
//!     [sweep]
//!     artist = ["Alphonse Mucha", "Edvard Munch"]
//! "#)?;
//!
//! let workspace = Workspace::open(folder.path().join("runs"))?;
//! let planned = workspace.plan(&Experiment::at(&file))?;
//! assert_eq!(planned.distinct.len(), 2);
//!
//! let stop = Stop::new();
//! let result = workspace.run(&Experiment::at(&file), &RunOptions::default(), &stop, &mut |event| {
//!     if let RunEvent::Note(note) = event {
//!         eprintln!("{note}");
//!     }
//! })?;
//! assert_eq!(result.summary.rendered, 2);
//! for row in result.run.log()? {
//!     println!("{} {}", row.get("artist").unwrap_or_default(), row.image().unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod animate;
mod assets;
mod checks;
mod clean;
mod clock;
mod describe;
mod diff;
mod draft;
mod effects;
mod effects_files;
mod environment;
mod error;
mod estimate;
mod export;
mod forecast;
mod locate;
mod logged_picture;
mod mask;
mod measure;
mod memory;
mod metric_models;
mod model_notes;
mod models;
mod next;
mod page;
mod plan;
mod prompt_report;
mod pull;
mod ranking;
mod recreate;
mod render;
mod report_state;
mod reproduce;
mod run;
mod run_list;
mod run_masks;
mod run_pictures;
mod sheets;
mod show;
mod status;
mod subject_pictures;
mod training;
mod unused_inputs;
mod verify;
mod vision_models;
mod weight_sizes;
mod work;
mod workspace;

pub use animate::AnimateOptions;
pub use assets::fetch::{FetchEvent, missing_text};
pub use checks::{Checked, Problem};
pub use diff::Comparison;
pub use draft::{DraftForecast, DraftOptions};
pub use effects::{AxisLabels, EffectsOptions, RunCurve, RunCurves, RunEffects, stored_effects};
pub use environment::Environment;
pub use error::{Error, ErrorKind, with_causes};
pub use estimate::Estimate;
pub use forecast::Forecast;
pub use mask::{Mask, Masker};
pub use measure::{Duplicate, Measurement, schema};
pub use metric_models::ModelNames;
pub use models::{BUNDLED_MODEL_ABOUT, FetchedModel, ModelEntry, ModelPlace};
pub use next::{NextExperiment, NextOptions, Promote};
pub use plan::{Experiment, PlannedExperiment};
pub use prompt_report::{MOST_PROMPTS, PromptNote, PromptNotes};
pub use ranking::{AxisRanking, RankedValue, Ranking};
pub use reproduce::{CellBeforeAndNow, Change, ReproduceOptions, Reproduction};
pub use run::{RunEvent, RunOptions, RunResult};
pub use run_list::{RunContent, RunEntry};
pub use run_masks::{MaskedPicture, SavedMask, saved_masks};
pub use sheets::Report;
pub use show::{PictureInfo, SheetCell, SheetPlace};
pub use status::{PreparedRun, RunStatus};
pub use training::{TrainEvent, TrainResult, TrainedWeights, TrainingForecast, TrainingProgress};
pub use verify::{RenderedAgain, SampleOutcome, Verification, VerifyOptions};
pub use vision_models::{CAPTION_MODEL, MASK_MODEL};
pub use weight_sizes::{Excess, ModelWeights};
pub use work::{WorkOptions, WorkResult};
pub use workspace::{Renderer, Workspace};

// The types of the crates below that appear in the functions above, in their data or in their errors.
pub use maquette_analysis::{AxisValues, Curve, CurvePoint, Effects, Share};
pub use maquette_core::{
    Axis, AxisValue, Cell, CellId, Choice, DerivedFrom, Digest, Dtype, FoundFile, Mark, ModelCard, Outcome,
    Pick, Plan, Record, Remarks, SettingError, Training, TrainingMethod, Value, Vote,
};
pub use maquette_diffusion::{Cut, DeviceError, DeviceName, ModelSize, PartSize, PromptReport, ReadChunk};
pub use maquette_executor::{ExecuteError, Failure, RunProgress, Stop, Summary};
pub use maquette_files::{limits, read as read_file};
pub use maquette_hub::{
    DownloadProgress, Environment as HubEnvironment, HubError, Offer, OfferedFile, Repository,
    RepositoryError,
};
pub use maquette_interop::{
    FileRef, Foreign, GenerationInfo, Metadata, NoSuchPlace, NotTaken, Origin, Place, SheetMap, Tool,
};
pub use maquette_metrics::ModelError as VisionModelError;
pub use maquette_metrics::{Better, METRICS, MODELS, Metric, MetricModel, Needs};
pub use maquette_picture::PictureError;
pub use maquette_planner::{Overrides, PlanError, Problem as PlanProblem, Work, literal};
pub use maquette_reporter::{
    AlongError, CellAt, Change as DiffChange, Counts, Diff, Likeness, Pair, Pixels, SheetError,
};
pub use maquette_store::{
    BucketError, DamagedRow, Log, LogRow, PickChange, Picks, Run, Runs, Shard, ShardError, Sharing,
    StartReason, Status, StoreError, Submission, Unused, UnusedFile, UnusedKind, Votes, WorkKind,
    WorkerCells,
};
