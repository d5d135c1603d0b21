//! The files of a run's page, and nothing else of the run folder.

use crate::error::Refusal;
use crate::index_page::escaped;
use crate::site::{Site, on_thread};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maquette::Run;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// The folders of a run that its page shows files of.
const FOLDERS: [&str; 6] = ["page", "images", "drafts", "references", "sheets", "masks"];

/// Of the folder of each training below `trained`, it shows the samples alone: not the weights.
const SAMPLES: (&str, &str) = ("trained", "samples");

/// `GET <run>/`: the page.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || match serve(&run, "index.html", &headers) {
        Err(Refusal(StatusCode::NOT_FOUND, _)) => Err(Refusal(
            StatusCode::NOT_FOUND,
            format!("{run} has no page yet; `maquette report {run}` writes it"),
        )),
        served => served,
    })
    .await
}

/// `GET <run>/<file>`.
pub(crate) async fn file(
    State(site): State<Arc<Site>>,
    Path((name, number, file)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = site.runs.at(&name, &number)?;
    on_thread(move || serve(&run, &file, &headers)).await
}

fn serve(run: &Run, file: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let missing = || Refusal(StatusCode::NOT_FOUND, format!("{run} has no file `{}`", escaped(file)));
    let path = place(run, file).ok_or_else(missing)?;
    let kind = kind(file);
    // The page's data changes while it is shown.
    if matches!(file.rsplit('.').next(), Some("js" | "html" | "json")) {
        let bytes = maquette::read_file(&path, maquette::limits::PICTURE).map_err(|_| missing())?;
        return Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], bytes).into_response());
    }
    let found = std::fs::metadata(&path).map_err(|_| missing())?;
    let written = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let tag = format!("\"{:x}-{:x}\"", found.len(), written.unwrap_or_default().as_nanos());
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let fresh = known.flat_map(|tags| tags.split(',')).any(|known| known.trim() == tag);
    let cached = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    if fresh {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    let bytes = maquette::read_file(&path, maquette::limits::PICTURE).map_err(|_| missing())?;
    Ok(([(CONTENT_TYPE, kind)], cached, bytes).into_response())
}

/// The path of a file that the page may show; `None` for any other, and for a link that leads out of the run folder.
fn place(run: &Run, file: &str) -> Option<PathBuf> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0']);
    let parts: Vec<&str> = file.split('/').collect();
    let is_sample = parts.len() == 4 && (parts[0], parts[2]) == SAMPLES;
    let shown = file == "index.html" || is_sample || parts.len() > 1 && FOLDERS.contains(&parts[0]);
    if !shown || !parts.iter().all(|part| plain(part)) {
        return None;
    }
    let folder = run.dir().canonicalize().ok()?;
    let path = parts.iter().fold(folder.clone(), |path, part| path.join(part)).canonicalize().ok()?;
    (path.starts_with(&folder) && path.is_file()).then_some(path)
}

fn kind(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "webp" => "image/webp",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
