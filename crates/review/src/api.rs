//! Picks and votes as JSON.

use crate::error::Refusal;
use crate::site::{Site, on_thread};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use maquette::{CellId, Mark, PickChange, Picks, StoreError, Vote, Votes, with_causes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use std::sync::Arc;

/// A change of a pick: an absent field stays as it is, null removes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    #[serde(default, deserialize_with = "present")]
    mark: Option<Option<Mark>>,
    #[serde(default, deserialize_with = "present")]
    note: Option<Option<String>>,
}

/// `GET api/picks`.
pub(crate) async fn picks(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || {
        let Picks { revision, cells, problems, .. } = shown(run.picks(), |picks| &mut picks.problems)?;
        Ok(json(&json!({ "revision": revision, "cells": cells, "problems": problems })))
    })
    .await
}

/// `PUT api/picks/<cell>`: answers with the new entry.
pub(crate) async fn change_pick(
    State(site): State<Arc<Site>>,
    Path((name, number, cell)): Path<(String, String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    let cell = cell.parse().map(CellId).map_err(|_| {
        Refusal(StatusCode::NOT_FOUND, format!("`{cell}` is not a cell; allowed: 64 hexadecimal digits"))
    })?;
    let ChangeBody { mark, note } = read(&body)?;
    on_thread(move || Ok(json(&run.update_pick(cell, &PickChange { mark, note })?))).await
}

/// `GET api/votes`.
pub(crate) async fn votes(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || {
        let Votes { revision, votes, problems } = shown(run.votes(), |votes| &mut votes.problems)?;
        Ok(json(&json!({ "revision": revision, "votes": votes, "problems": problems })))
    })
    .await
}

/// `POST api/votes`: answers with the vote.
pub(crate) async fn add_vote(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    let vote: Vote = read(&body)?;
    on_thread(move || {
        run.add_vote(&vote)?;
        Ok(json(&vote))
    })
    .await
}

/// `DELETE api/votes/last`: answers with the removed vote, or null if there is none.
pub(crate) async fn remove_last_vote(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || Ok(json(&run.remove_last_vote()?))).await
}

/// What is in a file. One that cannot be read is a problem to show, of an empty file; changes to it are refused.
fn shown<T: Default>(
    read: Result<T, StoreError>,
    problems: fn(&mut T) -> &mut Vec<String>,
) -> Result<T, StoreError> {
    match read {
        Err(error @ StoreError::Damaged { .. }) => {
            let mut empty = T::default();
            problems(&mut empty).push(with_causes(&error));
            Ok(empty)
        }
        read => read,
    }
}

/// An answer as JSON.
pub(crate) fn json(body: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The body of a request.
pub(crate) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("the request is not understood: {error}")))
}

/// A field that is there, null or not.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
