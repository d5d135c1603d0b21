//! The names of many cells at once. Neighbours that differ in their seed alone share all of their work but the seed's line.

use crate::canonical::Form;
use crate::lookup::row;
use crate::resolve::{Resolved, resolve};
use crate::{CellId, Digest, ModelCard, Plan, SETTINGS, Setting, SettingError, Settings, Value};
use std::ops::Range;

impl Plan {
    /// The names of consecutive cells, the same as from [`Plan::id`]; much faster if the last axis sets seeds alone.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::id`], for the first cell that has one.
    pub fn ids(&self, indices: Range<usize>) -> Result<Vec<CellId>, SettingError> {
        let seeds = self.last_axis_of_seeds();
        let mut neighbours: Option<(usize, Neighbours)> = None;
        let mut ids = Vec::with_capacity(indices.len());
        for index in indices {
            let Some(values) = seeds else {
                ids.push(self.id(index)?);
                continue;
            };
            let position = self.position(index);
            let (group, at) = (position / values.len(), position % values.len());
            let shared = match &mut neighbours {
                Some((known, shared)) if *known == group => shared,
                _ => {
                    let Resolved { settings, model, .. } = resolve(self, &self.coordinates(index))?;
                    &mut neighbours.insert((group, Neighbours::of(self, settings, model))).1
                }
            };
            ids.push(match allowed_seed(&values[at].set[0].1) {
                Some(seed) => shared.id(seed),
                None => self.id(index)?,
            });
        }
        Ok(ids)
    }

    /// The values of the last axis, which varies fastest, if all that it sets is the seed.
    fn last_axis_of_seeds(&self) -> Option<&[crate::AxisValue]> {
        let values = &self.axes.last()?.values;
        let seed_alone = |value: &crate::AxisValue| matches!(&value.set[..], [(name, _)] if name == "seed");
        values.iter().all(seed_alone).then_some(values)
    }
}

/// A seed that a cell can have.
fn allowed_seed(value: &Value) -> Option<u64> {
    SETTINGS[row("seed")].check(value).ok()?;
    value.as_unsigned()
}

/// Cells that differ in their seed alone: the parts of their canonical form that they share. No other line depends on the
/// seed.
struct Neighbours<'a> {
    settings: Settings,
    model: &'a ModelCard,
    seed: &'static Setting,
    /// The lines before the seed's, already hashed.
    before: blake3::Hasher,
    /// A buffer for the seed's line.
    line: Form,
    /// The lines after it.
    after: String,
}

impl Neighbours<'_> {
    fn of<'a>(plan: &Plan, settings: Settings, model: &'a ModelCard) -> Neighbours<'a> {
        let seed = &SETTINGS[row("seed")];
        let [before, after] = settings.canonical_around(seed, model, plan.numerics, plan.naming);
        let mut hasher = blake3::Hasher::new();
        hasher.update(before.as_bytes());
        Neighbours { settings, model, seed, before: hasher, line: Form::new(plan.naming), after }
    }

    /// The name of the one with that seed.
    fn id(&mut self, seed: u64) -> CellId {
        self.settings.seed = seed;
        self.line.clear();
        // Whether there is guidance does not matter to this line.
        self.settings.write_lines(self.seed, self.model, None, &mut self.line);
        let mut hasher = self.before.clone();
        hasher.update(self.line.written().as_bytes()).update(self.after.as_bytes());
        CellId(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use crate::test_plans::plan;
    use crate::{NAMING, Plan, Selection, Value};

    #[track_caller]
    fn check(plan: &Plan) {
        let each: Result<Vec<_>, _> = (0..plan.len()).map(|index| plan.id(index)).collect();
        assert_eq!(plan.ids(0..plan.len()), each);
    }

    /// Steps that change the group, seeds that are large, equal in their low bits, and written as text.
    fn seeds() -> Plan {
        plan(&[("steps", vec!["10", "20"]), ("seed", vec!["1", "2", "7", "4294967297", "9007199254740993"])])
    }

    #[test]
    fn names_of_neighbours_are_those_of_single_cells() {
        check(&plan(&[]));
        check(&plan(&[("seed", vec!["1", "2"]), ("steps", vec!["10", "20"])]));
        for naming in 1..=NAMING {
            check(&Plan { naming, ..seeds() });
        }
        check(&Plan { kept: Selection::Only(vec![0, 1, 4, 6, 7, 9]), ..seeds() });
        let settings: [(&str, Value); 6] = [
            ("noise", "torch-cuda".into()),
            ("variation_seed", 8.into()),
            ("variation_strength", 0.5.into()),
            ("guidance_scale", 1.into()),
            ("dialect", "a1111".into()),
            ("prompt", "a cat\nseed:1:7\n".into()),
        ];
        for (name, value) in settings {
            let mut plan = seeds();
            plan.base.retain(|(known, _)| known != name);
            plan.base.push((name.to_owned(), value));
            check(&plan);
        }
        let mut embeds = seeds();
        embeds.models.values_mut().for_each(|card| card.guidance_embedding = true);
        check(&embeds);
    }

    #[test]
    fn a_seed_that_is_not_allowed_is_the_same_error() {
        check(&plan(&[("seed", vec!["1", "-1"])]));
        check(&plan(&[("seed", vec!["1", "many"])]));
    }

    #[test]
    fn a_part_of_the_cells_can_be_named() {
        let plan = seeds();
        assert_eq!(plan.ids(3..8).unwrap(), plan.ids(0..10).unwrap()[3..8]);
    }
}
