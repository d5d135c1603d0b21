//! No two areas of a page overlap, none exceeds the page, and every cell is on exactly one page.

use super::{axis, plan};
use crate::canvas::Area;
use crate::layout::What;
use crate::style::{MAX_EDGE, MAX_PIXELS};
use crate::text::Typesetter;
use crate::{PageSpec, pages};
use maquette_core::{Axis, Plan, Selection};
use proptest::prelude::*;

fn overlap(a: Area, b: Area) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom()
}

fn check(plan: &Plan) -> Vec<PageSpec> {
    let pages = pages(plan).unwrap();
    let mut types = Typesetter::new();
    let mut seen = vec![0; plan.len()];
    for page in &pages {
        let layout = page.layout(&mut types);
        let max = plan.sheet.max.unwrap_or(MAX_EDGE);
        if page.part.rows.len() * page.part.columns.len() > 1 {
            assert!(layout.width <= max, "{} is {} wide; allowed: up to {max}", page.name, layout.width);
            assert!(
                layout.height <= max || page.part.rows.len() == 1,
                "{} is {} high",
                page.name,
                layout.height
            );
            assert!(u64::from(layout.width) * u64::from(layout.height) <= MAX_PIXELS, "{}", page.name);
        }
        for (i, item) in layout.items.iter().enumerate() {
            assert!(item.area.right() <= layout.width, "{item:?} exceeds the page");
            assert!(item.area.bottom() <= layout.height, "{item:?} exceeds the page");
            if let What::Text(text) = &item.what {
                let (width, height) = types.measure(text);
                assert!(width <= item.area.width && height <= item.area.height, "{text:?} exceeds its area");
            }
            for other in &layout.items[i + 1..] {
                assert!(!overlap(item.area, other.area), "{item:?} overlaps {other:?} on {}", page.name);
            }
        }
        for cell in page.cells(plan) {
            seen[cell.index] += 1;
        }
    }
    assert!(seen.iter().all(|&times| times == 1), "how often each cell is shown: {seen:?}");
    let mut names: Vec<&String> = pages.iter().map(|page| &page.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), pages.len(), "two pages have the same name");
    pages
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9.]{0,12}",
        2 => "([A-Za-zéßŁ]{1,14} ){1,20}",
        1 => "[A-Z]{60,120}",
        1 => "([a-z]{2,8}\n){1,3}",
    ]
}

fn any_axis() -> impl Strategy<Value = Axis> {
    let name = prop::sample::select(vec!["artist", "mood", "a placeholder with a long name", "x"]);
    (name, prop::collection::vec(label(), 1..9))
        .prop_map(|(name, labels)| axis(name, labels.iter().map(String::as_str)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_plan_can_be_laid_out(
        axes in prop::collection::vec(any_axis(), 0..4),
        holes in prop::collection::vec(any::<bool>(), 600),
        filter in any::<bool>(),
        reference in any::<bool>(),
        size in (1i64..12, 1i64..12),
        cell in prop::option::of(16u32..700),
        max in prop::option::of(1200u32..3000),
        title in label(),
    ) {
        let mut plan = plan(axes);
        // Names must differ, which the planner ensures.
        for (i, axis) in plan.axes.iter_mut().enumerate() {
            axis.name.push_str(&i.to_string());
        }
        plan.title = title;
        plan.base.push(("width".to_owned(), (size.0 * 64).into()));
        plan.base.push(("height".to_owned(), (size.1 * 64).into()));
        if !reference {
            plan.base.retain(|(name, _)| name != "init_image");
        }
        if filter {
            let kept = (0..plan.grid_len()).filter(|&at| holes[at % holes.len()]);
            plan.kept = Selection::Only(kept.map(|at| at as u32).collect());
        }
        plan.sheet.cell = cell;
        plan.sheet.max = max;
        check(&plan);
    }
}

/// Labels so long that, beside pictures of the given size, they would exceed the page.
#[test]
fn long_row_labels_leave_space_for_a_picture() {
    let long = "A".repeat(100);
    for (cell, max) in [(425, 1491), (600, 1200), (600, 640)] {
        let mut plan =
            plan(vec![axis("artist", ["", &long]), axis("mood", ["a", &long, "c", "d", "e", "f", "g"])]);
        plan.base.push(("width".to_owned(), 576.into()));
        plan.base.push(("height".to_owned(), 256.into()));
        plan.sheet.cell = Some(cell);
        plan.sheet.max = Some(max);
        check(&plan);
    }
}

#[test]
fn ten_thousand_cells_make_a_handful_of_pages() {
    let mut plan = plan(vec![axis("seed", 0..100), axis("steps", 1..101)]);
    plan.models.get_mut("tiny").unwrap().size = (512, 512);
    let pages = check(&plan);
    assert!((8..40).contains(&pages.len()), "{} pages", pages.len());
    let sizes: Vec<usize> = pages.iter().map(|page| page.cells(&plan).len()).collect();
    let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    assert!(least * 2 > *most, "pages are uneven: {sizes:?}");
}

#[test]
fn pages_without_cells_are_not_made() {
    let mut plan =
        plan(vec![axis("artist", ["a", "b"]), axis("strength", [0.1, 0.2]), axis("seed", [1, 2, 3])]);
    // Seed 2 alone.
    plan.kept = Selection::Only(vec![1, 4, 7, 10]);
    let pages = check(&plan);
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].heading, "seed 2");
    plan.kept = Selection::Only(vec![]);
    assert!(crate::pages(&plan).unwrap().is_empty());
}

#[test]
fn cells_are_in_reading_order() {
    let plan = plan(vec![axis("artist", ["a", "b"]), axis("strength", [0.1, 0.2, 0.3])]);
    let cells = check(&plan)[0].cells(&plan);
    let indices: Vec<usize> = cells.iter().map(|cell| cell.index).collect();
    assert_eq!(indices, [0, 1, 2, 3, 4, 5]);
    assert!(cells[0].area.y == cells[2].area.y && cells[0].area.x < cells[1].area.x);
    assert!(cells[0].area.x == cells[3].area.x && cells[0].area.y < cells[3].area.y);
}
