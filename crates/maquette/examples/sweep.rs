//! Plans an experiment, renders its missing cells and lists its pictures, using the library alone:
//! `cargo run --release -p maquette --example sweep experiments/strength.toml`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example is for a terminal")]

use maquette::{Experiment, RunEvent, RunOptions, RunProgress, Stop, Workspace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: sweep EXPERIMENT.toml")?;
    let workspace = Workspace::open("runs")?;

    let experiment = Experiment::at(file);
    let planned = workspace.plan(&experiment)?;
    let forecast = workspace.forecast(&planned)?;
    println!("{} cells, {} to render", planned.plan.len(), forecast.work.pictures);

    let stop = Stop::new();
    let result = workspace.run(&experiment, &RunOptions::default(), &stop, &mut |event| match event {
        RunEvent::Started { run, device, .. } => eprintln!("{run} on {device}"),
        RunEvent::Progress(RunProgress::Finished { record }) => eprintln!("{}", record.cell.id.short()),
        RunEvent::Warning(warning) => eprintln!("{warning}"),
        _ => {}
    })?;

    for row in result.run.log()? {
        println!("{}  {}", row.image().unwrap_or("failed"), row.get("prompt").unwrap_or_default());
    }
    for sheet in &result.sheets {
        println!("{}", sheet.display());
    }
    Ok(())
}
