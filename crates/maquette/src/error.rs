//! The errors of the library and their kinds.

use maquette_core::{CellId, SettingError};
use maquette_diffusion::DeviceError;
use maquette_executor::ExecuteError;
use maquette_hub::{HubError, RepositoryError};
use maquette_interop::{NoSuchPlace, SheetMap};
use maquette_metrics::ModelError;
use maquette_picture::PictureError;
use maquette_planner::PlanError;
use maquette_reporter::{AlongError, PlotError, SheetError};
use maquette_store::StoreError;
use maquette_trainer::TrainError;
use std::path::PathBuf;

/// What can go wrong. [`Error::hint`] says what to do about it, [`Error::kind`] what kind of failure it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The experiment, or something it names, is invalid. Holds every problem with its place in the file.
    #[error("the experiment is invalid")]
    Plan(#[from] PlanError),
    /// The device does not exist, or this build cannot use it.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The runs folder, or a file in it, cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A picture cannot be read or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A model cannot be fetched from the hub.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Text that is not the name of a repository on the hub.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The run ended early.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A plan has a value that its setting does not allow; the planner never writes one.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The sheets of a plan cannot be laid out.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// Neighbours along an axis cannot be compared.
    #[error(transparent)]
    Along(#[from] AlongError),
    /// A picture without metadata that says how it was made.
    #[error("`{}` has no metadata that says how it was made{}", image.display(), list(unreadable))]
    NoOrigin {
        /// The picture.
        image: PathBuf,
        /// Texts in it that could not be read, each a sentence without its full stop.
        unreadable: Vec<String>,
    },
    /// A contact sheet, where a single picture is needed.
    #[error("`{}` is a contact sheet, not a single picture", image.display())]
    IsASheet {
        /// The sheet.
        image: PathBuf,
        /// The cells on it.
        sheet: Box<SheetMap>,
    },
    /// A picture made by another tool whose metadata does not name a model, where one is needed.
    #[error("the metadata of `{}` does not name a model", image.display())]
    NoModel {
        /// The picture.
        image: PathBuf,
    },
    /// A run without the picks or votes that the next experiment is made from.
    #[error("{run} has {}", nothing(*votes, *rejected, *promote))]
    NothingPicked {
        /// The run.
        run: String,
        /// How many votes it has, of which none enters a ranking.
        votes: usize,
        /// How many of its cells are rejected.
        rejected: usize,
        /// Whether the picks were to be rendered again.
        promote: bool,
    },
    /// A run of which every winning combination was rejected.
    #[error("nothing is left of {run}: every combination of the values that stay is rejected or excluded")]
    NothingLeft {
        /// The run.
        run: String,
    },
    /// Picks that cannot be rendered again as requested.
    #[error("the picks cannot be rendered so: {why}")]
    CannotPromote {
        /// The reason, a sentence without its full stop.
        why: String,
    },
    /// A file that would be overwritten.
    #[error("`{}` exists; allowed: a new file", file.display())]
    FileExists {
        /// The file.
        file: PathBuf,
    },
    /// A model for metrics, captions or masks that is not on this machine.
    #[error("no model is called `{name}` on this machine")]
    NoVisionModel {
        /// The name as written.
        name: String,
        /// What is allowed, and the command that downloads the model.
        hint: String,
    },
    /// A model for metrics, captions or masks that cannot be used.
    #[error(transparent)]
    Vision(#[from] ModelError),
    /// A point that is not in its picture.
    #[error("{} {width}x{height} pixels", match point {
        Some((x, y)) => format!("the point {x},{y} is outside of the picture, which has"),
        None => "no point is given; the picture has".to_owned(),
    })]
    OutsidePicture {
        /// The point; `None` if none is given.
        point: Option<(f64, f64)>,
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
    },
    /// A cell of a run that has no such picture.
    #[error("the cell {} of {run} has no {what}", cell.short())]
    NoPicture {
        /// The cell.
        cell: CellId,
        /// The run.
        run: String,
        /// What it lacks: `finished picture` or `reference picture`.
        what: &'static str,
    },
    /// A name that is not a metric's.
    #[error("`{name}` is not a metric")]
    UnknownMetric {
        /// The name.
        name: String,
        /// What is allowed.
        hint: String,
    },
    /// A name that is not a measure of distance between pictures.
    #[error("`{name}` is not a measure of pictures")]
    UnknownMeasure {
        /// The name.
        name: String,
        /// The measures.
        allowed: Vec<String>,
    },
    /// A metric that is not in the log of a run.
    #[error("the log of {run} has no numbers of `{metric}`")]
    NotMeasured {
        /// The metric.
        metric: String,
        /// The run.
        run: String,
    },
    /// A name that is not an axis of a run.
    #[error("`{name}` is not an axis of the run")]
    NoSuchAxis {
        /// The name.
        name: String,
        /// The axes.
        axes: Vec<String>,
    },
    /// A plot cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The pictures cannot be measured.
    #[error("{0}")]
    Metrics(String),
    /// An animation that cannot be made.
    #[error("{0}")]
    Animation(String),
    /// A picture that is not a contact sheet, where one is needed.
    #[error("`{}` is not a contact sheet, so it has no columns and rows", image.display())]
    NotASheet {
        /// The picture.
        image: PathBuf,
    },
    /// A sheet without a cell at the requested place.
    #[error(transparent)]
    NoSuchPlace(#[from] NoSuchPlace),
    /// A sheet that does not say what was asked for, and whose run was not found.
    #[error("`{}` does not contain {what}: it was made by an older version, or was too large", image.display())]
    SheetLacks {
        /// The sheet.
        image: PathBuf,
        /// What it lacks.
        what: &'static str,
        /// The experiment's name.
        run: String,
    },
    /// An experiment without a subject to train.
    #[error("{experiment} has nothing to train")]
    NoTraining {
        /// The experiment's name.
        experiment: String,
    },
    /// An experiment with a subject to train, in a bucket.
    #[error(
        "`{subject}` cannot be trained in a bucket: the weights of a training are kept in a folder for runs"
    )]
    TrainingInBucket {
        /// The subject.
        subject: String,
    },
    /// A training failed.
    #[error("the training of `{subject}` failed")]
    Train {
        /// The subject.
        subject: String,
        /// Why.
        source: Box<TrainError>,
    },
    /// The only cell to render failed.
    #[error("{0}")]
    CellFailed(String),
}

