//! The page of a comparison.

use super::script::revision;
use super::{DiffCell, DiffPage, DiffPair, FORMAT, PairOutcome};
use crate::diff::{CellAt, Diff, Pair, Pixels};

/// The page of a comparison. `left` and `right` give what is known of the cells of each side.
pub fn diff_page(
    diff: &Diff,
    version: &str,
    left: &dyn Fn(&CellAt) -> DiffCell,
    right: &dyn Fn(&CellAt) -> DiffCell,
) -> DiffPage {
    let pair = |pair: &Pair| {
        let (outcome, mean_difference, psnr) = match pair.pixels {
            Pixels::Identical => (PairOutcome::Identical, None, None),
            Pixels::Different { mean_absolute_error, psnr, .. } => {
                (PairOutcome::Different, Some(mean_absolute_error), Some(psnr))
            }
            Pixels::Sizes { .. } => (PairOutcome::Sizes, None, None),
            Pixels::NoPicture { .. } => (PairOutcome::NoPicture, None, None),
        };
        DiffPair {
            left: left(&pair.left),
            right: right(&pair.right),
            settings: pair.settings.clone(),
            unexplained: pair.is_unexplained(),
            outcome,
            mean_difference,
            psnr,
        }
    };
    let mut page = DiffPage {
        format: FORMAT,
        kind: "diff",
        version: version.to_owned(),
        revision: String::new(),
        left: diff.left.clone(),
        right: diff.right.clone(),
        pairing: diff.pairing.clone(),
        settings: diff.settings.clone(),
        pairs: diff.pairs.iter().map(pair).collect(),
        only_left: diff.only_left.iter().map(left).collect(),
        only_right: diff.only_right.iter().map(right).collect(),
    };
    page.revision = revision(&page);
    page
}
