//! Arguments of the commands that hand runs to a queue and follow them.

use super::{BackendName, ExperimentArgs};
use clap::{ArgGroup, Args, ValueEnum};
use maquette::Dtype;
use std::path::PathBuf;

/// `maquette submit`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("queue").required(true))]
pub struct SubmitArgs {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Submit to Slurm, with sbatch
    #[arg(long, group = "queue")]
    pub slurm: bool,
    /// Submit to HyperQueue, with hq
    #[arg(long, group = "queue")]
    pub hyperqueue: bool,
    /// Write the manifest of a job for Kubernetes, and print the command that submits it
    #[arg(long, group = "queue", requires = "image", conflicts_with = "options")]
    pub kubernetes: bool,
    /// Kubernetes: the image, with maquette in it
    #[arg(long, value_name = "IMAGE", requires = "kubernetes")]
    pub image: Option<String>,
    /// Kubernetes: the claim of a volume that all pods can write to; without one, runs are in a bucket, and pods get the text of the
    /// experiment alone
    #[arg(long, value_name = "CLAIM", requires = "kubernetes")]
    pub claim: Option<String>,
    /// Kubernetes: the folder of that volume, here and in the pods; experiment and runs are in it
    #[arg(long, value_name = "DIR", default_value = ".", requires = "kubernetes")]
    pub mount: PathBuf,
    /// Kubernetes: a secret whose keys are the variables that a bucket needs, such as AWS_ACCESS_KEY_ID
    #[arg(long, value_name = "SECRET", requires = "kubernetes")]
    pub secret: Option<String>,
    /// Number of workers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub workers: u32,
    /// Maximum rows per UNet call, two for each guided picture; chosen by picture size by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=256))]
    pub rows: Option<u32>,
    /// Seconds without a sign of life after which a worker counts as dead
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub lease: u64,
    /// Options of the queue's own command, such as --partition=gpu
    #[arg(last = true, value_name = "OPTION")]
    pub options: Vec<String>,
    /// What renders: the engine, or a fake for tests
    #[arg(long, value_enum, default_value_t = BackendName::Engine, hide = true)]
    pub backend: BackendName,
}

/// `maquette status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The run: mucha, mucha@2, mucha@latest, a unique beginning, or a path
    pub run: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `maquette pull`.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// The run: mucha, mucha@2, mucha@latest, or a unique beginning
    pub run: String,
    /// The folder for runs to copy it into
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

impl SubmitArgs {
    /// The arguments of each worker that depend on these, with the precision that was planned.
    pub fn worker_arguments(&self, dtype: Option<Dtype>) -> Vec<String> {
        let ExperimentArgs { file: _, set, sweep, only, device, offload, dtype: _ } = &self.experiment;
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
        set.iter().for_each(|value| add("--set", value));
        sweep.iter().for_each(|value| add("--sweep", value));
        only.iter().for_each(|value| add("--only", value));
        if let Some(dtype) = dtype {
            add("--dtype", dtype.as_str());
        }
        add("--device", device);
        if let Some(rows) = self.rows {
            add("--rows", &rows.to_string());
        }
        add("--lease", &self.lease.to_string());
        if self.backend == BackendName::Fake
            && let Some(name) = self.backend.to_possible_value()
        {
            add("--backend", name.get_name());
        }
        if *offload {
            arguments.push("--offload".to_owned());
        }
        arguments
    }
}
