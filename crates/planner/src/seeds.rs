//! Random seeds: drawn once, while planning, and stored in the plan.

use crate::grid::Grid;
use std::collections::{BTreeMap, HashSet};

/// Random seeds are smaller than this, as in torch and A1111.
const BELOW: i64 = 1 << 32;

/// Replaces the placeholder values of `{ random = N }` with seeds: those of an earlier plan first, then new ones, without
/// duplicates.
pub(crate) fn draw(
    grid: &mut Grid,
    earlier: Option<&BTreeMap<String, Vec<i64>>>,
    draw: &mut dyn FnMut() -> i64,
) -> BTreeMap<String, Vec<i64>> {
    let mut drawn = BTreeMap::new();
    for axis in &mut grid.axes {
        for (nth, name) in axis.random.iter().enumerate() {
            // A zip may draw for two of its columns.
            let key = if nth == 0 { axis.name.clone() } else { format!("{}.{name}", axis.name) };
            let known = earlier.and_then(|earlier| earlier.get(&key)).map_or(&[][..], Vec::as_slice);
            let mut known = known.iter().copied();
            let mut seeds = Vec::new();
            let mut taken = HashSet::new();
            for position in &mut axis.positions {
                let mut seed = known.next().unwrap_or_else(&mut *draw).rem_euclid(BELOW);
                while !taken.insert(seed) {
                    seed = (seed + 1) % BELOW;
                }
                seeds.push(seed);
                for given in position.set.iter_mut().filter(|given| given.name == *name) {
                    given.value = seed.into();
                }
            }
            drawn.insert(key, seeds);
        }
    }
    drawn
}
