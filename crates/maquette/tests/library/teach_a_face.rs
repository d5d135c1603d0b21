//! `experiments/teach-a-face.toml`: five pictures teach the bundled model a face, and every artist still paints in their manner.

use crate::support::{column, log, repository};
use maquette::{DeviceName, Experiment, Overrides, RunOptions, Stop, Workspace};
use std::collections::BTreeMap;

/// The mean likeness of the drawing program's own pictures of him, in the artists' styles (docs/training.md).
const PAINTED: f64 = 0.79;

#[test]
fn five_pictures_teach_a_face() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path()).unwrap().with_device(DeviceName::Cpu);
    let overrides = Overrides { only: vec!["seed=11".to_owned()], ..Overrides::default() };
    let file = repository().join("experiments/teach-a-face.toml");
    let experiment = Experiment { file, text: None, overrides };
    let options = RunOptions { sheets: false, ..RunOptions::default() };
    let result = workspace.run(&experiment, &options, &Stop::new(), &mut |_| ()).unwrap();
    assert_eq!((result.summary.rendered, result.summary.failures.len()), (36, 0));

    // Whether he is the subject, whether a cell starts from his picture.
    let mut likenesses: BTreeMap<(bool, bool), Vec<f64>> = BTreeMap::new();
    for row in &log(&result.run) {
        let key = (column(row, "subject") == "me", !column(row, "init_image").is_empty());
        likenesses.entry(key).or_default().push(column(row, "sketchbook_subject").parse().unwrap());
    }
    let mean = |key: (bool, bool)| likenesses[&key].iter().sum::<f64>() / likenesses[&key].len() as f64;
    for from_picture in [false, true] {
        let (without, with) = (mean((false, from_picture)), mean((true, from_picture)));
        let half = without.midpoint(PAINTED);
        assert!(
            with >= half,
            "from his picture: {from_picture}; {with:.3} of at least {half:.3}, {without:.3} without"
        );
    }
}
