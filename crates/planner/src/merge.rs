//! Merges layers, for `extends` and the overrides of the command line.
//!
//! Tables merge key by key; arrays and values are replaced. For each name the later layer wins: a setting or var in it
//! removes an axis of that name, and an axis in it removes a zip's column of that name. Axes keep their order; new ones
//! come last.

use crate::layer::{Form, Layer, WrittenAxis};
use crate::tree::{Data, Entry, Node};

/// Merges `above` over `below`. The names of removed axes are added to `dropped`.
pub(crate) fn merge(mut below: Layer, above: Layer, dropped: &mut Vec<String>) -> Layer {
    for name in above.settings.iter().chain(&above.vars).map(|entry| &entry.key) {
        drop_axis(&mut below.axes, name, None, dropped);
    }
    for axis in &above.axes {
        match &axis.form {
            Form::Sweep(_) => drop_axis(&mut below.axes, &axis.name, Some(&axis.name), dropped),
            Form::Zip(columns) => {
                for column in columns {
                    drop_axis(&mut below.axes, &column.key, Some(&axis.name), dropped);
                }
            }
        }
    }
    for axis in above.axes {
        let place = below.axes.iter_mut().find(|old| old.name == axis.name);
        match (place, axis) {
            (Some(WrittenAxis { form: Form::Zip(old), .. }), WrittenAxis { form: Form::Zip(new), .. }) => {
                replace(old, new);
            }
            (Some(old), axis) => *old = axis,
            (None, axis) => below.axes.push(axis),
        }
    }
    replace(&mut below.settings, above.settings);
    replace(&mut below.vars, above.vars);
    replace(&mut below.sheet, above.sheet);
    replace(&mut below.metrics, above.metrics);
    merge_tables(&mut below.subjects, above.subjects);
    Layer {
        extends: None,
        title: above.title.or(below.title),
        derived_from: above.derived_from.or(below.derived_from),
        exclude: above.exclude.or(below.exclude),
        only: above.only.or(below.only),
        ..below
    }
}

/// Removes a name from every axis but `keep`.
fn drop_axis(axes: &mut Vec<WrittenAxis>, name: &str, keep: Option<&str>, dropped: &mut Vec<String>) {
    axes.retain_mut(|axis| {
        if keep == Some(axis.name.as_str()) {
            return true;
        }
        let stays = match &mut axis.form {
            Form::Sweep(_) => axis.name != name,
            Form::Zip(columns) => {
                columns.retain(|column| column.key != name);
                columns.iter().any(|column| column.key != "label")
            }
        };
        if !stays {
            dropped.push(axis.name.clone());
        }
        stays
    });
}

/// Merges tables of the same name key by key.
fn merge_tables(old: &mut Vec<Entry>, new: Vec<Entry>) {
    for entry in new {
        match (old.iter_mut().find(|known| known.key == entry.key), entry) {
            (
                Some(Entry { node: Node { data: Data::Table(known), .. }, .. }),
                Entry { node: Node { data: Data::Table(keys), .. }, .. },
            ) => replace(known, keys),
            (Some(known), entry) => *known = entry,
            (None, entry) => old.push(entry),
        }
    }
}

fn replace(old: &mut Vec<Entry>, new: Vec<Entry>) {
    for entry in new {
        match old.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => old.push(entry),
        }
    }
}
