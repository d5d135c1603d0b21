//! The grid before it becomes a plan: all values, each with the place where it was written.

use crate::axis::{self, Point};
use crate::layer::{Form, Layer, WrittenAxis};
use crate::place::At;
use crate::problem::{PlanError, Problem, Problems};
use crate::tree::{Data, Entry, Node};
use crate::values;
use maquette_core::{Dtype, MAX_AXES, MAX_NAMES, MAX_POSITIONS, ModelCard, SETTINGS, Setting, Value};
use std::collections::BTreeMap;

/// Every value of an experiment.
#[derive(Debug)]
pub(crate) struct Grid {
    /// In the order of [`SETTINGS`], defaults included.
    pub settings: Vec<Given>,
    pub vars: Vec<Given>,
    pub axes: Vec<GridAxis>,
}

/// A name with its value.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub name: String,
    pub value: Value,
    /// Where it was written; `None` for a default.
    pub at: Option<At>,
}

/// One dimension.
#[derive(Debug)]
pub(crate) struct GridAxis {
    pub name: String,
    pub at: At,
    pub zip: bool,
    pub positions: Vec<Position>,
    /// The names whose seeds are still to be drawn.
    pub random: Vec<String>,
}

/// One position on an axis.
#[derive(Debug)]
pub(crate) struct Position {
    /// The label that the file gives it.
    pub label: Option<String>,
    pub set: Vec<Given>,
}

impl GridAxis {
    /// The names it sets; every position sets the same ones in the same order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.positions.first().into_iter().flat_map(|position| &position.set).map(|given| given.name.as_str())
    }
}

impl Grid {
    /// Reads every value, and fills in the defaults.
    pub fn read(layer: &Layer, auto: Dtype, problems: &mut Problems) -> Result<Grid, PlanError> {
        not_too_many(layer, problems);
        problems.settle()?;
        let mut axes = Vec::new();
        for axis in &layer.axes {
            axes.extend(match &axis.form {
                Form::Sweep(node) => sweep(axis, node, problems),
                Form::Zip(columns) => zip(axis, columns, problems),
            });
        }
        let given = |entry: &Entry| {
            let value = values::read(&entry.key, &entry.node)?;
            Ok(Given { name: entry.key.clone(), value, at: Some(entry.at.clone()) })
        };
        let vars = layer.vars.iter().filter_map(|entry| problems.keep(given(entry))).collect();
        let mut settings = Vec::new();
        for setting in SETTINGS {
            let written = layer.settings.iter().find(|entry| entry.key == setting.name);
            settings.extend(match written {
                // The place of the value, not of the key: later errors are about the value.
                Some(entry) => problems
                    .keep(given(entry))
                    .map(|given| Given { at: Some(entry.node.at.clone()), ..given }),
                None => {
                    setting.default().map(|value| Given { name: setting.name.to_owned(), value, at: None })
                }
            });
        }
        let mut grid = Grid { settings, vars, axes };
        grid.resolve_dtype(auto);
        unique(&grid.axes, problems);
        problems.settle()?;
        Ok(grid)
    }

    /// Replaces `auto` by the precision of this run's device; a plan never contains `auto`.
    fn resolve_dtype(&mut self, auto: Dtype) {
        let swept = self.axes.iter_mut().flat_map(|axis| &mut axis.positions);
        let swept = swept.flat_map(|position| &mut position.set);
        for given in self.settings.iter_mut().chain(swept) {
            if given.name == "dtype" && given.value.as_text() == Some("auto") {
                given.value = auto.as_str().into();
            }
        }
    }

    /// Removes the table's defaults that some of the models replace by their own, so that each cell takes that of its model.
    /// Returns a line for each of the models' defaults that are in use.
    pub fn take_defaults_of(&mut self, models: &BTreeMap<String, ModelCard>) -> Vec<String> {
        let mut taken = Vec::new();
        self.settings.retain(|given| {
            let setting = Setting::named(&given.name).filter(|_| given.at.is_none());
            let own = models.iter().filter_map(|(model, card)| {
                Some(format!("{} of {model} {}", given.name, setting?.default_of(card)?))
            });
            let before = taken.len();
            taken.extend(own);
            taken.len() == before
        });
        taken
    }

