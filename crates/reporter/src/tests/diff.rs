//! Comparing two runs: pairing of cells, measured differences, and the text.

use super::{axis, flat, mucha, pixel, plan};
use crate::{Diff, Likeness, Pixels, Side, Tile, diff, diff_pages, render_diff};
use maquette_core::{Image, Plan, Selection, Value};

/// A picture that depends only on the cell's settings, as real ones do.
fn picture(plan: &Plan, index: usize) -> Image {
    let cell = plan.cell(index).unwrap();
    let digest = *cell.id.0.as_bytes();
    flat(cell.settings.width, cell.settings.height, [digest[0], digest[1], digest[2]])
}

fn compare(left: &Plan, right: &Plan) -> Diff {
    let (load_left, load_right) =
        (|index| Tile::Done(picture(left, index)), |index| Tile::Done(picture(right, index)));
    let left = Side { name: "mucha@1", plan: left, load: &load_left };
    let right = Side { name: "mucha@2", plan: right, load: &load_right };
    diff(&left, &right).unwrap()
}

fn set(plan: &mut Plan, name: &str, value: impl Into<Value>) {
    plan.base.retain(|(base, _)| base != name);
    plan.base.push((name.to_owned(), value.into()));
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let diff = compare(&mucha(), &mucha());
    assert!(diff.is_empty());
    assert_eq!(diff.counts().identical, 18);
    assert_eq!(diff.text(9), "mucha@1 | mucha@2\n\nno differences in 18 cells\n");
}

