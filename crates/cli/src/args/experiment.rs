//! Arguments of the commands that plan and render experiments.

use super::{BackendName, Progress};
use clap::Args;
use maquette::Dtype;
use std::path::PathBuf;

/// An experiment, and the overrides of the command line.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// The experiment file
    pub file: PathBuf,
    /// Set a setting or placeholder to one value, overriding the file
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Sweep a setting or placeholder over these values
    #[arg(long, value_name = "NAME=V,V")]
    pub sweep: Vec<String>,
    /// Keep only the cells with this value
    #[arg(long, value_name = "NAME=VALUE")]
    pub only: Vec<String>,
    /// Device to render on: auto, cpu, cuda, cuda:N or metal. Several with commas share the cells, as in cuda:0,cuda:1
    #[arg(long, default_value = "auto", env = "MAQUETTE_DEVICE")]
    pub device: String,
    /// Keep only those weights of a model in memory that fit, and read the others from their files for each call
    #[arg(long)]
    pub offload: bool,
    /// Precision of the weights: f32, f16 or bf16
    #[arg(long, value_parser = parse_dtype)]
    pub dtype: Option<Dtype>,
}

/// `maquette plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Number of cells to list
    #[arg(long, default_value_t = 8)]
    pub cells: usize,
    /// Whether to count drafts.
    #[command(flatten)]
    pub draft: DraftArgs,
}

/// Drafts before the pictures.
#[derive(Debug, Args)]
pub struct DraftArgs {
    /// Render a draft of every cell in few steps first, then the pictures, picked cells first and rejected ones last
    #[arg(long)]
    pub draft: bool,
    /// Denoising steps of a draft; by default a quarter of its picture's, at least 4
    #[arg(long, value_name = "N", requires = "draft", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub draft_steps: Option<u32>,
}

/// `maquette run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Render only one share of the cells: 2/4 is the second of four; auto, or auto/N, is the task's share of a job array
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Share the run with other workers: any number of processes with the same runs folder, on any machines
    #[arg(long, conflicts_with_all = ["shard", "draft"])]
    pub worker: bool,
    /// The worker's name in the state of the run; made of the machine and the process by default
    #[arg(long, value_name = "NAME", requires = "worker")]
    pub worker_name: Option<String>,
    /// Seconds without a sign of life after which a worker counts as dead; the same for all workers of a run
    #[arg(long, value_name = "N", requires = "worker", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub lease: u64,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Maximum rows per UNet call, two for each guided picture; chosen by picture size by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=256))]
    pub rows: Option<u32>,
    /// Do not draw sheets or write the page
    #[arg(long)]
    pub no_sheets: bool,
    /// Stop after the first cell that fails, when the cells in progress have ended; exits with 5
    #[arg(long, conflicts_with = "worker")]
    pub fail_fast: bool,
    /// Wait while another process renders into the run, instead of ending with an error
    #[arg(long, conflicts_with = "worker")]
    pub wait: bool,
    /// Open the page in the browser as soon as it is there; it fills in by itself
    #[arg(long, conflicts_with = "no_sheets")]
    pub open: bool,
    /// Whether to render drafts first.
    #[command(flatten)]
    pub draft: DraftArgs,
    /// What renders: the engine, or a fake for tests
    #[arg(long, value_enum, default_value_t = BackendName::Engine, hide = true)]
    pub backend: BackendName,
}

/// `maquette train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Copy the weights into this folder, named by their subjects
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

pub(super) fn parse_dtype(text: &str) -> Result<Dtype, String> {
    text.parse().map_err(|_| "allowed: f32, f16, bf16".to_owned())
}
