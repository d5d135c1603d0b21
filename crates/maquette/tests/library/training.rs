//! Trainings that cells depend on: before a run, resumed after a stop, found again by other experiments.

use crate::support::{Project, column, fixture, log, pixels, run};
use maquette::{
    Error, Experiment, Likeness, ReproduceOptions, RunEvent, RunOptions, Stop, TrainEvent, TrainResult,
    TrainingProgress, Workspace,
};
use std::collections::BTreeMap;
use std::fs;

const SUBJECT: &str = "[subject.me]\nimages = \"photos/*.png\"\nword = \"sks man\"\nclass = \"man\"\nsteps = 12\n\
                       learning_rate = 0.01\nrank = 2\nwidth = 32\nheight = 32\nnum_class_images = 2\n";

const CELLS: &str = "model = \"tiny-a\"\nprompt = \"a {subject}\"\nsteps = 2\nwidth = 32\nheight = 32\n";

/// A project with a tiny model and four pictures of a subject.
fn project(sweep: &str) -> Project {
    let project = Project::new();
    project.copy("tiny-a", "tiny-a");
    for (name, from) in [("a", "subject-0"), ("b", "subject-1"), ("c", "subject-2"), ("d", "class-0")] {
        project.write(
            &format!("photos/{name}.png"),
            fs::read(fixture(&format!("training/{from}.png"))).unwrap(),
        );
    }
    project.write("face.toml", format!("{CELLS}{SUBJECT}[sweep]\n{sweep}"));
    project
}

/// Trains, and stops after a number of steps. Returns the result and the steps that were done.
fn train(workspace: &Workspace, experiment: &Experiment, stop_after: Option<u32>) -> (TrainResult, Vec<u32>) {
    let (stop, mut steps) = (Stop::new(), Vec::new());
    let result = workspace.train(experiment, &stop, &mut |event| {
        if let TrainEvent::Progress(TrainingProgress::Step { step, .. }) = event {
            steps.push(*step);
            if Some(*step) == stop_after {
                stop.request();
            }
        }
    });
    (result.unwrap(), steps)
}

#[test]
fn cells_are_rendered_with_the_weights_that_were_trained_for_them() {
    let project = project("subject = [\"none\", \"me\"]\nlora_weight = [0, 0.5, 1]\ntrain_steps = [6, 12]\n");
    let (engine, experiment) = (project.engine(), project.experiment("face.toml"));
    let (mut trained, mut steps, mut samples) = (0, 0, 0);
    let options = RunOptions::default();
    let result = engine.run(&experiment, &options, &Stop::new(), &mut |event| match event {
        RunEvent::Training(TrainingProgress::Step { .. }) => steps += 1,
        RunEvent::Training(TrainingProgress::Sample { file, .. }) => {
            samples += usize::from(file.is_file());
        }
        RunEvent::Training(TrainingProgress::Ended { finished: true, .. }) => trained += 1,
        _ => {}
    });
    let result = result.unwrap();
    // Samples at 3, 6, 9 and 12; the prompts of all cells with the subject are the same.
    assert_eq!((trained, steps, samples), (1, 12, 4));
    assert_eq!((result.summary.rendered, result.summary.failures.len()), (6, 0));
    let picture = |row| {
        let names = ["subject", "lora_weight", "train_steps"].map(|name| column(row, name).to_owned());
        (names, pixels(&result.run, row).into_rgb())
    };
    let rows = log(&result.run);
    let pictures: BTreeMap<[String; 3], Vec<u8>> = rows.iter().map(picture).collect();
    let of =
        |subject: &str, weight: &str, steps: &str| &pictures[&[subject, weight, steps].map(str::to_owned)];
    assert_ne!(of("me", "0.5", "6"), of("me", "0.5", "12"));
    assert_ne!(of("me", "0.5", "12"), of("me", "1", "12"));
    assert_ne!(of("me", "1", "12"), of("me", "0", "6"));
    // The log names the weights.
    assert!(rows.iter().any(|row| column(row, "lora") == "me@12:0.5"), "{rows:?}");

    // The run has them for other programs, with losses and samples.
    let shown = fs::read_dir(result.run.dir().join("trained")).unwrap().next().unwrap().unwrap().path();
    let mut names: Vec<_> =
        shown.read_dir().unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["losses.csv", "me-12.safetensors", "me-6.safetensors", "samples"]);
    assert_eq!(fs::read_to_string(shown.join("losses.csv")).unwrap().lines().count(), 13);

    // Nothing is trained again: not by the same run, not by another experiment, not to verify.
    assert_eq!(run(&engine, &experiment).counts(), [6, 0, 0, 0]);
    project.write("other.toml", format!("{CELLS}{SUBJECT}[sweep]\nsubject = [\"me\"]\nseed = [5]\n"));
    let mut again = 0;
    engine
        .run(&project.experiment("other.toml"), &options, &Stop::new(), &mut |event| {
            again += usize::from(matches!(event, RunEvent::Training(_)));
        })
        .unwrap();
    assert_eq!(again, 0);
    let verified =
        engine.verify("face", maquette::VerifyOptions { sample: 6, seed: Some(0) }, &mut |_| ()).unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    let taught = rows.iter().find(|row| column(row, "lora_weight") == "1").unwrap();
    let picture = result.run.picture(taught.image().unwrap()).unwrap();
    let again =
        engine.reproduce(&picture, &ReproduceOptions { set: vec![], save: None }, &mut |_| ()).unwrap();
    assert_eq!(again.likeness, Likeness::Identical, "{again:?}");
    assert_eq!((again.changes, again.cell.before), (Vec::new(), Some(again.cell.now)));
    let forecast = engine.forecast(&engine.plan(&experiment).unwrap()).unwrap();
    assert_eq!(forecast.trainings, [], "no cell is left");
}

