//! The command line: commands, options and their help texts. The commands interpret them.

use clap::{Args, Parser, Subcommand, ValueEnum};
use maquette::{Dtype, SheetPlace};
use std::path::PathBuf;

/// Prompt experiments with diffusion models: one TOML file in, labelled contact sheets and a log of every setting out.
#[derive(Debug, Parser)]
#[command(name = "maquette", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// The options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Folder for runs and their results
    #[arg(long, global = true, value_name = "DIR", default_value = "runs", env = "MAQUETTE_RUNS")]
    pub runs: PathBuf,
    /// Suppress notes and progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what an experiment would do and what it would cost
    #[command(after_help = values_help("maquette plan experiments/mucha.toml --sweep seed=1,2"))]
    Plan(PlanArgs),
    /// Run an experiment: render missing cells, reuse finished ones, print the paths of the log and sheets
    #[command(after_help = values_help(
        "maquette run experiments/mucha.toml --set steps=30 --only artist=\"Edvard Munch\""
    ))]
    Run(RunArgs),
    /// Redraw the sheets of a run
    #[command(after_help = "Example: maquette report mucha@latest")]
    Report(ReportArgs),
    /// Compare two runs: settings, cells and pixels; exits with 6 if they differ
    #[command(after_help = "Example: maquette diff mucha@1 mucha@latest")]
    Diff(DiffArgs),
    /// Show how a picture was made, by Maquette or another tool
    #[command(
        after_help = "Examples:\n  maquette show runs/mucha/latest/images/alphonse-mucha-0a1b2c3d.png --toml\n  maquette \
                      show runs/mucha/latest/sheets/seed-7.png --at 3,2"
    )]
    Show(ShowArgs),
    /// Render a picture again and compare; exits with 6 if the result is different
    #[command(
        after_help = "Identical: every pixel is the same. Close: the peak signal-to-noise ratio is 40 dB or more and no \
                      channel differs by more than 32 of 255 levels. Different: anything else.\n\nExample: maquette \
                      reproduce runs/mucha/latest/images/alphonse-mucha-0a1b2c3d.png"
    )]
    Reproduce(ReproduceArgs),
    /// Check a run's pictures and log, and render some cells again; exits with 6 if anything is wrong
    #[command(after_help = "Example: maquette verify mucha@latest --sample 8")]
    Verify(VerifyArgs),
    /// Copy a run's pictures and settings into a folder for other programs
    #[command(
        after_help = "The folder can be loaded with Hugging Face's datasets: load_dataset(\"imagefolder\", \
                      data_dir=\"mucha-pictures\").\n\nExample: maquette export mucha@latest --imagefolder mucha-pictures"
    )]
    Export(ExportArgs),
    /// Make an animation of a run along an axis, as a WebP or GIF file
    #[command(
        after_help = "The animation is a grid like the contact sheet's, whose pictures change together. Other axes than its \
                      rows and columns make a file for each of their combinations.\n\nExample: maquette animate \
                      mucha@latest --along strength --only seed=7 -o mucha.gif"
    )]
    Animate(AnimateArgs),
    /// List the runs
    #[command(after_help = "Example: maquette runs")]
    Runs(RunsArgs),
    /// Remove what no run uses any more, or a run; says first what it frees
    #[command(
        after_help = "Removed are pictures of cells that no run has, drafts and thumbnails that were replaced, and temporary \
                      files of killed processes. Picked cells, files of runs that are being rendered and files that are not \
                      Maquette's are kept. Without --yes it asks on a terminal, and removes nothing elsewhere.\n\nExample: \
                      maquette clean --run mucha@1"
    )]
    Clean(CleanArgs),
    /// Give an experiment's runs another name, or a single run
    #[command(
        after_help = "To resume a renamed run, rename its experiment file, too. Other runs' logs and experiments may name the \
                      former name, which still finds the run.\n\nExamples:\n  maquette rename mucha portraits\n  maquette \
                      rename mucha@2 best"
    )]
    Rename(RenameArgs),
    /// List the models that are bundled or in the hub's cache, or download one
    #[command(after_help = "Example: maquette models fetch CompVis/stable-diffusion-v1-4 --dtype f16")]
    Models {
        /// Without a subcommand, the models are listed.
        #[command(subcommand)]
        command: Option<ModelsCommand>,
    },
    /// Print the JSON Schema of the experiment file, for editors
    #[command(after_help = "Example: maquette schema > experiments/experiment.schema.json")]
    Schema,
    /// Print a completion script for a shell
    #[command(
        after_help = "Example: maquette completions bash > ~/.local/share/bash-completion/completions/maquette"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

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
    /// Device to render on: auto, cpu, cuda, cuda:N or metal
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
    /// Render only one share of the cells: 2/4 is the second of four
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Maximum rows per UNet call, two for each guided picture; chosen by picture size by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=256))]
    pub rows: Option<u32>,
    /// Do not draw sheets
    #[arg(long)]
    pub no_sheets: bool,
    /// Whether to render drafts first.
    #[command(flatten)]
    pub draft: DraftArgs,
    /// What renders: the engine, or a fake for tests
    #[arg(long, value_enum, default_value_t = BackendName::Engine, hide = true)]
    pub backend: BackendName,
}

/// What to do about models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Download what is missing of a model from the hub into the cache, and print its folder
    Fetch(FetchArgs),
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

/// `maquette report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
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

/// `maquette diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The first run
    pub left: String,
    /// The second run
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
    /// A picture or sheet made by Maquette, or a picture made by another tool
    pub image: PathBuf,
    /// One cell of a sheet: its column and row, counted from 1 at the top left
    #[arg(long, value_name = "COLUMN,ROW", value_parser = parse_place)]
    pub at: Option<SheetPlace>,
    /// Print JSON
    #[arg(long, conflicts_with = "toml")]
    pub json: bool,
    /// Print an experiment file that makes the picture or the sheet again
    #[arg(long)]
    pub toml: bool,
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

/// `maquette reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// A picture made by Maquette or another tool: A1111, ComfyUI, SwarmUI, InvokeAI, Fooocus, NovelAI
    pub image: PathBuf,
    /// Override a setting of the picture; a different result is then not a failure
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Write the new picture to this file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Where and how to render.
    #[command(flatten)]
    pub render: RenderArgs,
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

/// Where and how to render something again.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// Device to render on: auto, cpu, cuda, cuda:N or metal
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
    /// A fake for tests, which draws stripes from a cell's name
    Fake,
}

/// How the options that change an experiment parse values, and an example.
fn values_help(example: &str) -> String {
    let rule = "\
Values: text that parses as a TOML value is that value; anything else is plain text. Commas separate
values except inside quotes and brackets: --sweep \"artist='Mucha, Alphonse',Klimt\". An empty value
is empty text. To give --only several values, repeat it or use a list in brackets.";
    format!("{rule}\n\nExample: {example}")
}

/// A place on a sheet: `3,2` is the third column, second row.
fn parse_place(text: &str) -> Result<SheetPlace, String> {
    let numbers = text.split_once(',').and_then(|(column, row)| {
        Some(SheetPlace { column: column.trim().parse().ok()?, row: row.trim().parse().ok()? })
    });
    numbers.ok_or_else(|| "allowed: COLUMN,ROW, counted from 1, such as 3,2".to_owned())
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("allowed: NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parse_dtype(text: &str) -> Result<Dtype, String> {
    text.parse().map_err(|_| "allowed: f32, f16, bf16".to_owned())
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
