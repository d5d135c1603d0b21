//! Masks from clicks: `POST api/mask` shows one, `POST api/masks` saves it in the run's folder, `GET api/masks` lists those.
//!
//! A request names a picture by a cell, never by a path.

use crate::api::{json, read};
use crate::error::Refusal;
use crate::site::{Site, on_thread};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use maquette::{Mask, MaskedPicture, Run, saved_masks};
use serde::Deserialize;
use std::sync::Arc;

/// The most points of one mask: a hand does not put more, and the model's time grows with them.
const MOST_POINTS: usize = 64;

/// The longest name of a mask, in characters; the file's name may be shorter.
const LONGEST_NAME: usize = 200;

/// What the mask is of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskBody {
    picture: MaskedPicture,
    /// In pixels of the picture, from its top left.
    points: Vec<(f64, f64)>,
    /// Whether the thing at the points is kept, and everything else repainted.
    #[serde(default)]
    invert: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveBody {
    mask: MaskBody,
    /// The beginning of the file's name.
    name: String,
}

/// `POST api/mask`: answers with the mask as PNG; the headers `mask-white` and `mask-quality` have the share of it that is
/// white, and the model's estimate of its quality.
pub(crate) async fn mask(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    let mask = make(&site, run, read(&body)?).await?;
    let numbers = [("mask-white", mask.white), ("mask-quality", mask.quality)];
    let numbers = numbers.map(|(name, number)| (HeaderName::from_static(name), format!("{number:.4}")));
    let png = on_thread(move || Ok(mask.png()?)).await?;
    let kind = [(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "no-store")];
    Ok((numbers, kind, png).into_response())
}

/// `POST api/masks`: makes the mask again, saves it under a name, and answers with its entry in the list.
pub(crate) async fn save(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    let SaveBody { mask, name } = read(&body)?;
    if name.chars().count() > LONGEST_NAME {
        return Err(bad(format!("the name is too long; allowed: at most {LONGEST_NAME} characters")));
    }
    let picture = mask.picture;
    let made = make(&site, run.clone(), mask).await?;
    on_thread(move || Ok(json(&picture.save(&run, &made, &name)?))).await
}

/// `GET api/masks`: the masks in the run's folder.
pub(crate) async fn list(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || Ok(json(&serde_json::json!({ "masks": saved_masks(&run)? })))).await
}

async fn make(site: &Arc<Site>, run: Run, request: MaskBody) -> Result<Mask, Refusal> {
    let MaskBody { picture, points, invert } = request;
    if points.len() > MOST_POINTS {
        return Err(bad(format!("{} points are too many; allowed: at most {MOST_POINTS}", points.len())));
    }
    let (image, points) = on_thread(move || Ok((picture.load(&run, &points)?, points))).await?;
    site.masks.mask(move |masker| masker.mask(&image, &points, invert)).await
}

fn bad(why: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, why)
}