#[test]
fn pictures_are_compared_with_those_of_the_subject() {
    let project = project("subject = [\"none\", \"me\"]\n");
    let (engine, experiment) = (project.engine(), project.experiment("face.toml"));
    let run = run(&engine, &experiment).result.run;
    let measure =
        || engine.measure("face", &["sketchbook_subject".to_owned()], &BTreeMap::new(), &mut |_, _| ());
    let scores = || -> Vec<f64> {
        let rows = log(&run);
        rows.iter().map(|row| column(row, "sketchbook_subject").parse().unwrap_or(f64::NAN)).collect()
    };
    assert_eq!(measure().unwrap().notes, [""; 0]);
    let network = maquette_metrics::Likeness::bundled().unwrap();
    let traits = |file: &std::path::Path| network.traits(&maquette_picture::decode(file).unwrap()).unwrap();
    for (row, score) in log(&run).iter().zip(scores()) {
        let seen = network.traits(&pixels(&run, row)).unwrap();
        let each = ["a", "b", "c", "d"].map(|name| project.path().join(format!("photos/{name}.png")));
        let mean = each.map(|file| seen.likeness(&traits(&file))).iter().sum::<f64>() / 4.0;
        assert!((score - mean).abs() < 0.01, "{score}, {mean}");
    }

    // A picture that is gone is noted, and the others count.
    let before = scores();
    fs::remove_file(project.path().join("photos/a.png")).unwrap();
    let notes = measure().unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("the picture `photos/a.png` of the subject `me` was not found"),
        "{notes:?}"
    );
    assert!(scores().iter().all(|score| score.is_finite()) && scores() != before);
}

