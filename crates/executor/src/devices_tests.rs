//! Several devices: the run of one, whatever happens on one of them.

use crate::devices::{Devices, MakeBackend};
use crate::execute_tests::{Folder, counts, fake, plan};
use crate::{ExecuteError, FakeBackend, Summary};
use maquette_core::{Backend, BackendError, Cell, Event};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A fake with a number, that may lose its device when it gets its n-th cell.
struct Numbered {
    fake: FakeBackend,
    number: usize,
    lost_at: usize,
}

impl Backend for Numbered {
    fn device(&self) -> String {
        format!("fake:{}", self.number)
    }

    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let name = self.device();
        let mut left = self.lost_at;
        let mut cells = std::iter::from_fn(|| {
            let cell = cells.next()?;
            left = left.saturating_sub(1);
            (left > 0).then_some(cell)
        });
        let mut named = |event| {
            events(match event {
                Event::Started { cell, steps, .. } => Event::Started { cell, steps, device: name.clone() },
                Event::Loaded { model, seconds, .. } => {
                    Event::Loaded { model, seconds, device: name.clone() }
                }
                event => event,
            })
        };
        self.fake.render(&mut cells, &mut named)?;
        match left {
            0 => Err(BackendError { message: "the device stopped working".to_owned(), source: None }),
            _ => Ok(()),
        }
    }
}

/// Devices of so many rows each; the first is lost at its n-th cell, or never at 0.
fn devices(rows: &[usize], lost_at: usize) -> Devices {
    let maker = |(number, &rows): (usize, &usize)| -> MakeBackend<String> {
        let lost_at = if number == 0 && lost_at > 0 { lost_at } else { usize::MAX };
        let pause = std::time::Duration::from_micros(300);
        Box::new(move || {
            Ok(Box::new(Numbered { fake: FakeBackend { rows, pause, ..fake() }, number, lost_at }))
        })
    };
    Devices::new(rows.iter().enumerate().map(maker).collect()).unwrap()
}

fn devices_in_the_log(folder: &Folder) -> BTreeSet<String> {
    let run = folder.runs.latest("test").unwrap().unwrap();
    run.log().unwrap().iter().filter_map(|row| row.device().map(str::to_owned)).collect()
}

#[test]
fn each_device_renders_a_part_and_the_log_names_it() {
    let plan = plan(&["Mucha", "Munch"], 10);
    let (one, several) = (Folder::new(), Folder::new());
    one.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    let mut both = devices(&[2, 3], 0);
    assert_eq!(both.device(), "fake:0,fake:1");
    let (summary, _) = several.execute(&plan, None, &mut both, &[]);
    assert_eq!(counts(summary), Summary { total: 20, rendered: 20, ..Summary::default() });
    assert_eq!(several.results(), one.results());
    assert_eq!(devices_in_the_log(&several), ["fake:0", "fake:1"].map(str::to_owned).into());
    // Another call of the same devices.
    let (summary, _) = Folder::new().execute(&plan, None, &mut both, &[]);
    assert_eq!(counts(summary).rendered, 20);
}

#[test]
fn a_device_that_cannot_be_made_is_an_error() {
    let fine: MakeBackend<String> = Box::new(|| Ok(Box::new(fake())));
    let missing: MakeBackend<String> = Box::new(|| Err("there is no second GPU".to_owned()));
    assert_eq!(Devices::new(vec![fine, missing]).err(), Some("there is no second GPU".to_owned()));
}

#[test]
fn a_panic_on_one_device_fails_its_cell_and_no_other() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha", "Munch", "Klimt"], 3));
    let panicking = || -> MakeBackend<String> {
        Box::new(|| Ok(Box::new(FakeBackend { panic_on: Some("Munch".to_owned()), ..fake() })))
    };
    let mut both = Devices::new(vec![panicking(), panicking()]).unwrap();
    let summary = folder.execute(&plan, None, &mut both, &[]).0.unwrap();
    assert_eq!((summary.rendered, summary.failures.len(), summary.left()), (6, 3, 0));
    assert!(summary.failures.iter().all(|failure| failure.label.contains("Munch")), "{summary:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_lost_device_or_a_stop_loses_no_finished_cell(
        seeds in 1usize..6,
        rows in prop::collection::vec(1usize..4, 2..4),
        lost_at in 0usize..6,
        stop in 1usize..60,
    ) {
        let plan = plan(&["Mucha", "Munch"], seeds);
        let (one, several) = (Folder::new(), Folder::new());
        one.execute(&plan, None, &mut fake(), &[]).0.unwrap();
        match several.execute(&plan, None, &mut devices(&rows, lost_at), &[stop]).0 {
            Ok(summary) => prop_assert_eq!(summary.done + summary.rendered + summary.left(), 2 * seeds),
            Err(ExecuteError::Backend(error)) => prop_assert_eq!(error.message, "the device stopped working"),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        for (cell, result) in several.results() {
            prop_assert_eq!(&result, &one.results()[&cell]);
        }
        several.execute(&plan, None, &mut devices(&rows, 0), &[]).0.unwrap();
        prop_assert_eq!(several.results(), one.results());
    }
}