#[test]
fn a_changed_setting_is_listed_once_and_cells_are_still_paired() {
    let mut right = mucha();
    set(&mut right, "steps", 30);
    right.vars[0].1 = "a woman".into();
    let diff = compare(&mucha(), &right);
    assert_eq!(diff.pairs.len(), 18);
    insta::assert_snapshot!(diff.text(3), @r"
    mucha@1 | mucha@2

    settings that differ
      steps    20 → 30
      subject  a man with a beard → a woman

    18 cells in both: 18 with different pixels

    different pixels: 18
      artist Edvard Munch · strength 0.5 · seed 7: MAE 168.33  PSNR 3.3 dB
      artist Vincent van Gogh and Edvard Munch · strength 0.7 · seed 8: MAE 150.33  PSNR 3.8 dB
      artist Edvard Munch · strength 0.7 · seed 8: MAE 144.00  PSNR 4.5 dB
      … and 15 more
    ");
}

#[test]
fn added_removed_and_reordered_values_are_paired_by_value() {
    let right = plan(vec![
        axis("seed", [8, 7]),
        axis("artist", ["Edvard Munch", "Gustav Klimt", "Alphonse Mucha"]),
        axis("strength", [0.9, 0.3, 0.5]),
    ]);
    let diff = compare(&mucha(), &right);
    assert_eq!(diff.counts().identical, 8, "two artists, two strengths, two seeds");
    insta::assert_snapshot!(diff.text(4), @r"
    mucha@1 | mucha@2

    8 cells in both: 8 identical
    10 cells only in mucha@1
    10 cells only in mucha@2

    only in mucha@1: 10
      artist Alphonse Mucha · strength 0.7 · seed 7
      artist Alphonse Mucha · strength 0.7 · seed 8
      artist Edvard Munch · strength 0.7 · seed 7
      artist Edvard Munch · strength 0.7 · seed 8
      … and 6 more

    only in mucha@2: 10
      seed 8 · artist Edvard Munch · strength 0.9
      seed 8 · artist Gustav Klimt · strength 0.9
      seed 8 · artist Gustav Klimt · strength 0.3
      seed 8 · artist Gustav Klimt · strength 0.5
      … and 6 more
    ");
}

#[test]
fn values_with_the_same_label_are_paired() {
    let mut right = mucha();
    right.axes[0].values[0].set[0].1 = "Alfons Mucha".into();
    let diff = compare(&mucha(), &right);
    assert_eq!((diff.pairs.len(), diff.only_left.len()), (18, 0));
    insta::assert_snapshot!(diff.text(1), @r"
    mucha@1 | mucha@2

    how cells are paired
      Cells are paired by the values of `artist`, `strength` and `seed`.
      On `artist`, 1 value is paired by label: what it sets differs.

    18 cells in both: 12 identical, 6 with different pixels

    different pixels: 6
      artist Alphonse Mucha · strength 0.7 · seed 7: MAE 146.33  PSNR 4.6 dB
          artist  Alphonse Mucha → Alfons Mucha
      … and 5 more
    ");
}

#[test]
fn an_axis_that_one_run_lacks_is_matched_with_its_setting() {
    let mut one = plan(vec![axis("artist", ["Alphonse Mucha", "Edvard Munch"])]);
    set(&mut one, "strength", 0.5);
    let other = plan(vec![axis("artist", ["Alphonse Mucha", "Edvard Munch"]), axis("strength", [0.3, 0.5])]);
    let more = compare(&one, &other);
    assert_eq!((more.counts().identical, more.only_left.len(), more.only_right.len()), (2, 0, 2));
    let fewer = compare(&other, &one);
    assert_eq!((fewer.counts().identical, fewer.only_left.len(), fewer.only_right.len()), (2, 2, 0));
}

#[test]
fn a_setting_is_paired_with_an_axis_of_one_value() {
    let right = plan(vec![axis("seed", [7, 8]), axis("steps", [50])]);
    let diff = compare(&plan(vec![axis("seed", [7, 8])]), &right);
    assert_eq!(diff.pairs.len(), 2);
    assert_eq!(diff.settings.len(), 1);
    assert_eq!(
        (diff.settings[0].left.as_deref(), diff.settings[0].right.as_deref()),
        (Some("20"), Some("50"))
    );
}

#[test]
fn unexplained_differences_are_listed_first() {
    let plan = mucha();
    let load_left = |index: usize| Tile::Done(flat(4, 4, [index as u8, 0, 0]));
    let load_right = |index| match index {
        0 => Tile::Done(flat(4, 4, [255, 255, 255])),
        1 => Tile::Done(flat(8, 4, [1, 0, 0])),
        2 => Tile::Failed("out of memory".to_owned()),
        3 => Tile::Missing,
        4 => Tile::Done(flat(4, 4, [5, 0, 0])),
        _ => load_left(index),
    };
    let left = Side { name: "mucha@1", plan: &plan, load: &load_left };
    let right = Side { name: "mucha@2", plan: &plan, load: &load_right };
    let diff = diff(&left, &right).unwrap();
    assert!(!diff.is_empty());
    insta::assert_snapshot!(diff.text(9), @r"
    mucha@1 | mucha@2

    18 cells in both: 13 identical, 2 with different pixels, 1 of different sizes, 2 with a missing picture

    same settings, different pixels: 3
      artist Alphonse Mucha · strength 0.3 · seed 8: sizes differ: 4×4 → 8×4
      artist Alphonse Mucha · strength 0.3 · seed 7: MAE 255.00  PSNR 0.0 dB
      artist Alphonse Mucha · strength 0.7 · seed 7: MAE 0.33  PSNR 52.9 dB

    missing pictures: 2
      artist Alphonse Mucha · strength 0.5 · seed 7: done → failed: out of memory
      artist Alphonse Mucha · strength 0.5 · seed 8: done → missing
    ");

    let pages = diff_pages(&diff, &left, &right);
    assert_eq!(pages.len(), 1);
    let sheet = render_diff(&diff, &pages[0], &left, &right);
    let white =
        (0..sheet.height()).any(|y| (0..sheet.width()).any(|x| pixel(&sheet, x, y) == [255, 255, 255]));
    assert!(white, "the right picture of the first pair is white, and nothing else on the page is");
}

#[test]
fn errors_are_measured_on_the_scale_of_a_byte() {
    let plan = plan(vec![]);
    let of = |left: [u8; 3], right: [u8; 3]| {
        let (load_left, load_right) = (|_| Tile::Done(flat(3, 2, left)), |_| Tile::Done(flat(3, 2, right)));
        let left = Side { name: "a", plan: &plan, load: &load_left };
        let right = Side { name: "b", plan: &plan, load: &load_right };
        diff(&left, &right).unwrap().pairs.remove(0).pixels
    };
    assert_eq!(of([0, 7, 255], [0, 7, 255]), Pixels::Identical);
    let black_and_white = of([0, 0, 0], [255, 255, 255]);
    let worst = Pixels::Different { mean_absolute_error: 255.0, psnr: 0.0, max_difference: 255, share: 1.0 };
    assert_eq!(black_and_white, worst);
    let Pixels::Different { mean_absolute_error, psnr, .. } = of([10, 10, 10], [10, 13, 10]) else {
        panic!()
    };
    assert_eq!(mean_absolute_error, 1.0);
    // Mean squared difference 3: 10 log10(65025 / 3).
    assert!((psnr - 43.359_6).abs() < 1e-3, "{psnr}");
}

#[test]
fn likeness_depends_on_the_ratio_and_on_the_largest_difference() {
    let check = |change: &[(usize, u8)], expected: Likeness, share: f64| {
        let left = flat(10, 10, [100, 100, 100]);
        let mut rgb = left.rgb().to_vec();
        change.iter().for_each(|(at, value)| rgb[*at] = *value);
        let pixels = Pixels::of(&left, &Image::new(10, 10, rgb).unwrap());
        assert_eq!(pixels.likeness(), expected, "{pixels:?}");
        if let Pixels::Different { share: found, .. } = pixels {
            assert_eq!(found, share);
        }
    };
    check(&[], Likeness::Identical, 0.0);
    check(&[(7, 101)], Likeness::Close, 0.01);
    // The limit of a close colour.
    check(&[(0, 132)], Likeness::Close, 0.01);
    check(&[(0, 133)], Likeness::Different, 0.01);
    // With all colours off, pictures are close up to 2.55 levels.
    let all = |value: u8| (0..300).map(|at| (at, value)).collect::<Vec<_>>();
    check(&all(102), Likeness::Close, 1.0);
    check(&all(103), Likeness::Different, 1.0);
    let sizes = Pixels::of(&flat(1, 2, [0; 3]), &flat(2, 1, [0; 3]));
    assert_eq!(sizes.likeness(), Likeness::Different);
}

#[test]
fn two_runs_without_pictures_do_not_differ() {
    let plan = mucha();
    let nothing = |_| Tile::Missing;
    let left = Side { name: "a", plan: &plan, load: &nothing };
    let right = Side { name: "b", plan: &plan, load: &nothing };
    let diff = diff(&left, &right).unwrap();
    assert!(diff.is_empty());
    assert!(diff_pages(&diff, &left, &right).is_empty());
}

#[test]
fn a_cell_is_never_paired_twice() {
    let mut left = plan(vec![axis("seed", [1, 1, 2])]);
    left.kept = Selection::Only(vec![0, 1, 2]);
    let diff = compare(&left, &plan(vec![axis("seed", [1, 2, 2])]));
    assert_eq!((diff.pairs.len(), diff.only_left.len(), diff.only_right.len()), (2, 1, 1));
}

#[test]
fn the_difference_can_be_serialized() {
    let mut right = mucha();
    set(&mut right, "steps", 30);
    right.axes.truncate(1);
    let mut left = mucha();
    left.axes.truncate(1);
    let json = serde_json::to_value(compare(&left, &right)).unwrap();
    assert_eq!(json["settings"][0]["name"], "steps");
    assert_eq!(json["pairs"][0]["left"]["coordinates"][0][1], "Alphonse Mucha");
    assert_eq!(json["pairs"][0]["pixels"]["kind"], "different");
    assert!(json["pairs"][0]["pixels"]["psnr"].as_f64().unwrap() > 0.0);
}
