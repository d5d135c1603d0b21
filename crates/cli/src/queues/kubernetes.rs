//! Kubernetes: the manifest of an indexed job whose pods are workers. `kubectl apply` submits it.

use super::jobs::{self, Jobs};
use crate::exit::{Exit, Failure};
use std::io::Error;
use std::path::{Path, PathBuf};

/// How long a pod may take to finish its cells in flight, in seconds.
const GRACE: u32 = 120;

/// How often a worker is started again that was evicted or died.
const RESTARTS: u32 = 10;

/// Where the experiment is in pods without a volume.
const EXPERIMENT: &str = "/experiment";

/// Where the pods run.
pub struct Pods {
    /// The image, with `maquette` in it.
    pub image: String,
    /// Whether each worker needs an NVIDIA GPU.
    pub gpu: bool,
    /// A secret with the variables of the environment that a bucket needs.
    pub secret: Option<String>,
    /// How the pods see the experiment, and the runs unless those are in a bucket.
    pub files: Files,
}

/// How the pods see files.
pub enum Files {
    /// In a volume.
    Volume {
        /// The claim of a volume that all pods can write to.
        claim: String,
        /// Where the volume is, here as in the pods.
        mount: PathBuf,
    },
    /// The text of the experiment alone.
    Experiment(String),
}

impl Files {
    /// How the pods see the files of some jobs; `mount` is absolute, and `text` is the experiment's.
    pub fn of(
        jobs: &Jobs,
        (claim, mount): (Option<&str>, &Path),
        has_secret: bool,
        text: &str,
    ) -> Result<Files, Failure> {
        let refuse = |problem: &str| Err(Failure::new(Exit::Experiment, Error::other(problem.to_owned())));
        match (claim, &jobs.folder) {
            (_, Some(_)) if has_secret => refuse(
                "a secret has the keys of a bucket; allowed with `--secret`: `--runs s3://BUCKET/PREFIX`",
            ),
            (Some(claim), _) => Ok(Files::Volume { claim: claim.to_owned(), mount: mount.to_owned() }),
            (None, Some(_)) => refuse(
                "the pods do not see the runs folder; allowed: `--claim CLAIM`, the volume that it is in, or runs in a bucket",
            ),
            (None, None) => Ok(Files::Experiment(text.to_owned())),
        }
    }
}

/// The manifest.
pub fn manifest(jobs: &Jobs, pods: &Pods) -> Result<String, Failure> {
    let Jobs { run, workers, folder, file, .. } = jobs;
    let name = name(run);
    let mut command = jobs.worker();
    "maquette".clone_into(&mut command[0]);
    let (mut before, folder_in_pods, volume) = match &pods.files {
        Files::Volume { claim, mount } => {
            // The runs are in the volume, too, unless they are in a bucket.
            let runs = folder.as_ref().map(|_| &jobs.runs);
            if let Some(path) = runs.into_iter().chain([file]).find(|path| !path.starts_with(mount)) {
                let error = format!("`{}` is not in the volume at `{}`", path.display(), mount.display());
                let hint =
                    "The pods see the volume only: `--mount` names the folder that it has here and there.";
                return Err(Failure::with_hint(
                    Exit::Experiment,
                    &Error::other(error),
                    Some(hint.to_owned()),
                ));
            }
            let volume = format!("persistentVolumeClaim:\n            claimName: {}", yaml(claim));
            (String::new(), mount.to_string_lossy().into_owned(), volume)
        }
        Files::Experiment(text) => {
            let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            command[2] = format!("{EXPERIMENT}/{file_name}");
            let volume = format!(
                "configMap:\n            name: {}\n            items:\n              - key: experiment\n                path: {}",
                yaml(&name),
                yaml(&file_name)
            );
            (config_map(&name, text), EXPERIMENT.to_owned(), volume)
        }
    };
    before.insert_str(
        0,
        &format!("# Workers that share {run}. The job can be applied again: finished cells are kept.\n"),
    );
    let words = command.iter().map(|word| format!("\n            - {}", yaml(word))).collect::<String>();
    let resources = match pods.gpu {
        true => "\n          resources:\n            limits:\n              nvidia.com/gpu: 1",
        false => "",
    };
    let secret = match &pods.secret {
        Some(secret) => {
            format!("\n          envFrom:\n            - secretRef:\n                name: {}", yaml(secret))
        }
        None => String::new(),
    };
    Ok(format!(
        "{before}\
         apiVersion: batch/v1\n\
         kind: Job\n\
         metadata:\n\
         \x20 name: {}\n\
         spec:\n\
         \x20 completionMode: Indexed\n\
         \x20 completions: {workers}\n\
         \x20 parallelism: {workers}\n\
         \x20 backoffLimitPerIndex: {RESTARTS}\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     restartPolicy: Never\n\
         \x20     # A pod that is told to stop finishes its cells in flight and gives the others back.\n\
         \x20     terminationGracePeriodSeconds: {GRACE}\n\
         \x20     containers:\n\
         \x20       - name: worker\n\
         \x20         image: {}\n\
         \x20         command:{words}{secret}{resources}\n\
         \x20         volumeMounts:\n\
         \x20           - name: files\n\
         \x20             mountPath: {}\n\
         \x20     volumes:\n\
         \x20       - name: files\n\
         \x20         {volume}\n",
        yaml(&name),
        yaml(&pods.image),
        yaml(&folder_in_pods),
    ))
}

