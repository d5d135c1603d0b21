//! The losses of a training, as few points as a chart needs.

use super::Losses;

/// The most points of a training.
const MOST: usize = 400;

/// The running mean is over this share of a training's steps, within limits.
const SHARE: u32 = 10;
const SHORTEST: u32 = 5;
const LONGEST: u32 = 100;

/// A step of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossRow {
    /// Its number, from 1.
    pub step: u32,
    /// The loss before the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

/// The losses of a training of `steps` steps, of which `rows` are done, in order. At most 400 are kept: the first, the last,
/// and the least and greatest of each stretch between them. The running mean counts all.
pub fn losses(rows: &[LossRow], steps: u32) -> Losses {
    // The share of all steps and not of those so far, so that a mean stays what it was while the training goes on.
    let window = (steps / SHARE).clamp(SHORTEST, LONGEST) as usize;
    let kept = kept(rows);
    let means = means(rows, window, &kept);
    let number = |value: f64| Some(single(value)).filter(|value| value.is_finite());
    Losses {
        window,
        step: kept.iter().map(|&at| rows[at].step).collect(),
        loss: kept.iter().map(|&at| number(rows[at].loss)).collect(),
        mean: means.into_iter().map(|mean| mean.and_then(number)).collect(),
        learning_rate: kept.iter().map(|&at| number(rows[at].learning_rate)).collect(),
    }
}

/// Which rows are kept, ascending.
fn kept(rows: &[LossRow]) -> Vec<usize> {
    if rows.len() <= MOST {
        return (0..rows.len()).collect();
    }
    let last = rows.len() - 1;
    let (stretches, between) = (MOST / 2 - 1, last - 1);
    let mut kept = vec![0];
    for stretch in 0..stretches {
        let places = 1 + stretch * between / stretches..1 + (stretch + 1) * between / stretches;
        let by_loss = |one: &usize, other: &usize| rows[*one].loss.total_cmp(&rows[*other].loss);
        let least = places.clone().min_by(by_loss).unwrap_or(places.start);
        let greatest = places.clone().max_by(by_loss).unwrap_or(places.start);
        kept.extend([least.min(greatest), least.max(greatest)]);
    }
    kept.push(last);
    kept.dedup();
    kept
}

/// The means of the last `window` losses at some rows, or of as many as there are. Losses that are no numbers do not count.
fn means(rows: &[LossRow], window: usize, at: &[usize]) -> Vec<Option<f64>> {
    // Sums and counts of all rows before each.
    let mut before = vec![(0.0, 0_u32)];
    let mut now = (0.0, 0);
    for row in rows {
        if row.loss.is_finite() {
            now = (now.0 + row.loss, now.1 + 1);
        }
        before.push(now);
    }
    let mean = |&at: &usize| {
        let ((to, last), (from, first)) = (before[at + 1], before[(at + 1).saturating_sub(window)]);
        (last > first).then(|| (to - from) / f64::from(last - first))
    };
    at.iter().map(mean).collect()
}

/// Losses are computed in single precision, and a chart needs no more.
#[expect(clippy::cast_possible_truncation, reason = "rounded; what is too great becomes infinite")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(losses: impl IntoIterator<Item = f64>) -> Vec<LossRow> {
        (1..).zip(losses).map(|(step, loss)| LossRow { step, loss, learning_rate: 0.001 }).collect()
    }

    #[test]
    fn few_losses_are_all_kept_with_their_running_mean() {
        let shown = losses(&rows([6.0, 2.0, 1.0, 3.0, 8.0, 1.0]), 40);
        assert_eq!(shown.window, 5);
        assert_eq!(shown.step, [1, 2, 3, 4, 5, 6]);
        assert_eq!(shown.loss, [6.0, 2.0, 1.0, 3.0, 8.0, 1.0].map(Some));
        // From the sixth step on the first one has left the window.
        assert_eq!(shown.mean, [6.0, 4.0, 3.0, 3.0, 4.0, 3.0].map(Some));
        assert_eq!(shown.learning_rate, [Some(0.001); 6]);
        assert_eq!(losses(&[], 40).step, [0; 0]);
    }

    #[test]
    fn the_window_is_a_tenth_of_the_training_within_limits() {
        let check = |steps: u32, expected: usize| assert_eq!(losses(&[], steps).window, expected);
        check(1, 5);
        check(50, 5);
        check(800, 80);
        check(1_000_000, 100);
    }

    #[test]
    fn a_loss_that_is_no_number_is_a_gap_and_does_not_count() {
        let shown = losses(&rows([f64::NAN, 2.0, f64::INFINITY, 4.0]), 10);
        assert_eq!(shown.loss, [None, Some(2.0), None, Some(4.0)]);
        assert_eq!(shown.mean, [None, Some(2.0), Some(2.0), Some(3.0)]);
    }

    #[test]
    fn a_peak_of_one_step_is_kept_and_the_mean_counts_every_step() {
        let mut all = vec![1.0; 10_000];
        (all[5_000], all[7_777]) = (9.0, 0.0);
        let shown = losses(&rows(all), 10_000);
        let at = |step: u32| shown.step.iter().position(|&kept| kept == step).unwrap();
        assert_eq!((shown.loss[at(5_001)], shown.loss[at(7_778)]), (Some(9.0), Some(0.0)));
        // 99 of 1 and one of 9.
        assert_eq!(shown.mean[at(5_001)], Some(1.08));
        assert_eq!(shown.mean.last(), Some(&Some(1.0)));
    }

    proptest! {
        #[test]
        fn first_last_and_extremes_are_kept(all in prop::collection::vec(0.0..1.0, 1..3_000)) {
            let shown = losses(&rows(all.iter().copied()), 800);
            prop_assert!(shown.step.len() <= MOST.min(all.len()));
            prop_assert!(all.len() > MOST || shown.step.len() == all.len());
            prop_assert!(shown.step.is_sorted_by(|one, other| one < other));
            prop_assert_eq!((shown.step[0] as usize, shown.step[shown.step.len() - 1] as usize), (1, all.len()));
            let least = all.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = all.iter().copied().fold(0.0, f64::max);
            prop_assert!(shown.loss.contains(&Some(single(least))) && shown.loss.contains(&Some(single(greatest))));
        }
    }
}
