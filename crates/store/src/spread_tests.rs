//! Runs of so many cells that their files are spread over subfolders.

use crate::run_tests::{Folder, finish, is_done};
use crate::{LogRow, Run, Thumbnails, is_spread};
use maquette_core::Plan;
use maquette_core::test_plans::plan;

fn seeds(count: usize) -> Plan {
    let seeds: Vec<String> = (0..count).map(|seed| seed.to_string()).collect();
    plan(&[("seed", seeds.iter().map(String::as_str).collect())])
}

fn images(run: &Run) -> Vec<String> {
    run.log().unwrap().iter().filter_map(LogRow::image).map(str::to_owned).collect()
}

#[test]
fn pictures_and_drafts_of_very_many_cells_lie_in_subfolders() {
    for (count, spread) in [(10_000, false), (10_001, true)] {
        let (folder, plan) = (Folder::new(), seeds(count));
        assert_eq!(is_spread(&plan), spread);
        let mut writer = folder.start(&plan);
        finish(&mut writer, 7);
        let (done, drafted) = (plan.id(7).unwrap(), plan.id(8).unwrap());
        writer.begin_drafts([(drafted, vec![plan.id(9).unwrap()])].into()).unwrap();
        finish(&mut writer, 8);
        writer.end_drafts();
        let run = writer.run().clone();
        let path = |folder: &str, cell: &maquette_core::CellId, name: &str| {
            let within = if spread { format!("{}/", &cell.to_string()[..2]) } else { String::new() };
            format!("{folder}/{within}{name}-{}.png", cell.short())
        };
        assert_eq!(images(&run), [path("images", &done, "seed-7")]);
        let drafts = run.drafts().unwrap();
        let draft = drafts.values().next().and_then(LogRow::image).unwrap();
        assert_eq!(draft, path("drafts", &drafted, "seed-8"));
        assert!(run.dir().join(draft).is_file());
        drop(writer);
        assert!(is_done(&mut folder.start(&plan), &done));
    }
}

#[test]
fn a_run_of_before_is_continued_and_keeps_the_paths_that_it_has() {
    let (folder, plan) = (Folder::new(), seeds(10_001));
    let mut writer = folder.start(&plan);
    finish(&mut writer, 0);
    let run = writer.run().clone();
    drop(writer);
    // As it was written when there were no subfolders.
    let now = images(&run).remove(0);
    let before = format!("images/{}", now.rsplit('/').next().unwrap());
    std::fs::rename(run.dir().join(&now), run.dir().join(&before)).unwrap();
    let log = run.dir().join("log.csv");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replace(&now, &before)).unwrap();

    let mut writer = folder.start(&plan);
    assert!(is_done(&mut writer, &plan.id(0).unwrap()));
    finish(&mut writer, 1);
    drop(writer);
    let images = images(&run);
    assert!(images[0] == before && images[1].split('/').count() == 3, "{images:?}");
    let to = folder.runs.root().join("../exported");
    assert_eq!(run.export_image_folder(&to).unwrap(), 2);
    for image in &images {
        assert!(to.join(image.strip_prefix("images/").unwrap()).is_file());
    }
    assert_eq!(folder.runs.unused(u64::MAX / 2).unwrap().files, []);
}

#[test]
fn a_thumbnail_has_one_place() {
    let cell = seeds(1).id(0).unwrap();
    let digits = &cell.to_string()[..16];
    for (spread, file) in [
        (false, format!("page/thumbnails/160/{digits}.webp")),
        (true, format!("page/thumbnails/160/{}/{digits}.webp", &digits[..2])),
    ] {
        assert_eq!(Thumbnails { edge: 160, spread }.file(&cell), file);
    }
}
