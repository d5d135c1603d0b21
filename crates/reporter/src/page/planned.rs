//! The part of a run's page that its plan determines: the grid, and the settings of every picture.

use super::columns::ColumnBuilder;
use super::{Axis, AxisValue, Column, ColumnKind, ColumnType, Grid};
use crate::axes::{Shape, arrange};
use maquette_core::{Cell, CellId, Kind, Plan, SETTINGS, Selection, SettingError, Value};
use std::collections::HashMap;

/// What a plan determines of its page; it stays the same while a run goes on.
#[derive(Debug, Clone)]
pub struct PlannedPage {
    /// The name of each distinct picture, in the plan's order.
    pub cells: Vec<CellId>,
    /// The paths of the reference pictures, as written in the experiment.
    pub references: Vec<String>,
    /// The label of each picture on the axes, such as `Edvard Munch, strength 0.3`.
    pub labels: Vec<String>,
    /// The resolved size of each picture.
    pub sizes: Vec<(u32, u32)>,
    pub(super) grid: Grid,
    /// The reference of each picture, a number in `references`.
    pub(super) reference: Vec<Option<usize>>,
    pub(super) columns: Vec<Column>,
    /// The settings that are the same in all pictures, as lines of an experiment of one picture.
    pub toml_head: String,
}

/// Writes settings as the lines of an experiment of one cell.
pub type TomlLines<'a> = &'a dyn Fn(&[(&'static str, Value)]) -> String;

impl PlannedPage {
    /// Resolves every cell of a plan. Fails only for a plan that was edited by hand.
    pub fn new(plan: &Plan, toml_lines: TomlLines<'_>) -> Result<PlannedPage, SettingError> {
        let mut pictures: HashMap<CellId, usize> = HashMap::new();
        let (mut cells, mut picture) = (Vec::new(), Vec::with_capacity(plan.len()));
        for cell in plan.cells() {
            let cell = cell?;
            let number = *pictures.entry(cell.id).or_insert(cells.len());
            if number == cells.len() {
                cells.push(cell);
            }
            picture.push(number);
        }
        let (references, reference) = references(&cells);
        let (columns, toml_head) = columns(&cells, toml_lines);
        Ok(PlannedPage {
            labels: cells.iter().map(|cell| plan.label(&cell.coordinates)).collect(),
            sizes: cells.iter().map(|cell| (cell.settings.width, cell.settings.height)).collect(),
            cells: cells.iter().map(|cell| cell.id).collect(),
            references,
            grid: grid(plan, picture),
            reference,
            columns,
            toml_head,
        })
    }

    /// The longest edge of any picture in pixels, as planned.
    pub fn longest_edge(&self) -> u32 {
        self.sizes.iter().map(|(width, height)| *width.max(height)).max().unwrap_or(0)
    }
}

fn grid(plan: &Plan, picture: Vec<usize>) -> Grid {
    let value = |value: &maquette_core::AxisValue| AxisValue {
        label: value.label.clone(),
        set: value.set.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
    };
    let axes = plan
        .axes
        .iter()
        .map(|axis| Axis { name: axis.name.clone(), values: axis.values.iter().map(value).collect() });
    let name = |axis: usize| plan.axes[axis].name.clone();
    // The planner refuses a `[sheet]` that names no axis.
    let (rows, columns) = match arrange(plan).map(|arrangement| arrangement.shape) {
        Ok(Shape::Matrix { rows, columns }) => (rows, columns),
        Ok(Shape::Gallery(axis)) => (None, Some(axis)),
        Ok(Shape::Single) | Err(_) => (None, None),
    };
    Grid {
        axes: axes.collect(),
        kept: match &plan.kept {
            Selection::All => None,
            Selection::Only(positions) => Some(positions.clone()),
        },
        picture,
        rows: rows.map(name),
        columns: columns.map(name),
    }
}

/// The reference pictures, each once, and that of each cell.
fn references(cells: &[Cell]) -> (Vec<String>, Vec<Option<usize>>) {
    let mut references: Vec<String> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let number = |cell: &Cell| {
        let path = cell.settings.init_image.as_ref()?.path.to_string();
        Some(*numbers.entry(path).or_insert_with_key(|path| {
            references.push(path.clone());
            references.len() - 1
        }))
    };
    let reference = cells.iter().map(number).collect();
    (references, reference)
}

/// A column for every setting and placeholder, and the lines of the settings that are the same in all pictures.
fn columns(cells: &[Cell], toml_lines: TomlLines<'_>) -> (Vec<Column>, String) {
    let (mut columns, mut constant) = (Vec::new(), Vec::new());
    for setting in SETTINGS {
        let mut builder = ColumnBuilder::new();
        let value = |cell: &Cell| cell.settings.get(setting.name);
        let text = |value: &Option<Value>| value.as_ref().map_or(String::new(), Value::to_string);
        cells.iter().for_each(|cell| builder.push(text(&value(cell))));
        let r#type = match setting.kind {
            Kind::Flag => ColumnType::Boolean,
            Kind::Integer { .. } | Kind::Number { .. } | Kind::Seed => ColumnType::Number,
            _ => ColumnType::Text,
        };
        let column = builder.finish(setting.name, ColumnKind::Setting, Some(r#type), setting.about);
        if column.index.is_none() {
            let shared = cells.first().and_then(value);
            constant.extend(shared.filter(|value| !value.is_empty()).map(|value| (setting.name, value)));
        }
        columns.push(column);
    }
    let names = cells.first().map_or(&[][..], |cell| &cell.vars[..]);
    for (at, (name, _)) in names.iter().enumerate() {
        let mut builder = ColumnBuilder::new();
        for cell in cells {
            // All cells have the same placeholders in the same order.
            builder.push(cell.vars.get(at).map_or(String::new(), |(_, value)| value.to_string()));
        }
        columns.push(builder.finish(name, ColumnKind::Placeholder, None, ""));
    }
    (columns, toml_lines(&constant))
}