    /// The settings that have the table's default and that no axis sets.
    pub fn defaults(&self) -> Vec<&'static str> {
        let given = self.settings.iter().filter(|given| given.at.is_none());
        let unswept = given.filter(|given| self.axis_of(&given.name).is_none());
        unswept.filter_map(|given| Some(Setting::named(&given.name)?.name)).collect()
    }

    /// How many positions each axis has.
    pub fn sizes(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.positions.len()).collect()
    }

    /// The axis that sets a name, and which of its entries it is.
    pub fn axis_of(&self, name: &str) -> Option<(usize, usize)> {
        let mut axes = self.axes.iter().enumerate();
        axes.find_map(|(nth, axis)| axis.names().position(|known| known == name).map(|slot| (nth, slot)))
    }

    /// The value of a setting or var that no axis sets.
    pub fn constant(&self, name: &str) -> Option<&Given> {
        self.settings.iter().chain(&self.vars).find(|given| given.name == name)
    }

    /// The value of a name at some coordinates.
    pub fn value(&self, name: &str, coordinates: &[usize]) -> Option<&Given> {
        match self.axis_of(name) {
            Some((axis, slot)) => Some(&self.axes[axis].positions[coordinates[axis]].set[slot]),
            None => self.constant(name),
        }
    }

    /// Whether the text of any setting or placeholder contains `part`.
    pub fn mentions(&self, is_it: fn(&str) -> bool) -> bool {
        let swept = self.axes.iter().flat_map(|axis| &axis.positions).flat_map(|position| &position.set);
        let texts = self.settings.iter().chain(&self.vars).chain(swept);
        texts.filter_map(|given| given.value.as_text()).any(is_it)
    }

    /// Every value that a name takes somewhere in the grid.
    pub fn values(&self, name: &str) -> Vec<&Given> {
        match self.axis_of(name) {
            Some((axis, slot)) => {
                self.axes[axis].positions.iter().map(|position| &position.set[slot]).collect()
            }
            None => self.constant(name).into_iter().collect(),
        }
    }
}

/// Checks the numbers of axes, of their columns and of placeholders.
fn not_too_many(layer: &Layer, problems: &mut Problems) {
    let mut check = |count: usize, most: usize, what: &str, at: Option<&At>| {
        if let Some(at) = at.filter(|_| count > most) {
            let message = format!("the experiment has {count} {what}; allowed: at most {most}");
            problems.add(Problem::at(at, message));
        }
    };
    check(layer.axes.len(), MAX_AXES, "axes", layer.axes.last().map(|axis| &axis.at));
    check(layer.vars.len(), MAX_NAMES, "placeholders", layer.vars.last().map(|entry| &entry.at));
    for axis in &layer.axes {
        if let Form::Zip(columns) = &axis.form {
            check(columns.len(), MAX_NAMES, "columns in a zip", columns.last().map(|entry| &entry.at));
        }
    }
}

fn sweep(axis: &WrittenAxis, node: &Node, problems: &mut Problems) -> Option<GridAxis> {
    let points = axis::read(&axis.name, node, problems)?;
    let position = |Point { label, value, at }: Point| Position {
        label,
        set: vec![Given { name: axis.name.clone(), value, at: Some(at) }],
    };
    Some(GridAxis {
        name: axis.name.clone(),
        at: axis.at.clone(),
        zip: false,
        random: if points.random { vec![axis.name.clone()] } else { Vec::new() },
        positions: points.points.into_iter().map(position).collect(),
    })
}

