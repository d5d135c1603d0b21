//! Sums of squares: how much of the variance of vectors is explained by the groups that they are in.
//!
//! This is the arithmetic of an analysis of variance whose observations are vectors: squared deviations become squared
//! Euclidean distances, which is the same as the sum of the analyses of each component.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

/// The relative decrease of the residual at which a fit has converged.
const TOLERANCE: f64 = 1e-12;

/// The most rounds of a fit. Factors that share few groups need many; one round is exact for a complete grid.
const ROUNDS: usize = 500;

/// The groups of one factor: for each vector, the number of its group.
pub(crate) struct Factor {
    pub groups: Vec<usize>,
    /// How many groups there are.
    pub count: usize,
}

impl Factor {
    /// The factor whose groups are the pairs of the groups of two factors.
    pub fn pair(&self, other: &Factor) -> Factor {
        let groups = self.groups.iter().zip(&other.groups).map(|(a, b)| a * other.count + b);
        Factor { groups: groups.collect(), count: self.count * other.count }
    }
}

/// Vectors with their mean subtracted.
pub(crate) struct Vectors {
    /// One after the other.
    centred: Vec<f64>,
    length: usize,
    /// The sum of their squared lengths.
    pub total: f64,
}

impl Vectors {
    /// `vectors` have the same length, at least 1, and finite components.
    pub fn new(vectors: &[&[f32]]) -> Vectors {
        let length = vectors.first().map_or(1, |vector| vector.len());
        let mut mean = vec![0.0; length];
        for vector in vectors {
            mean.iter_mut().zip(*vector).for_each(|(mean, x)| *mean += f64::from(*x));
        }
        mean.iter_mut().for_each(|mean| *mean /= vectors.len().max(1) as f64);
        let centred: Vec<f64> = vectors
            .iter()
            .flat_map(|vector| vector.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean))
            .collect();
        let total = centred.iter().map(|x| x * x).sum();
        Vectors { centred, length, total }
    }

    /// The sum of squares that the factors explain together: the total less the residual of the least-squares fit of a sum
    /// of one vector per group of each factor.
    ///
    /// The fit subtracts the mean of each group, factor after factor, until nothing changes (backfitting, which converges
    /// to the least-squares fit).
    pub fn explained(&self, factors: &[&Factor]) -> f64 {
        let mut residual = self.centred.clone();
        let mut left = self.total;
        for _ in 0..ROUNDS {
            factors.iter().for_each(|factor| self.subtract_means(&mut residual, factor));
            let now: f64 = residual.iter().map(|x| x * x).sum();
            let decrease = left - now;
            left = now;
            if factors.len() < 2 || decrease <= TOLERANCE * self.total {
                break;
            }
        }
        (self.total - left).clamp(0.0, self.total)
    }

    /// Several fits at once, on all cores.
    pub fn explained_by_each(&self, fits: &[Vec<&Factor>]) -> Vec<f64> {
        fits.par_iter().map(|factors| self.explained(factors)).collect()
    }

    /// The mean vector of each group, relative to the mean of all; `None` for an empty group.
    pub fn means(&self, factor: &Factor) -> Vec<Option<Vec<f64>>> {
        let (sums, counts) = self.sums(&self.centred, factor);
        let means = sums
            .chunks_exact(self.length)
            .zip(&counts)
            .map(|(sum, count)| (*count > 0).then(|| sum.iter().map(|x| x / *count as f64).collect()));
        means.collect()
    }

    fn subtract_means(&self, residual: &mut [f64], factor: &Factor) {
        let (mut sums, counts) = self.sums(residual, factor);
        for (sum, count) in sums.chunks_exact_mut(self.length).zip(&counts) {
            sum.iter_mut().for_each(|x| *x /= (*count).max(1) as f64);
        }
        for (vector, group) in residual.chunks_exact_mut(self.length).zip(&factor.groups) {
            let mean = &sums[group * self.length..(group + 1) * self.length];
            vector.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
        }
    }

    fn sums(&self, vectors: &[f64], factor: &Factor) -> (Vec<f64>, Vec<usize>) {
        let mut sums = vec![0.0; factor.count * self.length];
        let mut counts = vec![0; factor.count];
        for (vector, group) in vectors.chunks_exact(self.length).zip(&factor.groups) {
            counts[*group] += 1;
            let sum = &mut sums[group * self.length..(group + 1) * self.length];
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        (sums, counts)
    }
}