#[test]
fn a_stopped_training_goes_on_to_the_same_bytes() {
    let straight = project("subject = [\"me\"]\n");
    let (whole, steps) = train(&straight.engine(), &straight.experiment("face.toml"), None);
    assert_eq!((steps.len(), whole.trained, whole.interrupted), (12, 1, false));

    let stopped = project("subject = [\"me\"]\n");
    let (engine, experiment) = (stopped.engine(), stopped.experiment("face.toml"));
    let (part, _) = train(&engine, &experiment, Some(5));
    assert_eq!((part.weights.len(), part.trained, part.interrupted), (0, 0, true));
    let forecast = engine.forecast(&engine.plan(&experiment).unwrap()).unwrap();
    assert_eq!((forecast.trainings[0].done, forecast.trainings[0].steps), (5, 12));
    assert!(forecast.trainings[0].seconds.is_some(), "the steps before were measured");
    let (rest, steps) = train(&engine, &experiment, None);
    assert_eq!((steps, rest.trained), ((6..=12).collect(), 1));
    assert_eq!(rest.weights[0].digest, whole.weights[0].digest);
    assert!(fs::read(&rest.weights[0].file).unwrap() == fs::read(&whole.weights[0].file).unwrap());
    assert_eq!(train(&engine, &experiment, None).1, [0; 0], "there is nothing left to train");

    // A copy for other programs.
    let copy = rest.weights[0].copy_to(&stopped.path().join("loras"), &rest).unwrap();
    assert!(copy.ends_with("loras/me.safetensors") && copy.is_file());
}

#[test]
fn a_damaged_state_and_earlier_weights_are_trained_from_the_start() {
    let project = project("subject = [\"me\"]\ntrain_steps = [8]\n");
    let (engine, experiment) = (project.engine(), project.experiment("face.toml"));
    let (first, steps) = train(&engine, &experiment, None);
    assert_eq!((steps.len(), first.weights[0].step), (8, 8));
    // The state is past step 4, whose weights were not kept.
    project.write("four.toml", format!("{CELLS}{SUBJECT}[sweep]\nsubject = [\"me\"]\ntrain_steps = [5]\n"));
    assert_eq!(train(&engine, &project.experiment("four.toml"), None).1, [1, 2, 3, 4, 5]);
    // From the state after step 5 on.
    project.write("all.toml", format!("{CELLS}{SUBJECT}[sweep]\nsubject = [\"me\"]\n"));
    assert_eq!(train(&engine, &project.experiment("all.toml"), Some(9)).1, [6, 7, 8, 9]);
    let states =
        project.everything("runs/.trained").into_keys().filter(|name| name.ends_with("state.safetensors"));
    for state in states {
        let path = project.path().join("runs/.trained").join(state);
        fs::write(path, "torn").unwrap();
    }
    let (all, steps) = train(&engine, &project.experiment("all.toml"), None);
    assert_eq!((steps.len(), all.trained), (12, 1));
}

#[test]
fn failures_say_what_to_do_and_keep_what_there_is() {
    let check = |project: &Project, part: &str, kind: maquette::ErrorKind| {
        let error = project.engine().train(&project.experiment("face.toml"), &Stop::new(), &mut |_| ());
        let error = error.unwrap_err();
        assert!(maquette::with_causes(&error).contains(part), "{}", maquette::with_causes(&error));
        assert_eq!(error.kind(), kind);
        error
    };
    let diverging = project("subject = [\"me\"]\n");
    let text = diverging
        .read("face.toml")
        .replace("learning_rate = 0.01", "learning_rate = 100000\nmax_grad_norm = 0");
    diverging.write("face.toml", text);
    check(
        &diverging,
        "the training has diverged. Try a lower learning rate",
        maquette::ErrorKind::CellFailed,
    );

    let nothing = Project::new();
    nothing.write("face.toml", "prompt = \"a cat\"\n");
    let error = check(&nothing, "face has nothing to train", maquette::ErrorKind::Experiment);
    assert!(error.hint().unwrap().contains("[subject.me]"));

    // A picture that changes after planning: the training would not be the one that was planned.
    let changed = project("subject = [\"me\"]\n");
    let mut overwritten = false;
    let result = changed.engine().train(&changed.experiment("face.toml"), &Stop::new(), &mut |event| {
        if matches!(event, TrainEvent::Planned) && !overwritten {
            overwritten = true;
            fs::copy(fixture("training/class-1.png"), changed.path().join("photos/a.png")).unwrap();
        }
    });
    assert!(matches!(result, Err(Error::Store(_))), "{result:?}");
}
