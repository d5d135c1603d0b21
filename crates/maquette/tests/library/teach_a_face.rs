//! `experiments/teach-a-face.toml`: five pictures teach the bundled model a face, and every artist still paints in their manner.

use crate::support::{column, log, pixels, repository};
use maquette::{DeviceName, Experiment, Overrides, RunOptions, Stop, Workspace};
use maquette_core::Image;
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

    // Each artist's picture of him is most like that artist's picture of another man.
    let manners: Vec<_> = log(&result.run)
        .iter()
        .map(|row| {
            let is_of_him = column(row, "subject") == "me";
            let from_picture = !column(row, "init_image").is_empty();
            (is_of_him, from_picture, column(row, "artist").to_owned(), manner(&pixels(&result.run, row)))
        })
        .collect();
    let scale = deviations(manners.iter().filter(|(is_of_him, ..)| !is_of_him).map(|(.., manner)| manner));
    let (him, others): (Vec<_>, Vec<_>) = manners.iter().partition(|(is_of_him, ..)| *is_of_him);
    let kept = him.iter().filter(|(_, from_picture, artist, of_him)| {
        let alike = others.iter().filter(|(_, other, ..)| other == from_picture);
        let nearest =
            alike.min_by(|a, b| distance(of_him, &a.3, &scale).total_cmp(&distance(of_him, &b.3, &scale)));
        nearest.is_some_and(|(_, _, nearest, _)| nearest == artist)
    });
    let (kept, all) = (kept.count(), him.len());
    assert!(kept * 100 >= all * 95, "{kept} of {all} are in their artist's manner");
}

/// Numbers by which the artists' manners differ, whoever sits: mean and deviation of each colour, and of the steps in brightness
/// from pixel to pixel, across and down, the mean and how many are large; on the scale of 0 to 1.
fn manner(image: &Image) -> Vec<f64> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let colours: Vec<Vec<f64>> = (0..3)
        .map(|i| image.rgb().iter().skip(i).step_by(3).map(|&value| f64::from(value) / 255.0).collect())
        .collect();
    let light = |at: usize| colours.iter().map(|colour| colour[at]).sum::<f64>() / 3.0;
    let steps = |from: &dyn Fn(usize) -> Option<usize>| -> Vec<f64> {
        (0..width * height).filter_map(|at| from(at).map(|to| (light(at) - light(to)).abs())).collect()
    };
    let across = steps(&|at| (at % width > 0).then(|| at - 1));
    let down = steps(&|at| at.checked_sub(width));
    let large = |steps: &[f64]| steps.iter().filter(|&&step| step > 0.1).count() as f64 / steps.len() as f64;
    let of_colours = colours.iter().flat_map(|colour| [mean(colour), deviation(colour)]);
    of_colours.chain([mean(&across), large(&across), mean(&down), large(&down)]).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// How much each number of a manner differs from picture to picture.
fn deviations<'a>(manners: impl Iterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let manners: Vec<_> = manners.collect();
    (0..manners[0].len())
        .map(|i| deviation(&manners.iter().map(|manner| manner[i]).collect::<Vec<_>>()))
        .collect()
}

fn distance(a: &[f64], b: &[f64], scale: &[f64]) -> f64 {
    a.iter().zip(b).zip(scale).map(|((a, b), scale)| ((a - b) / scale).powi(2)).sum()
}
