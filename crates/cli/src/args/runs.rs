//! Arguments of the commands on runs as a whole, and on models.

use super::{Progress, RenderArgs, experiment::parse_dtype};
use clap::Args;
use maquette::Dtype;
use std::path::PathBuf;

/// `maquette runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `maquette clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Remove this run, and the cells that no other run uses
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Remove the run even if cells of it are picked
    #[arg(long, requires = "run")]
    pub with_picks: bool,
    /// Remove without asking
    #[arg(long)]
    pub yes: bool,
}

/// `maquette rename`.
#[derive(Debug, Args)]
pub struct RenameArgs {
    /// An experiment, such as mucha: all of its runs; or a run, such as mucha@2
    pub run: String,
    /// The new name: letters, digits, `-`, `_` and `.`
    pub name: String,
}

/// `maquette export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// New or empty folder for the pictures and a metadata.csv with their settings, a Hugging Face ImageFolder
    #[arg(long, value_name = "DIR")]
    pub imagefolder: PathBuf,
}

/// `maquette verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// Number of cells to render again, spread evenly over the run; 0 for none
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub sample: usize,
    /// Seed for a random choice of cells; the same seed picks the same cells
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where and how to render.
    #[command(flatten)]
    pub render: RenderArgs,
}

/// `maquette models fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The repository: OWNER/NAME or OWNER/NAME@REVISION
    pub model: String,
    /// Precision to render in; f16 prefers half-precision weights; the default is the device's precision
    #[arg(long, value_parser = parse_dtype)]
    pub dtype: Option<Dtype>,
    /// Also download the model's safety checker, if it has one
    #[arg(long)]
    pub safety_checker: bool,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}
