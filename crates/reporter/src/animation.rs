//! The frames of an animation along an axis: pages of a sheet that differ in the value of that axis only.
//!
//! The pages of a sheet line up, so nothing on the frames moves but the pictures, and the heading gives the value.

use crate::axes::{Arrangement, Shape, SheetError, arrange};
use crate::canvas::Canvas;
use crate::pages::{PageSpec, pages_as};
use crate::style::PAPER;
use maquette_core::{Image, Plan, SheetSpec};

/// The longest edge of a frame in pixels.
const MAX_EDGE: u32 = 2000;

/// An animation: its frames in the order of the axis.
#[derive(Debug, Clone)]
pub struct Animation {
    /// A name for its file without extension, unique among the animations of a plan: `strength`, or `strength_seed-7`.
    pub name: String,
    /// Its frames. A value without cells has none.
    pub frames: Vec<PageSpec>,
}

/// An axis along which there is no animation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnimationError {
    /// There is no such axis.
    #[error("`{name}` is not an axis; allowed: {allowed}")]
    NoSuchAxis {
        /// The name.
        name: String,
        /// The names of the axes.
        allowed: String,
    },
    /// The axis has a single value, or only one value has cells.
    #[error("`{name}` has one value, so nothing moves; allowed: an axis of two or more values")]
    OneValue {
        /// The name.
        name: String,
    },
    /// The grid does not fit on a frame.
    #[error("the grid is too large for a frame of {MAX_EDGE} pixels")]
    TooLarge,
    /// The plan's sheets cannot be laid out.
    #[error(transparent)]
    Sheet(#[from] SheetError),
}

/// The animations of a plan along an axis, or along the axis that sets something of that name.
///
/// Rows and columns are those of the plan's sheet. There is an animation for each combination of the other axes.
pub fn animations(plan: &Plan, along: &str) -> Result<Vec<Animation>, AnimationError> {
    let axis = axis(plan, along)?;
    let name = &plan.axes[axis].name;
    if plan.axes[axis].values.len() < 2 {
        return Err(AnimationError::OneValue { name: name.clone() });
    }
    let other = |given: &Option<String>| given.clone().filter(|given| given != name);
    let sheet = SheetSpec {
        rows: other(&plan.sheet.rows),
        columns: other(&plan.sheet.columns),
        cell: None,
        max: Some(plan.sheet.max.unwrap_or(MAX_EDGE).min(MAX_EDGE)),
    };
    let plan = Plan { sheet, ..plan.clone() };
    let still: Vec<Vec<usize>> = (plan.axes.iter().enumerate())
        .map(|(at, axis_values)| if at == axis { vec![0] } else { (0..axis_values.values.len()).collect() })
        .collect();
    let Arrangement { shape, pages } = arrange(&plan.restricted(&still))?;
    // The axis that moves varies fastest.
    let moving = Arrangement { shape, pages: pages.iter().copied().chain([axis]).collect() };
    let mut animations: Vec<(Vec<usize>, Animation)> = Vec::new();
    for mut page in pages_as(&plan, &moving) {
        if page.is_part() {
            return Err(AnimationError::TooLarge);
        }
        page.part.number.clear();
        let mut base = page.base.clone();
        base[axis] = 0;
        match animations.iter_mut().find(|(known, _)| *known == base) {
            Some((_, animation)) => animation.frames.push(page),
            None => {
                let others = Arrangement { shape: Shape::Single, pages: pages.clone() };
                let name = match pages.is_empty() {
                    true => crate::pages::slug(name),
                    false => format!(
                        "{}_{}",
                        crate::pages::slug(name),
                        crate::pages::file_name(&plan, &others, &base)
                    ),
                };
                animations.push((base, Animation { name, frames: vec![page] }));
            }
        }
    }
    let mut animations: Vec<Animation> = animations.into_iter().map(|(_, animation)| animation).collect();
    animations.retain(|animation| animation.frames.len() > 1);
    if animations.is_empty() {
        return Err(AnimationError::OneValue { name: name.clone() });
    }
    crate::pages::make_unique(animations.iter_mut().map(|animation| &mut animation.name));
    Ok(animations)
}

/// Frames of one size: smaller ones are extended by empty paper.
pub fn same_size(frames: Vec<Image>) -> Vec<Image> {
    let width = frames.iter().map(Image::width).max().unwrap_or(0);
    let height = frames.iter().map(Image::height).max().unwrap_or(0);
    let extended = |frame: Image| {
        if (frame.width(), frame.height()) == (width, height) {
            return frame;
        }
        let mut canvas = Canvas::new(width, height, PAPER);
        canvas.paste(&frame, 0, 0);
        canvas.into_image()
    };
    frames.into_iter().map(extended).collect()
}

fn axis(plan: &Plan, name: &str) -> Result<usize, AnimationError> {
    let sets =
        |at: &usize| plan.axes[*at].values.iter().any(|value| value.set.iter().any(|(set, _)| set == name));
    let found = plan.axes.iter().position(|axis| axis.name == name);
    found.or_else(|| (0..plan.axes.len()).find(sets)).ok_or_else(|| {
        let names: Vec<String> = plan.axes.iter().map(|axis| format!("`{}`", axis.name)).collect();
        let allowed = if names.is_empty() { "none, there are no axes".to_owned() } else { names.join(", ") };
        AnimationError::NoSuchAxis { name: name.to_owned(), allowed }
    })
}
