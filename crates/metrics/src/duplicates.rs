//! Pictures that look the same although their settings differ.

use crate::ciede2000::lab;
use crate::phash::PerceptualHash;
use crate::pixels::shrink;
use crate::{Measurer, Metric, MetricInput, Score};
use maquette_core::Image;
use palette::Lab;
use palette::color_difference::Ciede2000;
use palette::white_point::D65;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::sync::Arc;

/// The most bits in which the hashes of duplicates differ.
const BITS: u32 = 4;

/// The largest mean difference of the colours of duplicates, Delta E 2000. The hash alone is blind to colours.
const COLOURS: f64 = 2.0;

/// The edge of the small picture whose colours are compared.
const EDGE: u32 = 8;

/// Finds duplicates: the metric `duplicate_of`.
pub(crate) struct Duplicates {
    metric: &'static Metric,
    hash: PerceptualHash,
    seen: Vec<(Arc<str>, Option<Fingerprint>)>,
}

/// What pictures are compared by.
struct Fingerprint {
    hash: u64,
    colours: Vec<Lab<D65, f64>>,
}

impl Duplicates {
    pub fn new(metric: &'static Metric) -> Duplicates {
        Duplicates { metric, hash: PerceptualHash::new(), seen: Vec::new() }
    }

    fn fingerprint(&self, image: &Image) -> Option<Fingerprint> {
        let colours = shrink(image, EDGE)?.as_chunks().0.iter().map(|rgb| lab(*rgb)).collect();
        Some(Fingerprint { hash: self.hash.of(image)?, colours })
    }
}

impl Measurer for Duplicates {
    fn metrics(&self) -> &[&'static Metric] {
        std::slice::from_ref(&self.metric)
    }

    fn measure(&mut self, batch: &[MetricInput]) -> Result<Vec<Vec<Option<Score>>>, String> {
        let this = &*self;
        let found: Vec<_> =
            batch.par_iter().map(|input| (Arc::clone(&input.name), this.fingerprint(&input.image))).collect();
        self.seen.extend(found);
        Ok(vec![vec![None]; batch.len()])
    }

    /// A picture is compared with the earlier ones that are no duplicates themselves, so that a slow change from picture
    /// to picture does not make the last a duplicate of the first.
    fn finish(&mut self) -> Option<Vec<Vec<Option<Score>>>> {
        let mut originals: Vec<(&Arc<str>, &Fingerprint)> = Vec::new();
        let rows = self.seen.iter().map(|(name, fingerprint)| {
            let Some(fingerprint) = fingerprint else { return vec![None] };
            let original = originals.iter().find(|(_, original)| original.is_like(fingerprint));
            let score = original.map(|(name, _)| Score::Text(name.to_string()));
            if score.is_none() {
                originals.push((name, fingerprint));
            }
            vec![score]
        });
        Some(rows.collect())
    }
}

impl Fingerprint {
    fn is_like(&self, other: &Fingerprint) -> bool {
        (self.hash ^ other.hash).count_ones() <= BITS && {
            let differences = self.colours.iter().zip(&other.colours).map(|(a, b)| a.difference(*b));
            differences.sum::<f64>() <= COLOURS * self.colours.len() as f64
        }
    }
}
