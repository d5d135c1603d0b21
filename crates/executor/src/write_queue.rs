//! A thread that encodes and writes pictures, so that the backend does not wait for the disk.
//!
//! Cells are written in the order in which they ended. The queue is short: if the disk is slower than the backend, the
//! backend waits, and no pictures pile up in memory.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

/// The most ended cells that wait, besides the one being written.
pub(crate) const WAITING: usize = 4;

/// The sending side of the queue, and the results of the writer.
pub(crate) struct WriteQueue<J, R> {
    jobs: Option<SyncSender<J>>,
    results: Receiver<R>,
}

/// A job was not accepted because the writer has ended; its last result says why.
#[derive(Debug, PartialEq)]
pub(crate) struct WriterEnded;

/// The results of some jobs in their order, up to the one that failed, and why that one failed.
pub(crate) type Batch<T, E> = (Vec<T>, Option<E>);

/// Runs `body` with a queue whose jobs `write` handles on another thread, until it fails. It gets all jobs that wait, so that
/// the disk is waited for once for all of them. Returns when every accepted job has been written and `body` has ended.
pub(crate) fn with_writer<J: Send, T: Send, E: Send, R>(
    write: impl FnMut(Vec<J>) -> Batch<T, E> + Send,
    body: impl FnOnce(WriteQueue<J, Result<T, E>>) -> R,
) -> R {
    with_writer_or(write, None::<fn(J)>, body)
}

/// The same, where the jobs after one that failed are handled by `hold`, if there is one, instead of not being accepted.
pub(crate) fn with_writer_or<J: Send, T: Send, E: Send, R>(
    mut write: impl FnMut(Vec<J>) -> Batch<T, E> + Send,
    hold: Option<impl FnMut(J) + Send>,
    body: impl FnOnce(WriteQueue<J, Result<T, E>>) -> R,
) -> R {
    let (jobs, queue) = sync_channel::<J>(WAITING);
    let (done, results) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(job) = queue.recv() {
                let jobs = std::iter::once(job).chain(queue.try_iter().take(WAITING)).collect();
                let (written, failed) = write(jobs);
                let is_over = failed.is_some();
                for result in written.into_iter().map(Ok).chain(failed.map(Err)) {
                    // If the receiver is gone, the body has panicked; the waiting jobs are still written.
                    let _ = done.send(result);
                }
                if is_over {
                    if let Some(hold) = hold {
                        queue.iter().for_each(hold);
                    }
                    break;
                }
            }
        });
        body(WriteQueue { jobs: Some(jobs), results })
    })
}

impl<J, R> WriteQueue<J, R> {
    /// Adds a job; waits while the queue is full.
    pub(crate) fn push(&self, job: J) -> Result<(), WriterEnded> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or(WriterEnded)
    }

    /// The next result, if there is one; does not wait.
    pub(crate) fn written(&self) -> Option<R> {
        self.results.try_recv().ok()
    }

    /// The next result; waits for it. `None` if everything has been written or the writer has ended.
    pub(crate) fn next_written(&mut self) -> Option<R> {
        // Without a sender the writer ends after the last job.
        self.jobs = None;
        self.results.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn rest<J, R>(queue: &mut WriteQueue<J, R>) -> Vec<R> {
        std::iter::from_fn(|| queue.next_written()).collect()
    }

    #[test]
    fn jobs_are_written_in_order() {
        let written = with_writer(
            |jobs: Vec<usize>| (jobs, None::<()>),
            |mut queue| {
                (0..50).for_each(|job| queue.push(job).unwrap());
                rest(&mut queue)
            },
        );
        assert_eq!(written, (0..50).map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_the_writer_after_earlier_jobs_are_written() {
        let mut saved: Vec<usize> = Vec::new();
        let write = |jobs: Vec<usize>| {
            let whole: Vec<usize> = jobs.iter().copied().take_while(|job| *job < 3).collect();
            saved.extend(&whole);
            let failed = jobs.contains(&3).then_some("full");
            (whole, failed)
        };
        let (taken, results) = with_writer(write, |mut queue| {
            let taken = (0..50).take_while(|job| queue.push(*job).is_ok()).count();
            (taken, rest(&mut queue))
        });
        assert_eq!(results, [Ok(0), Ok(1), Ok(2), Err("full")]);
        assert!(taken <= 4 + 2 * WAITING, "{taken} jobs were taken");
        assert_eq!(saved, [0, 1, 2]);
    }

    #[test]
    fn jobs_after_a_failed_one_are_held_where_that_is_wanted() {
        let mut held = Vec::new();
        let write = |jobs: Vec<usize>| (Vec::<()>::new(), jobs.contains(&3).then_some("gone"));
        // The body sends one at a time, so that the writer gets each alone.
        let results = with_writer_or(write, Some(|job| held.push(job)), |mut queue| {
            (0..3).for_each(|job| queue.push(job).unwrap());
            queue.push(3).unwrap();
            while queue.written().is_none() {
                std::thread::yield_now();
            }
            (4..20).for_each(|job| queue.push(job).unwrap());
            rest(&mut queue)
        });
        assert_eq!(results, []);
        assert_eq!(held, (4..20).collect::<Vec<_>>());
    }

    #[test]
    fn the_backend_waits_for_a_slow_disk() {
        let (begun, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // One that is written and those that waited with it, those that wait, one that blocks.
        let most = 1 + WAITING + WAITING + 1;
        let write = |jobs: Vec<usize>| {
            // The disk is slow until the queue is full.
            while written.load(SeqCst) == 0 && begun.load(SeqCst) < 1 + WAITING + 1 {
                std::thread::yield_now();
            }
            let ahead = begun.load(SeqCst) - written.fetch_add(jobs.len(), SeqCst);
            if ahead <= most { (vec![(); jobs.len()], None) } else { (Vec::new(), Some(ahead)) }
        };
        let results = with_writer(write, |mut queue| {
            for job in 0..100 {
                begun.fetch_add(1, SeqCst);
                queue.push(job).unwrap();
            }
            rest(&mut queue)
        });
        assert_eq!(results, vec![Ok(()); 100]);
    }
}
