//! Tests of running out of memory, of lost devices and of the cells' times.

mod simulated;

use crate::error::ModelError;
use crate::families;
use crate::sampler::engine::Engine;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use maquette_core::{Cell, Settings};
use simulated::*;
use std::rc::Rc;
use std::time::Instant;

#[test]
fn a_call_that_does_not_fit_is_halved_from_then_on() {
    let cells = cells();
    let (mut roomy, counter) = counting(16, 8, usize::MAX);
    let (expected, _) = render(&mut roomy, &cells);
    assert_eq!((expected.images.len(), expected.warnings.len()), (12, 0));
    assert_eq!(counter.borrow().calls[0], 16);

    let (mut narrow, counter) = counting(5, 8, usize::MAX);
    for _ in 0..2 {
        // Limits of one run are reset in the next.
        counter.borrow_mut().calls.clear();
        let (rendered, ended) = render(&mut narrow, &cells);
        assert!(ended.is_ok() && rendered.errors.is_empty());
        assert_eq!(rendered.images, expected.images, "a call that failed has changed a cell");
        let calls = &counter.borrow().calls;
        assert_eq!(calls[..3], [16, 8, 4]);
        assert!(calls[3..].iter().all(|&rows| rows <= 4), "{calls:?}");
        let warning = "out of memory at 8x8: UNet calls of this size have at most 4 rows from now on";
        assert_eq!(rendered.warnings, [warning]);
    }
}

#[test]
fn a_call_is_repeated_once_after_memory_was_released() {
    let cells = cells();
    let (expected, _) = render(&mut counting(16, 8, usize::MAX).0, &cells);
    for (rows, kept, calls) in [
        // The release suffices: the call is repeated, and nothing is halved.
        (12, vec![4], vec![16, 16, 16]),
        // It does not: the call is halved after the repetition.
        (5, vec![3], vec![16, 16, 8]),
        (3, vec![0, 1, 0], vec![16, 16, 8, 8, 4, 4]),
    ] {
        let (mut engine, counter) = counting(rows, 8, usize::MAX);
        counter.borrow_mut().kept = kept;
        let (rendered, ended) = render(&mut engine, &cells);
        assert!(ended.is_ok());
        assert_eq!(rendered.images, expected.images);
        assert_eq!(rendered.warnings.is_empty(), rows == 12, "{:?}", rendered.warnings);
        assert_eq!(counter.borrow().calls[..calls.len()], calls);
    }
}

/// A loader that runs out of memory the first few times.
fn full(times: usize) -> Engine {
    let (_, counter) = counting(16, 8, usize::MAX);
    let (shared, loads) = (Rc::clone(&counter), std::cell::Cell::new(0));
    counter.borrow_mut().kept = vec![0];
    let load = move |_: &ModelSource, _: &LoadOptions| {
        loads.set(loads.get() + 1);
        if loads.get() <= times {
            let text = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".to_owned();
            return Err(ModelError::Device {
                model: "tiny-a".to_owned(),
                source: candle_core::Error::Msg(text),
            });
        }
        Ok(fake(&shared))
    };
    let mut engine = engine(Box::new(load), 16, 8);
    engine.driver = Box::new(FakeDriver(counter));
    engine
}

#[test]
fn a_model_that_does_not_fit_fails_with_a_hint() {
    let cells = [cell(0, 2), cell(1, 2)];
    let (rendered, ended) = render(&mut full(1), &cells);
    assert!(ended.is_ok() && rendered.errors.is_empty() && rendered.images.len() == 2);
    let (rendered, ended) = render(&mut full(2), &cells);
    assert!(ended.is_ok());
    assert_eq!(rendered.errors.len(), 2);
    for error in rendered.errors.values() {
        let start = "out of memory; try `--offload`, `dtype = \"f16\"` or `--device cpu` (tiny-a does not fit on the device: ";
        assert!(error.starts_with(start) && error.contains("CUDA_ERROR_OUT_OF_MEMORY"), "{error}");
    }
}

/// The sum of the cells' seconds includes the waits for the device, of which there are fewer than steps.
#[test]
fn the_time_of_steps_is_that_of_the_device() {
    let cells: Vec<Cell> = (0..12).map(|seed| cell(seed, 6)).collect();
    let (mut engine, counter) = counting(8, 8, usize::MAX);
    let clock = Instant::now();
    let (rendered, _) = render(&mut engine, &cells);
    let wall = clock.elapsed().as_secs_f64();
    let counter = counter.borrow();
    assert!(counter.waits > 0 && counter.waits < counter.calls.len() / 2, "{} waits", counter.waits);
    let waited = counter.waited.as_secs_f64();
    assert!((waited..=wall).contains(&rendered.seconds), "{waited} to {wall}: {}", rendered.seconds);
}

