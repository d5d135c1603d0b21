//! Which cells of a plan are pictures of their own: identical ones are one picture.

use maquette_core::{CellId, Plan, SettingError};
use rayon::prelude::*;

/// The first cell of each name, in the grid's order: its number in the plan, and its name.
///
/// Cells are resolved and named on all cores; the answer does not depend on how many there are.
pub fn distinct(plan: &Plan) -> Result<Vec<(usize, CellId)>, SettingError> {
    let named: Result<Vec<(usize, CellId)>, SettingError> =
        (0..plan.len()).into_par_iter().map(|index| Ok((index, plan.id(index)?))).collect();
    let mut named = named?;
    named.par_sort_unstable_by_key(|(index, id)| (*id, *index));
    named.dedup_by_key(|(_, id)| *id);
    named.par_sort_unstable_by_key(|(index, _)| *index);
    Ok(named)
}
