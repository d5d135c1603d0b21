//! The strengths of axis values that explain duels best: the model of Bradley and Terry (1952) with a term for each axis.
//!
//! The left cell wins with probability `1 / (1 + exp(-d))`, where `d` is the sum, over the axes along which the cells
//! differ, of the left value's log-strength minus the right one's. With one axis this is exactly Bradley-Terry; with several
//! it is a logistic regression with one indicator per value. A tie is half a win each. The penalty `RIDGE / 2 * sum of
//! squares` gives a value that won or lost every duel a finite strength, and centres every axis on mean 0: the gradient of
//! the likelihood sums to zero over an axis, so that of the penalty does, too.
//!
//! Newton's method; its linear systems are solved by conjugate gradients, as each duel touches two values per axis only.

use std::ops::Range;

/// The weight of the penalty on the squares of the log-strengths.
pub const RIDGE: f64 = 0.1;

/// Newton's method ends when no log-strength changes by more.
const TOLERANCE: f64 = 1e-9;
const MOST_STEPS: usize = 100;

/// A duel between two cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Duel {
    /// For each axis, the indices of the left and the right cell's values; `None` if the cells do not differ along it.
    pub values: Vec<Option<(usize, usize)>>,
    /// The left cell's share of the win: 1, 0.5 for a tie, or 0.
    pub score: f64,
}

/// Duels as rows of a sparse matrix: the unknowns that count for the left cell, and those for the right one.
pub(crate) struct Rows {
    /// How many unknowns there are: one for each value of each axis.
    unknowns: usize,
    /// Pairs of unknowns, those of one duel after another.
    pairs: Vec<(u32, u32)>,
    /// The pairs of each duel.
    duels: Vec<Range<usize>>,
    scores: Vec<f64>,
}

impl Rows {
    /// Duels over axes with that many values each.
    pub fn new(sizes: &[usize], duels: &[Duel]) -> Rows {
        let starts = starts(sizes);
        let mut rows = Rows {
            unknowns: sizes.iter().sum(),
            pairs: Vec::new(),
            duels: Vec::new(),
            scores: duels.iter().map(|duel| duel.score).collect(),
        };
        for duel in duels {
            let from = rows.pairs.len();
            let pairs = duel.values.iter().zip(&starts).filter_map(|(values, start)| {
                values.map(|(left, right)| ((start + left) as u32, (start + right) as u32))
            });
            rows.pairs.extend(pairs);
            rows.duels.push(from..rows.pairs.len());
        }
        rows
    }

    /// How many duels there are.
    pub fn len(&self) -> usize {
        self.duels.len()
    }

    /// The log-strengths of all values from those duels, one after another as in `chosen`, which may repeat some. The
    /// result does not depend on `start`, which only saves steps.
    pub fn fit(&self, chosen: &[u32], start: &[f64]) -> Vec<f64> {
        let mut strengths = start.to_vec();
        for _ in 0..MOST_STEPS {
            let (gradient, weights) = self.derivatives(chosen, &strengths);
            let step = self.solve(chosen, &weights, &gradient);
            let before = self.loss(chosen, &strengths);
            // The full step can only be too long far from the optimum.
            let mut length = 1.0;
            let next = loop {
                let next: Vec<f64> =
                    strengths.iter().zip(&step).map(|(strength, step)| strength - length * step).collect();
                if self.loss(chosen, &next) <= before + TOLERANCE || length < 1e-6 {
                    break next;
                }
                length /= 2.0;
            };
            let change = next.iter().zip(&strengths).map(|(next, last)| (next - last).abs());
            let change = change.fold(0.0, f64::max);
            strengths = next;
            if change < TOLERANCE {
                break;
            }
        }
        strengths
    }

    /// The variance of the difference of two log-strengths, by the curvature of the penalised likelihood at `strengths`.
    pub fn variance(&self, strengths: &[f64], first: usize, second: usize) -> f64 {
        let all: Vec<u32> = (0..self.len() as u32).collect();
        let (_, weights) = self.derivatives(&all, strengths);
        let mut difference = vec![0.0; self.unknowns];
        (difference[first], difference[second]) = (1.0, -1.0);
        let solved = self.solve(&all, &weights, &difference);
        solved[first] - solved[second]
    }

