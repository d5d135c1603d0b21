//! `GET api/events`: what changes in a run's folder, as server-sent events, whoever changes it.
//!
//! `picks` with `{"cell", "pick"}`, or `{}` if the picks are to be read again; `votes`, `data` and `masks` with `{}`. A connection
//! begins with `picks` and `votes`, so that nothing is missed between reading them and connecting.

use crate::error::Refusal;
use crate::site::{Site, on_thread};
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use maquette::{CellId, Pick, Run};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// More changes at once are one event.
const MOST_EVENTS: usize = 100;

/// What a file's content can be told by: when it was written, and its length.
type Stamp = Option<(SystemTime, u64)>;

type Cells = BTreeMap<CellId, Pick>;

/// What a connection has seen.
struct Seen {
    run: Run,
    stamps: [Stamp; 4],
    cells: Cells,
    waiting: VecDeque<Event>,
}

/// Follows `picks.toml`, `votes.csv`, the page's data and the folder of masks.
pub(crate) async fn events(
    State(site): State<Arc<Site>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let run = site.runs.at(&name, &number)?;
    let begin = on_thread(move || {
        let waiting = [empty("picks"), empty("votes")].into();
        Ok(Seen { stamps: stamps(&run), cells: cells(&run).unwrap_or_default(), run, waiting })
    });
    let stream = unfold(begin.await?, |mut seen| async move {
        loop {
            if let Some(event) = seen.waiting.pop_front() {
                return Some((Ok(event), seen));
            }
            tokio::time::sleep(EVERY).await;
            seen = on_thread(move || Ok(look(seen))).await.ok()?;
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Looks at the files and notes what has changed.
fn look(mut seen: Seen) -> Seen {
    let now = stamps(&seen.run);
    let [picks, votes, data, masks] = [0, 1, 2, 3].map(|file| now[file] != seen.stamps[file]);
    // A file that cannot be read at the moment, such as one that is being edited, is read when it changes again.
    if picks && let Some(cells) = cells(&seen.run) {
        seen.waiting.extend(differences(&seen.cells, &cells));
        seen.cells = cells;
    }
    seen.waiting.extend(votes.then(|| empty("votes")));
    seen.waiting.extend(data.then(|| empty("data")));
    seen.waiting.extend(masks.then(|| empty("masks")));
    seen.stamps = now;
    seen
}

fn stamps(run: &Run) -> [Stamp; 4] {
    ["picks.toml", "votes.csv", "page/state.js", "masks"].map(|file| {
        let found = std::fs::metadata(run.dir().join(file)).ok()?;
        Some((found.modified().ok()?, found.len()))
    })
}

fn cells(run: &Run) -> Option<Cells> {
    run.picks().ok().map(|picks| picks.cells)
}

/// An event for each cell that has changed.
fn differences(before: &Cells, now: &Cells) -> Vec<Event> {
    let all: BTreeSet<&CellId> = before.keys().chain(now.keys()).collect();
    let changed: Vec<_> = all.into_iter().filter(|cell| before.get(cell) != now.get(cell)).collect();
    if changed.len() > MOST_EVENTS {
        return vec![empty("picks")];
    }
    let event = |cell: &&CellId| {
        let pick = now.get(cell).cloned().unwrap_or_default();
        let data = serde_json::json!({ "cell": cell, "pick": pick });
        Event::default().event("picks").data(data.to_string())
    };
    changed.iter().map(event).collect()
}

fn empty(name: &str) -> Event {
    Event::default().event(name).data("{}")
}
