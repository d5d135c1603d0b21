//! Kubernetes: the manifest of an indexed job whose pods are workers. `kubectl apply` submits it.

use super::jobs::{self, Jobs};
use crate::exit::{Exit, Failure};
use std::io::Error;
use std::path::{Path, PathBuf};

/// How long a pod may take to finish its cells in flight, in seconds.
const GRACE: u32 = 120;

/// How often a worker is started again that was evicted or died.
const RESTARTS: u32 = 10;

/// Where the pods run.
pub struct Pods {
    /// The image, with `maquette` in it.
    pub image: String,
    /// The claim of a volume that all pods can write to.
    pub claim: String,
    /// Where the volume is, here as in the pods.
    pub mount: PathBuf,
    /// Whether each worker needs an NVIDIA GPU.
    pub gpu: bool,
}

/// The manifest.
pub fn manifest(jobs: &Jobs, pods: &Pods) -> Result<String, Failure> {
    let Pods { image, claim, mount, gpu } = pods;
    for path in [&jobs.runs, &jobs.file] {
        if !path.starts_with(mount) {
            let error = format!("`{}` is not in the volume at `{}`", path.display(), mount.display());
            let hint = "The pods see the volume only: `--mount` names the folder that it has here and there.";
            return Err(Failure::with_hint(Exit::Experiment, &Error::other(error), Some(hint.to_owned())));
        }
    }
    let mut command = jobs.worker();
    "maquette".clone_into(&mut command[0]);
    let words = command.iter().map(|word| format!("\n            - {}", yaml(word))).collect::<String>();
    let resources = match gpu {
        true => "\n          resources:\n            limits:\n              nvidia.com/gpu: 1",
        false => "",
    };
    let Jobs { run, workers, .. } = jobs;
    Ok(format!(
        "# Workers that share {run}. The job can be applied again: finished cells are kept.\n\
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
         \x20         command:{words}{resources}\n\
         \x20         volumeMounts:\n\
         \x20           - name: runs\n\
         \x20             mountPath: {}\n\
         \x20     volumes:\n\
         \x20       - name: runs\n\
         \x20         persistentVolumeClaim:\n\
         \x20           claimName: {}\n",
        yaml(&name(run)),
        yaml(image),
        yaml(&mount.to_string_lossy()),
        yaml(claim),
    ))
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

    fn pods(mount: &str) -> Pods {
        let (image, claim) = ("registry/maquette:1".to_owned(), "data".to_owned());
        Pods { image, claim, mount: mount.into(), gpu: true }
    }

    #[test]
    fn manifests_can_be_read() {
        let manifest = manifest(&Jobs::example(), &pods("/data")).ok().unwrap();
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
                    - name: runs
                      mountPath: "/data"
              volumes:
                - name: runs
                  persistentVolumeClaim:
                    claimName: "data"
        "##);
    }

    #[test]
    fn files_outside_of_the_volume_are_refused() {
        assert!(manifest(&Jobs::example(), &pods("/dat")).is_err());
    }

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        let check = |run: &str, expected: &str| assert_eq!(name(run), expected);
        check("mucha@1", "maquette-mucha-1");
        check("Über_Größe@12", "maquette-ber-gr--e-12");
        check(&format!("{}@3", "a".repeat(80)), &format!("maquette-{}-3", "a".repeat(40)));
    }
}
