//! Thumbnails: small WebP files, so that a page of ten thousand pictures loads fast.

use crate::error::Error;
use crate::logged_picture::decode_logged;
use maquette_core::CellId;
use maquette_picture::encode_webp;
use maquette_reporter::page::thumbnail;
use maquette_store::{PictureState, Run};

/// The longest edges in pixels: for a small and a large grid, on screens of one or two pixels per point.
const EDGES: [u32; 2] = [160, 384];

/// libwebp's quality, 0 to 100: no difference is visible at the size of a thumbnail.
const QUALITY: f32 = 80.0;

/// The sizes that are worth making for pictures whose longest edge is that: those that are smaller.
pub(super) fn edges(longest_edge: u32) -> Vec<u32> {
    EDGES.into_iter().filter(|edge| *edge < longest_edge).collect()
}

/// Makes the thumbnails of a picture whose file was in that state.
pub(super) fn make(
    run: &Run,
    cell: &CellId,
    image: &str,
    state: PictureState,
    edges: &[u32],
) -> Result<(), Error> {
    let picture = decode_logged(run, image)?;
    for &edge in edges {
        let webp = encode_webp(&thumbnail(&picture, edge), QUALITY)?;
        run.write_thumbnail(edge, cell, state, &webp)?;
    }
    Ok(())
}
