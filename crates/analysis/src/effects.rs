//! How much the pictures change along each axis: shares of the variance of vectors on the grid.
//!
//! On a complete grid this is the functional analysis of variance: the total is the sum of squared distances to the mean of
//! all vectors; the part of an axis is that of the means of its values; the interaction of two axes is that of the means of
//! their pairs of values, less the parts of both axes; the rest is what only three or more axes together explain.
//!
//! Where cells are missing, axes overlap: leaving out the bright half of the seeds for one artist makes the artist dark. An
//! axis then gets the mean, over all orders of the axes, of what it adds to the least-squares fit of the axes before it
//! (Lindeman, Merenda and Gold 1980; Shapley values), and a pair of axes what it adds to the fit of all single axes. If the
//! pairs together would explain more than there is left, they are scaled to that.

use crate::variance::{Factor, Vectors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The share of the variance, with interactions, below which an axis is said to change nothing.
const IDLE: f64 = 0.001;

/// A value is an outlier if it is more than so many times as far from the centre of the other values as the farthest of
/// them. Of three values at equal distances the outer ones are exactly three times as far, and no outliers.
const OUTLIER: f64 = 3.0;

/// With more axes, incomplete grids are fitted in the file's order only: there would be too many orders.
const MOST_AXES: usize = 6;

/// An axis of the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// The number of its values.
    pub values: usize,
}

/// How much pictures change along the axes of a grid, by one measure of distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// The measure: `pixels`, the name of a model, or that of a metric.
    pub measure: String,
    /// What the measure is, in a sentence without its full stop.
    pub about: String,
    /// Shares of the total variance, 0 to 1: an entry per axis in the file's order, then one per pair of axes for
    /// interactions. With `rest` they add up to 1; all are 0 if all pictures are the same.
    pub shares: Vec<Share>,
    /// The share that no axis or pair of axes explains.
    pub rest: f64,
    /// For each axis, how its values differ.
    pub values: Vec<AxisValues>,
    /// The axes along which nothing changes: less than 0.1 % of the variance, with interactions.
    pub idle: Vec<String>,
    /// Whether every position of the grid has a picture.
    #[serde(default)]
    pub complete: bool,
}

/// The share of an axis, or of the interaction of a pair of axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// One axis or two.
    pub axes: Vec<String>,
    /// 0 to 1.
    pub share: f64,
}

/// How the values of an axis differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisValues {
    /// The axis.
    pub axis: String,
    /// The distance of each value's mean vector from the mean of these; `None` for a value without pictures.
    pub distance: Vec<Option<f64>>,
    /// The value that stands out: more than three times as far from the centre of the others as any of these.
    pub outlier: Option<usize>,
}

/// Computes the effects of the axes that have more than one value. `cells` has coordinates and vector of each cell; the
/// vectors have the same length, at least 1, and finite components. `None` for fewer than two cells or no such axis.
pub fn effects(measure: &str, about: &str, axes: &[Axis], cells: &[(Vec<usize>, &[f32])]) -> Option<Effects> {
    let varied: Vec<usize> = (0..axes.len()).filter(|&axis| axes[axis].values > 1).collect();
    if cells.len() < 2 || varied.is_empty() {
        return None;
    }
    let vectors = Vectors::new(&cells.iter().map(|(_, vector)| *vector).collect::<Vec<_>>());
    let factor = |&axis: &usize| Factor {
        groups: cells.iter().map(|(coordinates, _)| coordinates[axis]).collect(),
        count: axes[axis].values,
    };
    let factors: Vec<Factor> = varied.iter().map(factor).collect();
    let moves: Vec<bool> = varied.iter().map(|&axis| changes_along(axis, cells)).collect();
    let complete = axes.iter().map(|axis| axis.values).product::<usize>() == cells.len();
    let (mains, pairs) = match complete {
        true => complete_parts(&vectors, &factors, &moves),
        false => incomplete_parts(&vectors, &factors, &moves),
    };
    let share = |part: f64| if vectors.total > 0.0 { (part / vectors.total).clamp(0.0, 1.0) } else { 0.0 };
    let name = |at: usize| axes[varied[at]].name.clone();
    let mut shares: Vec<Share> = mains
        .iter()
        .enumerate()
        .map(|(at, part)| Share { axes: vec![name(at)], share: share(*part) })
        .collect();
    shares.extend(
        pairs.iter().map(|(a, b, part)| Share { axes: vec![name(*a), name(*b)], share: share(*part) }),
    );
    let explained: f64 = shares.iter().map(|share| share.share).sum();
    let idle = (0..varied.len()).map(name).filter(|name| {
        let with_pairs = shares.iter().filter(|share| share.axes.contains(name));
        with_pairs.map(|share| share.share).sum::<f64>() < IDLE
    });
    let idle: Vec<String> = idle.collect();
    let values = factors.iter().enumerate().map(|(at, factor)| {
        let mut values = axis_values(name(at), &vectors, factor);
        if idle.contains(&values.axis) {
            values.outlier = None;
        }
        values
    });
    Some(Effects {
        measure: measure.to_owned(),
        about: about.to_owned(),
        rest: if vectors.total > 0.0 { (1.0 - explained).max(0.0) } else { 0.0 },
        values: values.collect(),
        idle,
        shares,
        complete,
    })
}

