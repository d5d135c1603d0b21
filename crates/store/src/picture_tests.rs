//! Pictures of runs: shared, damaged, edited and verified.

use crate::run_tests::{Folder, artists, finish, is_done, reuse};
use crate::{Reuse, RunWriter};
use maquette_core::test_plans::{image, plan};
use maquette_core::{CellId, Digest, Image, Outcome, Plan, Remarks};
use maquette_interop::{Origin, read_metadata};
use std::fs::File;
use std::path::Path;

#[test]
fn pictures_are_shared_between_runs_unless_they_are_damaged() {
    let folder = Folder::new();
    let mut first = folder.start(&artists());
    finish(&mut first, 0);
    let cell = first.plan().cell(0).unwrap();
    drop(first);
    let mut second = folder.start(&plan(&[("artist", vec!["Mucha"]), ("seed", vec!["1"])]));
    let record = reuse(&mut second, &cell).unwrap();
    let Outcome::Done { image, reused, .. } = &record.outcome else { panic!("{record:?}") };
    assert_eq!(
        (image.as_str(), reused.as_deref()),
        (&*format!("images/mucha_seed-1-{}.png", cell.id.short()), Some("test@1"))
    );
    assert!(is_done(&mut second, &cell.id));
    let path = second.run().dir().join(image);
    assert!(matches!(read_metadata(&path).unwrap().origin, Some(Origin::Cell(info)) if info.cell == cell.id));

    // Half a picture under both its names: neither counts, and rendering replaces it.
    let half = std::fs::read(&path).unwrap();
    let half = &half[..half.len() / 2];
    for run in ["test/1", "test/2"] {
        std::fs::write(folder.runs.root().join(run).join(image), half).unwrap();
    }
    let kept = crate::cells::path(folder.runs.root(), &cell.id);
    std::fs::write(&kept, half).unwrap();
    assert!(!is_done(&mut second, &cell.id) && reuse(&mut second, &cell).is_none());
    finish(&mut second, 0);
    assert!(is_done(&mut second, &cell.id) && reuse(&mut second, &cell).is_some());

    // The picture of another cell under this name.
    let other = second.plan();
    let mut other = other.cell(0).unwrap();
    other.id = CellId(Digest::of(b"other"));
    second.finish(&other, &maquette_core::test_plans::image(&other), 1.0, "cpu", Remarks::default()).unwrap();
    std::fs::copy(crate::cells::path(folder.runs.root(), &other.id), &kept).unwrap();
    assert!(reuse(&mut second, &cell).is_none());
}

/// Changes one byte of a PNG's pixels and keeps its metadata, as an image editor does.
fn paint(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let image = maquette_picture::decode(path).unwrap();
    let (width, height) = (image.width(), image.height());
    let mut painted = image.into_rgb();
    painted[0] ^= 255;
    let texts = maquette_picture::read_png_texts(&bytes).unwrap();
    let texts: Vec<(&str, &str)> = texts.found.iter().map(|(key, text)| (&**key, &**text)).collect();
    let painted = Image::new(width, height, painted).unwrap();
    // In place, so that it changes under every name of the file.
    std::fs::write(path, maquette_picture::encode_png(&painted, &texts).unwrap()).unwrap();
}

#[test]
fn an_edited_picture_is_reported_and_not_used() {
    let folder = Folder::new();
    let mut first = folder.start(&artists());
    finish(&mut first, 0);
    finish(&mut first, 1);
    let cells = [0, 1].map(|index| first.plan().cell(index).unwrap());
    let ids = [cells[0].id, cells[1].id];
    let path = first.run().dir().join(first.run().log().unwrap()[0].image().unwrap());
    paint(&path);
    let check = |run: &mut RunWriter| {
        let (done, problems) = run.check_done(&ids);
        assert_eq!(done.into_iter().collect::<Vec<_>>(), [ids[1]]);
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        let expected = format!("`{}` was edited: its pixels differ from the rendered ones", path.display());
        assert_eq!((problem.cell, problem.to_string()), (ids[0], expected));
    };
    check(&mut first);
    drop(first);
    check(&mut folder.start(&artists()));
    // Another run checks the same file under its other name.
    let mut second = folder.start(&plan(&[("artist", vec!["Mucha"]), ("seed", vec!["1", "2"])]));
    let Reuse::Unusable(problem) = second.reuse(&cells[0]).unwrap() else { panic!("it was edited") };
    assert!(problem.path.starts_with(folder.runs.root().join(".cells")), "{problem}");
    assert!(matches!(second.reuse(&cells[1]).unwrap(), Reuse::Taken));
    finish(&mut second, 0);
    assert!(matches!(second.reuse(&cells[0]).unwrap(), Reuse::Taken), "it was rendered again");
}

