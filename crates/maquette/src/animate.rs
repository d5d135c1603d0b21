//! Animations along an axis of a run.

use crate::Workspace;
use crate::error::Error;
use crate::sheets;
use maquette_core::{Image, Plan};
use maquette_picture::{encode_animated_webp, encode_gif};
use maquette_reporter::{Animation, animations, render, same_size};
use maquette_store::{Run, write_atomic};
use std::path::{Path, PathBuf};

/// What to animate, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct AnimateOptions {
    /// The axis along which the pictures change.
    pub along: String,
    /// Values of other axes to keep, as names and values: all values of an axis that is not named. A value is its label or
    /// what it sets.
    pub only: Vec<(String, String)>,
    /// The file to write, `.webp` or `.gif`. For several animations their names are added to it. By default WebP files in the
    /// current folder, named after the run.
    pub file: Option<PathBuf>,
    /// The time of each frame, 0.02 to 60 seconds.
    pub seconds_per_frame: f64,
    /// Go back through the frames instead of jumping from the last one to the first.
    pub bounce: bool,
}

/// The most pixels of all frames together, which bounds the memory.
const MAX_PIXELS: u64 = 400_000_000;

/// The formats, by the endings of files.
const FORMATS: [(&str, Encode); 2] = [("webp", encode_animated_webp), ("gif", encode_gif)];

type Encode = fn(&[&Image], f64) -> Result<Vec<u8>, maquette_picture::PictureError>;

impl Workspace {
    /// Writes an animation of a run along an axis and returns its path: a grid like the contact sheet's, whose pictures
    /// change together. There is a file for each combination of the axes that are neither rows nor columns.
    ///
    /// `warn` gets characters that cannot be drawn.
    ///
    /// # Errors
    ///
    /// [`Error::Animation`] if there is no such axis or value, or the file's ending is neither `.webp` nor `.gif`;
    /// [`Error::Store`] if the run is not found or the file cannot be written.
    pub fn animate(
        &self,
        run: &str,
        options: &AnimateOptions,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Vec<PathBuf>, Error> {
        let seconds = options.seconds_per_frame;
        if !(0.02..=60.0).contains(&seconds) {
            return Err(Error::Animation(format!("a frame takes {seconds} seconds; allowed: 0.02 to 60")));
        }
        let run = self.runs.find(run)?;
        let file = options
            .file
            .clone()
            .unwrap_or_else(|| format!("{}.webp", run.to_string().replace('@', "-")).into());
        let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some((_, encode)) = FORMATS.into_iter().find(|(format, _)| *format == ending) else {
            return Err(Error::Animation(format!(
                "`{}` has the ending `.{ending}`; allowed: .webp, .gif",
                file.display()
            )));
        };
        let plan = restricted(&run.plan()?, &options.only)?;
        let animations =
            animations(&plan, &options.along).map_err(|error| Error::Animation(error.to_string()))?;
        if let Some(frame) = animations.first().and_then(|animation| animation.frames.first()) {
            sheets::warn_of_boxes(&frame.missing_glyphs(), warn);
        }
        let many = animations.len() > 1 || options.file.is_none();
        let write = |animation: &Animation| {
            let frames = draw(&run, &plan, animation)?;
            let back = frames.iter().rev().skip(1).take(frames.len().saturating_sub(2));
            let shown: Vec<&Image> = match options.bounce {
                true => frames.iter().chain(back).collect(),
                false => frames.iter().collect(),
            };
            let path = if many { with_name(&file, &animation.name) } else { file.clone() };
            write_atomic(&path, &encode(&shown, seconds)?)?;
            Ok(path)
        };
        animations.iter().map(write).collect()
    }
}

fn draw(run: &Run, plan: &Plan, animation: &Animation) -> Result<Vec<Image>, Error> {
    let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let all: u64 = animation.frames.iter().map(|frame| pixels(frame.size())).sum();
    if all > MAX_PIXELS {
        return Err(Error::Animation(format!(
            "the frames have {} megapixels together; allowed: at most {}",
            all / 1_000_000,
            MAX_PIXELS / 1_000_000
        )));
    }
    let rows = sheets::Rows::of(run)?;
    let reference = sheets::reference(plan);
    let frame = |page| render(plan, page, reference.as_ref(), &|index| sheets::tile(run, plan, &rows, index));
    Ok(same_size(animation.frames.iter().map(frame).collect()))
}

/// The plan with the named values of axes only.
fn restricted(plan: &Plan, only: &[(String, String)]) -> Result<Plan, Error> {
    let mut values: Vec<Vec<usize>> = plan.axes.iter().map(|axis| (0..axis.values.len()).collect()).collect();
    for (at, axis) in plan.axes.iter().enumerate() {
        let is_it = |value: &maquette_core::AxisValue, (name, wanted): &(String, String)| {
            let sets = value.set.iter().any(|(set, found)| set == name && found.to_string() == *wanted);
            sets || (axis.name == *name && value.label == *wanted)
        };
        let of_axis = |(name, _): &&(String, String)| {
            axis.name == *name || axis.values.iter().any(|value| value.set.iter().any(|(set, _)| set == name))
        };
        let wanted: Vec<&(String, String)> = only.iter().filter(of_axis).collect();
        if let Some((name, value)) =
            wanted.iter().find(|wanted| !axis.values.iter().any(|value| is_it(value, wanted)))
        {
            let labels: Vec<String> = axis.values.iter().map(|value| format!("`{}`", value.label)).collect();
            return Err(Error::Animation(format!(
                "`{name}` has no value `{value}`; allowed: {}",
                labels.join(", ")
            )));
        }
        if !wanted.is_empty() {
            values[at].retain(|&at| wanted.iter().any(|wanted| is_it(&axis.values[at], wanted)));
        }
    }
    let names = |name: &str| {
        plan.axes.iter().any(|axis| {
            axis.name == name || axis.values.iter().any(|value| value.set.iter().any(|(set, _)| set == name))
        })
    };
    if let Some((name, _)) = only.iter().find(|(name, _)| !names(name)) {
        let axes: Vec<String> = plan.axes.iter().map(|axis| format!("`{}`", axis.name)).collect();
        return Err(Error::Animation(format!("`{name}` is not an axis; allowed: {}", axes.join(", "))));
    }
    Ok(plan.restricted(&values))
}

/// The file with a name added before its ending.
fn with_name(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let ending = file.extension().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}-{name}.{ending}"))
}
