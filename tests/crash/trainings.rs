//! Trainings whose disk fails or fills: what was saved stays, and the same command comes to the same weights.

use super::check::subject;
use super::disk::Disk;
use crate::support::{Ended, Random, Workspace};
use std::collections::BTreeMap;
use std::fs;

const ARGUMENTS: [&str; 6] = ["train", "cats.toml", "--device", "cpu", "--progress", "none"];

/// Error numbers of Linux, and what the program says.
const ERRORS: [(&str, &str); 2] = [("5", "error 5"), ("28", "The disk is full")];

/// What was trained: weights, and losses without their times.
fn trained(workspace: &Workspace) -> BTreeMap<String, Vec<u8>> {
    let files = workspace.files("runs/.trained").into_iter();
    let kept = files.filter(|file| file.ends_with(".safetensors") || file.ends_with("losses.csv"));
    kept.map(|file| {
        let mut bytes = fs::read(workspace.path().join("runs/.trained").join(&file)).unwrap();
        if file.ends_with(".csv") {
            let text = String::from_utf8(bytes).unwrap();
            let rows = text.lines().map(|row| row.rsplit_once(',').unwrap().0);
            bytes = rows.collect::<Vec<_>>().join("\n").into_bytes();
        }
        (file, bytes)
    })
    .collect()
}

/// The n-th operation fails, once or with all after it; every `every`-th n.
fn fail_operations(every: u64, seed: u64) {
    let Some(disk) = Disk::find() else { return };
    let recorded = subject();
    disk.record(&recorded, &ARGUMENTS, &[]).code(0);
    let whole = trained(&recorded);
    assert_eq!(whole.len(), 5, "weights after 3, 6, 9 and 12 steps, and the losses: {:?}", whole.keys());
    let operations = disk.recording(&recorded).len() as u64;
    let mut random = Random(seed);
    let (mut at, mut faults) = (1 + random.below(every), 0);
    while at <= operations {
        let (error, name) = ERRORS[faults % ERRORS.len()];
        let at_text = at.to_string();
        let mut variables = vec![("DISK_FAIL_AT", &*at_text), ("DISK_FAIL_WITH", error)];
        if random.below(2) == 1 {
            variables.push(("DISK_FAIL_ON", "1"));
        }
        let failed = subject();
        let ended = Ended::of(&mut disk.command(&failed, &ARGUMENTS, &variables));
        assert!(matches!(ended.code, 0 | 1), "{variables:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{variables:?}: {}", ended.stderr);
        if ended.code == 1 {
            ended.says(&["cannot", "runs", name]);
        }
        // Nothing half-written under a final name.
        for (file, bytes) in trained(&failed).iter().filter(|(file, _)| !file.ends_with("state.safetensors"))
        {
            let same =
                if file.ends_with(".csv") { whole[file].starts_with(bytes) } else { whole[file] == *bytes };
            assert!(same, "{variables:?}: {file} is not what an undisturbed training wrote");
        }
        failed.maquette(&ARGUMENTS).code(0);
        let end = trained(&failed);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&end), names(&whole), "{variables:?}");
        for (file, bytes) in &end {
            assert!(whole[file] == *bytes, "{variables:?}: {file} has another end");
        }
        faults += 1;
        at += 1 + random.below(2 * every - 1);
    }
    eprintln!("{faults} faults in {operations} operations");
}

#[test]
fn a_training_whose_disk_fails_goes_on_to_the_same_weights() {
    fail_operations(9, 3);
}

#[test]
#[ignore = "takes minutes: just soak"]
fn a_training_goes_on_from_every_operation_that_fails() {
    fail_operations(1, 4);
}