fn zip(axis: &WrittenAxis, columns: &[Entry], problems: &mut Problems) -> Option<GridAxis> {
    let name = &axis.name;
    if Setting::named(name).is_some() {
        let message = format!("the zip `{name}` has the name of a setting");
        problems.add(Problem::at(&axis.at, message).help("give the block another name"));
    }
    let mut read: Vec<(&Entry, axis::Points)> = Vec::new();
    for column in columns.iter().filter(|column| column.key != "label") {
        if crate::layer::is_key(&column.key) {
            problems.add(crate::layer::misplaced(column, &format!("zip.{name}")));
            continue;
        }
        if let Data::List(nodes) = &column.node.data
            && let Some(node) = nodes.iter().find(|node| node.table().is_some())
        {
            let problem = Problem::at(&node.at, "a zip cannot contain values with labels");
            problems.add(problem.help("label the rows with a `label` column: `label = [\"a\", \"b\"]`"));
            continue;
        }
        read.extend(axis::read(&column.key, &column.node, problems).map(|points| (column, points)));
    }
    let labels = match columns.iter().find(|column| column.key == "label") {
        None => None,
        Some(column) => Some((column, problems.keep(label_column(column))?)),
    };
    let Some((first, points)) = read.first() else {
        problems.add(
            Problem::at(&axis.at, format!("the zip `{name}` has no columns"))
                .help("write columns of equal length below it, such as `steps = [50, 20]`"),
        );
        return None;
    };
    let length = points.points.len();
    let lengths = read.iter().map(|(column, points)| (*column, points.points.len()));
    let lengths = lengths.chain(labels.iter().map(|(column, labels)| (*column, labels.len())));
    for (column, len) in lengths {
        if len != length {
            let values = if len == 1 { "1 value".to_owned() } else { format!("{len} values") };
            let message = format!("`{}` has {values} and `{}` has {length}", column.key, first.key);
            problems.add(Problem::at(&column.node.at, message).label(values).help(format!(
                "the columns of [zip.{name}] are combined row by row: make them the same length"
            )));
            return None;
        }
    }
    let random = read.iter().filter(|(_, points)| points.random).map(|(column, _)| column.key.clone());
    let random = random.collect();
    let mut positions: Vec<Position> = (0..length)
        .map(|row| Position {
            label: labels.as_ref().map(|(_, labels)| labels[row].clone()),
            set: Vec::new(),
        })
        .collect();
    for (column, points) in read {
        for (position, point) in positions.iter_mut().zip(points.points) {
            position.set.push(Given { name: column.key.clone(), value: point.value, at: Some(point.at) });
        }
    }
    Some(GridAxis { name: name.clone(), at: axis.at.clone(), zip: true, positions, random })
}

fn label_column(column: &Entry) -> Result<Vec<String>, Problem> {
    match &column.node.data {
        Data::List(nodes) => nodes.iter().map(axis::label).collect(),
        _ => Err(Problem::at(
            &column.node.at,
            format!("`label` is {}; allowed: a list of text", column.node.what()),
        )),
    }
}

/// Checks that every name is set by one axis only, that the axes' names differ, and that the grid is not too large.
fn unique(axes: &[GridAxis], problems: &mut Problems) {
    let mut taken: Vec<(&str, &GridAxis)> = Vec::new();
    for axis in axes {
        // A zip may have the same name as one of its columns: both are the same axis.
        let own = (axis.zip && axis.names().all(|name| name != axis.name)).then_some(axis.name.as_str());
        for name in axis.names().chain(own) {
            match taken.iter().find(|(known, _)| *known == name) {
                Some((_, other)) => problems.add(
                    Problem::at(
                        &axis.at,
                        format!("two axes set `{name}`: `{}` and `{}`", other.name, axis.name),
                    )
                    .help("only one axis may set a name: remove it from one of them"),
                ),
                None => taken.push((name, axis)),
            }
        }
    }
    let size = axes.iter().try_fold(1usize, |size, axis| size.checked_mul(axis.positions.len()));
    if size.is_none_or(|size| size > MAX_POSITIONS) {
        let sizes: Vec<String> =
            axes.iter().map(|axis| format!("{} ({})", axis.name, axis.positions.len())).collect();
        let message = format!("the grid has more than {MAX_POSITIONS} positions: {}", sizes.join(" × "));
        problems.add(Problem::without_place(message).help("make an axis shorter, or combine two with [zip]"));
    }
}
