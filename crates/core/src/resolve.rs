//! From coordinates to settings: resolves one cell of a plan.

use crate::lookup::Lookup;
use crate::{Cell, CellId, ModelCard, Plan, SettingError, Settings};
use std::borrow::Cow;

impl Plan {
    /// The cell with that index: its settings, its placeholders and its name.
    ///
    /// Fails only for a plan that was edited by hand, never for one from the planner.
    pub fn cell(&self, index: usize) -> Result<Cell, SettingError> {
        let coordinates = self.coordinates(index);
        let Resolved { settings, vars, model } = resolve(self, &coordinates)?;
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ok(Cell { id: self.name_of(&settings, model), coordinates, settings, vars })
    }

    /// The name of the cell with that index, the same as from [`Plan::cell`] but faster.
    pub fn id(&self, index: usize) -> Result<CellId, SettingError> {
        let Resolved { settings, model, .. } = resolve(self, &self.coordinates(index))?;
        Ok(self.name_of(&settings, model))
    }

    /// The name of the picture that the model makes from `settings` in this plan, which may be that of an older run.
    pub(crate) fn name_of(&self, settings: &Settings, model: &ModelCard) -> CellId {
        CellId::by(settings, model, self.numerics, self.naming)
    }

    /// Every cell in order.
    pub fn cells(&self) -> impl Iterator<Item = Result<Cell, SettingError>> {
        (0..self.len()).map(|index| self.cell(index))
    }
}

/// The resolved values of a cell.
struct Resolved<'a> {
    settings: Settings,
    /// The value of each placeholder.
    vars: Vec<(&'a str, Cow<'a, str>)>,
    model: &'a ModelCard,
}

/// Every setting of the cell at some coordinates, checked.
fn resolve<'a>(plan: &'a Plan, coordinates: &[usize]) -> Result<Resolved<'a>, SettingError> {
    let lookup = Lookup::new(plan, coordinates);
    let model = lookup.text(crate::lookup::row("model"))?;
    let card = lookup.card().ok_or_else(|| SettingError {
        setting: "model".to_owned(),
        value: model.into_owned(),
        allowed: "a model that is in the plan".to_owned(),
    })?;
    Ok(Resolved { settings: Settings::read(&lookup)?, vars: lookup.vars, model: card })
}
