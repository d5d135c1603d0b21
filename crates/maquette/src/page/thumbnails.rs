//! Thumbnails: small WebP files, so that a page of ten thousand pictures loads fast.

use crate::error::Error;
use crate::logged_picture::decode_logged;
use maquette_core::{CellId, Plan};
use maquette_picture::encode_webp;
use maquette_reporter::page::thumbnail;
use maquette_store::{PictureState, Run, Thumbnails, is_spread};

/// The longest edges in pixels: for a small and a large grid, on screens of one or two pixels per point.
const EDGES: [u32; 2] = [160, 384];

/// libwebp's quality, 0 to 100: no difference is visible at the size of a thumbnail.
const QUALITY: f32 = 80.0;

/// The sizes that are worth making for pictures whose longest edge is that, ascending: those that are smaller.
pub(super) fn sizes(plan: &Plan, longest_edge: u32) -> Vec<Thumbnails> {
    let edges = EDGES.into_iter().filter(|edge| *edge < longest_edge);
    edges.map(|edge| Thumbnails { edge, spread: is_spread(plan) }).collect()
}

/// Makes the thumbnails of a picture whose file was in that state.
pub(super) fn make(
    run: &Run,
    cell: &CellId,
    image: &str,
    state: PictureState,
    sizes: &[Thumbnails],
) -> Result<(), Error> {
    let picture = decode_logged(run, image)?;
    for &of in sizes {
        let webp = encode_webp(&thumbnail(&picture, of.edge), QUALITY)?;
        run.write_thumbnail(of, cell, state, &webp)?;
    }
    Ok(())
}
