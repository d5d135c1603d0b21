//! The data of a run's page.

use super::{axis, mucha, plan};
use crate::page::{
    AboutRun, Better, ColumnKind, ColumnType, LoggedColumn, LossRow, PictureFacts, PictureStatus,
    PicturesNow, PlannedPage, Reference, RunPage, ThumbnailFolder, Training, TrainingSample, data_script,
    losses, run_page, state_script, thumbnail,
};
use maquette_core::{Plan, Selection, TrainingMethod, Value};
use std::collections::BTreeSet;

/// Lines as an experiment file has them, as far as these tests need it.
fn toml_lines(settings: &[(&'static str, Value)]) -> String {
    settings.iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect()
}

fn planned(plan: &Plan) -> PlannedPage {
    PlannedPage::new(plan, &toml_lines).unwrap()
}

/// The page of a run whose first picture is done, the second one failed, and the others are missing.
fn page(plan: &Plan, in_use: bool) -> RunPage {
    page_with(plan, in_use, Vec::new())
}

fn page_with(plan: &Plan, in_use: bool, trainings: Vec<Training>) -> RunPage {
    let planned = planned(plan);
    let mut facts = vec![PictureFacts::missing(); planned.cells.len()];
    facts[0] = PictureFacts {
        status: PictureStatus::Done,
        image: Some("images/a.png".to_owned()),
        size: Some((96, 64)),
        thumbnail: true,
        ..PictureFacts::missing()
    };
    if let Some(second) = facts.get_mut(1) {
        *second = PictureFacts {
            status: PictureStatus::Failed,
            problem: Some("out of <memory>".to_owned()),
            ..PictureFacts::missing()
        };
    }
    let mut seconds = vec![String::new(); facts.len()];
    seconds[0] = "1.25".to_owned();
    let column = |name: &str, is_metric| LoggedColumn {
        name: name.to_owned(),
        is_metric,
        r#type: None,
        help: "About it.".to_owned(),
        better: is_metric.then_some(Better::Higher),
        range: is_metric.then_some((Some(0.0), None)),
        texts: seconds.clone(),
    };
    let now = PicturesNow {
        facts,
        logged: vec![column("seconds", false), column("ssim", true)],
        thumbnails: vec![ThumbnailFolder {
            folder: "page/thumbnails/64".to_owned(),
            edge: 64,
            spread: false,
        }],
        references: vec![Reference { image: "references/selfie.png".to_owned(), size: (300, 400) }],
    };
    let about = AboutRun {
        version: "0.1.0".to_owned(),
        name: "mucha@2".to_owned(),
        experiment: "mucha".to_owned(),
        number: 2,
        title: plan.title.clone(),
        toml: "title = \"</script>\"".to_owned(),
        in_use,
        trainings,
        ..AboutRun::default()
    };
    run_page(&planned, about, now)
}

#[test]
fn the_data_of_a_small_run() {
    let plan = plan(vec![axis("artist", ["Alphonse Mucha", "Edvard Munch"]), axis("seed", [7])]);
    let page = page(&plan, false);
    let json = serde_json::to_string_pretty(&page).unwrap();
    insta::assert_snapshot!("small-run", json);
    insta::assert_snapshot!(
        state_script(&page.state(1_700_000_000)),
        @r#"maquetteState('{"revision":"d6d7d12666384364","state":"complete","done":1,"total":2,"written":1700000000}');"#
    );
}

#[test]
fn the_revision_changes_with_the_data_and_only_then() {
    let plan = mucha();
    let (one, other) = (page(&plan, true), page(&plan, false));
    assert_eq!(one.revision, page(&plan, true).revision);
    assert_ne!(one.revision, other.revision);
    assert_eq!(one.revision.len(), 16);
    assert!(data_script(&one).contains(&one.revision));
}

/// A training after a number of its 60 steps.
fn training(done: u32) -> Training {
    let row = |step: u32| LossRow {
        step,
        loss: 1.0 / f64::from(step),
        learning_rate: if step == 1 { 0.0005 } else { 0.001 },
    };
    let rows: Vec<LossRow> = (1..=done).map(row).collect();
    Training {
        subject: "me".to_owned(),
        word: "sks man".to_owned(),
        model: "tiny".to_owned(),
        method: TrainingMethod::Lora,
        images: 5,
        class_images: 4,
        rank: Some(16),
        num_vectors: None,
        learning_rate: 0.001,
        steps: 60,
        last_step: 40,
        done,
        seconds: 3.25,
        losses: losses(&rows, 60),
        samples: vec![TrainingSample {
            step: 2,
            number: 0,
            image: "trained/me-0a1b2c3d/samples/2-0.png".to_owned(),
        }],
    }
}

#[test]
fn the_data_of_a_training() {
    let shown = page_with(&mucha(), true, vec![training(3)]);
    insta::assert_snapshot!("training", serde_json::to_string_pretty(&shown.trainings).unwrap());
    let none = serde_json::to_value(page(&mucha(), true)).unwrap();
    assert_eq!(none.get("trainings"), None, "pages without trainings have no such data");
}

#[test]
fn a_step_of_a_training_is_another_revision() {
    let revision = |done: u32| page_with(&mucha(), true, vec![training(done)]).revision;
    assert_eq!(revision(3), revision(3));
    assert_ne!(revision(3), revision(4));
    // Also where the losses are thinned.
    assert_ne!(revision(2_000), revision(2_001));
}

#[test]
fn cells_that_are_one_picture_share_it() {
    // Without guidance the negative prompt has no effect.
    let mut plan = plan(vec![axis("negative_prompt", ["", "blurry"]), axis("seed", [7, 8])]);
    plan.base.retain(|(name, _)| name != "guidance_scale");
    plan.base.push(("guidance_scale".to_owned(), 1.into()));
    let page = page(&plan, false);
    assert_eq!((page.grid.picture, page.pictures.count), (vec![0, 1, 0, 1], 2));
}

#[test]
fn filtered_cells_keep_their_positions() {
    let mut plan = mucha();
    plan.kept = Selection::Only(vec![1, 5, 17]);
    let page = page(&plan, false);
    assert_eq!((page.grid.kept, page.grid.picture.len()), (Some(vec![1, 5, 17]), 3));
}

#[test]
fn the_layout_is_that_of_the_sheets() {
    let check = |plan: &Plan, expected: (Option<&str>, Option<&str>)| {
        let grid = page(plan, false).grid;
        assert_eq!((grid.rows.as_deref(), grid.columns.as_deref()), expected);
    };
    check(&mucha(), (Some("artist"), Some("strength")));
    let mut other = mucha();
    other.sheet.rows = Some("seed".to_owned());
    check(&other, (Some("seed"), Some("artist")));
    check(&plan(vec![axis("seed", [1, 2, 3])]), (None, Some("seed")));
    check(&plan(vec![]), (None, None));
}

#[test]
fn a_setting_is_a_column_with_each_value_once() {
    let page = page(&mucha(), false);
    let column = |name: &str| page.pictures.columns.iter().find(|column| column.name == name).unwrap();
    let strength = column("strength");
    assert_eq!(
        (&strength.values[..], strength.r#type),
        (&["0.3", "0.5", "0.7"].map(str::to_owned)[..], ColumnType::Number)
    );
    assert_eq!(strength.index.as_ref().unwrap()[..5], [0, 0, 1, 1, 2]);
    let prompt = column("prompt");
    assert_eq!(prompt.values[1], "portrait of a man with a beard, by Edvard Munch");
    assert_eq!((prompt.r#type, column("safety_checker").r#type), (ColumnType::Text, ColumnType::Boolean));
    assert_eq!((column("steps").index.as_ref(), &column("steps").values[..]), (None, &["20".to_owned()][..]));
    assert_eq!(column("artist").kind, ColumnKind::Placeholder);
    assert!(page.pictures.toml_head.contains("steps = Integer(20)"), "{}", page.pictures.toml_head);
    assert!(!page.pictures.toml_head.contains("prompt = "), "{}", page.pictures.toml_head);
    assert_eq!(page.pictures.reference, vec![Some(0); 18]);
}

#[test]
fn ten_thousand_cells_are_small_and_fast() {
    let plan = plan(vec![
        axis("artist", (0..10).map(|n| Value::Text(format!("Artist {n}")))),
        axis("strength", (0..10).map(|n| f64::from(n) / 10.0 + 0.05)),
        axis("seed", 0..100),
    ]);
    let page = page(&plan, true);
    assert_eq!(page.pictures.count, 10_000);
    let bytes = data_script(&page).len();
    // Names of 64 digits are most of it; nothing else takes more than a few bytes per cell.
    assert!(bytes < 1_600_000, "{bytes}");
}

#[test]
fn a_thumbnail_is_never_larger_than_its_picture() {
    let check = |size: (u32, u32), expected: (u32, u32)| {
        let made = thumbnail(&super::flat(size.0, size.1, [7, 8, 9]), 160);
        assert_eq!((made.width(), made.height()), expected);
        assert_eq!(made.rgb()[..3], [7, 8, 9]);
    };
    check((512, 256), (160, 80));
    check((100, 1000), (16, 160));
    check((160, 40), (160, 40));
    check((64, 64), (64, 64));
    check((4000, 1), (160, 1));
}

#[test]
fn the_page_knows_which_settings_have_placeholders() {
    let source = include_str!("../../page/src/text/settings.ts");
    let list = source.split_once("const WITH_PLACEHOLDERS = [").unwrap().1.split_once(']').unwrap().0;
    let known: Vec<&str> = list.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let known: BTreeSet<&str> = known.into_iter().filter(|name| !name.is_empty()).collect();
    let templates = maquette_core::SETTINGS.iter().filter(|setting| setting.template);
    assert_eq!(known, templates.map(|setting| setting.name).collect());
}
