//! The task of a job array that this process is: its share, for `--shard auto`, and its name, from the variables that the engine
//! of the array sets.

use maquette::Shard;
use std::fmt;

/// What an engine of job arrays says about the task in the environment.
struct Engine {
    name: &'static str,
    /// The variable that is set in every task, and in nothing else.
    index: &'static str,
    share: fn(&Variables<'_>) -> Share,
}

/// The engines, the innermost first: HyperQueue's workers run inside the jobs of the others.
const ENGINES: [Engine; 4] = [
    Engine { name: "HyperQueue", index: "HQ_TASK_ID", share: hyperqueue },
    Engine { name: "Slurm", index: "SLURM_ARRAY_TASK_ID", share: slurm },
    Engine { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", share: kubernetes },
    Engine { name: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", share: aws_batch },
];

/// Looks up a variable.
type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The number of a share, from 1, and how many there are if the engine says so.
type Share = Result<(u64, Option<u64>), Wrong>;

/// Why the environment does not say which share to render.
#[derive(Debug, PartialEq)]
pub struct Wrong(String);

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`--shard auto` {}", self.0)
    }
}

/// The share that `--shard` names: `I/N`, or `auto` and `auto/N`, which `variables` complete. `None` if the text is not
/// one of the latter two.
pub fn auto(text: &str, variables: &Variables<'_>) -> Option<Result<Shard, Wrong>> {
    let given = match text.strip_prefix("auto")? {
        "" => None,
        rest => Some(rest.strip_prefix('/')?.parse::<u64>().ok()?),
    };
    Some(share(given, variables).and_then(|(index, count)| {
        format!("{index}/{count}")
            .parse()
            .map_err(|_| Wrong(format!("is share {index} of {count}; allowed: 1 to {count}")))
    }))
}

/// A name for a worker: the task of a job array if this is one, then the machine and the process.
pub fn worker_name(variables: &Variables<'_>) -> String {
    let machine = variables("HOSTNAME")
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map_or_else(|| "worker".to_owned(), |name| name.trim().to_owned());
    let job = ["HQ_JOB_ID", "SLURM_ARRAY_JOB_ID", "AWS_BATCH_JOB_ID"].iter().find_map(|name| variables(name));
    let task = ENGINES.iter().find_map(|engine| variables(engine.index));
    let array = [job, task].into_iter().flatten().collect::<Vec<_>>().join("_");
    let parts = [array, machine, std::process::id().to_string()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn share(given: Option<u64>, variables: &Variables<'_>) -> Result<(u64, u64), Wrong> {
    let mut set = ENGINES.iter().filter(|engine| variables(engine.index).is_some());
    let Some(engine) = set.next() else {
        let known: Vec<_> =
            ENGINES.iter().map(|engine| format!("`{}` ({})", engine.index, engine.name)).collect();
        return Err(Wrong(format!(
            "needs the variables of a job array; none is set of {}",
            known.join(", ")
        )));
    };
    if let Some(other) = set.next().filter(|_| engine.index != "HQ_TASK_ID") {
        return Err(Wrong(format!(
            "found two job arrays: `{}` ({}) and `{}` ({}); allowed: one, or a share such as `2/4`",
            engine.index, engine.name, other.index, other.name
        )));
    }
    let (index, count) = (engine.share)(variables)?;
    match (count, given) {
        (Some(count), Some(given)) if count != given => Err(Wrong(format!(
            "has {given} shares on the command line, but {} says that the array has {count} tasks",
            engine.name
        ))),
        (None, None) => Err(Wrong(format!(
            "needs the number of tasks, which {} does not say; write it, as in `--shard auto/8`",
            engine.name
        ))),
        (Some(count), _) | (None, Some(count)) if index <= count && index > 0 => Ok((index, count)),
        (Some(count), _) | (None, Some(count)) => Err(Wrong(format!(
            "found share {index} of {count} in `{}`; allowed: 1 to {count}{}",
            engine.index,
            if engine.index == "HQ_TASK_ID" { ", as with `--array 1-N`" } else { "" }
        ))),
    }
}

/// Ids may begin anywhere and have steps, as in `--array=10-18:4`.
fn slurm(variables: &Variables<'_>) -> Share {
    let id = number(variables, "SLURM_ARRAY_TASK_ID")?;
    let first = number(variables, "SLURM_ARRAY_TASK_MIN")?;
    let last = number(variables, "SLURM_ARRAY_TASK_MAX")?;
    let count = number(variables, "SLURM_ARRAY_TASK_COUNT")?;
    let step = match variables("SLURM_ARRAY_TASK_STEP") {
        Some(_) => number(variables, "SLURM_ARRAY_TASK_STEP")?.max(1),
        None => 1,
    };
    let regular = first <= id && id <= last && (id - first) % step == 0 && (last - first) / step + 1 == count;
    match regular {
        true => Ok(((id - first) / step + 1, Some(count))),
        false => Err(Wrong(format!(
            "cannot tell which of the {count} tasks between {first} and {last} task {id} is; allowed: an array without gaps, \
             such as `--array=1-8` or `--array=0-70:10`, or `--worker`, which needs no numbers"
        ))),
    }
}

fn hyperqueue(variables: &Variables<'_>) -> Share {
    Ok((number(variables, "HQ_TASK_ID")?, None))
}

fn kubernetes(variables: &Variables<'_>) -> Share {
    Ok((number(variables, "JOB_COMPLETION_INDEX")?.saturating_add(1), None))
}

fn aws_batch(variables: &Variables<'_>) -> Share {
    let index = number(variables, "AWS_BATCH_JOB_ARRAY_INDEX")?;
    Ok((index.saturating_add(1), Some(number(variables, "AWS_BATCH_JOB_ARRAY_SIZE")?)))
}

fn number(variables: &Variables<'_>, name: &str) -> Result<u64, Wrong> {
    match variables(name) {
        None => Err(Wrong(format!("needs `{name}`, which is not set"))),
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| Wrong(format!("found `{name}={text}`; allowed: a whole number from 0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share, or why there is none; the variables as in a shell.
    fn share_of(text: &str, set: &str) -> String {
        let pairs: Vec<(&str, &str)> =
            set.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
        let variables =
            |name: &str| pairs.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        match auto(text, &variables) {
            None => "not auto".to_owned(),
            Some(Ok(shard)) => shard.to_string(),
            Some(Err(wrong)) => wrong.to_string(),
        }
    }

    /// A task of a Slurm array: its id, the first and last id, the step, the number of tasks.
    fn slurm([id, first, last, step, count]: [u32; 5]) -> String {
        format!(
            "SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN={first} SLURM_ARRAY_TASK_MAX={last} SLURM_ARRAY_TASK_STEP={step} \
             SLURM_ARRAY_TASK_COUNT={count} SLURM_JOB_ID=7"
        )
    }

    #[test]
    fn engines_of_arrays_say_the_share() {
        let check =
            |text: &str, set: &str, expected: &str| assert_eq!(share_of(text, set), expected, "{set}");
        check("auto", &slurm([0, 0, 3, 1, 4]), "1/4");
        check("auto", &slurm([3, 0, 3, 1, 4]), "4/4");
        check("auto/4", &slurm([13, 11, 14, 1, 4]), "3/4");
        // The last id is not reached: 10, 14, 18.
        check("auto", &slurm([18, 10, 18, 4, 3]), "3/3");
        check("auto", &slurm([10, 10, 10, 1, 1]), "1/1");
        check("auto", "AWS_BATCH_JOB_ARRAY_INDEX=0 AWS_BATCH_JOB_ARRAY_SIZE=2", "1/2");
        check("auto/8", "JOB_COMPLETION_INDEX=7", "8/8");
        check("auto/3", "HQ_TASK_ID=3 HQ_JOB_ID=1", "3/3");
        // HyperQueue inside a Slurm array: the inner one counts.
        check("auto/5", &format!("HQ_TASK_ID=2 {}", slurm([0, 0, 3, 1, 4])), "2/5");
        for text in ["2/4", "automatic", "auto/", "auto/x", ""] {
            check(text, "HQ_TASK_ID=1", "not auto");
        }
    }

    #[test]
    fn a_worker_is_named_after_its_task_machine_and_process() {
        let name = |pairs: &[(&str, &str)]| {
            worker_name(&|name| {
                pairs.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let process = std::process::id();
        assert_eq!(name(&[("HOSTNAME", "node3")]), format!("node3-{process}"));
        let slurm = [("HOSTNAME", "node3"), ("SLURM_ARRAY_JOB_ID", "71"), ("SLURM_ARRAY_TASK_ID", "4")];
        assert_eq!(name(&slurm), format!("71_4-node3-{process}"));
    }

    #[test]
    fn what_is_missing_or_contradictory_is_said() {
        let check = |text: &str, set: &str, expected: &str| {
            let wrong = share_of(text, set);
            assert!(wrong.contains(expected), "{set}: {wrong}");
        };
        check(
            "auto",
            "SLURM_JOB_ID=7",
            "none is set of `HQ_TASK_ID` (HyperQueue), `SLURM_ARRAY_TASK_ID` (Slurm)",
        );
        check("auto", "SLURM_ARRAY_TASK_ID=1", "needs `SLURM_ARRAY_TASK_MIN`, which is not set");
        check("auto", "AWS_BATCH_JOB_ARRAY_INDEX=1", "needs `AWS_BATCH_JOB_ARRAY_SIZE`");
        check(
            "auto",
            "JOB_COMPLETION_INDEX=1",
            "which Kubernetes does not say; write it, as in `--shard auto/8`",
        );
        check("auto", "HQ_TASK_ID=1", "which HyperQueue does not say");
        check(
            "auto/4",
            "HQ_TASK_ID=0",
            "found share 0 of 4 in `HQ_TASK_ID`; allowed: 1 to 4, as with `--array 1-N`",
        );
        check("auto/4", "JOB_COMPLETION_INDEX=4", "found share 5 of 4");
        check(
            "auto/4",
            "JOB_COMPLETION_INDEX=one",
            "found `JOB_COMPLETION_INDEX=one`; allowed: a whole number",
        );
        check(
            "auto/5",
            &slurm([0, 0, 3, 1, 4]),
            "has 5 shares on the command line, but Slurm says that the array has 4",
        );
        // `--array=1,2,7`.
        check("auto", &slurm([7, 1, 7, 1, 3]), "cannot tell which of the 3 tasks between 1 and 7 task 7 is");
        check("auto/2", "JOB_COMPLETION_INDEX=0 AWS_BATCH_JOB_ARRAY_INDEX=0", "found two job arrays");
    }
}
