//! What a run says while it goes on: notes, downloads, the progress of its cells.

use crate::args::Progress;
use crate::progress::{Display, Download, display};
use crate::{output, signals, text};
use maquette::{RunEvent, Stop};

/// Shows the events of a run.
pub struct RunEvents {
    progress: Progress,
    quiet: bool,
    /// Whether the page is opened when it is there.
    open: bool,
    stop: Stop,
    download: Download,
    display: Option<Box<dyn Display>>,
}

impl RunEvents {
    /// Shows nothing yet. `stop` is requested by Ctrl-C once the run has started.
    pub fn new(progress: Progress, quiet: bool, open: bool, stop: &Stop) -> RunEvents {
        let download = Download::new(progress, quiet);
        RunEvents { progress, quiet, open, stop: stop.clone(), download, display: None }
    }

    /// Shows an event.
    pub fn show(&mut self, event: RunEvent<'_>) {
        match event {
            RunEvent::Fetch(event) => self.download.show(event),
            RunEvent::Note(text) => self.note(format!("note: {text}")),
            RunEvent::Started { run, device, reason } => {
                self.note(format!("{run} on {device}{}", text::reason(reason)));
                signals::listen(&self.stop);
                self.display = Some(display(self.progress, self.quiet));
            }
            RunEvent::Page(page) if self.open => output::open(page),
            RunEvent::Training(progress) => {
                self.display.iter_mut().for_each(|display| display.train(progress));
            }
            RunEvent::Progress(progress) => {
                self.display.iter_mut().for_each(|display| display.show(progress));
            }
            RunEvent::Measuring { metrics, done, pictures } if done == pictures => {
                self.note(text::measured(metrics, pictures));
            }
            RunEvent::Rendered => self.display.iter_mut().for_each(|display| display.close()),
            RunEvent::Warning(text) => output::warning(&text),
            _ => {}
        }
    }

    /// Prints a note, unless notes are suppressed.
    pub fn note(&self, text: String) {
        if !self.quiet {
            output::message(text);
        }
    }
}
