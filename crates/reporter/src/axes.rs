//! Assigns the axes of a plan to rows, columns and pages.

use maquette_core::Plan;

/// Where each axis of a plan goes on its sheets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrangement {
    pub shape: Shape,
    /// The axes that make pages, in the plan's order; those with a single value make none.
    pub pages: Vec<usize>,
}

/// How the cells of one page are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One cell.
    Single,
    /// The cells of one axis, each with its own caption, wrapped into a block.
    Gallery(usize),
    /// Labelled rows and columns; one of them may be missing.
    Matrix { rows: Option<usize>, columns: Option<usize> },
}

/// A sheet that cannot be laid out as the plan specifies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// `[sheet]` names an axis that the plan does not have.
    #[error("sheet.{key} is `{name}`, which is not an axis; allowed: {allowed}")]
    NoSuchAxis {
        /// `rows` or `columns`.
        key: &'static str,
        /// What it names.
        name: String,
        /// The names of the axes.
        allowed: String,
    },
    /// `[sheet]` uses the same axis for rows and columns.
    #[error("sheet.rows and sheet.columns are both `{name}`; allowed: two different axes")]
    SameAxis {
        /// The axis.
        name: String,
    },
}

/// Follows `[sheet]`. By default the first axis becomes rows, the second columns, and the others make pages. Axes with a
/// single value are ignored, and if there is only one axis, its cells are wrapped into a block.
pub(crate) fn arrange(plan: &Plan) -> Result<Arrangement, SheetError> {
    let mut rows = named(plan, "rows", plan.sheet.rows.as_deref())?;
    let mut columns = named(plan, "columns", plan.sheet.columns.as_deref())?;
    if let (Some(both), true) = (rows, rows == columns) {
        return Err(SheetError::SameAxis { name: plan.axes[both].name.clone() });
    }
    let specified = rows.is_some() || columns.is_some();
    let mut free: Vec<usize> = (0..plan.axes.len())
        .filter(|&axis| plan.axes[axis].values.len() > 1 && Some(axis) != rows && Some(axis) != columns)
        .collect();
    if !specified && free.len() == 1 {
        return Ok(Arrangement { shape: Shape::Gallery(free[0]), pages: Vec::new() });
    }
    for place in [&mut rows, &mut columns] {
        if place.is_none() && !free.is_empty() {
            *place = Some(free.remove(0));
        }
    }
    let shape = match (rows, columns) {
        (None, None) => Shape::Single,
        (rows, columns) => Shape::Matrix { rows, columns },
    };
    Ok(Arrangement { shape, pages: free })
}

fn named(plan: &Plan, key: &'static str, name: Option<&str>) -> Result<Option<usize>, SheetError> {
    let Some(name) = name else { return Ok(None) };
    match plan.axes.iter().position(|axis| axis.name == name) {
        Some(axis) => Ok(Some(axis)),
        None => {
            let names: Vec<String> = plan.axes.iter().map(|axis| format!("`{}`", axis.name)).collect();
            let allowed =
                if names.is_empty() { "none, there are no axes".to_owned() } else { names.join(", ") };
            Err(SheetError::NoSuchAxis { key, name: name.to_owned(), allowed })
        }
    }
}
