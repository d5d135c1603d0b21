//! From coordinates to settings: how one cell of a plan gets its values.

use crate::lookup::Lookup;
use crate::{Digest, Plan, SettingError, Settings};
use std::borrow::Cow;

/// What the coordinates of a cell stand for.
pub(crate) struct Resolved<'a> {
    pub settings: Settings,
    /// What each placeholder stands for.
    pub vars: Vec<(&'a str, Cow<'a, str>)>,
    /// The model's fingerprint.
    pub model: Digest,
}

/// Every setting of the cell at some coordinates, checked.
pub(crate) fn resolve<'a>(plan: &'a Plan, coordinates: &[usize]) -> Result<Resolved<'a>, SettingError> {
    let lookup = Lookup::new(plan, coordinates);
    let model = lookup.text(crate::lookup::row("model"))?;
    let card = lookup.card().ok_or_else(|| SettingError {
        setting: "model".to_owned(),
        value: model.into_owned(),
        allowed: "a model that the plan has looked up".to_owned(),
    })?;
    Ok(Resolved { settings: Settings::read(&lookup)?, vars: lookup.vars, model: card.fingerprint })
}