/// The experiment as an object of its own. Pods without a volume see no file that it names.
fn config_map(name: &str, text: &str) -> String {
    // Lines can be read in a block, which some characters cannot be in.
    let is_plain =
        text.ends_with('\n') && text.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{feff}'));
    let text = match is_plain {
        true => {
            let lines = text
                .lines()
                .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("\n    {line}") });
            format!("|2+{}", lines.collect::<String>())
        }
        false => yaml(text),
    };
    format!(
        "apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata:\n\
         \x20 name: {}\n\
         data:\n\
         \x20 experiment: {text}\n\
         ---\n",
        yaml(name)
    )
}

/// A line for a shell that submits the manifest.
pub fn apply(manifest: &Path) -> String {
    jobs::shell(&["kubectl", "apply", "-f", &manifest.to_string_lossy()].map(str::to_owned))
}

/// A job's name: small letters, digits and dashes, at most 52 characters, since pods add theirs to it (RFC 1123).
fn name(run: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = run.chars().map(plain).collect();
    let end = name.len().saturating_sub(42);
    format!("maquette-{}", name[end..].trim_matches('-'))
}

/// A text in double quotes; YAML reads JSON's strings.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(files: Files, secret: Option<&str>) -> Pods {
        Pods { image: "registry/maquette:1".to_owned(), gpu: true, secret: secret.map(str::to_owned), files }
    }

    fn in_volume(mount: &str) -> Pods {
        pods(Files::Volume { claim: "data".to_owned(), mount: mount.into() }, None)
    }

    #[test]
    fn manifests_can_be_read() {
        let manifest = manifest(&Jobs::example(), &in_volume("/data")).ok().unwrap();
        insta::assert_snapshot!(manifest, @r##"
        # Workers that share mucha@1. The job can be applied again: finished cells are kept.
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: "maquette-mucha-1"
        spec:
          completionMode: Indexed
          completions: 8
          parallelism: 8
          backoffLimitPerIndex: 10
          template:
            spec:
              restartPolicy: Never
              # A pod that is told to stop finishes its cells in flight and gives the others back.
              terminationGracePeriodSeconds: 120
              containers:
                - name: worker
                  image: "registry/maquette:1"
                  command:
                    - "maquette"
                    - "run"
                    - "/data/mucha.toml"
                    - "--runs"
                    - "/data/100% runs"
                    - "--worker"
                    - "--progress"
                    - "plain"
                    - "--set"
                    - "prompt=Ann's \"cat\""
                  resources:
                    limits:
                      nvidia.com/gpu: 1
                  volumeMounts:
                    - name: files
                      mountPath: "/data"
              volumes:
                - name: files
                  persistentVolumeClaim:
                    claimName: "data"
        "##);
    }

    #[test]
    fn files_outside_of_the_volume_are_refused() {
        assert!(manifest(&Jobs::example(), &in_volume("/dat")).is_err());
        // Of a run in a bucket, only the experiment is.
        assert!(manifest(&Jobs::example_in_bucket(), &in_volume("/data")).is_ok());
    }

    #[test]
    fn a_manifest_for_a_bucket_has_the_experiment_and_names_a_secret() {
        let text = "# A hat.\nprompt = \"a hat\"\n\n  steps = 4\n".to_owned();
        let pods = pods(Files::Experiment(text), Some("bucket-keys"));
        insta::assert_snapshot!(manifest(&Jobs::example_in_bucket(), &pods).ok().unwrap(), @r##"
        # Workers that share mucha@1. The job can be applied again: finished cells are kept.
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: "maquette-mucha-1"
        data:
          experiment: |2+
            # A hat.
            prompt = "a hat"

              steps = 4
        ---
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: "maquette-mucha-1"
        spec:
          completionMode: Indexed
          completions: 8
          parallelism: 8
          backoffLimitPerIndex: 10
          template:
            spec:
              restartPolicy: Never
              # A pod that is told to stop finishes its cells in flight and gives the others back.
              terminationGracePeriodSeconds: 120
              containers:
                - name: worker
                  image: "registry/maquette:1"
                  command:
                    - "maquette"
                    - "run"
                    - "/experiment/mucha.toml"
                    - "--runs"
                    - "s3://bucket/runs"
                    - "--worker"
                    - "--progress"
                    - "plain"
                  envFrom:
                    - secretRef:
                        name: "bucket-keys"
                  resources:
                    limits:
                      nvidia.com/gpu: 1
                  volumeMounts:
                    - name: files
                      mountPath: "/experiment"
              volumes:
                - name: files
                  configMap:
                    name: "maquette-mucha-1"
                    items:
                      - key: experiment
                        path: "mucha.toml"
        "##);
    }

    #[test]
    fn texts_that_a_block_cannot_hold_are_quoted() {
        let check =
            |text: &str, expected: &str| assert!(config_map("a", text).contains(expected), "{text:?}");
        check("a = 1\n", "experiment: |2+\n    a = 1\n---");
        check("a = 1", "experiment: \"a = 1\"\n");
        check("a = 1\r\n", "experiment: \"a = 1\\r\\n\"\n");
        check("\ta = 1\n", "experiment: \"\\ta = 1\\n\"\n");
    }

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        let check = |run: &str, expected: &str| assert_eq!(name(run), expected);
        check("mucha@1", "maquette-mucha-1");
        check("Über_Größe@12", "maquette-ber-gr--e-12");
        check(&format!("{}@3", "a".repeat(80)), &format!("maquette-{}-3", "a".repeat(40)));
    }
}
