//! Keeps the page of a run up to date while the run goes on.

use super::PageWriter;
use crate::error::{Error, with_causes};
use maquette_core::Plan;
use maquette_store::{Run, Runs};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

/// The shortest time between two versions of a page during a run.
const EVERY: Duration = Duration::from_secs(2);

/// Writing a page takes longer the more cells there are, so there are fewer versions of a large page: at most this share of
/// the time is spent on it.
const SHARE: u32 = 20;

/// How long thumbnails are made before the page is written again.
const THUMBNAILS: Duration = Duration::from_secs(1);

/// How often a page says that its run goes on, even if nothing has changed. A reader takes a run whose page has not said so
/// for minutes as stopped (`crates/reporter/page/src/model/progress.ts`).
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Writes the page at once, and again when cells have ended. `ended` says so, until its sender is dropped; `written` gets the
/// path of the page when it is there, `warn` why it could not be written.
///
/// Everything is done on this thread, so that rendering keeps the other cores.
#[expect(clippy::needless_pass_by_value, reason = "the receiving thread owns the receiver")]
pub(crate) fn keep_writing(
    runs: &Runs,
    run: &Run,
    plan: &Plan,
    ended: Receiver<()>,
    written: &Sender<Result<PathBuf, String>>,
) {
    let warn = |error: &Error| {
        // The receiver is gone if the run has ended meanwhile.
        let _ = written.send(Err(format!("the page could not be written: {}", with_causes(error))));
    };
    let mut writer = match PageWriter::new(runs, run, plan) {
        Ok(writer) => writer,
        Err(error) => return warn(&error),
    };
    let (mut changed, mut next, mut first) = (true, Instant::now(), true);
    let mut said = Instant::now();
    loop {
        let begin = Instant::now();
        let due = due(changed.then_some(next), said, begin);
        if due.is_some() {
            said = begin;
        }
        if due == Some(Due::State) {
            // What cannot be written now is tried again.
            let _ = writer.say_again();
        }
        if due == Some(Due::Page) {
            let result = writer.write(true);
            next = begin + EVERY.max(begin.elapsed() * SHARE);
            changed = false;
            match result {
                Ok(page) if first => drop(written.send(Ok(page))),
                Err(error) if first => return warn(&error),
                Ok(_) | Err(_) => {}
            }
            first = false;
        }
        match ended.recv_timeout(EVERY) {
            Ok(()) => changed = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let begin = Instant::now();
        let made = writer.make_some_thumbnails(&mut || match ended.try_recv() {
            Err(TryRecvError::Disconnected) => false,
            Ok(()) | Err(TryRecvError::Empty) => begin.elapsed() < THUMBNAILS,
        });
        // What cannot be written now is tried again at the end of the run, which then warns.
        changed |= made.unwrap_or(false);
    }
}

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// All of the page.
    Page,
    /// Only that the run goes on.
    State,
}

/// What is to be written now. `next`: when the page may be written, if it has changed; `said`: when it was written last, or
/// said that the run goes on.
fn due(next: Option<Instant>, said: Instant, now: Instant) -> Option<Due> {
    match next {
        Some(next) if now >= next => Some(Due::Page),
        _ if now >= said + SIGN_OF_LIFE => Some(Due::State),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_does_not_change_still_says_that_its_run_goes_on() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let check = |next: Option<u64>, said: u64, now: u64, expected: Option<Due>| {
            assert_eq!(due(next.map(at), at(said), at(now)), expected, "{next:?} {said} {now}");
        };
        check(Some(0), 0, 0, Some(Due::Page));
        check(None, 0, 9, None);
        check(None, 0, 10, Some(Due::State));
        check(None, 10, 19, None);
        check(Some(15), 10, 14, None);
        check(Some(15), 10, 15, Some(Due::Page));
        // A large page is not written often.
        check(Some(60), 10, 20, Some(Due::State));
    }
}
