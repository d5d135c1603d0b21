//! Calls the backend so that a panic fails only the cell that causes it.

use crate::ExecuteError;
use crate::recorder::RunRecorder;
use maquette_core::{Backend, BackendError, Cell, Event};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Renders the recorder's cells.
///
/// After a panic the cells that were in flight are rendered one by one: which of them was the reason is not known otherwise.
/// One that panics alone fails; then the others go on.
pub(crate) fn render(
    backend: &mut dyn Backend,
    recorder: &RefCell<RunRecorder<'_>>,
    seen: &mut dyn FnMut(),
) -> Result<(), ExecuteError> {
    let mut once = |cells: &mut dyn Iterator<Item = Cell>| {
        let mut event = |event| {
            seen();
            recorder.borrow_mut().event(event)
        };
        // What a backend keeps from call to call is its models; a panic leaves them loaded or not.
        match catch_unwind(AssertUnwindSafe(|| backend.render(cells, &mut event))) {
            Ok(rendered) => Ok(rendered?),
            Err(panic) => Err(Unfinished::Panic(message(panic.as_ref()))),
        }
    };
    loop {
        let panic = match once(&mut std::iter::from_fn(|| recorder.borrow_mut().pull())) {
            Ok(()) => return Ok(()),
            Err(Unfinished::Error(error)) => return Err(error.into()),
            Err(Unfinished::Panic(message)) => message,
        };
        let in_flight = recorder.borrow().in_flight();
        if in_flight.is_empty() {
            return Err(
                BackendError { message: format!("the engine panicked: {panic}"), source: None }.into()
            );
        }
        for cell in in_flight {
            let id = cell.id;
            match once(&mut std::iter::once(cell)) {
                Ok(()) => {}
                Err(Unfinished::Error(error)) => return Err(error.into()),
                Err(Unfinished::Panic(panic)) => {
                    let error = format!("the engine panicked: {panic}");
                    // Whether to go on is asked before the next cell.
                    let _ = recorder.borrow_mut().event(Event::Failed { cell: id, error });
                }
            }
            if recorder.borrow().is_over() {
                return Ok(());
            }
        }
    }
}

/// Why a call of the backend did not return as it should.
enum Unfinished {
    Error(BackendError),
    Panic(String),
}

impl From<BackendError> for Unfinished {
    fn from(error: BackendError) -> Unfinished {
        Unfinished::Error(error)
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
