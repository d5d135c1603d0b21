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
    /// Run an experiment: render missing cells, reuse finished ones, print the paths of the log, sheets and page
    #[command(after_help = values_help(
        "maquette run experiments/mucha.toml --set steps=30 --only artist=\"Edvard Munch\""
    ))]
    Run(RunArgs),
    /// Make the sheets and the page of a run again
    #[command(after_help = "Example: maquette report mucha@latest --open")]
    Report(ReportArgs),
    /// Compare two runs, or neighbours inside one: settings, cells and pixels; exits with 6 if they differ
    #[command(
        after_help = "Examples:\n  maquette diff mucha@1 mucha@latest --open\n  maquette diff mucha --along strength"
    )]
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
    /// Review runs in the browser: picks, rejections, notes and blind votes, saved in the run folders as they are made
    #[command(
        after_help = "The pages are served on this machine only (127.0.0.1), at an address that nobody can guess.\n\nExample: \
                      maquette review mucha@latest --open"
    )]
    Review(ReviewArgs),
    /// Rank the values of every axis by the votes
    #[command(after_help = "Example: maquette votes mucha@latest")]
    Votes(VotesArgs),
    /// Write the next experiment from picks and votes: winning values, finer ranges, new seeds
    #[command(
        after_help = "Examples: maquette next mucha@latest -o experiments/mucha-2.toml\n          maquette next \
                            mucha@latest --promote --scale 2 -o experiments/mucha-best.toml"
    )]
    Next(NextArgs),
    /// Measure the pictures of a run: metrics become columns at the end of its log
    #[command(after_help = "Example: maquette measure mucha@latest --metric ssim --metric sharpness")]
    Measure(MeasureArgs),
    /// Show which setting mattered: how much the pictures of a run change along each axis
    #[command(
        after_help = "The plots are written into the run's folder under plots/, and the effects into effects.json.\n\n\
                      Example: maquette effects mucha@latest --metric ssim --csv mucha-effects"
    )]
    Effects(EffectsArgs),
    /// Copy a run's pictures and settings into a folder for other programs
    #[command(
        after_help = "The folder can be loaded with Hugging Face's datasets: load_dataset(\"imagefolder\", \
                      data_dir=\"mucha-pictures\").\n\nExample: maquette export mucha@latest --imagefolder mucha-pictures"
    )]
    Export(ExportArgs),
    /// Describe a photo in a sentence, to start a prompt from
    #[command(
        after_help = "The model is a BLIP model in transformers' layout. Download the default one (990 MB) with: maquette models \
                      fetch Salesforce/blip-image-captioning-base@refs/pr/38\n\nExample: maquette describe photo.jpg"
    )]
    Describe(DescribeArgs),
    /// Make a mask of the thing at a point of a photo
    #[command(
        after_help = "In a mask, white is repainted and black is kept. What is at the point becomes white; with --invert it \
                      becomes black, so that a face at the point stays and everything around it is free. Several points select one \
                      thing that contains all of them.\n\nThe model is a Segment Anything model in transformers' layout. Download \
                      the default one (375 MB) with: maquette models fetch facebook/sam-vit-base\n\nExample: maquette mask \
                      photo.jpg --at 256,200 --invert -o face-kept.png"
    )]
    Mask(MaskArgs),
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
    /// Do not draw sheets or write the page
    #[arg(long)]
    pub no_sheets: bool,
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
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
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
    /// A metric to measure, see --list; repeatable; the default is every metric that needs no model and applies
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
    /// The measure of distance between pictures: pixels, or a model
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
    /// Print JSON and write no plots
    #[arg(long)]
    pub json: bool,
    /// Write the tables shares.csv, values.csv and curves.csv into this folder
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
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

/// `maquette describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The photo
    pub photo: PathBuf,
    /// The model: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL", default_value = maquette::CAPTION_MODEL)]
    pub model: String,
}

/// `maquette mask`.
#[derive(Debug, Args)]
pub struct MaskArgs {
    /// The photo
    pub photo: PathBuf,
    /// A point of the thing, in pixels from the top left of the photo; may be repeated
    #[arg(long, value_name = "X,Y", required = true, value_parser = parse_point)]
    pub at: Vec<(f64, f64)>,
    /// Write the mask to this file, a PNG
    #[arg(short, long, value_name = "FILE", default_value = "mask.png")]
    pub output: PathBuf,
    /// Keep the thing and repaint everything else
    #[arg(long)]
    pub invert: bool,
    /// The model: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL", default_value = maquette::MASK_MODEL)]
    pub model: String,
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

fn parse_point(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let point = text.split_once(',').and_then(|(x, y)| number(x).zip(number(y)));
    point.ok_or_else(|| "allowed: two numbers, such as 256,200".to_owned())
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
