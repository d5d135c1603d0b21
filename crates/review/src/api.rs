//! Picks and votes as JSON.

use crate::error::Refusal;
use crate::site::{Site, on_thread};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use maquette::{CellId, Mark, Pick, PickChange, StoreError, Vote, with_causes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Serialize)]
struct PicksBody {
    /// Changes whenever the file does.
    revision: u64,
    cells: BTreeMap<CellId, Pick>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct VotesBody {
    revision: u64,
    votes: Vec<Vote>,
    problems: Vec<String>,
}

/// A change of a pick: an absent field stays as it is, null removes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    #[serde(default, deserialize_with = "present")]
    mark: Option<Option<Mark>>,
    #[serde(default, deserialize_with = "present")]
    note: Option<Option<String>>,
}

/// `GET api/picks`. A file that cannot be read is a problem to show; changes to it are refused.
pub(crate) async fn picks(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || {
        Ok(json(&match run.picks() {
            Ok(picks) => PicksBody { revision: picks.revision, cells: picks.cells, problems: picks.problems },
            Err(error @ StoreError::Damaged { .. }) => {
                PicksBody { revision: 0, cells: BTreeMap::new(), problems: vec![with_causes(&error)] }
            }
            Err(error) => return Err(error.into()),
        }))
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
        Ok(json(&match run.votes() {
            Ok(votes) => VotesBody { revision: votes.revision, votes: votes.votes, problems: votes.problems },
            Err(error @ StoreError::Damaged { .. }) => {
                VotesBody { revision: 0, votes: Vec::new(), problems: vec![with_causes(&error)] }
            }
            Err(error) => return Err(error.into()),
        }))
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

fn json(body: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("the request is not understood: {error}")))
}

/// A field that is there, null or not.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
