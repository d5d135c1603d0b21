//! `[metrics]`.

use crate::folder::Folder;
use maquette_core::MetricsSpec;
use maquette_planner::MetricNames;

/// A few metrics and a model, as the caller of the planner names them.
pub const NAMES: MetricNames<'static> = MetricNames {
    metrics: &["psnr", "ssim", "ciede2000", "sharpness"],
    models: &[("clip", "CLIP, from a folder or the hub")],
};

const GRID: &str = "prompt = \"a cat\"\n[sweep]\nseed = [1, 2]\nguidance_scale = [5, 7]\n";

#[test]
fn metrics_are_part_of_the_plan_but_not_of_its_cells() {
    let folder = Folder::new(&[
        ("plain.toml", GRID),
        (
            "measured.toml",
            &format!("{GRID}[metrics]\nmeasure = [\"ssim\"]\nneighbours = \"seed\"\nclip = \"some/clip\"\n"),
        ),
    ]);
    let (plain, measured) = (folder.plan("plain.toml"), folder.plan("measured.toml"));
    assert_eq!(plain.plan.metrics, MetricsSpec::default());
    let expected = MetricsSpec {
        measure: vec!["ssim".to_owned()],
        neighbours: Some("seed".to_owned()),
        models: [("clip".to_owned(), "some/clip".to_owned())].into(),
    };
    assert_eq!(measured.plan.metrics, expected);
    assert_eq!((plain.source, &plain.distinct), (measured.source, &measured.distinct));
    let end = "\n[metrics]\nmeasure = [\"ssim\"]\nneighbours = \"seed\"\nclip = \"some/clip\"\n";
    assert!(measured.resolved.ends_with(end), "{}", measured.resolved);
}

#[test]
fn folders_of_models_are_relative_to_the_experiment_file() {
    let check = |at: &str, written: &str, expected: &str| {
        let base = format!("{GRID}[metrics]\nclip = \"{written}\"\n");
        let folder = Folder::new(&[
            ("base/base.toml", &base),
            ("x.toml", "extends = \"base/base.toml\"\n"),
            ("y.toml", &format!("folder = \"base\"\n{base}")),
            ("base/models/clip/config.json", "{}"),
        ]);
        let planned = folder.plan(at);
        assert_eq!(planned.plan.metrics.models["clip"], expected, "{at} {written}");
        // So that a run knows where they start.
        let start = maquette_planner::folder(&planned.resolved).unwrap();
        assert!(start.ends_with("/base") == (at != "x.toml"), "{start}");
    };
    check("base/base.toml", "models/clip", "models/clip");
    check("x.toml", "models/clip", "base/models/clip");
    check("y.toml", "models/clip", "models/clip");
    // There is no such folder: a repository on the hub.
    check("x.toml", "openai/clip", "openai/clip");
    // Written as a path.
    check("x.toml", "../clip", "base/../clip");
}

#[test]
fn an_extending_file_replaces_keys() {
    let folder = Folder::new(&[
        ("base.toml", &format!("{GRID}[metrics]\nmeasure = [\"ssim\"]\nneighbours = \"guidance_scale\"\n")),
        ("x.toml", "extends = \"base.toml\"\nguidance_scale = 5\n[metrics]\nmeasure = [\"psnr\"]\n"),
    ]);
    let metrics = folder.plan("x.toml").plan.metrics;
    // The axis is gone.
    assert_eq!((metrics.measure, metrics.neighbours), (vec!["psnr".to_owned()], None));
}

#[test]
fn mistakes_are_named() {
    let check = |lines: &str, message: &str, hint: Option<&str>| {
        let folder = Folder::new(&[("x.toml", &format!("{GRID}[metrics]\n{lines}\n"))]);
        let error = folder.with("x.toml", &maquette_planner::Overrides::default()).unwrap_err();
        let problem = &error.problems[0];
        assert_eq!((problem.to_string().as_str(), problem.hint()), (message, hint), "{lines}");
        assert_eq!(problem.place().unwrap().1, 6);
    };
    check("measure = [\"sim\"]", "the text `sim` is not a metric", Some("did you mean `ssim`?"));
    let allowed = Some("allowed: `psnr`, `ssim`, `ciede2000`, `sharpness`");
    check("measure = [\"xyzzy\"]", "the text `xyzzy` is not a metric", allowed);
    check("measure = \"ssim\"", "`measure` is the text `ssim`; allowed: a list of metrics", allowed);
    check("measure = [\"ssim\", \"ssim\"]", "`measure` has `ssim` twice", None);
    check("clip = 3", "`clip` is `3`; allowed: the name of a model", None);
    check("clipp = \"x\"", "`clipp` is not a key of [metrics]", Some("did you mean `clip`?"));
    let listed = Some("metrics are listed: `measure = [\"ssim\"]`");
    check("ssim = true", "`ssim` is not a key of [metrics]", listed);
    check(
        "neighbours = \"sede\"",
        "`neighbours` is `sede`, which is not an axis",
        Some("did you mean `seed`?"),
    );
    let move_it = "everything below a [table] line belongs to that table: move this line above the first one";
    check("steps = 3", "`steps` is below [metrics] but belongs at the top of the file", Some(move_it));
}
