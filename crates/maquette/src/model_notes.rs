//! Notes on the models of a plan: how their files are read, and which cells they cannot render.

use crate::assets::models;
use crate::error::with_causes;
use maquette_core::{CellId, Plan, SettingError};
use maquette_diffusion::{Concerns, check_sampling, model_notes as notes_of};
use maquette_hub::Environment;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The most distinct cells that are looked at, and the most combinations of settings whose steps are computed.
const MOST_CELLS: usize = 10_000;
const MOST_COMBINATIONS: usize = 1000;

/// The settings that decide whether the steps of a picture can be computed.
const DECIDING: [&str; 11] = [
    "model",
    "scheduler",
    "steps",
    "strength",
    "sigmas",
    "spacing",
    "eta",
    "prediction_type",
    "zero_snr",
    "width",
    "height",
];

/// Notes on the models of a plan, each a sentence without its full stop. `defaults` are the settings that only the table sets.
/// The names of models are relative to the folder `base`. A model that is gone by now has no notes: rendering reports it.
pub(crate) fn model_notes(
    plan: &Plan,
    defaults: &[&str],
    distinct: &[(usize, CellId)],
    base: &Path,
    hub: &Environment,
) -> Result<Vec<String>, SettingError> {
    let sources: BTreeMap<&str, _> = plan
        .models
        .keys()
        .filter_map(|name| Some((name.as_str(), models::find(name, base, hub).ok()?)))
        .collect();
    let is_set = |setting: &str| plan.written(setting).next().is_some() && !defaults.contains(&setting);
    let mut notes = Vec::new();
    for (name, source) in &sources {
        for note in notes_of(source).into_iter().flatten() {
            let concerned = match note.concerns {
                Concerns::All => true,
                Concerns::With(setting) => is_set(setting),
                Concerns::WithBut(setting, other) => is_set(setting) && !is_set(other),
                Concerns::Without(setting) => !is_set(setting),
            };
            if concerned {
                notes.push(format!("{name}: {}", note.text));
            }
        }
    }
    let mut seen = BTreeSet::new();
    let mut failures = BTreeSet::new();
    let axes = plan.axes_of(DECIDING.into_iter().flat_map(|name| plan.decided_by(name)));
    for &(index, _) in distinct.iter().take(MOST_CELLS) {
        let coordinates = plan.coordinates(index);
        if !seen.insert(axes.iter().map(|&axis| coordinates[axis]).collect::<Vec<_>>()) {
            continue;
        }
        if seen.len() > MOST_COMBINATIONS {
            break;
        }
        let settings = plan.cell(index)?.settings;
        if let Some(source) = sources.get(&*settings.model)
            && let Err(error) = check_sampling(source, &settings)
        {
            failures.insert(format!("{}: {}", settings.model, with_causes(&error)));
        }
    }
    notes.extend(failures.into_iter().map(|failure| format!("some cells will fail: {failure}")));
    Ok(notes)
}
