//! The command line: what may be typed. What it means is the commands' business.

use clap::{Args, Parser, Subcommand, ValueEnum};
use maquette::Dtype;
use std::path::PathBuf;

/// Prompt experiments with diffusion models: one TOML file in, labelled contact sheets and a log of every setting out.
#[derive(Debug, Parser)]
#[command(name = "maquette", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command understands.
    #[command(flatten)]
    pub common: Common,
}

/// What every command understands.
#[derive(Debug, Args)]
pub struct Common {
    /// The folder of the results
    #[arg(long, global = true, value_name = "DIR", default_value = "runs", env = "MAQUETTE_RUNS")]
    pub runs: PathBuf,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what an experiment would do, and what it would cost
    #[command(after_help = about_values("maquette plan experiments/mucha.toml --sweep seed=1,2"))]
    Plan(PlanArgs),
    /// Run an experiment: resumes, reuses, and prints the paths of its sheets last
    #[command(after_help = about_values(
        "maquette run experiments/mucha.toml --set steps=30 --only artist=\"Edvard Munch\""
    ))]
    Run(RunArgs),
    /// Draw the sheets of a run again
    #[command(after_help = "Example: maquette report mucha@latest")]
    Report(ReportArgs),
    /// Compare two runs: settings, cells and pixels; ends with 6 when they differ
    #[command(after_help = "Example: maquette diff mucha@1 mucha@latest")]
    Diff(DiffArgs),
    /// Show what made a picture, ours or another tool's
    #[command(
        after_help = "Example: maquette show runs/mucha/latest/images/alphonse-mucha-0a1b2c3d.png --toml"
    )]
    Show(ShowArgs),
    /// Render a picture again and compare; ends with 6 when it is different
    #[command(
        after_help = "Identical: every pixel is the same. Close: the peak signal-to-noise ratio is 40 dB or more and no \
                      colour is off by more than 32 of 255 levels. Different: anything else.\n\nExample: maquette \
                      reproduce runs/mucha/latest/images/alphonse-mucha-0a1b2c3d.png"
    )]
    Reproduce(ReproduceArgs),
    /// Check a run: its pictures, its log, and some cells rendered again; ends with 6 when something is wrong
    #[command(after_help = "Example: maquette verify mucha@latest --sample 8")]
    Verify(VerifyArgs),
    /// List the runs
    #[command(after_help = "Example: maquette runs")]
    Runs,
    /// List the models that are bundled or in the hub's cache, or fetch one
    #[command(after_help = "Example: maquette models fetch CompVis/stable-diffusion-v1-4 --dtype f16")]
    Models {
        /// Nothing lists them.
        #[command(subcommand)]
        command: Option<ModelsCommand>,
    },
    /// Print the JSON Schema of the experiment file, for editors
    #[command(after_help = "Example: maquette schema > experiments/experiment.schema.json")]
    Schema,
    /// Print the completions of a shell
    #[command(
        after_help = "Example: maquette completions bash > ~/.local/share/bash-completion/completions/maquette"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// An experiment, and what the command line changes in it.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// The experiment file
    pub file: PathBuf,
    /// Give a setting or placeholder one value, whatever the file says
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Sweep a setting or placeholder over these values
    #[arg(long, value_name = "NAME=V,V")]
    pub sweep: Vec<String>,
    /// Keep only the cells with this value
    #[arg(long, value_name = "NAME=VALUE")]
    pub only: Vec<String>,
    /// Where to compute: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", env = "MAQUETTE_DEVICE")]
    pub device: String,
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
    /// How many cells to list
    #[arg(long, default_value_t = 8)]
    pub cells: usize,
}

/// `maquette run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Render only this part of the cells, such as 2/4
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Most rows of one UNet call, two for each guided picture; chosen by size when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=256))]
    pub rows: Option<u32>,
    /// Draw no sheets
    #[arg(long)]
    pub no_sheets: bool,
    /// What renders: the engine, or a fake for tests
    #[arg(long, value_enum, default_value_t = BackendName::Engine, hide = true)]
    pub backend: BackendName,
}

/// What to do about models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Download a model from the hub into the cache, or what is new of it, and print its folder
    Fetch(FetchArgs),
}

/// `maquette models fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The repository: OWNER/NAME or OWNER/NAME@REVISION
    pub model: String,
    /// Weights in half precision are preferred for f16; the default is what this machine would render in
    #[arg(long, value_parser = parse_dtype)]
    pub dtype: Option<Dtype>,
    /// With the model's safety checker, if it has one
    #[arg(long)]
    pub safety_checker: bool,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

/// `maquette report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
}

/// `maquette diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The one run
    pub left: String,
    /// The other
    pub right: String,
    /// Write the side-by-side sheets into this folder
    #[arg(long, value_name = "DIR")]
    pub sheets: Option<PathBuf>,
    /// Print the differences as JSON
    #[arg(long)]
    pub json: bool,
}

/// `maquette show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A picture or sheet that maquette made, or a picture of A1111, ComfyUI, SwarmUI or InvokeAI
    pub image: PathBuf,
    /// Print JSON
    #[arg(long, conflicts_with = "toml")]
    pub json: bool,
    /// Print an experiment file that makes it again
    #[arg(long)]
    pub toml: bool,
}

/// `maquette reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// A picture that maquette made, or one of A1111, ComfyUI, SwarmUI or InvokeAI
    pub image: PathBuf,
    /// Give a setting another value than the picture's; being different is then no failure
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Write the new picture into this file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Where and how to render.
    #[command(flatten)]
    pub again: AgainArgs,
}

/// `maquette verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// How many cells to render again, spread evenly over the run; 0 for none
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub sample: usize,
    /// Pick other cells: the same number picks the same ones
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where and how to render.
    #[command(flatten)]
    pub again: AgainArgs,
}

/// Where and how to render something again.
#[derive(Debug, Args)]
pub struct AgainArgs {
    /// Where to compute: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", env = "MAQUETTE_DEVICE")]
    pub device: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// What renders: the engine, or a fake for tests
    #[arg(long, value_enum, default_value_t = BackendName::Engine, hide = true)]
    pub backend: BackendName,
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// Bars on a terminal, lines elsewhere
    Auto,
    /// A line per cell
    Plain,
    /// A JSON object per line
    Json,
    /// Nothing
    None,
}

/// What renders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// The real engine
    Engine,
    /// A fake that paints from a cell's name, for tests
    Fake,
}

/// How the options that change an experiment read values, and an example.
fn about_values(example: &str) -> String {
    let rule = "\
Values: what parses as a TOML value is that value, anything else is text as it is. Commas separate
values except within quotes and brackets: --sweep \"artist='Mucha, Alphonse',Klimt\". An empty value
is empty text. --only takes several values as a list in brackets, or is given again.";
    format!("{rule}\n\nExample: {example}")
}

fn parse_dtype(word: &str) -> Result<Dtype, String> {
    word.parse().map_err(|_| "allowed: f32, f16, bf16".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }
}