#[test]
fn a_cell_that_does_not_fit_alone_fails_alone() {
    let (mut engine, _) = counting(1, 8, usize::MAX);
    let free = named(Settings { guidance_scale: 1.0, ..cell(7, 3).settings });
    let cells = [cell(0, 3), free.clone(), cell(1, 3), cell(2, 3)];
    let (rendered, ended) = render(&mut engine, &cells);
    assert!(ended.is_ok());
    assert_eq!(rendered.images.keys().collect::<Vec<_>>(), [&free.id]);
    assert_eq!(rendered.errors.len(), 3);
    for error in rendered.errors.values() {
        let expected = "out of memory with this cell alone at 8x8; try a smaller size, `--offload`, `dtype = \"f16\"` or \
             `--rows 2`";
        assert_eq!(error, expected);
    }
}

#[test]
fn a_picture_of_nan_fails_its_cell_alone() {
    let cells: Vec<Cell> = (0..4).map(|seed| cell(seed, 2)).collect();
    let (expected, _) = render(&mut counting(16, 8, usize::MAX).0, &cells);
    let (mut engine, counter) = counting(16, 8, usize::MAX);
    counter.borrow_mut().nan = Some(1);
    let (rendered, ended) = render(&mut engine, &cells);
    assert!(ended.is_ok());
    assert_eq!(counter.borrow().decodes, [4]);
    assert_eq!(rendered.errors.keys().collect::<Vec<_>>(), [&cells[1].id]);
    let error = &rendered.errors[&cells[1].id];
    assert!(error.contains("NaN or infinity"), "{error}");
    assert_eq!(rendered.images.len(), 3);
    assert!(rendered.images.iter().all(|(id, image)| expected.images[id] == *image));
}

#[test]
fn decoding_is_halved_too() {
    let cells: Vec<Cell> = (0..8).map(|seed| cell(seed, 2)).collect();
    let (expected, _) = render(&mut counting(16, 8, usize::MAX).0, &cells);
    let (mut narrow, counter) = counting(16, 3, usize::MAX);
    let (rendered, _) = render(&mut narrow, &cells);
    assert_eq!(rendered.images, expected.images);
    assert_eq!(counter.borrow().decodes, [8, 4, 2, 2, 2, 2]);
    assert_eq!(rendered.warnings.len(), 1);
    assert!(rendered.warnings[0].contains("at most 2 of 8 pictures"), "{:?}", rendered.warnings);

    let (mut none, _) = counting(16, 0, usize::MAX);
    let (rendered, ended) = render(&mut none, &cells);
    assert!(ended.is_ok() && rendered.images.is_empty());
    assert!(rendered.errors.values().all(|error| error.starts_with("out of memory with this cell alone")));
    assert_eq!(rendered.errors.len(), 8);
}

/// Wherever the error arrives, and also if its text is unknown and the device only fails a probe.
#[test]
fn a_lost_device_ends_the_run_and_fails_no_cell() {
    let cells = cells();
    for lost in [LAUNCH_FAILED, LATE, LATE_IN_DECODE, "an unknown error"] {
        let (mut engine, counter) = counting(16, 8, 3);
        counter.borrow_mut().lost = lost;
        let (rendered, ended) = render(&mut engine, &cells);
        let error = ended.unwrap_err();
        assert_eq!(error.message, "the device `cpu` stopped working");
        let (mut cause, mut text) =
            (error.source.as_deref().map(|error| error as &dyn std::error::Error), String::new());
        while let Some(error) = cause {
            text += &error.to_string();
            cause = error.source();
        }
        assert!(text.contains(lost), "{text}");
        assert!(rendered.errors.is_empty(), "{lost}: {:?}", rendered.errors);
        assert!(rendered.images.len() < cells.len(), "{lost}: {}", rendered.images.len());
        assert!(counter.borrow().calls.len() <= 4, "nothing is tried on a lost device");
    }
}

#[test]
fn an_unknown_error_of_a_working_device_fails_the_cell() {
    let load = |_: &ModelSource, _: &LoadOptions| {
        let source = candle_core::Error::Msg("no kernel image".to_owned());
        Err(ModelError::Device { model: "tiny-a".to_owned(), source })
    };
    let mut engine = engine(Box::new(load), 16, 8);
    engine.driver = counting(16, 8, usize::MAX).0.driver;
    let (rendered, ended) = render(&mut engine, &[cell(0, 2)]);
    assert!(ended.is_ok());
    let error = rendered.errors.values().next().unwrap();
    assert_eq!(error, "tiny-a does not fit on the device: no kernel image");
}

/// On the CPU a picture does not depend, to the bit, on the others decoded with it.
#[test]
fn pictures_are_decoded_together_as_alone() {
    for model in ["tiny-a", "tiny-sdxl"] {
        let cells: Vec<Cell> = (0..5)
            .map(|seed| {
                named(Settings { model: model.into(), width: 16, height: 16, ..cell(seed, 1).settings })
            })
            .collect();
        let pictures = |count| render(&mut engine(Box::new(families::load), 16, count), &cells).0;
        let (alone, together) = (pictures(1), pictures(5));
        assert_eq!(alone.images.len(), 5, "{:?}", alone.errors);
        assert_eq!(together.images, alone.images);
    }
}
