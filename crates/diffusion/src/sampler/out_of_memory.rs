//! Calls that do not fit in memory: retried once memory was reclaimed, then with half the rows, down to one cell, which
//! then fails alone.
//!
//! Not here: recognising errors (`device.rs`), and the initial limits (`batch.rs`).

use crate::device::{Driver, Failure};
use crate::families::error::RenderError;
use crate::sampler::batch::Limits;
use candle_core::Result;
use maquette_core::{Dtype, Settings};

/// Why one item has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// It does not fit even alone.
    OutOfMemory,
    /// Any other error, as a sentence: an error of a call applies to all of its items.
    Call(String),
}

/// Calls `call` on consecutive batches of `items` with at most `bound` rows in total, or one item each; returns the
/// results of all items in order.
///
/// A call that runs out of memory is retried as [`once_more`] does, then with half of its rows, and `bound` is lowered to
/// that. A failed call must not change its items. An error means that the device was lost.
pub(super) fn in_batches<T, R>(
    items: &[T],
    rows: impl Fn(&T) -> usize,
    bound: &mut usize,
    driver: &dyn Driver,
    mut call: impl FnMut(&[T]) -> Result<Vec<R>>,
) -> Result<Vec<std::result::Result<R, Failed>>> {
    let mut outcomes = Vec::with_capacity(items.len());
    while outcomes.len() < items.len() {
        let rest = &items[outcomes.len()..];
        let (count, total) = fitting(rest.iter().map(&rows), *bound);
        let batch = &rest[..count];
        let error = match once_more(driver, || call(batch)) {
            Ok(results) => {
                debug_assert_eq!(results.len(), count, "one result for each item");
                outcomes.extend(results.into_iter().map(Ok));
                continue;
            }
            Err(error) => error,
        };
        match driver.failure(&error) {
            Failure::DeviceLost => return Err(error),
            Failure::OutOfMemory if count > 1 => *bound = total / 2,
            Failure::OutOfMemory => outcomes.push(Err(Failed::OutOfMemory)),
            Failure::Other => {
                let failed = Failed::Call(RenderError::Tensor(error).chain());
                outcomes.extend(std::iter::repeat_n(failed, count).map(Err));
            }
        }
    }
    Ok(outcomes)
}

/// How many of the first items have at most `bound` rows in total, at least one, and the number of their rows.
fn fitting(rows: impl Iterator<Item = usize>, bound: usize) -> (usize, usize) {
    let (mut count, mut total) = (0, 0);
    for rows in rows {
        if count > 0 && total + rows > bound {
            break;
        }
        count += 1;
        total += rows;
    }
    (count, total)
}

/// Calls `call`; if it runs out of memory and the driver can release some that it kept, calls it a second time.
///
/// What a driver keeps for allocations of one size may be missing for another, or for a library that does not share it.
pub(super) fn once_more<T, E>(
    driver: &dyn Driver,
    mut call: impl FnMut() -> std::result::Result<T, E>,
) -> std::result::Result<T, E>
where
    E: std::error::Error + From<candle_core::Error> + 'static,
{
    let result = call();
    if let Err(error) = &result
        && Failure::of(error) == Failure::OutOfMemory
        && driver.reclaim()?
    {
        return call();
    }
    result
}

/// What to do about a model that does not fit: its size depends on neither the pictures' nor the rows.
pub(super) fn model_hint(settings: &Settings, limits: &Limits) -> &'static str {
    match (settings.dtype, limits.offload) {
        (Dtype::F32, false) => "try `--offload`, `dtype = \"f16\"` or `--device cpu`",
        (Dtype::F32, true) => "try `dtype = \"f16\"` or `--device cpu`",
        (_, false) => "end other programs that use the device, or try `--offload` or `--device cpu`",
        (_, true) => "end other programs that use the device, or try `--device cpu`",
    }
}

/// What to do about a cell that does not fit alone.
pub(super) fn hint(settings: &Settings, limits: &Limits) -> String {
    let f16 = (settings.dtype == Dtype::F32).then_some("`dtype = \"f16\"`");
    let rows = (!limits.is_least()).then_some("`--rows 2`");
    let offload = (!limits.offload).then_some("`--offload`");
    let hints: Vec<&str> = ["a smaller size"].into_iter().chain(offload).chain(f16).chain(rows).collect();
    match hints.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("try {} or {last}", all.join(", ")),
        hints => format!("try {}", hints.concat()),
    }
}

