//! `maquette train`: does the trainings of an experiment, and prints the paths of the weights.

use super::{experiment, rendering_workspace};
use crate::args::{BackendName, Common, TrainArgs};
use crate::exit::{Exit, Outcome};
use crate::progress::{Download, training_display};
use crate::{output, signals, text};
use maquette::{Stop, TrainEvent};

pub fn train(args: &TrainArgs, common: &Common) -> Outcome {
    let workspace =
        rendering_workspace(common, &args.experiment.device, args.experiment.offload, BackendName::Engine)?;
    let stop = Stop::new();
    let mut download = Download::new(args.progress, common.quiet);
    let mut display = training_display(args.progress, common.quiet);
    let note = |text: String| {
        if !common.quiet {
            output::message(text);
        }
    };
    let result = workspace.train(&experiment(&args.experiment), &stop, &mut |event| match event {
        TrainEvent::Fetch(event) => download.show(event),
        TrainEvent::Note(text) => note(format!("note: {text}")),
        TrainEvent::Planned => signals::listen(&stop),
        TrainEvent::Progress(progress) => display.train(progress),
        _ => {}
    });
    display.close();
    let result = result?;
    note(text::trained(&result));
    let mut files = Vec::new();
    for weights in &result.weights {
        files.push(match &args.out {
            Some(folder) => weights.copy_to(folder, &result)?,
            None => weights.file.clone(),
        });
    }
    output::print(&output::paths(files))?;
    Ok(if result.interrupted { Exit::Interrupted } else { Exit::Done })
}
