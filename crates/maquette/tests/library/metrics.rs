//! Measuring runs, and the effects of their axes.

use crate::support::{Project, log, pixels, run};
use maquette::{EffectsOptions, Error, Experiment, LogRow, METRICS, Run, StartReason, Workspace};
use std::fs;

const EXPERIMENT: &str = include_str!("../../../../tests/fixtures/metrics/faces.toml");

fn project(metrics: &str) -> (Project, Workspace, Experiment) {
    let project = Project::new().with_selfie();
    project.write("faces.toml", format!("{EXPERIMENT}{metrics}"));
    let (workspace, experiment) = (project.engine(), project.experiment("faces.toml"));
    (project, workspace, experiment)
}

fn metric(run: &Run, name: &str) -> Vec<Option<f64>> {
    let number = |row: &LogRow| row.metric(name).map(|text| text.parse().unwrap());
    log(run).iter().map(number).collect()
}

fn measure(workspace: &Workspace, run: &str, names: &[&str]) -> Result<maquette::Measurement, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    workspace.measure(run, &names, &Default::default(), &mut |_, _| ())
}

#[test]
fn a_run_measures_what_its_experiment_names() {
    let (project, workspace, experiment) = project("[metrics]\nmeasure = [\"ssim\", \"sharpness\"]\n");
    let ran = run(&workspace, &experiment);
    assert_eq!(ran.warnings, Vec::<String>::new());
    let measured = ran.result.run;
    let names: Vec<String> = log(&measured)[0].metrics().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["ssim", "sharpness"]);
    let likeness = metric(&measured, "ssim");
    assert_eq!(likeness.len(), 8);
    // Less of the reference picture is left at the higher strength.
    let mean = |strength: &str| {
        let rows = log(&measured);
        let of: Vec<f64> = rows
            .iter()
            .filter(|row| row.get("strength") == Some(strength))
            .map(|row| row.metric("ssim").unwrap().parse::<f64>().unwrap())
            .collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(mean("0.5") > mean("1"), "{likeness:?}");

    // Other metrics resume the same run, and a further cell leaves the others' values.
    project.write("faces.toml", format!("{EXPERIMENT}[metrics]\nmeasure = [\"psnr\"]\n"));
    let again = run(&workspace, &experiment);
    assert_eq!((again.reason, again.counts()), (StartReason::Resumed, [8, 0, 0, 0]));
    assert_eq!(again.result.run, measured);
    assert_eq!(metric(&measured, "ssim"), likeness);
    assert!(metric(&measured, "psnr").iter().all(Option::is_some));
    assert!(measured.experiment().unwrap().contains("measure = [\"psnr\"]"));
}

#[test]
fn every_metric_that_applies_is_measured() {
    let (_project, workspace, experiment) = project("");
    let run = run(&workspace, &experiment).result.run;
    let before = fs::read_to_string(run.dir().join("log.csv")).unwrap();
    let measured = measure(&workspace, "faces", &[]).unwrap();
    let expected: Vec<&str> =
        METRICS.iter().filter(|metric| metric.model.is_none()).map(|metric| metric.name).collect();
    assert_eq!(measured.metrics.iter().map(|metric| metric.name).collect::<Vec<_>>(), expected);
    assert_eq!((measured.pictures, &measured.notes), (8, &Vec::new()));
    let after = fs::read_to_string(run.dir().join("log.csv")).unwrap();
    assert_eq!(before.lines().count(), after.lines().count());
    for (before, after) in before.lines().zip(after.lines()) {
        assert!(after.starts_with(before));
    }
    for row in log(&run) {
        for name in expected.iter().filter(|name| **name != "duplicate_of") {
            assert!(row.metric(name).is_some(), "{name}");
        }
    }
    // Two values of the axis: each is the other's only neighbour.
    let neighbours = metric(&run, "neighbour_psnr");
    let rows = log(&run);
    for (row, value) in rows.iter().zip(&neighbours) {
        let other = |other: &LogRow| {
            other.get("strength") != row.get("strength")
                && ["artist", "seed"].iter().all(|name| other.get(name) == row.get(name))
        };
        let other = rows.iter().position(other).unwrap();
        assert_eq!(*value, neighbours[other]);
    }
}

#[test]
fn what_does_not_apply_and_what_is_missing_is_named() {
    let project = Project::new();
    project.write(
        "plain.toml",
        "prompt = \"a man\"\nsteps = 1\nwidth = 64\nheight = 64\n[sweep]\nseed = [1, 2]\n",
    );
    let workspace = project.engine();
    let run = run(&workspace, &project.experiment("plain.toml")).result.run;
    let measured = measure(&workspace, "plain", &["ssim", "neighbour_ssim", "sharpness"]).unwrap();
    assert_eq!(
        measured.notes,
        [
            "`ssim` does not apply: no cell has a reference picture (`init_image`)",
            "`neighbour_ssim` does not apply: there is no axis of numbers besides seeds; name one with `neighbours` in \
             [metrics]"
        ]
    );
    assert_eq!(metric(&run, "ssim"), [None, None]);
    assert!(metric(&run, "sharpness").iter().all(Option::is_some));
    let names = measure(&workspace, "plain", &[]).unwrap().metrics;
    assert_eq!(
        names.iter().map(|metric| metric.name).collect::<Vec<_>>(),
        ["sharpness", "phash", "duplicate_of"]
    );
    let error = measure(&workspace, "plain", &["sim"]).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.hint().as_deref()),
        ("`sim` is not a metric", Some("did you mean `ssim`?"))
    );

    // A deleted picture and an edited one lose their values; the others keep theirs.
    let rows = log(&run);
    fs::remove_file(run.dir().join(rows[0].image().unwrap())).unwrap();
    let measured = measure(&workspace, "plain", &["sharpness"]).unwrap();
    assert_eq!((measured.pictures, measured.notes.len()), (1, 1));
    assert!(measured.notes[0].starts_with("a picture has no metrics: cannot read"), "{:?}", measured.notes);
    assert_eq!(metric(&run, "sharpness")[0], None);
    let edited = maquette_picture::encode_png(&maquette_core::Image::new(8, 8, vec![9; 192]).unwrap(), &[]);
    fs::remove_file(run.dir().join(rows[1].image().unwrap())).unwrap();
    fs::write(run.dir().join(rows[1].image().unwrap()), edited.unwrap()).unwrap();
    let measured = measure(&workspace, "plain", &["sharpness"]).unwrap();
    assert_eq!(measured.pictures, 0);
}

