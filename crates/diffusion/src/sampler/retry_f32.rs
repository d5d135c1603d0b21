//! Cells that are rendered a second time, because the first came out as no numbers.

use crate::sampler::denoise_state::Flight;
use crate::sampler::error::RenderError;
use maquette_core::{Cell, CellId, Dtype, Event, Image, Remarks};
use std::collections::{HashMap, VecDeque};

/// Cells whose numbers overflowed in their precision: rendered again in f32 when all others are done, so that the model
/// is loaded twice and no oftener.
#[derive(Default)]
pub(crate) struct Again {
    pub cells: VecDeque<Cell>,
    /// The precision that overflowed, and the seconds spent on it.
    lost: HashMap<CellId, (Dtype, f64)>,
}

/// A flight's picture.
pub(crate) struct Landed {
    pub image: Image,
    /// What is to be said of it.
    pub remarks: Remarks,
    /// How long it took from the last latents.
    pub seconds: f64,
}

impl Again {
    /// Takes a flight whose picture has numbers that are none; says what becomes of it.
    pub fn take(&mut self, flight: Flight) -> String {
        let mut cell = flight.cell;
        let dtype = std::mem::replace(&mut cell.settings.dtype, Dtype::F32);
        self.lost.insert(cell.id, (dtype, flight.seconds));
        self.cells.push_back(cell);
        format!("{dtype} overflowed; it is rendered again in f32 when the others are done")
    }

    /// How a cell ended, told with what was lost before.
    pub fn event(&mut self, flight: &Flight, landed: Result<Landed, RenderError>) -> Event {
        let cell = flight.cell.id;
        let lost = self.lost.remove(&cell);
        match landed {
            Ok(Landed { image, remarks, seconds }) => Event::Finished {
                cell,
                image,
                seconds: flight.seconds + seconds + lost.map_or(0.0, |(_, seconds)| seconds),
                remarks: Remarks {
                    note: lost
                        .map(|(dtype, _)| format!("{dtype} overflowed, so it was rendered again in f32")),
                    ..remarks
                },
            },
            Err(error) => Event::Failed { cell, error: error.chain() },
        }
    }
}