/// Whether any two cells differ that differ only in that axis.
fn changes_along(axis: usize, cells: &[(Vec<usize>, &[f32])]) -> bool {
    let mut first: HashMap<Vec<usize>, &[f32]> = HashMap::new();
    let mut compared = false;
    for (coordinates, vector) in cells {
        let mut others = coordinates.clone();
        others.remove(axis);
        match first.get(&others) {
            Some(known) if known != vector => return true,
            Some(_) => compared = true,
            None => _ = first.insert(others, vector),
        }
    }
    // Without two such cells nothing is known.
    !compared
}

/// The parts of the axes, and of their pairs.
type Parts = (Vec<f64>, Vec<(usize, usize, f64)>);

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
}

/// Axes of a complete grid are orthogonal: each part is a difference of sums of squares.
fn complete_parts(vectors: &Vectors, factors: &[Factor], moves: &[bool]) -> Parts {
    let part = |(factor, moves): (&Factor, &bool)| if *moves { vectors.explained(&[factor]) } else { 0.0 };
    let mains: Vec<f64> = factors.iter().zip(moves).map(part).collect();
    let interaction = |(a, b): (usize, usize)| {
        let part = match moves[a] && moves[b] {
            true => vectors.explained(&[&factors[a].pair(&factors[b])]) - mains[a] - mains[b],
            false => 0.0,
        };
        // A difference of equal numbers may be off by their rounding.
        (a, b, if part > 1e-12 * vectors.total { part } else { 0.0 })
    };
    let pairs = pairs(factors.len()).map(interaction).collect();
    (mains, pairs)
}

fn incomplete_parts(vectors: &Vectors, factors: &[Factor], moves: &[bool]) -> Parts {
    let moving: Vec<usize> = (0..factors.len()).filter(|&at| moves[at]).collect();
    let among = |set: usize| moving.iter().enumerate().filter(move |(bit, _)| set >> bit & 1 == 1);
    let fit = |set: usize| among(set).map(|(_, &at)| &factors[at]).collect::<Vec<_>>();
    let mut mains = vec![0.0; factors.len()];
    let whole = (1usize << moving.len()) - 1;
    let together = if moving.len() <= MOST_AXES {
        let explained = vectors.explained_by_each(&(0..=whole).map(fit).collect::<Vec<_>>());
        for (bit, &at) in moving.iter().enumerate() {
            for set in (0..=whole).filter(|set| set >> bit & 1 == 0) {
                let added = explained[set | 1 << bit] - explained[set];
                mains[at] += added.max(0.0) * weight(set.count_ones() as usize, moving.len());
            }
        }
        explained[whole]
    } else {
        let mut before = 0.0;
        for bit in 0..moving.len() {
            let now = vectors.explained(&fit((1 << (bit + 1)) - 1));
            mains[moving[bit]] = (now - before).max(0.0);
            before = now;
        }
        before
    };
    let every = fit(whole);
    let pairs: Vec<(usize, usize)> = pairs(factors.len()).collect();
    let products: Vec<Option<Factor>> =
        pairs.iter().map(|&(a, b)| (moves[a] && moves[b]).then(|| factors[a].pair(&factors[b]))).collect();
    let fits: Vec<Vec<&Factor>> =
        products.iter().map(|product| every.iter().copied().chain(product).collect()).collect();
    let added: Vec<f64> = vectors
        .explained_by_each(&fits)
        .into_iter()
        .map(|explained| (explained - together).max(0.0))
        .collect();
    let (left, sum) = ((vectors.total - together).max(0.0), added.iter().sum::<f64>());
    let scale = if sum > left { left / sum } else { 1.0 };
    let parts = pairs
        .into_iter()
        .zip(products)
        .zip(added)
        .map(|(((a, b), product), added)| (a, b, if product.is_some() { added * scale } else { 0.0 }));
    (mains, parts.collect())
}

/// The share of the orders of `count` axes in which exactly a given set of `before` axes comes before a given axis.
fn weight(before: usize, count: usize) -> f64 {
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    factorial(before) * factorial(count - before - 1) / factorial(count)
}

fn axis_values(axis: String, vectors: &Vectors, factor: &Factor) -> AxisValues {
    let means = vectors.means(factor);
    let known: Vec<(usize, &Vec<f64>)> =
        means.iter().enumerate().filter_map(|(at, mean)| Some((at, mean.as_ref()?))).collect();
    let centre = centre(known.iter().map(|(_, mean)| mean.as_slice()));
    let distance = means.iter().map(|mean| mean.as_ref().map(|mean| distance(mean, &centre))).collect();
    AxisValues { axis, distance, outlier: outlier(&known) }
}

fn outlier(means: &[(usize, &Vec<f64>)]) -> Option<usize> {
    if means.len() < 3 {
        return None;
    }
    let ratio = |(value, mean): &(usize, &Vec<f64>)| {
        let others = || means.iter().filter(|(other, _)| other != value).map(|(_, mean)| mean.as_slice());
        let centre = centre(others());
        let farthest = others().map(|other| distance(other, &centre)).fold(0.0, f64::max);
        let away = distance(mean, &centre);
        (
            *value,
            away > OUTLIER * farthest * (1.0 + 1e-9) && away > 0.0,
            away / farthest.max(f64::MIN_POSITIVE),
        )
    };
    let candidates = means.iter().map(ratio).filter(|(_, stands_out, _)| *stands_out);
    candidates.max_by(|a, b| a.2.total_cmp(&b.2)).map(|(value, _, _)| value)
}

fn centre<'a>(vectors: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let (mut sum, mut count) = (Vec::new(), 0);
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        count += 1;
    }
    sum.iter_mut().for_each(|x| *x /= f64::from(count));
    sum
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
