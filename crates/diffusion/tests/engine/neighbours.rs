//! A cell's picture does not depend on other cells, their order, the number of rows per call or threads.

use crate::cases::{cases, cell, crowd, engine, fixtures, named, render};
use maquette_core::{Cell, Digest, NamedFile, Settings};
use maquette_diffusion::DeviceName;
use std::path::Path;

#[test]
fn a_cell_is_the_same_picture_alone_and_with_others() {
    let cells = crowd();
    let mut alone = engine(DeviceName::Cpu, Some(2));
    let expected = render(&mut alone, &cells);
    assert_eq!(expected.len(), cells.len());
    let reversed: Vec<Cell> = cells.iter().rev().cloned().collect();
    for (rows, cells) in [(5, &cells), (64, &cells), (64, &reversed)] {
        assert_eq!(render(&mut engine(DeviceName::Cpu, Some(rows)), cells), expected, "{rows} rows");
    }
}

/// Rows of one call are at different steps; with deep features and a part of the steps guided, their calls also differ in
/// depth and rows.
#[test]
fn step_savers_do_not_affect_neighbours() {
    let own = cases().into_iter().find(|case| case.name == "a-text-ddim").unwrap().cell().settings;
    let picture = cases().into_iter().find(|case| case.name == "a-picture-ddim").unwrap().cell().settings;
    let mut cells = Vec::new();
    for (at, deepcache_interval) in [1, 2, 3, 4].into_iter().enumerate() {
        for (branch, interval) in [(0, "0-1"), (1, "0.3-0.8"), (0, "0-0.5")] {
            let saver = Settings {
                seed: at as u64,
                steps: 5 + at as u32 + branch,
                deepcache_interval: Some(deepcache_interval),
                deepcache_branch_id: Some(branch),
                guidance_interval: interval.parse().ok(),
                ..own.clone()
            };
            cells.push(cell(saver));
        }
    }
    let size = Settings { width: own.width, height: own.height, steps: 9, ..picture };
    cells.push(cell(Settings { deepcache_interval: Some(2), ..size.clone() }));
    cells.push(cell(Settings { deepcache_interval: Some(3), deepcache_branch_id: Some(4), ..size }));
    let alone: Vec<_> = cells
        .iter()
        .map(|cell| render(&mut engine(DeviceName::Cpu, Some(2)), std::slice::from_ref(cell)))
        .collect();
    for rows in [3, 64] {
        let together = render(&mut engine(DeviceName::Cpu, Some(rows)), &cells);
        for (cell, alone) in cells.iter().zip(&alone) {
            assert!(together[&cell.id].is_ok());
            assert_eq!(together[&cell.id], alone[&cell.id], "{rows} rows");
        }
    }
}

#[test]
fn a_later_call_gives_the_same_pictures_as_the_first() {
    // As after resuming: only some of the cells are left, and the caches are warm or cold.
    let cells = crowd();
    let mut engine = engine(DeviceName::Cpu, None);
    let all = render(&mut engine, &cells);
    let rest = render(&mut engine, &cells[cells.len() / 2..]);
    for (cell, picture) in rest {
        assert_eq!(picture, all[&cell]);
    }
}

#[test]
fn the_number_of_threads_has_no_effect() {
    let cells = crowd();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| render(&mut engine(DeviceName::Cpu, None), &cells))
    };
    let expected = with_threads(1);
    assert_eq!(with_threads(2), expected);
    assert_eq!(with_threads(3), expected);
}

/// As on an axis: the model stays, and its autoencoder changes back and forth.
#[test]
fn each_cell_has_its_own_autoencoder() {
    let mut tensors = candle_core::safetensors::load(
        fixtures().join("tiny-a/vae/diffusion_pytorch_model.safetensors"),
        &candle_core::Device::Cpu,
    )
    .unwrap();
    let key = "decoder.conv_out.bias";
    tensors.insert(key.to_owned(), (&tensors[key] + 0.2).unwrap());
    let key = "encoder.conv_in.bias";
    tensors.insert(key.to_owned(), (&tensors[key] + 0.2).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("brighter.safetensors");
    candle_core::safetensors::save(&tensors, &file).unwrap();

    let own = cases().iter().find(|case| case.name == "a-picture-ddim").unwrap().cell();
    let other = cell(Settings { vae: Some(named(&file)), ..own.settings.clone() });
    let nowhere = Path::new("nowhere.safetensors");
    let nowhere = NamedFile { file: nowhere.into(), digest: Digest::of(b"nothing"), ..named(&file) };
    let absent = cell(Settings { vae: Some(nowhere), ..own.settings.clone() });
    let alone =
        |one: &Cell| render(&mut engine(DeviceName::Cpu, None), std::slice::from_ref(one))[&one.id].clone();
    let expected = [&own, &other].map(alone);
    assert_ne!(expected[0], expected[1]);
    let mut engine = engine(DeviceName::Cpu, None);
    for order in [[&own, &absent, &other], [&other, &own, &absent]] {
        let rendered = render(&mut engine, &order.map(Cell::clone));
        assert_eq!([&own, &other].map(|cell| rendered[&cell.id].clone()), expected);
        assert!(rendered[&absent.id].as_ref().unwrap_err().contains("nowhere.safetensors cannot be read"));
    }
}
