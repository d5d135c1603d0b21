//! Resumed runs: edited pictures, damaged rows, and which cells count as rendered.

use crate::execute_tests::{Folder, counts, fake, plan};
use crate::{ExecuteError, RunProgress, Summary};
use maquette_core::{Axis, AxisValue};

/// The warnings among what was reported.
fn warnings<'a>(seen: &'a [RunProgress]) -> Vec<&'a str> {
    let warning = |seen: &'a RunProgress| match seen {
        RunProgress::Warned { warning, .. } => Some(warning.as_str()),
        _ => None,
    };
    seen.iter().filter_map(warning).collect()
}

#[test]
fn an_edited_picture_is_reported_and_rendered_again() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 2));
    folder.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    let before = folder.results();
    let run = folder.runs.find("test").unwrap();
    let image = run.dir().join(run.log().unwrap()[1].image().unwrap());
    // The other cell's pixels with this cell's metadata.
    let other = run.dir().join(run.log().unwrap()[0].image().unwrap());
    let texts = maquette_picture::read_png_texts(&std::fs::read(&image).unwrap()).unwrap();
    let texts: Vec<(&str, &str)> = texts.found.iter().map(|(key, text)| (&**key, &**text)).collect();
    let painted = maquette_picture::encode_png(&maquette_picture::decode(&other).unwrap(), &texts).unwrap();
    std::fs::write(&image, painted).unwrap();
    let mut backend = fake();
    let (summary, seen) = folder.execute(&plan, None, &mut backend, &[]);
    assert_eq!((summary.unwrap().done, backend.pulled), (1, 1));
    let expected = format!(
        "`{}` was edited: its pixels differ from the rendered ones, so it is replaced",
        image.display()
    );
    assert_eq!(warnings(&seen), [expected], "once, although `.cells` has the same file");
    assert_eq!(folder.results(), before);
}

#[test]
fn a_damaged_row_is_reported_and_its_cell_gets_a_new_one() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 3));
    folder.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    let before = folder.results();
    let log = folder.runs.find("test").unwrap().dir().join("log.csv");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replacen(",done,", ",dome,", 1)).unwrap();
    let (summary, seen) = folder.execute(&plan, None, &mut fake(), &[]);
    let expected = Summary { total: 3, done: 2, reused: 1, ..Summary::default() };
    assert_eq!(counts(summary), expected, "its picture is intact and reused");
    let [warning] = warnings(&seen)[..] else { panic!("{seen:?}") };
    assert!(warning.starts_with("line 2 of `") && warning.ends_with("so it counts as missing"), "{warning}");
    assert_eq!(folder.results(), before);
    // Of many damaged rows the rest is counted.
    std::fs::write(&log, text.replace(",done,", ",dome,").repeat(4)).unwrap();
    let (_, seen) = folder.execute(&plan, None, &mut fake(), &[]);
    assert_eq!(warnings(&seen).len(), 6, "{seen:?}");
    assert_eq!(folder.results(), before);
}

#[test]
fn the_kinds_of_work_are_those_of_rendered_cells() {
    let folder = Folder::new();
    let sized = |sizes: &[i64]| {
        let value = |size: &i64| AxisValue {
            label: size.to_string(),
            set: vec![("width".to_owned(), (*size).into())],
        };
        let mut plan = plan(&["Mucha"], 2);
        plan.axes.push(Axis { name: "width".to_owned(), values: sizes.iter().map(value).collect() });
        plan
    };
    let widths = |summary: Result<Summary, ExecuteError>| {
        summary.unwrap().kinds.iter().map(|kind| kind.width).collect::<Vec<_>>()
    };
    assert_eq!(widths(folder.execute(&sized(&[16, 24]), None, &mut fake(), &[]).0), [16, 24]);
    assert_eq!(widths(folder.execute(&sized(&[16, 24, 32]), None, &mut fake(), &[]).0), [32]);
    assert_eq!(widths(folder.execute(&sized(&[16, 24, 32]), None, &mut fake(), &[]).0), [0u32; 0]);
}
