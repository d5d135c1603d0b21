//! Frames of animations: which there are, and that nothing on them moves but the pictures.

use super::{axis, flat, mucha, plan};
use crate::{AnimationError, Tile, animations, render, same_size};
use maquette_core::{Plan, Selection};

fn names(plan: &Plan, along: &str) -> Vec<(String, usize)> {
    let animations = animations(plan, along).unwrap();
    animations.into_iter().map(|animation| (animation.name, animation.frames.len())).collect()
}

#[test]
fn there_is_an_animation_for_each_combination_of_the_other_axes() {
    let check = |plan: &Plan, along: &str, expected: &[(&str, usize)]| {
        let expected: Vec<_> = expected.iter().map(|(name, frames)| ((*name).to_owned(), *frames)).collect();
        assert_eq!(names(plan, along), expected, "{along}");
    };
    let three = mucha();
    // The two other axes are rows and columns.
    check(&three, "strength", &[("strength", 3)]);
    check(&three, "seed", &[("seed", 2)]);
    let mut four = mucha();
    four.axes.push(axis("steps", [10, 20]));
    check(&four, "strength", &[("strength_steps-10", 3), ("strength_steps-20", 3)]);
    four.sheet.columns = Some("steps".to_owned());
    four.sheet.rows = Some("strength".to_owned());
    check(&four, "strength", &[("strength_seed-7", 3), ("strength_seed-8", 3)]);
    // A single axis is a single picture that changes.
    check(&plan(vec![axis("strength", [0.3, 0.5])]), "strength", &[("strength", 2)]);
    assert!(matches!(animations(&three, "steps"), Err(AnimationError::NoSuchAxis { .. })));
    let one = plan(vec![axis("strength", [0.3]), axis("seed", [1, 2])]);
    assert!(matches!(animations(&one, "strength"), Err(AnimationError::OneValue { .. })));
    let many = plan(vec![axis("artist", 0..60), axis("seed", 0..60), axis("strength", [0.1, 0.2])]);
    assert!(matches!(animations(&many, "strength"), Err(AnimationError::TooLarge)));
}

#[test]
fn values_that_are_left_out_everywhere_have_no_frame() {
    let mut plan = plan(vec![axis("strength", [0.3, 0.5, 0.7]), axis("seed", [1, 2])]);
    plan.kept = Selection::Only(vec![0, 1, 4, 5]);
    assert_eq!(names(&plan, "strength"), [("strength".to_owned(), 2)]);
    plan.kept = Selection::Only(vec![0, 1]);
    assert!(matches!(animations(&plan, "strength"), Err(AnimationError::OneValue { .. })));
}

#[test]
fn only_pictures_and_the_value_change() {
    let plan = mucha();
    let animation = animations(&plan, "strength").unwrap().remove(0);
    let grey = |index: usize| [index as u8 * 10; 3];
    let frames = animation.frames.iter();
    let frames: Vec<_> = frames
        .map(|page| render(&plan, page, None, &|index| Tile::Done(flat(64, 64, grey(index)))))
        .collect();
    let frames = same_size(frames);
    let cells: Vec<_> = animation.frames.iter().map(|page| page.cells(&plan)).collect();
    let first = &cells[0];
    assert!(cells.iter().all(|cells| cells.iter().zip(first).all(|(one, other)| one.area == other.area)));
    assert_ne!(cells[0][0].index, cells[1][0].index);
    let top = first.iter().map(|cell| cell.area.y).min().unwrap();
    let bottom = first.iter().map(|cell| cell.area.bottom()).max().unwrap();
    let rows = |frame: &maquette_core::Image, rows: std::ops::Range<u32>| {
        let width = 3 * frame.width() as usize;
        frame.rgb()[rows.start as usize * width..rows.end as usize * width].to_vec()
    };
    for frame in &frames[1..] {
        assert_ne!(rows(frame, 0..top), rows(&frames[0], 0..top), "the heading has the value");
        let height = frame.height();
        assert_eq!(rows(frame, bottom..height), rows(&frames[0], bottom..height), "nothing below changes");
    }
}

#[test]
fn frames_of_different_heights_are_extended() {
    let frames = same_size(vec![flat(4, 3, [9; 3]), flat(4, 5, [8; 3])]);
    assert_eq!((frames[0].width(), frames[0].height()), (4, 5));
    assert_eq!(frames[0].rgb()[..36], [9; 36]);
    assert_eq!(frames[0].rgb()[36..39], crate::style::PAPER);
}
