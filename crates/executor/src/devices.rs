//! Several backends as one: each device takes the next cell as soon as it has room for it.
//!
//! A backend lives on a thread of its own, on which it is made, because a GPU's tensors may not leave the thread that made
//! them. Cells and events go through channels; the caller's callbacks run on the caller's thread, one at a time.

use maquette_core::{Backend, BackendError, Cell, Event};
use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Several devices that share the cells of each call.
pub struct Devices(Vec<OneDevice>);

/// Makes the backend of one device, on its thread.
pub type MakeBackend<E> = Box<dyn FnOnce() -> Result<Box<dyn Backend>, E> + Send>;

/// The thread of a device.
struct OneDevice {
    name: String,
    /// `None` once the thread is to end.
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// What a thread is asked to do.
enum Command {
    Expect(Vec<Cell>),
    Render(Sender<Message>),
}

/// What a thread says while it renders. It waits for each answer.
enum Message {
    Pull(Sender<Option<Cell>>),
    Event(Event, Sender<ControlFlow<()>>),
    Ended(Result<(), BackendError>),
    Panicked(Box<dyn Any + Send>),
}

impl Devices {
    /// Makes the backends, all at once.
    ///
    /// # Errors
    ///
    /// That of the first backend that cannot be made.
    pub fn new<E: Send + 'static>(makers: Vec<MakeBackend<E>>) -> Result<Devices, E> {
        let starting: Vec<_> = makers.into_iter().map(start).collect();
        let mut devices = Vec::new();
        let mut failed = None;
        for (commands, made, thread) in starting {
            match made.recv() {
                Ok(Ok(name)) => {
                    devices.push(OneDevice { name, commands: Some(commands), thread: Some(thread) });
                }
                Ok(Err(error)) => failed = failed.or(Some(error)),
                // The thread ended without an answer, so it panicked.
                Err(_) => match thread.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => unreachable!("a thread answers before it ends"),
                },
            }
        }
        failed.map_or(Ok(Devices(devices)), Err)
    }
}

impl Backend for Devices {
    fn device(&self) -> String {
        self.0.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(",")
    }

    fn expect(&mut self, cells: &mut dyn Iterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.collect();
        for device in &self.0 {
            device.send(Command::Expect(cells.clone()));
        }
    }

    /// After a device failed or panicked, no cells are given out; those in flight on the other devices are finished first.
    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let (to, messages) = channel();
        let mut running = self.0.iter().filter(|device| device.send(Command::Render(to.clone()))).count();
        drop(to);
        let (mut failed, mut panicked, mut stopped) = (None, None, false);
        if running < self.0.len() {
            failed = Some(BackendError { message: "a device's thread has ended".to_owned(), source: None });
        }
        // A thread whose answer has no reader any more has ended, which `running` shows.
        while running > 0 {
            let Ok(message) = messages.recv() else { break };
            match message {
                Message::Pull(reply) => {
                    let over = stopped || failed.is_some() || panicked.is_some();
                    let _ = reply.send(if over { None } else { cells.next() });
                }
                Message::Event(event, reply) => {
                    // What other devices finish meanwhile is wanted even then.
                    stopped |= (!stopped || is_end(&event)) && events(event).is_break();
                    let flow = if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                    let _ = reply.send(flow);
                }
                Message::Ended(result) => {
                    running -= 1;
                    failed = failed.or(result.err());
                }
                Message::Panicked(panic) => {
                    running -= 1;
                    panicked = panicked.or(Some(panic));
                }
            }
        }
        match (panicked, failed) {
            (Some(panic), _) => resume_unwind(panic),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(()),
        }
    }
}

impl OneDevice {
    /// Whether the thread is there to do it.
    fn send(&self, command: Command) -> bool {
        self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }
}

impl Drop for OneDevice {
    fn drop(&mut self) {
        self.commands = None;
        // Its panics were reported when they happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Whether a cell has ended.
fn is_end(event: &Event) -> bool {
    matches!(event, Event::Finished { .. } | Event::Failed { .. })
}

/// Starts a thread that makes a backend, answers with its name or why there is none, and then does what it is asked to.
fn start<E: Send + 'static>(
    make: MakeBackend<E>,
) -> (Sender<Command>, Receiver<Result<String, E>>, JoinHandle<()>) {
    let (commands, work) = channel();
    let (answer, made) = channel();
    let thread = std::thread::spawn(move || match make() {
        Ok(mut backend) => {
            let _ = answer.send(Ok(backend.device()));
            serve(backend.as_mut(), &work);
        }
        Err(error) => _ = answer.send(Err(error)),
    });
    (commands, made, thread)
}

fn serve(backend: &mut dyn Backend, work: &Receiver<Command>) {
    for command in work {
        match command {
            Command::Expect(cells) => backend.expect(&mut cells.into_iter()),
            Command::Render(to) => {
                let result = catch_unwind(AssertUnwindSafe(|| render_on(backend, &to)));
                let _ = to.send(result.map_or_else(Message::Panicked, Message::Ended));
            }
        }
    }
}

/// Renders what the other end of the channel gives out.
fn render_on(backend: &mut dyn Backend, to: &Sender<Message>) -> Result<(), BackendError> {
    let mut cells = std::iter::from_fn(|| {
        let (reply, answer) = channel();
        to.send(Message::Pull(reply)).ok()?;
        answer.recv().ok()?
    });
    let mut events = |event| {
        let (reply, answer) = channel();
        let sent = to.send(Message::Event(event, reply));
        sent.ok().and_then(|()| answer.recv().ok()).unwrap_or(ControlFlow::Break(()))
    };
    backend.render(&mut cells, &mut events)
}
