//! The settings and placeholders that no axis sets.

use maquette_core::{Plan, SETTINGS, Setting, Value};
use maquette_planner::ExperimentText;

/// Writes the settings and placeholders of the plan that no axis of the new text sets; `set` takes precedence. Defaults are left
/// out.
pub(super) fn constants(plan: &Plan, text: &mut ExperimentText, set: &[(String, Value)]) {
    let swept: Vec<String> = text
        .axes
        .iter()
        .filter_map(|axis| axis.values.first())
        .flat_map(|value| value.set.iter().map(|(name, _)| name.clone()))
        .collect();
    let mut all: Vec<(String, Value)> = plan.base.iter().chain(&plan.vars).cloned().collect();
    for (name, value) in set {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value.clone(),
            None => all.push((name.clone(), value.clone())),
        }
    }
    all.retain(|(name, _)| !swept.contains(name));
    let row = |name: &str| SETTINGS.iter().position(|setting| setting.name == name);
    let (mut settings, vars): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(name, _)| Setting::named(name).is_some());
    settings.retain(|(name, value)| default(plan, name).as_ref() != Some(value));
    settings.sort_by_key(|(name, _)| row(name));
    (text.settings, text.vars) = (settings, vars);
}

/// The default of a setting for every model of the plan; `None` if it depends on the model. In plans of older versions, models
/// that predict flow had no defaults of their own.
fn default(plan: &Plan, name: &str) -> Option<Value> {
    let setting = Setting::named(name)?;
    let may_differ =
        setting.has_defaults_of_models() && plan.models.values().any(|card| card.family.is_flow());
    setting.default().filter(|_| !may_differ)
}
