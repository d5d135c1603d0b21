//! Drawing of pictures, failed cells, empty positions, and text in any script.

use super::{axis, flat, mucha, pixel, plan};
use crate::style::{Face, INK, MISSING, PAPER};
use crate::text::{Text, Typesetter};
use crate::thumbnails::shown_size;
use crate::{Tile, pages, render};
use maquette_core::Selection;

fn colour(index: usize) -> [u8; 3] {
    [(index * 40 % 256) as u8, 90, (255 - index * 10) as u8]
}

#[test]
fn every_picture_is_drawn_in_its_own_area() {
    let plan = mucha();
    for page in pages(&plan).unwrap() {
        let sheet = render(&plan, &page, None, &|index| Tile::Done(flat(64, 64, colour(index))));
        assert_eq!((sheet.width(), sheet.height()), page.size());
        for cell in page.cells(&plan) {
            let area = cell.area;
            for (x, y) in [(area.x, area.y), (area.right() - 1, area.bottom() - 1)] {
                assert_eq!(pixel(&sheet, x, y), colour(cell.index), "cell {}", cell.index);
            }
            assert_eq!(pixel(&sheet, area.x - 1, area.y), PAPER, "left of cell {}", cell.index);
        }
    }
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let plan = mucha();
    let page = &pages(&plan).unwrap()[0];
    let draw = || render(&plan, page, None, &|index| Tile::Done(flat(100, 64, colour(index))));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(draw);
    let many = rayon::ThreadPoolBuilder::new().num_threads(7).build().unwrap().install(draw);
    assert!(one == many && one == draw());
}

#[test]
fn failed_missing_and_left_out_cells_look_different() {
    let mut plan = plan(vec![axis("artist", ["a", "b"]), axis("seed", [1, 2])]);
    plan.kept = Selection::Only(vec![0, 1, 2]);
    let page = &pages(&plan).unwrap()[0];
    let sheet = render(&plan, page, None, &|index| match index {
        0 => Tile::Done(flat(64, 64, [1, 2, 3])),
        1 => Tile::Failed("the model's file is cut short after 12 of 80 tensors ".repeat(30)),
        _ => Tile::Missing,
    });
    let cells = page.cells(&plan);
    let middle = |at: usize| (cells[at].area.x + 3, cells[at].area.y + 3);
    let failed = middle(1);
    assert_eq!(pixel(&sheet, failed.0, failed.1), crate::style::FAILED);
    let missing = middle(2);
    assert_eq!(pixel(&sheet, missing.0, missing.1), MISSING);
    // The empty position is below cell 1 and beside cell 2.
    assert_eq!(pixel(&sheet, failed.0, missing.1), PAPER);
    // A long error stays inside its area.
    let area = cells[1].area;
    for y in area.y..area.bottom() {
        assert_eq!(pixel(&sheet, area.right(), y), PAPER, "right of the failed cell, row {y}");
    }
}

#[test]
fn a_draft_has_a_mark_in_its_corner() {
    let plan = plan(vec![axis("seed", [1, 2])]);
    let page = &pages(&plan).unwrap()[0];
    let grey = || flat(64, 64, [90, 90, 90]);
    let draw = |tile: &(dyn Fn() -> Tile + Sync)| render(&plan, page, None, &|_| tile());
    let (done, draft) = (draw(&|| Tile::Done(grey())), draw(&|| Tile::Draft(grey())));
    let area = page.cells(&plan)[0].area;
    assert_eq!(pixel(&draft, area.x, area.y), PAPER);
    let marked = (area.y..area.bottom()).flat_map(|y| (area.x..area.right()).map(move |x| (x, y)));
    let marked = marked.filter(|&(x, y)| pixel(&draft, x, y) != pixel(&done, x, y)).count();
    let all = (area.width * area.height) as usize;
    assert!(marked > 100 && marked < all / 6, "{marked} of {all}: visible, and the picture as well");
    let (x, y) = (area.right() - 1, area.bottom() - 1);
    assert_eq!(pixel(&draft, x, y), [90, 90, 90]);
}

#[test]
fn a_picture_of_another_shape_is_centred() {
    let mut plan = plan(vec![axis("seed", [1, 2])]);
    plan.base.push(("width".to_owned(), 512.into()));
    plan.base.push(("height".to_owned(), 512.into()));
    let page = &pages(&plan).unwrap()[0];
    let sheet = render(&plan, page, None, &|index| Tile::Done(flat(512, [512, 128][index], [9, 9, 9])));
    let area = page.cells(&plan)[1].area;
    let column: Vec<bool> =
        (area.y..area.bottom()).map(|y| pixel(&sheet, area.x + area.width / 2, y) == [9, 9, 9]).collect();
    let above = column.iter().take_while(|drawn| !**drawn).count();
    let below = column.iter().rev().take_while(|drawn| !**drawn).count();
    assert!(above > 0 && above.abs_diff(below) <= 1, "{above} above, {below} below");
}

#[test]
fn thumbnails_keep_their_shape_and_never_grow_by_a_fraction() {
    let check = |size, limit: u32, enlarge, expected| {
        assert_eq!(shown_size(size, (limit, limit), enlarge), expected, "{size:?} within {limit}");
    };
    check((128, 128), 256, 2, (256, 256));
    check((128, 96), 256, 2, (256, 192));
    check((100, 100), 256, 2, (200, 200));
    check((512, 512), 512, 1, (512, 512));
    check((768, 512), 512, 1, (512, 341));
    check((300, 200), 512, 1, (300, 200));
    check((8192, 8), 100, 1, (100, 1));
    check((0, 0), 100, 1, (1, 1));
}

#[test]
fn text_in_any_script_stays_within_its_width() {
    let mut types = Typesetter::new();
    let face = Face { size: 16.0, strong: true, tracking: 0.0, colour: INK };
    for words in [
        "",
        " ",
        "\n\n",
        "葛飾北斎",
        "الفونس موخا",
        "🎨👩🏽‍🎨",
        "e\u{301}\u{302}\u{303}",
        "\u{0}\u{7}\t\u{202e}abc",
        "ก็",
    ] {
        for width in [1, 40, 400] {
            let text = Text::plain(words, face, width);
            let (wide, high) = types.measure(&text);
            assert!(wide <= width && high > 0, "{words:?} at {width}: {wide} by {high}");
            types.draw(&text, 0, 0, &mut |_, _, _, _| {});
        }
    }
}
