//! The `maquette` binary: arguments, text and JSON, progress bars, signals, exit codes. Everything else is in the library.

#![forbid(unsafe_code)]

mod args;
mod array_task;
mod commands;
mod exit;
mod output;
mod printable;
mod progress;
mod queues;
mod run_events;
mod signals;
mod text;
mod workspace;

use args::{Command, CommandLine, ModelsCommand};
use clap::Parser;
use std::process::ExitCode;

/// See the dependency.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Paths, URLs and the names of models are not broken across lines, so that they can be copied.
fn whole_words() -> miette::MietteHandler {
    let options = miette::MietteHandlerOpts::new();
    options
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .build()
}

fn main() -> ExitCode {
    let CommandLine { command, common } = CommandLine::parse();
    let _ = miette::set_hook(Box::new(|_| Box::new(whole_words())));
    let outcome = match command {
        Command::Plan(args) => commands::plan(&args, &common),
        Command::Run(args) if args.worker => commands::work(&args, &common),
        Command::Run(args) => commands::run(&args, &common),
        Command::Train(args) => commands::train(&args, &common),
        Command::Submit(args) => commands::submit(&args, &common),
        Command::Status(args) => commands::status(&args, &common),
        Command::Pull(args) => commands::pull(&args, &common),
        Command::Report(args) => commands::report(&args, &common),
        Command::Diff(args) => commands::diff(&args, &common),
        Command::Show(args) => commands::show(&args, &common),
        Command::Reproduce(args) => commands::reproduce(&args, &common),
        Command::Verify(args) => commands::verify(&args, &common),
        Command::Review(args) => commands::review(&args, &common),
        Command::Votes(args) => commands::votes(&args, &common),
        Command::Next(args) => commands::next(&args, &common),
        Command::Measure(args) => commands::measure(&args, &common),
        Command::Effects(args) => commands::effects(&args, &common),
        Command::Export(args) => commands::export(&args, &common),
        Command::Describe(args) => commands::describe(&args, &common),
        Command::Mask(args) => commands::mask(&args, &common),
        Command::Animate(args) => commands::animate(&args, &common),
        Command::Runs(args) => commands::runs(&args, &common),
        Command::Clean(args) => commands::clean(&args, &common),
        Command::Rename(args) => commands::rename(&args, &common),
        Command::Models { command: None, paths } => commands::models(&paths, &common),
        Command::Models { command: Some(ModelsCommand::Fetch(args)), .. } => commands::fetch(&args, &common),
        Command::Schema => output::print(&maquette::schema()),
        Command::Completions { shell } => commands::completions(shell),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::message(format_args!("{:?}", failure.report));
            failure.exit.into()
        }
    }
}
