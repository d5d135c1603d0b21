//! Whole runs verified: sound ones, damaged ones, edited pictures.

use crate::support::{Project, column, log, picture, run};
use maquette::{LogRow, Run, SampleOutcome, Verification, VerifyOptions};
use std::fs;
use std::path::PathBuf;

const CATS: &str = "prompt = \"a {animal}\"\n[sweep]\nanimal = [\"cat\", \"dog\", \"owl\"]\nseed = [1, 2]\n";

/// A run of six cells by the fake renderer, with its rows in the order of the log.
fn cats(project: &Project) -> (Run, Vec<LogRow>) {
    project.write("cats.toml", CATS);
    let run = run(&project.fake(), &project.experiment("cats.toml")).result.run;
    let rows = log(&run);
    (run, rows)
}

fn verify(project: &Project, sample: usize, seed: Option<u64>) -> Verification {
    project.fake().verify("cats", VerifyOptions { sample, seed }, &mut |_| ()).unwrap()
}

/// What is wrong with each picture, by the picture.
fn problems(verification: &Verification) -> Vec<(&str, &str)> {
    verification.checked.problems.iter().map(|it| (it.image.as_str(), it.problem.as_str())).collect()
}

#[test]
fn a_sound_run_is_verified_and_stays_as_it_is() {
    let project = Project::new();
    cats(&project);
    let before = project.everything("");
    for (sample, seed, rendered) in [(3, None, 3), (99, Some(7), 6), (0, None, 0)] {
        let verified = verify(&project, sample, seed);
        assert!(verified.is_sound() && verified.remarks.is_empty(), "{verified:?}");
        assert_eq!((verified.run.as_str(), verified.checked.pictures), ("cats@1", 6));
        assert_eq!(verified.again.len(), rendered);
        assert!(verified.again.iter().all(|again| again.outcome == SampleOutcome::Identical));
    }
    assert_eq!(project.everything(""), before, "nothing is written");
}

#[test]
fn a_damaged_run_is_reported_picture_by_picture() {
    let project = Project::new();
    let (run, rows) = cats(&project);
    let path = |at: usize| -> PathBuf { picture(&run, &rows[at]) };
    // A copy under the same name, so that the cells behind the links stay whole.
    let replace = |at: usize, bytes: &[u8]| {
        fs::remove_file(path(at)).unwrap();
        fs::write(path(at), bytes).unwrap();
    };
    let (second, third) = (fs::read(path(1)).unwrap(), fs::read(path(2)).unwrap());
    fs::remove_file(path(0)).unwrap();
    replace(1, &second[..second.len() / 2]);
    replace(2, &fs::read(path(3)).unwrap());
    let owl = rows.iter().position(|row| column(row, "prompt") == "a owl").unwrap();
    assert!(owl > 3, "a picture that is whole");
    let file = "runs/cats/1/log.csv";
    let log = project.read(file);
    let cell = rows[owl].cell().to_string();
    let line = log.lines().find(|line| line.starts_with(&cell)).unwrap();
    project.write(file, log.replace(line, &line.replace("a owl", "a crow")));

    let verified = verify(&project, 6, None);
    assert_eq!(verified.checked.pictures, 6);
    assert!(!verified.is_sound());
    let problems = problems(&verified);
    let image = |at: usize| rows[at].image().unwrap();
    let expected = [
        (image(0), "the picture is missing"),
        (image(1), "is not a readable picture"),
        (image(2), "its metadata names the cell"),
        (image(owl), "its metadata and the log differ in `prompt`"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for ((image, problem), (expected_image, part)) in problems.iter().zip(expected) {
        assert!(*image == expected_image && problem.contains(part), "{image}: {problem}");
    }
    let outcome = |at: usize| {
        let again = verified.again.iter().find(|again| again.cell == rows[at].cell()).unwrap();
        assert_eq!(again.image, image(at));
        again.outcome
    };
    use SampleOutcome::{Different, Identical, Missing};
    let outcomes: Vec<_> = (0..6).map(outcome).collect();
    assert_eq!(outcomes, [Missing, Missing, Different, Identical, Identical, Identical]);

    replace(2, &third);
    let verified = verify(&project, 0, None);
    assert_eq!((verified.checked.pictures, verified.checked.problems.len()), (6, 3));
    assert!(verified.again.is_empty() && !verified.is_sound());
}

/// The chunks of a PNG file, each with its length, kind and checksum.
fn chunks(png: &[u8]) -> Vec<&[u8]> {
    let (mut chunks, mut rest) = (Vec::new(), &png[8..]);
    while let Some(length) = rest.first_chunk::<4>() {
        let (chunk, behind) = rest.split_at(12 + u32::from_be_bytes(*length) as usize);
        chunks.push(chunk);
        rest = behind;
    }
    chunks
}

#[test]
fn an_edited_picture_and_a_damaged_row_are_named_and_replaced() {
    let project = Project::new();
    let (cats_run, rows) = cats(&project);
    let files: Vec<PathBuf> = rows.iter().map(|row| picture(&cats_run, row)).collect();
    let before: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    // The texts of one picture with the pixels of another of its size, written in place: so does an image editor.
    let is_pixels = |chunk: &&[u8]| &chunk[4..8] == b"IDAT";
    let texts = chunks(&before[0]).into_iter().filter(|chunk| !is_pixels(chunk));
    let mut edited: Vec<&[u8]> = texts.collect();
    let end = edited.len() - 1;
    edited.splice(end..end, chunks(&before[1]).into_iter().filter(is_pixels));
    fs::write(&files[0], [&before[0][..8], &edited.concat()].concat()).unwrap();
    let file = "runs/cats/1/log.csv";
    let log = project.read(file);
    let last = log.lines().last().unwrap();
    project.write(file, log.replace(last, &last.replace(",done,", ",dome,")));

    let verified = verify(&project, 0, None);
    let problems = problems(&verified);
    let [(image, problem)] = problems[..] else { panic!("{problems:?}") };
    assert_eq!(image, rows[0].image().unwrap());
    assert!(problem.starts_with("it was edited: its pixels differ from"), "{problem}");
    let [remark] = &verified.remarks[..] else { panic!("{:?}", verified.remarks) };
    assert!(remark.starts_with("line 7 of `") && remark.contains("has no valid status"), "{remark}");
    assert_eq!((verified.checked.pictures, verified.checked.unrendered), (5, 1));

    let again = run(&project.fake(), &project.experiment("cats.toml"));
    let warned = again.warnings.join("\n");
    for part in ["was edited", "so it is replaced", "line 7 of", "so it counts as missing"] {
        assert!(warned.contains(part), "{part}: {warned}");
    }
    assert_eq!(again.counts()[2], 1);
    for (file, bytes) in files.iter().zip(&before) {
        assert!(fs::read(file).unwrap() == *bytes, "{}", file.display());
    }
    assert!(verify(&project, 6, None).is_sound());
}