/// The error message of a cell.
pub(super) fn sentence(failed: Failed, settings: &Settings, limits: &Limits) -> String {
    match failed {
        Failed::Call(error) => error,
        Failed::OutOfMemory => {
            let (width, height) = (settings.width, settings.height);
            format!("out of memory with this cell alone at {width}x{height}; {}", hint(settings, limits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Error};
    use proptest::prelude::*;
    use std::cell::RefCell;

    /// A driver that keeps memory: more fits after each release.
    #[derive(Debug, Default)]
    struct Keeping {
        room: usize,
        kept: Vec<usize>,
    }

    struct Keeper(RefCell<Keeping>);

    impl Driver for Keeper {
        fn synchronize(&self) -> Result<()> {
            Ok(())
        }

        fn probe(&self) -> Result<()> {
            Ok(())
        }

        fn trim(&self) -> bool {
            let keeping = &mut *self.0.borrow_mut();
            keeping.room += keeping.kept.pop().unwrap_or(0);
            true
        }

        fn free_memory(&self) -> Option<u64> {
            None
        }
    }

    fn out_of_memory() -> Error {
        Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".to_owned())
    }

    fn items() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(1..6usize, 0..24)
    }

    proptest! {
        /// Every item that fits alone has a result, in order, and after a call that did not fit all calls are smaller.
        #[test]
        fn every_item_that_fits_alone_has_a_result(items in items(), room in 1..20usize, first in 1..40usize) {
            let (mut bound, mut refused) = (first, Vec::new());
            let outcomes = in_batches(&items, |&rows| rows, &mut bound, &Device::Cpu, |batch| {
                let rows: usize = batch.iter().sum();
                assert!(batch.len() == 1 || refused.iter().all(|&refused| rows < refused), "{rows} of {refused:?}");
                if rows > room {
                    if batch.len() > 1 {
                        refused.push(rows);
                    }
                    return Err(out_of_memory());
                }
                Ok(batch.to_vec())
            });
            let expected = items.iter().map(|&rows| if rows > room { Err(Failed::OutOfMemory) } else { Ok(rows) });
            prop_assert_eq!(outcomes.unwrap(), expected.collect::<Vec<_>>());
            prop_assert_eq!(bound < first, !refused.is_empty());
        }

        /// Where memory can be released, a call that did not fit is repeated once, and only then are the calls smaller.
        #[test]
        fn a_call_is_repeated_once_after_a_release(
            items in items(),
            room in 1..20usize,
            kept in prop::collection::vec(0..4usize, 0..6),
            first in 1..40usize,
        ) {
            let driver = Keeper(RefCell::new(Keeping { room, kept }));
            let (mut bound, mut calls) = (first, Vec::new());
            let outcomes = in_batches(&items, |&rows| rows, &mut bound, &driver, |batch| {
                let fits = batch.iter().sum::<usize>() <= driver.0.borrow().room;
                calls.push((batch.to_vec(), fits));
                if fits { Ok(batch.to_vec()) } else { Err(out_of_memory()) }
            });
            for (outcome, &rows) in outcomes.unwrap().iter().zip(&items) {
                prop_assert!(*outcome == Ok(rows) || (*outcome == Err(Failed::OutOfMemory) && rows > room));
            }
            let mut rest = calls.as_slice();
            while let [(batch, fits), later @ ..] = rest {
                rest = later;
                if !fits {
                    prop_assert_eq!(&later[0].0, batch, "the same call again");
                    rest = &later[1..];
                    if !later[0].1 && batch.len() > 1 {
                        prop_assert!(rest[0].0.len() < batch.len(), "then a smaller one");
                    }
                }
            }
        }
    }

    #[test]
    fn other_errors_apply_to_all_items_of_the_call() {
        let mut calls = 0;
        let outcomes = in_batches(
            &[1, 1, 1, 1],
            |&rows| rows,
            &mut 3,
            &Device::Cpu,
            |batch| {
                calls += 1;
                // Not by `bail!`, which may add a backtrace.
                if batch.len() > 1 { Err(Error::Msg("no kernel".to_owned())) } else { Ok(vec![()]) }
            },
        );
        let failed = Err(Failed::Call("the computation failed: no kernel".to_owned()));
        assert_eq!(outcomes.unwrap(), [failed.clone(), failed.clone(), failed, Ok(())]);
        assert_eq!(calls, 2);
    }

    #[test]
    fn a_lost_device_is_an_error() {
        let mut calls = 0;
        let outcomes = in_batches(
            &[1; 8],
            |&rows| rows,
            &mut 2,
            &Device::Cpu,
            |_| -> Result<Vec<()>> {
                calls += 1;
                candle_core::bail!("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access\")")
            },
        );
        assert!(outcomes.unwrap_err().to_string().contains("ILLEGAL_ADDRESS"));
        assert_eq!(calls, 1);
    }
}
