//! The progress of a download: a bar on a terminal, a line per file elsewhere, JSON for machines.

use crate::args;
use crate::output::message;
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use maquette::{DownloadProgress, FetchEvent, Offer, missing_text};
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;

/// The size in bytes from which a file gets a line at every tenth.
const LARGE: u64 = 100 << 20;

/// Shows downloads on standard error, one at a time.
pub struct Download {
    style: Style,
    quiet: bool,
    /// The repository, and how many of its files are missing.
    model: String,
    files: usize,
    /// The file being downloaded: its number among the missing ones, its name and size.
    nth: usize,
    name: String,
    size: u64,
    /// Bytes downloaded of this file, and of the files before it.
    had: u64,
    before: u64,
}

enum Style {
    Bar(ProgressBar),
    Lines,
    Json,
    Nothing,
}

impl Download {
    pub fn new(how: args::Progress, quiet: bool) -> Download {
        let style = match how {
            args::Progress::Json => Style::Json,
            args::Progress::None => Style::Nothing,
            _ if quiet => Style::Nothing,
            args::Progress::Auto if std::io::stderr().is_terminal() => Style::Bar(ProgressBar::hidden()),
            args::Progress::Auto | args::Progress::Plain => Style::Lines,
        };
        let (model, name) = (String::new(), String::new());
        Download { style, quiet, model, files: 0, nth: 0, name, size: 0, had: 0, before: 0 }
    }

    pub fn show(&mut self, event: FetchEvent<'_>) {
        match event {
            FetchEvent::Started(offer) => self.start(offer),
            FetchEvent::Progress(progress) => self.progress(progress),
            FetchEvent::Finished => match &self.style {
                Style::Bar(bar) => bar.finish_and_clear(),
                Style::Json => message(json!({ "event": "downloaded", "model": self.model })),
                Style::Lines | Style::Nothing => {}
            },
        }
    }

    fn start(&mut self, offer: &Offer) {
        if !offer.is_here() && !self.quiet {
            message(format_args!("downloading {}: {}", offer.repository, missing_text(offer)));
            match &offer.licence {
                Some(licence) => message(format_args!("licence: {licence}; terms: {}", offer.page)),
                None => message(format_args!("licence: not stated; see {}", offer.page)),
            }
        }
        if let Style::Bar(bar) = &mut self.style {
            *bar = progress_bar(offer.bytes_to_come());
        }
        self.files = offer.files.iter().filter(|file| !file.here).count();
        self.model = offer.repository.to_string();
        (self.nth, self.had, self.before) = (0, 0, 0);
    }

    fn progress(&mut self, progress: DownloadProgress<'_>) {
        match progress {
            DownloadProgress::File { name, size } => {
                self.before += std::mem::take(&mut self.had);
                (self.nth, self.name, self.size) = (self.nth + 1, name.to_owned(), size);
                self.file();
            }
            DownloadProgress::Waiting { name } => match &self.style {
                Style::Bar(bar) => bar.set_message(format!("{name}: another process is downloading it")),
                Style::Lines => {
                    message(format_args!("another process is downloading {name}; waiting for it"));
                }
                Style::Json | Style::Nothing => {}
            },
            DownloadProgress::Bytes(bytes) => {
                let tenth = |had: u64| had * 10 / self.size.max(1);
                let (was, is) = (tenth(self.had), tenth(self.had + bytes));
                self.had += bytes;
                match &self.style {
                    Style::Bar(bar) => bar.set_position(self.before + self.had),
                    Style::Lines if self.size >= LARGE && is > was && is < 10 => {
                        message(format_args!("  {is}0% of {}", self.name));
                    }
                    _ => {}
                }
            }
            DownloadProgress::Again => self.had = 0,
            _ => {}
        }
    }

    fn file(&self) {
        let Download { nth, files, name, size, .. } = self;
        match &self.style {
            Style::Bar(bar) => bar.set_message(name.clone()),
            Style::Lines => {
                message(format_args!("{nth}/{files} {name}, {}", ByteSize::b(*size).display().iec()));
            }
            Style::Json => message(json!({
                "event": "downloading", "model": self.model, "file": name, "bytes": size, "nth": nth, "files": files
            })),
            Style::Nothing => {}
        }
    }
}

fn progress_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {wide_msg}";
    // The template is a constant, so it is valid.
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template").progress_chars("━━╌"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
