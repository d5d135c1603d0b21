//! The picks themselves, rendered again with more steps or larger: an experiment whose cells are exactly the picked ones.

use super::constants::constants;
use super::judged::Judged;
use crate::error::Error;
use maquette_core::{Kind, Setting, SettingError, Value};
use maquette_planner::{AxisText, AxisValueText, ExperimentText};

/// How picks are rendered again. Without either, the steps are doubled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Promote {
    /// With that many steps.
    pub steps: Option<u32>,
    /// So many times as wide and high.
    pub scale: Option<f64>,
}

/// The settings and placeholders of one pick.
type Row = Vec<(String, Value)>;

/// The promoted experiment. `decisions` gets what was decided, a sentence each.
pub(super) fn promoted(
    judged: &Judged<'_>,
    promote: Promote,
    decisions: &mut Vec<String>,
) -> Result<ExperimentText, Error> {
    let plan = judged.plan;
    let mut rows: Vec<(String, Row)> = Vec::new();
    for &index in &judged.picked {
        let coordinates = plan.coordinates(index);
        let chosen = coordinates.iter().zip(&plan.axes).map(|(&at, axis)| &axis.values[at].set);
        let mut row: Row = chosen.flatten().cloned().collect();
        change(judged, index, promote, &mut row)?;
        rows.push((plan.label(&coordinates), row));
    }
    let count = if rows.len() == 1 { "1 pick".to_owned() } else { format!("{} picks", rows.len()) };
    decisions.push(format!("{count} of {} again, with the same seeds", judged.run));
    for name in ["steps", "width", "height"] {
        let values: Vec<&Value> = rows
            .iter()
            .flat_map(|(_, row)| row)
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value)
            .collect();
        let changed = match name {
            "steps" => promote.steps.is_some() || promote.scale.is_none(),
            _ => promote.scale.is_some(),
        };
        let mut shown: Vec<String> = values.iter().map(ToString::to_string).collect();
        shown.dedup();
        if changed && !shown.is_empty() {
            decisions.push(format!("{name}: {}", shown.join(", ")));
        }
    }
    let mut remarks = vec![format!("The picks of {}.", judged.run)];
    remarks.extend(decisions.iter().map(|decision| format!("- {decision}")));
    let (shared, own): (Row, Vec<usize>) = split(&rows);
    let mut text = ExperimentText { remarks, ..ExperimentText::default() };
    if !own.is_empty() {
        let values = rows.iter().map(|(label, row)| AxisValueText {
            label: Some(label.clone()).filter(|label| !label.is_empty()),
            set: own.iter().map(|&slot| row[slot].clone()).collect(),
        });
        text.axes =
            vec![AxisText { name: axis_name(judged), zip: true, remarks: vec![], values: values.collect() }];
    }
    constants(plan, &mut text, &shared);
    Ok(text)
}

/// Gives a pick more steps or another size.
fn change(judged: &Judged<'_>, index: usize, promote: Promote, row: &mut Row) -> Result<(), Error> {
    let cell = judged.plan.cell(index)?;
    let mut set = |name: &str, value: i64| {
        let value = Value::from(value);
        let setting = Setting::named(name).map_or(Ok(()), |setting| setting.check(&value));
        setting.map_err(|error: SettingError| Error::CannotPromote { why: error.to_string() })?;
        match row.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => row.push((name.to_owned(), value)),
        }
        Ok::<(), Error>(())
    };
    let most = match Setting::named("steps").map(|setting| setting.kind) {
        Some(Kind::Integer { max, .. }) => max,
        _ => i64::MAX,
    };
    match promote {
        Promote { steps: Some(steps), .. } => set("steps", steps.into())?,
        Promote { steps: None, scale: None } => set("steps", most.min(2 * i64::from(cell.settings.steps)))?,
        Promote { steps: None, scale: Some(_) } => {}
    }
    if let Some(scale) = promote.scale {
        if !(scale.is_finite() && scale > 0.0) {
            let why = format!("the scale is `{scale}`; allowed: a number above 0");
            return Err(Error::CannotPromote { why });
        }
        let card = judged.plan.models.get(&*cell.settings.model);
        let multiple = card.map_or(1, |card| card.multiple_of.max(1));
        for (name, size) in [("width", cell.settings.width), ("height", cell.settings.height)] {
            let multiples = (f64::from(size) * scale / f64::from(multiple)).round().max(1.0);
            set(name, (multiples * f64::from(multiple)).min(1e9) as i64)?;
        }
    }
    Ok(())
}

/// What all picks share, and the slots of a row in which they differ.
fn split(rows: &[(String, Row)]) -> (Row, Vec<usize>) {
    let first = rows.first().map_or(&[][..], |(_, row)| row);
    let differs = |&slot: &usize| rows.iter().any(|(_, row)| row[slot].1 != first[slot].1);
    let (own, shared): (Vec<usize>, Vec<usize>) = (0..first.len()).partition(differs);
    (shared.into_iter().map(|slot| first[slot].clone()).collect(), own)
}

/// A name for the zip block that is not in use.
fn axis_name(judged: &Judged<'_>) -> String {
    let plan = judged.plan;
    let mut name = "picks".to_owned();
    let taken = |name: &str| {
        let set = plan.axes.iter().flat_map(|axis| &axis.values[0].set).map(|(name, _)| name);
        plan.vars.iter().map(|(name, _)| name).chain(set).any(|known| known == name)
    };
    while taken(&name) {
        name.push('_');
    }
    name
}
