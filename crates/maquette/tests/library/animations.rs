//! Animations along an axis.

use crate::support::{Project, run, try_run};
use maquette::{AnimateOptions, RunOptions, Stop};
use std::fs;

const CATS: &str = "prompt = \"a {animal}, {artist}\"\n[sweep]\nanimal = [\"cat\", \"dog\"]\nartist = [\"Mucha\", \
                    \"Munch\"]\nstrength_word = [\"a\", \"b\", \"c\"]\nseed = [7, 8]\n";

fn options(along: &str) -> AnimateOptions {
    AnimateOptions {
        along: along.to_owned(),
        only: vec![],
        file: None,
        seconds_per_frame: 0.5,
        bounce: false,
    }
}

fn project() -> Project {
    let project = Project::new();
    project.write("cats.toml", CATS.replace("{artist}\"", "{artist} {strength_word}\""));
    run(&project.fake(), &project.experiment("cats.toml"));
    project
}

/// The delays of a GIF's frames in hundredths of a second, from its graphic control extensions.
fn delays(bytes: &[u8]) -> Vec<u16> {
    let found = bytes.windows(8).filter(|window| window[..3] == [0x21, 0xf9, 4] && window[7] == 0);
    found.map(|window| u16::from_le_bytes([window[4], window[5]])).collect()
}

#[test]
fn there_is_a_file_for_each_combination_of_the_other_axes() {
    let project = project();
    let file = project.path().join("cats.gif");
    let one = AnimateOptions { file: Some(file.clone()), ..options("strength_word") };
    let paths = project.fake().animate("cats", &one, &mut |_| ()).unwrap();
    let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["cats-strength_word_seed-7.gif", "cats-strength_word_seed-8.gif"]);
    assert_eq!(delays(&fs::read(&paths[0]).unwrap()), [50, 50, 50]);
    assert_ne!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());

    let only = vec![("seed".to_owned(), "8".to_owned())];
    let seed = AnimateOptions { only, bounce: true, seconds_per_frame: 0.25, ..one.clone() };
    assert_eq!(project.fake().animate("cats", &seed, &mut |_| ()).unwrap(), std::slice::from_ref(&file));
    let bytes = fs::read(&file).unwrap();
    assert_eq!(delays(&bytes), [25; 4], "there and back, without showing the ends twice");
    project.fake().animate("cats", &seed, &mut |_| ()).unwrap();
    assert_eq!(fs::read(&file).unwrap(), bytes);

    let webp = AnimateOptions { file: Some(project.path().join("cats.webp")), ..seed };
    project.fake().animate("cats", &webp, &mut |_| ()).unwrap();
    let bytes = fs::read(project.path().join("cats.webp")).unwrap();
    assert_eq!(bytes.windows(4).filter(|name| name == b"ANMF").count(), 4);
}

#[test]
fn what_cannot_be_animated_is_refused_with_what_is_allowed() {
    let project = project();
    let file = |name: &str| Some(project.path().join(name));
    let check = |options: AnimateOptions, expected: &str| {
        let error = project.fake().animate("cats", &options, &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(options("artists"), "`artists` is not an axis; allowed: `animal`, `artist`");
    check(AnimateOptions { file: file("x.mp4"), ..options("seed") }, "allowed: .webp, .gif");
    check(AnimateOptions { seconds_per_frame: 0.0, ..options("seed") }, "allowed: 0.02 to 60");
    let only = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    check(AnimateOptions { only: only("artist", "Klimt"), ..options("seed") }, "allowed: `Mucha`, `Munch`");
    check(AnimateOptions { only: only("style", "x"), ..options("seed") }, "`style` is not an axis");
    check(AnimateOptions { only: only("seed", "7"), ..options("seed") }, "`seed` has one value");
}

#[test]
fn cells_without_a_picture_are_shown_as_missing() {
    let project = Project::new();
    project.write("cats.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 40 }\n");
    let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
    let stop = Stop::new();
    let options_of_run = RunOptions { sheets: false, ..RunOptions::default() };
    let stopped = workspace.run(&cats, &options_of_run, &stop, &mut |_| _ = stop.request()).unwrap();
    assert!(stopped.summary.interrupted);
    let file = project.path().join("cats.gif");
    let animated = AnimateOptions { file: Some(file.clone()), ..options("seed") };
    workspace.animate("cats", &animated, &mut |_| ()).unwrap();
    let missing = fs::read(&file).unwrap();
    assert_eq!(delays(&missing).len(), 40);
    try_run(&workspace, &cats, &options_of_run).unwrap();
    workspace.animate("cats", &animated, &mut |_| ()).unwrap();
    assert_ne!(fs::read(&file).unwrap(), missing);
}
