//! The page that lists the runs under review.

use crate::error::Refusal;
use crate::runs::address;
use crate::site::{Site, on_thread};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use maquette::{Mark, Run};
use std::fmt::Write;
use std::sync::Arc;

/// `GET /`: a list of the runs; with one run, its page.
pub(crate) async fn index(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    if let Some(run) = site.runs.only() {
        return Ok(Redirect::temporary(&address(run)).into_response());
    }
    let list = on_thread(move || Ok(list(&site))).await?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], list).into_response())
}

/// `GET mucha@1/`: the page of that run.
pub(crate) async fn run(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
) -> Result<Redirect, Refusal> {
    let run = site.runs.named(&name)?;
    Ok(Redirect::temporary(&format!("/{}/{}", site.token, address(run))))
}

fn list(site: &Site) -> String {
    let mut items = String::new();
    for run in site.runs.listed() {
        let (address, name) = (address(run), escaped(&run.to_string()));
        let _ = writeln!(items, "<li><a href=\"{address}\">{name}</a> {}</li>", escaped(&about(run)));
    }
    // The style of the runs' pages.
    let style = site.runs.listed().next().map(address).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Runs under review</title>\n<link rel=\"stylesheet\" href=\"{style}page/app.css\">\n</head>\n<body>\n\
         <main>\n<h1>Runs under review</h1>\n<ul>\n{items}</ul>\n</main>\n</body>\n</html>\n"
    )
}

/// The title of a run, and how much of it is reviewed.
fn about(run: &Run) -> String {
    let title = run.plan().map(|plan| plan.title).unwrap_or_default();
    let picks = run.picks().map(|picks| picks.marked(Mark::Pick).count()).unwrap_or_default();
    let votes = run.votes().map(|votes| votes.votes.len()).unwrap_or_default();
    let counts = [(picks, "pick"), (votes, "vote")].into_iter().filter(|(count, _)| *count > 0);
    let counts = counts.map(|(count, one)| format!("{count} {one}{}", if count == 1 { "" } else { "s" }));
    let parts = (!title.is_empty()).then_some(title).into_iter().chain(counts);
    parts.collect::<Vec<_>>().join(", ")
}

/// Text for HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("<b>\"größe\"&"), "&lt;b&gt;&quot;größe&quot;&amp;");
    }
}
