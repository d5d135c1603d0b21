//! The list of runs, as a table and as JSON.

use crate::output;
use jiff::{Timestamp, tz::TimeZone};
use maquette::{RunContent, RunEntry};
use serde_json::{Value, json};
use std::time::Duration;

/// A table with a row for each run.
pub fn runs(runs: &[RunEntry]) -> String {
    let parents = runs.iter().flat_map(|run| &run.content).any(|content| content.parent.is_some());
    let mut headings = vec!["run", "started", "cells", "time", "picks", "model"];
    if parents {
        headings.push("parent");
    }
    headings.push("title");
    output::table(&headings, runs.iter().map(|run| row(run, parents)))
}

fn row(RunEntry { run, content }: &RunEntry, parents: bool) -> Vec<String> {
    let Some(content) = content else {
        return vec![run.to_string(), String::new(), "unreadable".to_owned()];
    };
    let RunContent { title, cells, done, failed, seconds, models, picks, parent, started, in_use, .. } =
        content;
    let failed = if *failed == 0 { String::new() } else { format!(", {failed} failed") };
    let in_use = if *in_use { ", in use" } else { "" };
    let mut row = vec![
        run.to_string(),
        started.and_then(time).unwrap_or_default(),
        format!("{done} of {cells}{failed}{in_use}"),
        duration(*seconds),
        match picks {
            Some(0) => String::new(),
            Some(picks) => picks.to_string(),
            None => "unreadable".to_owned(),
        },
        models.join(", "),
    ];
    if parents {
        row.push(parent.clone().unwrap_or_default());
    }
    row.push(title.clone());
    row
}

/// The runs as JSON; times are seconds since 1970.
pub fn runs_json(runs: &[RunEntry]) -> String {
    let run = |RunEntry { run, content }: &RunEntry| -> Value {
        let name = json!({ "run": run.to_string(), "folder": run.dir() });
        let Some(content) = content else {
            let mut unreadable = name;
            unreadable["unreadable"] = json!(true);
            return unreadable;
        };
        let RunContent {
            title,
            cells,
            done,
            failed,
            seconds,
            models,
            picks,
            parent,
            started,
            changed,
            in_use,
        } = content;
        json!({
            "run": run.to_string(), "folder": run.dir(), "title": title, "cells": cells, "done": done, "failed": failed,
            "started": started, "changed": changed, "in_use": in_use, "seconds": seconds, "models": models, "picks": picks,
            "parent": parent,
        })
    };
    output::json(&runs.iter().map(run).collect::<Vec<_>>())
}

/// The time of day where this machine is.
fn time(seconds: u64) -> Option<String> {
    let time = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds <= 0.0 => String::new(),
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds => indicatif::HumanDuration(Duration::from_secs_f64(seconds)).to_string(),
    }
}
