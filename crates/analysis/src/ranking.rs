//! Ranks the values of every axis by the duels between cells, with bootstrapped intervals.

use crate::fit::{Duel, Rows, starts};
use crate::mulberry32::Mulberry32;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

/// How often the duels are drawn anew for the intervals.
pub const RESAMPLES: usize = 200;

/// The certainty that [`Lead::votes_needed`] is usually asked for.
pub const CERTAINTY: f64 = 0.95;

/// The seed of the resamples.
const SEED: u32 = 1;

/// The ranking of one axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AxisRanking {
    /// How many duels were between cells that differ along this axis.
    pub votes: usize,
    /// The values with votes, best first; equal ones in the order of the axis.
    pub values: Vec<RankedValue>,
    /// How far the first is ahead of the second; `None` with fewer than two values.
    pub lead: Option<Lead>,
}

/// A value in the ranking of its axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedValue {
    /// Its index on the axis.
    pub value: usize,
    /// Its log-strength; the mean over the axis is 0. A value that is 1 stronger wins 73 % of its duels.
    pub strength: f64,
    /// The percentile 2.5 of the log-strength over the resamples.
    pub low: f64,
    /// The percentile 97.5.
    pub high: f64,
    /// How many duels it was in against another value of the axis.
    pub votes: usize,
    /// Whether it is clearly worse than the first: their intervals do not overlap, and the first is ahead with the certainty
    /// [`CERTAINTY`]. (Of a few votes that all agree, the intervals alone say too much.)
    pub worse: bool,
}

/// The difference between the first and the second value of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lead {
    /// The first value's log-strength minus the second one's; not negative.
    pub difference: f64,
    /// Its standard deviation: over the resamples or by the curvature of the likelihood, whichever is larger. Of few votes
    /// that all agree every resample is the same, and only the curvature tells what is not known yet.
    pub deviation: f64,
    /// The axis' votes that both are estimated from.
    pub votes: usize,
}

impl Lead {
    /// How many more votes make it certain that the first value is ahead of the second, if they go on as so far; `None` if
    /// the two are level, so that no number does. `certainty` is a probability from 0.5 to 1, both excluded.
    ///
    /// The first is ahead with certainty c if `difference >= z(c) * deviation`, z being the quantile of the normal
    /// distribution. The deviation shrinks with the square root of the votes n, so that
    /// `n * (z(c) * deviation / difference)^2` votes are needed in all.
    pub fn votes_needed(&self, certainty: f64) -> Option<usize> {
        if self.difference <= 1e-9 {
            return None;
        }
        let votes = self.votes as f64;
        let all = votes * (quantile(certainty) * self.deviation / self.difference).powi(2);
        Some((all - votes).ceil().max(0.0) as usize)
    }
}

/// Ranks the values of axes with that many values each. Duels between cells that do not differ along any axis are ignored.
pub fn rank(sizes: &[usize], duels: &[Duel]) -> Vec<AxisRanking> {
    let duels: Vec<Duel> =
        duels.iter().filter(|duel| duel.values.iter().any(Option::is_some)).cloned().collect();
    let rows = Rows::new(sizes, &duels);
    let unknowns = sizes.iter().sum();
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let strengths = rows.fit(&all, &vec![0.0; unknowns]);
    let resampled: Vec<Vec<f64>> =
        resamples(rows.len()).par_iter().map(|chosen| rows.fit(chosen, &strengths)).collect();
    let axes = starts(sizes).into_iter().zip(sizes).enumerate();
    axes.map(|(axis, (start, &size))| {
        let duels: Vec<(usize, usize)> = duels.iter().filter_map(|duel| duel.values[axis]).collect();
        let mut counts = vec![0; size];
        duels.iter().for_each(|&(left, right)| {
            counts[left] += 1;
            counts[right] += 1;
        });
        let ranked = |value: usize| {
            let mut drawn: Vec<f64> = resampled.iter().map(|all| all[start + value]).collect();
            drawn.sort_by(f64::total_cmp);
            let (low, high) = (percentile(&drawn, 0.025), percentile(&drawn, 0.975));
            let votes = counts[value];
            RankedValue { value, strength: strengths[start + value], low, high, votes, worse: false }
        };
        let mut values: Vec<RankedValue> = (0..size).filter(|&value| counts[value] > 0).map(ranked).collect();
        values.sort_by(|one, other| other.strength.total_cmp(&one.strength));
        let lead = |first: &RankedValue, second: &RankedValue| {
            let (one, other) = (start + first.value, start + second.value);
            let drawn: Vec<f64> = resampled.iter().map(|all| all[one] - all[other]).collect();
            let curvature = rows.variance(&strengths, one, other).sqrt();
            let deviation = deviation(&drawn).max(curvature);
            Lead { difference: first.strength - second.strength, deviation, votes: duels.len() }
        };
        let worse = |value: &RankedValue| {
            let first = &values[0];
            value.high < first.low && lead(first, value).votes_needed(CERTAINTY) == Some(0)
        };
        let worse: Vec<bool> = values.iter().map(worse).collect();
        values.iter_mut().zip(worse).for_each(|(value, worse)| value.worse = worse);
        let lead = values.first().zip(values.get(1)).map(|(first, second)| lead(first, second));
        AxisRanking { votes: duels.len(), values, lead }
    })
    .collect()
}

/// The duels of each resample: as many as there are, drawn with replacement.
fn resamples(duels: usize) -> Vec<Vec<u32>> {
    let mut draw = Mulberry32(SEED);
    let mut resample = || (0..duels).map(|_| draw.index(duels) as u32).collect();
    (0..RESAMPLES).map(|_| resample()).collect()
}

/// The percentile of ascending numbers, by linear interpolation as numpy's default. `share` is from 0 to 1.
fn percentile(ascending: &[f64], share: f64) -> f64 {
    let at = share * (ascending.len() - 1) as f64;
    let below = at as usize;
    let (low, high) = (ascending[below], ascending[(below + 1).min(ascending.len() - 1)]);
    low + (high - low) * (at - below as f64)
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
}

/// The quantile of the standard normal distribution, by bisection of Abramowitz and Stegun's formula 26.2.17 for its
/// cumulative function, whose error is below 7.5e-8. `share` is from 0.5 to 1, both excluded.
fn quantile(share: f64) -> f64 {
    let cumulative = |x: f64| {
        let t = 1.0 / (1.0 + 0.231_641_9 * x);
        let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
        let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
        1.0 - (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
    };
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if cumulative(middle) < share { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let check = |share: f64, expected: f64| {
            assert!((quantile(share) - expected).abs() < 1e-4, "{share}: {}", quantile(share));
        };
        check(0.5, 0.0);
        check(0.8, 0.841_621);
        check(0.9, 1.281_552);
        check(0.95, 1.644_854);
        check(0.99, 2.326_348);
        check(0.999, 3.090_232);
    }

    #[test]
    fn a_larger_lead_needs_fewer_votes() {
        let needed = |difference: f64| Lead { difference, deviation: 1.0, votes: 10 }.votes_needed(CERTAINTY);
        assert_eq!(needed(0.0), None);
        assert_eq!(needed(0.5), Some(99));
        assert_eq!(needed(1.0), Some(18));
        assert_eq!(needed(2.0), Some(0));
    }

    #[test]
    fn percentiles_are_interpolated() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert!((percentile(&[1.0, 2.0, 3.0, 4.0, 10.0], 0.975) - 9.4).abs() < 1e-12);
    }
}