    fn duel(&self, duel: u32) -> (&[(u32, u32)], f64) {
        let duel = duel as usize;
        (&self.pairs[self.duels[duel].clone()], self.scores[duel])
    }

    /// The negative penalised log-likelihood.
    fn loss(&self, chosen: &[u32], strengths: &[f64]) -> f64 {
        let duels = chosen.iter().map(|&duel| {
            let (pairs, score) = self.duel(duel);
            let d = difference(pairs, strengths);
            // -log p = log(1 + exp(-d)), without overflow.
            (-d).max(0.0) + (-d.abs()).exp().ln_1p() + (1.0 - score) * d
        });
        duels.sum::<f64>() + RIDGE / 2.0 * dot(strengths, strengths)
    }

    /// The gradient of the loss, and the weight of each chosen duel in its curvature.
    fn derivatives(&self, chosen: &[u32], strengths: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut gradient: Vec<f64> = strengths.iter().map(|strength| RIDGE * strength).collect();
        let weight = |&duel: &u32| {
            let (pairs, score) = self.duel(duel);
            let p = 1.0 / (1.0 + (-difference(pairs, strengths)).exp());
            for &(left, right) in pairs {
                gradient[left as usize] += p - score;
                gradient[right as usize] -= p - score;
            }
            p * (1.0 - p)
        };
        let weights = chosen.iter().map(weight).collect();
        (gradient, weights)
    }

    /// Solves `curvature * x = right` by conjugate gradients, preconditioned by the diagonal.
    fn solve(&self, chosen: &[u32], weights: &[f64], right: &[f64]) -> Vec<f64> {
        let mut diagonal = vec![RIDGE; self.unknowns];
        for (&duel, weight) in chosen.iter().zip(weights) {
            for &(left, right) in self.duel(duel).0 {
                diagonal[left as usize] += weight;
                diagonal[right as usize] += weight;
            }
        }
        let scaled = |rest: &[f64]| -> Vec<f64> {
            rest.iter().zip(&diagonal).map(|(rest, diagonal)| rest / diagonal).collect()
        };
        let (mut x, mut rest) = (vec![0.0; self.unknowns], right.to_vec());
        let mut direction = scaled(&rest);
        let mut size = dot(&rest, &direction);
        let enough = size * 1e-26;
        // In exact arithmetic as many steps as unknowns are enough.
        for _ in 0..2 * self.unknowns {
            if size <= enough {
                break;
            }
            let image = self.curvature(chosen, weights, &direction);
            let length = size / dot(&direction, &image);
            for at in 0..self.unknowns {
                x[at] += length * direction[at];
                rest[at] -= length * image[at];
            }
            let preconditioned = scaled(&rest);
            let next = dot(&rest, &preconditioned);
            for (direction, new) in direction.iter_mut().zip(preconditioned) {
                *direction = new + next / size * *direction;
            }
            size = next;
        }
        x
    }

    /// The curvature of the loss times a vector.
    fn curvature(&self, chosen: &[u32], weights: &[f64], vector: &[f64]) -> Vec<f64> {
        let mut image: Vec<f64> = vector.iter().map(|x| RIDGE * x).collect();
        for (&duel, weight) in chosen.iter().zip(weights) {
            let (pairs, _) = self.duel(duel);
            let amount = weight * difference(pairs, vector);
            for &(left, right) in pairs {
                image[left as usize] += amount;
                image[right as usize] -= amount;
            }
        }
        image
    }
}

/// The index of each axis' first unknown.
pub(crate) fn starts(sizes: &[usize]) -> Vec<usize> {
    let mut next = 0;
    let start = |size: &usize| {
        next += size;
        next - size
    };
    sizes.iter().map(start).collect()
}

fn difference(pairs: &[(u32, u32)], strengths: &[f64]) -> f64 {
    pairs.iter().map(|&(left, right)| strengths[left as usize] - strengths[right as usize]).sum()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}
