//! The command line: commands, options and their help texts. The commands interpret them.

mod experiment;
mod picture;
mod review;
mod runs;
mod submit;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use experiment::*;
pub use picture::*;
pub use review::*;
pub use runs::*;
use std::path::PathBuf;
pub use submit::*;

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
    /// Folder for runs and their results; for workers also a bucket, as s3://BUCKET/PREFIX
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
    /// Do the trainings of an experiment without rendering its cells, and print the paths of the weights
    #[command(
        after_help = "An interrupted training goes on where it stopped. The files are LoRAs and textual inversions that diffusers, \
                      A1111 and ComfyUI load, too.\n\nExample: maquette train experiments/teach-a-face.toml --out loras"
    )]
    Train(TrainArgs),
    /// Hand an experiment to a queue, as workers that share its run; prints the number of their job
    #[command(
        after_help = "The scripts are written into the run's folder under submit/. Options after -- go to sbatch or hq. The runs folder, the \
                      experiment and what it names must be on a file system that the nodes share; the runs may be in a bucket, whose \
                      keys are in no script. With --slurm a job reports after the workers; elsewhere the last worker does.\n\nExample: maquette submit \
                      experiments/mucha.toml --slurm --workers 8 -- --partition=gpu --gres=gpu:1 --time=4:00:00"
    )]
    Submit(SubmitArgs),
    /// Show how far a run is, by worker, and what the queue says
    #[command(after_help = "Example: maquette status mucha@latest")]
    Status(StatusArgs),
    /// Copy a run from a bucket into a folder, where every command works on it
    #[command(
        after_help = "Again, it brings the copy up to date; picks and votes in it stay.\n\nExample: maquette pull mucha@latest runs \
                      --runs s3://bucket/runs"
    )]
    Pull(PullArgs),
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
        after_help = "The pages are served on this machine only (127.0.0.1), at an address with a random token. Masks from \
                      clicks need a Segment Anything model. Download the default one (375 MB) with: maquette models fetch \
                      facebook/sam-vit-base\n\nExample: maquette review mucha@latest --open"
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
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Of models in files that lack a part, such as a text encoder, the list says which one to add.\n\nExamples:\n  \
                      maquette models\n  maquette models ComfyUI/models/checkpoints ComfyUI/models/diffusion_models\n  maquette \
                      models fetch CompVis/stable-diffusion-v1-4 --dtype f16"
    )]
    Models {
        /// Without a subcommand, the models are listed.
        #[command(subcommand)]
        command: Option<ModelsCommand>,
        /// List the models in these folders and files instead
        paths: Vec<PathBuf>,
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

/// What to do about models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Download what is missing of a model from the hub into the cache, and print its folder
    Fetch(FetchArgs),
}

/// Where and how to render something again.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// Device to render on: auto, cpu, cuda, cuda:N or metal; of several, the first
    #[arg(long, default_value = "auto", env = "MAQUETTE_DEVICE")]
    pub device: String,
    /// Keep only those weights of a model in memory that fit, and read the others from their files for each call
    #[arg(long)]
    pub offload: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }
}