#[test]
fn runs_of_an_earlier_version_are_measured() {
    let project = Project::new();
    project.copy("runs-before", "");
    let workspace = project.engine();
    let measured = measure(&workspace, "portraits@2", &["ssim", "sharpness"]).unwrap();
    assert_eq!(measured.pictures, 4);
    let rows = log(&measured.run);
    assert_eq!(rows.len(), 6);
    assert_eq!(rows.iter().filter(|row| row.metric("sharpness").is_some()).count(), 4);
    let effects = workspace.effects("portraits@2", &EffectsOptions::default(), &mut |_, _| ()).unwrap();
    assert_eq!(effects.pictures, 4);
}

#[test]
fn effects_say_which_axis_matters() {
    let (project, workspace, experiment) = project("[metrics]\nmeasure = [\"ssim\"]\n");
    let run = run(&workspace, &experiment).result.run;
    let options = EffectsOptions { metric: Some("ssim".to_owned()), ..EffectsOptions::default() };
    let found = workspace.effects("faces", &options, &mut |_, _| ()).unwrap();
    assert_eq!((found.pictures, found.effects.len(), found.notes.len()), (8, 2, 0));
    for effects in &found.effects {
        let sum: f64 = effects.shares.iter().map(|share| share.share).sum::<f64>() + effects.rest;
        assert!((sum - 1.0).abs() < 1e-9 && effects.complete, "{effects:?}");
        assert_eq!(effects.shares.len(), 6);
    }
    let curves = found.curves.as_ref().unwrap();
    assert_eq!(
        (curves.along.as_str(), curves.lines.as_deref(), &curves.spread[..]),
        ("strength", Some("artist"), &["seed".to_owned()][..])
    );
    assert_eq!(curves.x, [0.5, 1.0]);
    // The mean of two seeds, within its band.
    let likeness = metric(&run, "ssim");
    let point = curves.curves[0].curve.points[0].unwrap();
    assert!((point.mean - (likeness[0].unwrap() + likeness[1].unwrap()) / 2.0).abs() < 1e-12);
    assert_eq!(point.count, 2);

    // Plots are SVG files in which names are text.
    let plots = found.write_plots().unwrap();
    let names: Vec<_> =
        plots.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["effects-pixels.svg", "effects-ssim.svg", "ssim-by-strength.svg"]);
    for path in plots {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("<svg") && !text.contains("<script"), "{text}");
    }
    let tables = found.write_tables(&project.path().join("tables")).unwrap();
    assert_eq!(tables.len(), 3);
    let curves = project.read("tables/curves.csv");
    assert_eq!(curves.lines().count(), 5, "{curves}");
    assert!(curves.starts_with("metric,artist,strength,mean,low,high,count\n"), "{curves}");

    // The run keeps them; another measure of the same pictures is added.
    let stored: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.dir().join("effects.json")).unwrap()).unwrap();
    assert_eq!(stored["effects"][0]["measure"], "pixels");
    assert_eq!(stored["effects"][1]["measure"], "ssim");
    workspace.effects("faces", &EffectsOptions::default(), &mut |_, _| ()).unwrap();
    let again: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.dir().join("effects.json")).unwrap()).unwrap();
    assert_eq!(again, stored);
}

#[test]
fn effects_refuse_what_they_cannot_compute() {
    let (_project, workspace, experiment) = project("");
    run(&workspace, &experiment);
    let check = |options: EffectsOptions, message: &str, hint: &str| {
        let error = workspace.effects("faces", &options, &mut |_, _| ()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, Some(hint)));
    };
    let some = |text: &str| Some(text.to_owned());
    check(
        EffectsOptions { measure: some("clap"), ..EffectsOptions::default() },
        "`clap` is not a measure of pictures",
        "allowed: pixels, clip, siglip, sketchbook",
    );
    check(
        EffectsOptions { metric: some("psnr"), ..EffectsOptions::default() },
        "the log of faces@1 has no numbers of `psnr`",
        "Measure it: `maquette measure faces@1 --metric psnr`.",
    );
    let measured = measure(&workspace, "faces", &["ssim"]).unwrap();
    assert_eq!(measured.pictures, 8);
    check(
        EffectsOptions { along: some("artists"), ..EffectsOptions::default() },
        "`artists` is not an axis of the run",
        "allowed: artist, strength, seed",
    );
    let words = EffectsOptions { along: some("artist"), ..EffectsOptions::default() };
    let found = workspace.effects("faces", &words, &mut |_, _| ()).unwrap();
    assert_eq!(found.notes, ["there are no curves: the values of `artist` are not numbers"]);
    let row = &log(&measured.run)[0];
    assert_eq!((pixels(&measured.run, row).width(), row.metric("ssim").is_some()), (64, true));
}
