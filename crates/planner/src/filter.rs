//! Selects the positions of the grid that the rules leave, for millions of positions at once.
//!
//! Sixty-four rules are the bits of one word. Each position of an axis has a bit set for each rule that may match there.
//! The bits of the axes so far are combined once for a whole block of positions, and a block that no rule can match
//! is skipped.

use crate::rules::Masks;
use maquette_core::Selection;

/// The positions that no `exclude` rule matches and, if there are `only` rules, at least one of them matches.
pub(crate) fn select(sizes: &[usize], exclude: &[Masks], only: Option<&[Masks]>) -> Selection {
    let excluded = (!exclude.is_empty()).then(|| matching(sizes, exclude));
    let wanted = only.map(|only| matching(sizes, only));
    if excluded.is_none() && wanted.is_none() {
        return Selection::All;
    }
    let is = |marks: &Option<Vec<bool>>, position: usize| marks.as_ref().map(|marks| marks[position]);
    let stays =
        |position: &usize| is(&excluded, *position) != Some(true) && is(&wanted, *position) != Some(false);
    let positions: usize = sizes.iter().product();
    let selected: Vec<u32> = (0..positions).filter(stays).map(|position| position as u32).collect();
    if selected.len() == positions { Selection::All } else { Selection::Only(selected) }
}

/// For every position, whether a rule matches it.
fn matching(sizes: &[usize], rules: &[Masks]) -> Vec<bool> {
    let mut marks = vec![false; sizes.iter().product()];
    for rules in rules.chunks(64) {
        let allowed = |axis: usize, at: usize| {
            let allows = |rule: &Masks| rule[axis].as_ref().is_none_or(|mask| mask[at]);
            rules.iter().enumerate().fold(0u64, |bits, (nth, rule)| bits | u64::from(allows(rule)) << nth)
        };
        let bits: Vec<Vec<u64>> = sizes
            .iter()
            .enumerate()
            .map(|(axis, &size)| (0..size).map(|at| allowed(axis, at)).collect())
            .collect();
        let all = if rules.len() == 64 { u64::MAX } else { (1 << rules.len()) - 1 };
        mark(&bits, all, &mut marks);
    }
    marks
}

/// Marks what the rules in `bits` match, within one block of positions.
fn mark(axes: &[Vec<u64>], bits: u64, marks: &mut [bool]) {
    if bits == 0 {
        return;
    }
    match axes {
        [] => marks.iter_mut().for_each(|mark| *mark = true),
        [axis, rest @ ..] => {
            let block = marks.len() / axis.len();
            for (allowed, marks) in axis.iter().zip(marks.chunks_mut(block)) {
                mark(rest, bits & allowed, marks);
            }
        }
    }
}
