//! How a download looks while it goes on: a bar on a terminal, a line per file elsewhere, JSON for machines.

use crate::args;
use crate::output::{self, talk};
use indicatif::{ProgressBar, ProgressStyle};
use maquette_hub::{Offer, Progress};
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;

/// From how many bytes on a line says how far a file has come, at every tenth.
const LARGE: u64 = 100 << 20;

/// Shows what arrives, on standard error.
pub struct Download {
    look: Look,
    model: String,
    files: usize,
    nth: usize,
    name: String,
    size: u64,
    /// Bytes of the file, and of those before it.
    had: u64,
    before: u64,
}

enum Look {
    Bar(ProgressBar),
    Lines,
    Json,
    Nothing,
}

impl Download {
    pub fn new(offer: &Offer, how: args::Progress, quiet: bool) -> Download {
        let look = match how {
            args::Progress::Json => Look::Json,
            args::Progress::None => Look::Nothing,
            _ if quiet => Look::Nothing,
            args::Progress::Auto if std::io::stderr().is_terminal() => Look::Bar(bar(offer.bytes_to_come())),
            args::Progress::Auto | args::Progress::Plain => Look::Lines,
        };
        let files = offer.files.iter().filter(|file| !file.here).count();
        let (model, name) = (offer.repository.to_string(), String::new());
        Download { look, model, files, nth: 0, name, size: 0, had: 0, before: 0 }
    }

    pub fn show(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::File { name, size } => {
                self.before += std::mem::take(&mut self.had);
                (self.nth, self.name, self.size) = (self.nth + 1, name.to_owned(), size);
                self.say();
            }
            Progress::Waiting { name } => match &self.look {
                Look::Bar(bar) => bar.set_message(format!("{name}: another process is getting it")),
                Look::Lines => talk(format_args!("another process is getting {name}; waiting for it")),
                Look::Json | Look::Nothing => {}
            },
            Progress::Bytes(bytes) => {
                let tenth = |had: u64| had * 10 / self.size.max(1);
                let (was, is) = (tenth(self.had), tenth(self.had + bytes));
                self.had += bytes;
                match &self.look {
                    Look::Bar(bar) => bar.set_position(self.before + self.had),
                    Look::Lines if self.size >= LARGE && is > was && is < 10 => {
                        talk(format_args!("  {is}0% of {}", self.name));
                    }
                    _ => {}
                }
            }
            Progress::Again => self.had = 0,
            _ => {}
        }
    }

    pub fn close(&self) {
        match &self.look {
            Look::Bar(bar) => bar.finish_and_clear(),
            Look::Json => talk(json!({ "event": "downloaded", "model": self.model })),
            Look::Lines | Look::Nothing => {}
        }
    }

    fn say(&self) {
        let Download { nth, files, name, size, .. } = self;
        match &self.look {
            Look::Bar(bar) => bar.set_message(name.clone()),
            Look::Lines => talk(format_args!("{nth}/{files} {name}, {}", output::bytes(*size))),
            Look::Json => talk(json!({
                "event": "downloading", "model": self.model, "file": name, "bytes": size, "nth": nth, "files": files
            })),
            Look::Nothing => {}
        }
    }
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {wide_msg}";
    // The template is ours, so it is always valid.
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template").progress_chars("━━╌"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
