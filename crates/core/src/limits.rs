//! How large an experiment may be. A plan is checked against these limits whenever it is read, so that a file of a few
//! kilobytes cannot stand for more cells than anything could count.

use crate::plan::{Plan, Selection};

/// The most positions of a grid, before rules leave some of them out; larger ones are taken for mistakes. Positions are
/// numbered with 32 bits.
pub const MAX_POSITIONS: usize = 50_000_000;

/// The most values of an axis.
pub const MAX_VALUES: usize = 100_000;

/// The most axes: fifty million positions are reached by 26 axes of two values.
pub const MAX_AXES: usize = 64;

/// The most placeholders, and the most columns of a zip: each is a column of the log.
pub const MAX_NAMES: usize = 1000;

/// The most bytes of a text: of a prompt, with its placeholders filled or not, a path, a label. A text encoder reads 77 tokens
/// of a prompt, or 75 of each of its chunks.
pub const MAX_TEXT: usize = 64 << 10;

impl Plan {
    /// Checks what every function of a plan relies on: that its grid is within the limits, that its axes have values, all of
    /// which set the same names, and that its positions are in the grid and ascend. The error is the rest of a sentence about
    /// the plan.
    pub fn check(&self) -> Result<(), String> {
        if self.axes.len() > MAX_AXES {
            return Err(format!("has {} axes; allowed: at most {MAX_AXES}", self.axes.len()));
        }
        if self.base.len() > MAX_NAMES || self.vars.len() > MAX_NAMES {
            return Err(format!("has more than {MAX_NAMES} settings or placeholders"));
        }
        for axis in &self.axes {
            let (name, values) = (&axis.name, &axis.values);
            if values.is_empty() || values.len() > MAX_VALUES {
                return Err(format!(
                    "has an axis `{}` of {} values; allowed: 1 to {MAX_VALUES}",
                    shortened(name),
                    values.len()
                ));
            }
            let first = &values[0].set;
            let same = |set: &[(String, crate::Value)]| {
                set.len() == first.len() && set.iter().zip(first).all(|(one, other)| one.0 == other.0)
            };
            if first.len() > MAX_NAMES || !values.iter().all(|value| same(&value.set)) {
                return Err(format!("has an axis `{}` whose values set different names", shortened(name)));
            }
        }
        let sizes = self.axes.iter().map(|axis| axis.values.len());
        let size = sizes.into_iter().try_fold(1, usize::checked_mul);
        let Some(size) = size.filter(|size| *size <= MAX_POSITIONS) else {
            return Err(format!("has a grid of more than {MAX_POSITIONS} positions"));
        };
        if let Selection::Only(positions) = &self.kept {
            let ascending = positions.is_sorted_by(|one, other| one < other);
            if !ascending || positions.last().is_some_and(|last| *last as usize >= size) {
                return Err("has positions that are not in its grid, or not in order".to_owned());
            }
        }
        Ok(())
    }
}

/// The beginning of a text that may be long, for messages.
pub fn shortened(text: &str) -> String {
    const CHARS: usize = 80;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(all(test, feature = "test-plans"))]
mod tests {
    use super::*;
    use crate::test_plans::plan;

    #[test]
    fn a_plan_is_checked() {
        let check = |change: fn(&mut Plan), expected: Result<(), &str>| {
            let mut plan = plan(&[("artist", vec!["Mucha", "Munch"]), ("seed", vec!["1", "2", "3"])]);
            change(&mut plan);
            assert_eq!(plan.check(), expected.map_err(str::to_owned));
        };
        check(|_| (), Ok(()));
        check(|plan| plan.kept = Selection::Only(vec![0, 5]), Ok(()));
        check(|plan| plan.axes.clear(), Ok(()));
        check(
            |plan| plan.axes[1].values.clear(),
            Err("has an axis `seed` of 0 values; allowed: 1 to 100000"),
        );
        check(
            |plan| plan.axes[0].values[1].set.clear(),
            Err("has an axis `artist` whose values set different names"),
        );
        let outside = Err("has positions that are not in its grid, or not in order");
        check(|plan| plan.kept = Selection::Only(vec![6]), outside);
        check(|plan| plan.kept = Selection::Only(vec![1, 1]), outside);
        check(|plan| plan.kept = Selection::Only(vec![2, 1]), outside);
        check(
            |plan| plan.axes = vec![plan.axes[0].clone(); 26],
            Err("has a grid of more than 50000000 positions"),
        );
        check(|plan| plan.axes = vec![plan.axes[0].clone(); 65], Err("has 65 axes; allowed: at most 64"));
    }

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(shortened("é"), "é");
        assert_eq!(shortened(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }
}