/// The kind of an error: the binary has an exit code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The experiment, or something it names, is invalid.
    Experiment,
    /// A run, picture or model was not found or cannot be read.
    NotFound,
    /// A cell failed.
    CellFailed,
    /// Anything else: a full disk, a device that stopped, a damaged plan.
    Unexpected,
}

impl Error {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Plan(_) | Error::Device(_) | Error::UnknownMetric { .. } => ErrorKind::Experiment,
            Error::Store(error) if error.is_write() => ErrorKind::Unexpected,
            Error::Picture(PictureError::Encode { .. } | PictureError::Animation { .. }) => {
                ErrorKind::Unexpected
            }
            Error::CellFailed(_) | Error::Train { .. } => ErrorKind::CellFailed,
            Error::NoTraining { .. } | Error::TrainingInBucket { .. } => ErrorKind::Experiment,
            Error::Execute(_)
            | Error::Setting(_)
            | Error::Sheet(_)
            | Error::Plot(_)
            | Error::FileExists { .. } => ErrorKind::Unexpected,
            _ => ErrorKind::NotFound,
        }
    }

    /// Whether another process renders into the run, so that it is worth trying again later.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Error::Store(StoreError::Locked { .. }))
    }

    /// What to do about it, in a sentence. Of several problems with an experiment, each has its own.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Plan(error) => match &error.problems[..] {
                [problem] if error.more == 0 => problem.hint().map(str::to_owned),
                _ => None,
            },
            Error::Store(error) => error.hint(),
            Error::Picture(error) => error.hint(),
            Error::Hub(error) => error.hint(),
            Error::Execute(error) => error.hint(),
            Error::NoOrigin { .. } => Some(
                "allowed: a picture made by Maquette, or a PNG, JPEG or WebP file with metadata of A1111, ComfyUI, \
                 SwarmUI, InvokeAI, Fooocus or NovelAI. Chat apps and image editors often remove metadata."
                    .to_owned(),
            ),
            Error::IsASheet { image, .. } => Some(format!(
                "`maquette show {} --at COLUMN,ROW --toml` is the experiment of one of its cells.",
                image.display()
            )),
            Error::SheetLacks { run, .. } => Some(format!(
                "Where the run `{run}` is, `maquette report {run}` draws its sheets again, with everything in them."
            )),
            Error::Animation(problem) if problem.contains("too large") || problem.contains("megapixels") => {
                Some("Select values with `--only NAME=VALUE`.".to_owned())
            }
            Error::NoVisionModel { hint, .. } => Some(hint.clone()),
            Error::UnknownMetric { hint, .. } => Some(hint.clone()),
            Error::UnknownMeasure { allowed, .. } => Some(format!("allowed: {}", allowed.join(", "))),
            Error::NoSuchAxis { axes, .. } if axes.is_empty() => Some("It has no axes.".to_owned()),
            Error::NoSuchAxis { axes, .. } => Some(format!("allowed: {}", axes.join(", "))),
            Error::NotMeasured { metric, run } => {
                Some(format!("Measure it: `maquette measure {run} --metric {metric}`."))
            }
            Error::NoTraining { .. } => Some(
                "Describe a subject in a table `[subject.me]` with `images` and `word`, and add `subject = [\"none\", \"me\"]` to [sweep]."
                    .to_owned(),
            ),
            Error::TrainingInBucket { .. } => Some(
                "Train it with `maquette train FILE --out DIR`, and name its weights in the experiment.".to_owned(),
            ),
            Error::NoModel { .. } => Some("Name the model with `--set model=NAME`.".to_owned()),
            Error::NothingPicked { run, .. } => Some(format!(
                "Mark pictures as picks or vote between them with `maquette review {run}`, then try again."
            )),
            Error::NothingLeft { run } => Some(format!("Take back some rejections with `maquette review {run}`.")),
            _ => None,
        }
    }
}

/// What a run has in place of picks.
fn nothing(votes: usize, rejected: usize, promote: bool) -> String {
    let count = |count: usize, one: &str, more: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {more}")),
    };
    let votes = count(votes, "vote that decides nothing", "votes that decide nothing").filter(|_| !promote);
    let rejected = count(rejected, "rejected cell", "rejected cells");
    let only: Vec<String> = [votes, rejected].into_iter().flatten().collect();
    let missing = if promote { "no picks" } else { "no picks and no votes to go by" };
    if only.is_empty() { missing.to_owned() } else { format!("{missing}, only {}", only.join(" and ")) }
}

/// An error and its causes, in one sentence.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn list(unreadable: &[String]) -> String {
    unreadable.iter().map(|problem| format!("; {problem}")).collect()
}