#[test]
fn rows_of_rendered_and_reused_pictures_have_the_digest_of_the_pixels() {
    let folder = Folder::new();
    let mut first = folder.start(&artists());
    finish(&mut first, 0);
    let cell = first.plan().cell(0).unwrap();
    drop(first);
    let mut second = folder.start(&plan(&[("artist", vec!["Mucha"]), ("seed", vec!["1"])]));
    reuse(&mut second, &cell).unwrap();
    let digest = Some(image(&cell).digest());
    for run in ["test@1", "test@2"] {
        let rows = folder.runs.find(run).unwrap().log().unwrap();
        assert_eq!(rows[0].pixels(), digest, "{run}");
        let info = read_metadata(&folder.runs.find(run).unwrap().dir().join(rows[0].image().unwrap()));
        let Some(Origin::Cell(info)) = info.unwrap().origin else { panic!("not a cell") };
        assert_eq!(info.pixels, digest, "{run}");
        let decoded = image(&cell);
        assert_eq!(crate::check_pixels(&decoded, &info, &rows[0]), None);
        let other = Image::new(1, 1, vec![0; 3]).unwrap();
        assert!(crate::check_pixels(&other, &info, &rows[0]).unwrap().starts_with("was edited"));
    }
}

#[test]
fn verified_pictures_are_not_decoded_again_until_they_change() {
    let folder = Folder::new();
    let mut run = folder.start(&artists());
    finish(&mut run, 0);
    let id = run.plan().cell(0).unwrap().id;
    let path = run.run().dir().join(run.run().log().unwrap()[0].image().unwrap());
    drop(run);
    let rendered = path.metadata().unwrap().modified().unwrap();
    let flip = || {
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    // A byte of the pixels flips, but size and time are as before: it is not noticed, so nothing is decoded.
    flip();
    File::options().write(true).open(&path).unwrap().set_modified(rendered).unwrap();
    assert!(is_done(&mut folder.start(&artists()), &id));
    // Without `.checked.json` it is noticed.
    std::fs::remove_file(folder.runs.root().join("test/1/.checked.json")).unwrap();
    assert!(!is_done(&mut folder.start(&artists()), &id));
    // Repaired, it is verified once and remembered.
    flip();
    assert!(is_done(&mut folder.start(&artists()), &id));
    assert!(folder.runs.root().join("test/1/.checked.json").is_file());
}

#[test]
fn remarks_are_kept_when_a_picture_is_reused() {
    let folder = Folder::new();
    // Without the artist in the prompt some cells would be the same picture.
    let by_artist = |mut plan: Plan| {
        plan.base[1].1 = "by {artist}".into();
        plan
    };
    let mut first = folder.start(&by_artist(artists()));
    let given = [
        Remarks::default(),
        Remarks { nsfw_content_detected: Some(false), note: None },
        Remarks { nsfw_content_detected: Some(true), note: Some("rendered twice, \"really\"".to_owned()) },
    ];
    for (index, remarks) in given.iter().enumerate() {
        let cell = first.plan().cell(index).unwrap();
        first.finish(&cell, &image(&cell), 1.0, "cpu", remarks.clone()).unwrap();
    }
    let logged = |run: &RunWriter| -> Vec<Remarks> {
        let remarks = |row: &crate::LogRow| Remarks {
            nsfw_content_detected: row.nsfw_content_detected(),
            note: row.note().map(str::to_owned),
        };
        run.run().log().unwrap().iter().map(remarks).collect()
    };
    assert_eq!(logged(&first), given);
    drop(first);
    let turned = plan(&[("seed", vec!["1", "2"]), ("artist", vec!["Mucha", "Munch"])]);
    let mut second = folder.start(&by_artist(turned));
    let mut reused: Vec<Remarks> = Vec::new();
    for index in 0..second.plan().len() {
        let cell = second.plan().cell(index).unwrap();
        if let Some(record) = reuse(&mut second, &cell) {
            reused.push(record.remarks);
        }
    }
    assert_eq!(logged(&second), reused);
    reused.sort_by_key(|remarks| remarks.nsfw_content_detected);
    assert_eq!(reused, given);
}

#[test]
fn a_picture_that_is_cut_or_flipped_at_any_byte_is_not_reused() {
    let folder = Folder::new();
    let mut first = folder.start(&artists());
    finish(&mut first, 0);
    let cell = first.plan().cell(0).unwrap();
    drop(first);
    let kept = crate::cells::path(folder.runs.root(), &cell.id);
    let whole = std::fs::read(&kept).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&kept, bytes).unwrap();
        crate::picture::check(&kept, &cell.id, None).map(|whole| whole.is_some())
    };
    assert_eq!(check(&whole), Ok(true));
    for at in 0..whole.len() {
        assert!(check(&whole[..at]).is_err(), "cut at {at}");
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        assert!(check(&flipped).is_err(), "flipped at {at} of {}: {:?}", whole.len(), check(&flipped));
    }
}
