//! The pages of a sheet, their names, and the arrangement of axes.

use super::{axis, mucha, plan};
use crate::axes::{Arrangement, Shape, arrange};
use crate::pages;
use maquette_core::Plan;

fn listing(plan: &Plan) -> String {
    let pages = pages(plan).unwrap();
    let lines: Vec<String> = pages
        .iter()
        .map(|page| format!("{} of {}: {} [{}]", page.number, page.of, page.name, page.heading))
        .collect();
    lines.join("\n")
}

#[test]
fn remaining_axes_make_pages() {
    insta::assert_snapshot!(listing(&mucha()), @r"
    1 of 2: seed-7 [seed 7]
    2 of 2: seed-8 [seed 8]
    ");
}

#[test]
fn two_axes_make_a_single_page() {
    let plan = plan(vec![axis("artist", ["a", "b"]), axis("strength", [0.1, 0.2])]);
    insta::assert_snapshot!(listing(&plan), @"1 of 1: sheet []");
}

#[test]
fn names_are_valid_in_all_file_systems_and_distinct() {
    let mut plan = plan(vec![
        axis("artist", ["a", "b"]),
        axis("strength", [0.1, 0.2]),
        axis("mood", ["A/B: <calm>?", "a b calm", "葛飾北斎", "..", ""]),
    ]);
    plan.sheet.rows = Some("artist".to_owned());
    insta::assert_snapshot!(listing(&plan), @r"
    1 of 5: mood-a-b-calm [mood A/B: <calm>?]
    2 of 5: mood-a-b-calm-2 [mood a b calm]
    3 of 5: mood-葛飾北斎 [mood 葛飾北斎]
    4 of 5: mood [mood ..]
    5 of 5: mood-2 [mood (empty)]
    ");
}

#[test]
fn parts_of_a_large_page_are_numbered() {
    let mut plan = plan(vec![axis("seed", 0..30), axis("steps", 1..20)]);
    plan.sheet.cell = Some(256);
    plan.sheet.max = Some(3000);
    insta::assert_snapshot!(listing(&plan), @r"
    1 of 12: sheet-part-01 []
    2 of 12: sheet-part-02 []
    3 of 12: sheet-part-03 []
    4 of 12: sheet-part-04 []
    5 of 12: sheet-part-05 []
    6 of 12: sheet-part-06 []
    7 of 12: sheet-part-07 []
    8 of 12: sheet-part-08 []
    9 of 12: sheet-part-09 []
    10 of 12: sheet-part-10 []
    11 of 12: sheet-part-11 []
    12 of 12: sheet-part-12 []
    ");
}

#[test]
fn rows_and_columns_have_defaults() {
    let check =
        |rows: Option<&str>, columns: Option<&str>, lengths: &[usize], expected: (Shape, &[usize])| {
            let names = ["a", "b", "c", "d"];
            let axes = lengths.iter().zip(names).map(|(&length, name)| axis(name, 0..length as i64));
            let mut plan = plan(axes.collect());
            plan.sheet.rows = rows.map(str::to_owned);
            plan.sheet.columns = columns.map(str::to_owned);
            let expected = Arrangement { shape: expected.0, pages: expected.1.to_vec() };
            assert_eq!(arrange(&plan), Ok(expected), "{rows:?} {columns:?} {lengths:?}");
        };
    let matrix = |rows, columns| Shape::Matrix { rows, columns };
    check(None, None, &[], (Shape::Single, &[]));
    check(None, None, &[1, 1], (Shape::Single, &[]));
    check(None, None, &[5], (Shape::Gallery(0), &[]));
    check(None, None, &[1, 5], (Shape::Gallery(1), &[]));
    check(None, None, &[2, 3, 4, 2], (matrix(Some(0), Some(1)), &[2, 3]));
    check(None, None, &[2, 1, 4], (matrix(Some(0), Some(2)), &[]));
    check(Some("c"), None, &[2, 3, 4], (matrix(Some(2), Some(0)), &[1]));
    check(None, Some("a"), &[2, 3, 4], (matrix(Some(1), Some(0)), &[2]));
    check(None, Some("a"), &[5], (matrix(None, Some(0)), &[]));
}

#[test]
fn an_invalid_sheet_is_an_error() {
    let mut plan = plan(vec![axis("artist", ["a", "b"]), axis("seed", [1, 2])]);
    plan.sheet.rows = Some("painter".to_owned());
    let error = pages(&plan).unwrap_err().to_string();
    assert_eq!(error, "sheet.rows is `painter`, which is not an axis; allowed: `artist`, `seed`");
    plan.sheet.rows = Some("seed".to_owned());
    plan.sheet.columns = Some("seed".to_owned());
    let error = pages(&plan).unwrap_err().to_string();
    assert_eq!(error, "sheet.rows and sheet.columns are both `seed`; allowed: two different axes");
}
