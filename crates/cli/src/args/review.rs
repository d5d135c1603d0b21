//! Arguments of the commands that look at a run, judge it and write the next experiment.

use clap::Args;
use std::path::PathBuf;

/// `maquette report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
}

/// `maquette diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The first run
    pub left: String,
    /// The second run
    #[arg(required_unless_present = "along")]
    pub right: Option<String>,
    /// Compare neighbours along this axis of one run instead, each picture with that of the next value
    #[arg(long, value_name = "AXIS", conflicts_with = "right")]
    pub along: Option<String>,
    /// Write the side-by-side sheets into this folder
    #[arg(long, value_name = "DIR")]
    pub sheets: Option<PathBuf>,
    /// Write a page for a browser into this folder
    #[arg(long, value_name = "DIR")]
    pub page: Option<PathBuf>,
    /// Open the page in the browser; without --page it is written into the runs folder
    #[arg(long)]
    pub open: bool,
    /// Print the differences as JSON
    #[arg(long)]
    pub json: bool,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("allowed: NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// `maquette review`.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// The runs: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    // (`--runs` has the other name.)
    #[arg(required = true, value_name = "RUN")]
    pub reviewed: Vec<String>,
    /// Port of the loopback address; any free port by default
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
    /// The model for masks: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL", default_value = maquette::MASK_MODEL)]
    pub mask_model: String,
}

/// `maquette votes`.
#[derive(Debug, Args)]
pub struct VotesArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `maquette next`.
#[derive(Debug, Args)]
pub struct NextArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// New file for the experiment; standard output by default
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Render the picks themselves again, with the same seeds: with twice the steps unless the options say otherwise
    #[arg(long)]
    pub promote: bool,
    /// With --promote: how many steps
    #[arg(long, value_name = "N", requires = "promote")]
    pub steps: Option<u32>,
    /// With --promote: how many times as wide and high; the steps stay unless --steps changes them
    #[arg(long, value_name = "FACTOR", requires = "promote")]
    pub scale: Option<f64>,
}

/// `maquette measure`.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    #[arg(required_unless_present = "list")]
    pub run: Option<String>,
    /// A metric to measure, see --list, or clip, siglip or sketchbook for all of its metrics; repeatable; the default is every
    /// metric that applies and needs no model, or a model that is named here
    #[arg(long, value_name = "NAME")]
    pub metric: Vec<String>,
    /// The CLIP model: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL")]
    pub clip: Option<String>,
    /// The SigLIP model, likewise
    #[arg(long, value_name = "MODEL")]
    pub siglip: Option<String>,
    /// The aesthetic predictor, likewise
    #[arg(long, value_name = "MODEL")]
    pub aesthetic: Option<String>,
    /// List the metrics
    #[arg(long, conflicts_with_all = ["run", "metric"])]
    pub list: bool,
}

/// `maquette effects`.
#[derive(Debug, Args)]
pub struct EffectsArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// The measure of distance between pictures: pixels, clip, siglip or sketchbook
    #[arg(long, value_name = "NAME")]
    pub measure: Option<String>,
    /// The metric of the curves, which must be in the log; the default is a likeness to the reference picture
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// The axis of numbers along which the curves run; strength by default
    #[arg(long, value_name = "AXIS")]
    pub along: Option<String>,
    /// The axis with a curve for each value; the first axis of words by default
    #[arg(long, value_name = "AXIS")]
    pub lines: Option<String>,
    /// The CLIP model for --measure clip: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL")]
    pub clip: Option<String>,
    /// The SigLIP model, likewise
    #[arg(long, value_name = "MODEL")]
    pub siglip: Option<String>,
    /// Print JSON and write no plots
    #[arg(long)]
    pub json: bool,
    /// Write the tables shares.csv, values.csv and curves.csv into this folder
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
}

/// `maquette animate`.
#[derive(Debug, Args)]
pub struct AnimateArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// The axis along which the pictures change
    #[arg(long, value_name = "AXIS")]
    pub along: String,
    /// Keep only this value of an axis
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub only: Vec<(String, String)>,
    /// The file to write, .webp or .gif
    #[arg(short, long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The time of each frame in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    pub seconds_per_frame: f64,
    /// Go back through the frames instead of starting again
    #[arg(long)]
    pub bounce: bool,
}
