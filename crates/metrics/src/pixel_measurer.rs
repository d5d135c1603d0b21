//! The metrics that need no model.

use crate::ciede2000::ciede2000;
use crate::duplicates::Duplicates;
use crate::phash::PerceptualHash;
use crate::psnr::{mean_squared_error, psnr};
use crate::sharpness::sharpness;
use crate::ssim::ssim;
use crate::{Measurer, Metric, MetricInput, Score};
use maquette_core::Image;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::sync::Arc;

/// What computes these metrics; those of models are left out.
pub fn without_model(metrics: &[&'static Metric]) -> Vec<Box<dyn Measurer>> {
    let (run, single): (Vec<_>, Vec<_>) = metrics
        .iter()
        .copied()
        .filter(|metric| metric.model.is_none())
        .partition(|it| it.name == "duplicate_of");
    let mut measurers: Vec<Box<dyn Measurer>> = Vec::new();
    if !single.is_empty() {
        measurers.push(Box::new(PixelMeasurer { metrics: single, hash: PerceptualHash::new() }));
    }
    measurers.extend(run.into_iter().map(|metric| Box::new(Duplicates::new(metric)) as Box<dyn Measurer>));
    measurers
}

struct PixelMeasurer {
    metrics: Vec<&'static Metric>,
    hash: PerceptualHash,
}

impl Measurer for PixelMeasurer {
    fn metrics(&self) -> &[&'static Metric] {
        &self.metrics
    }

    fn measure(&mut self, batch: &[MetricInput]) -> Result<Vec<Vec<Option<Score>>>, String> {
        let this = &*self;
        Ok(batch.par_iter().map(|input| this.row(input)).collect())
    }
}

impl PixelMeasurer {
    fn row(&self, input: &MetricInput) -> Vec<Option<Score>> {
        let MetricInput { image, reference, neighbours, .. } = input;
        let reference: Option<&Image> = reference.as_deref();
        let neighbours = Neighbours { image, neighbours };
        // `ssim` and `dssim` share a computation.
        let (mut likeness, mut neighbour_likeness) = (None, None);
        let mut ssim_to_reference =
            || *likeness.get_or_insert_with(|| reference.and_then(|reference| ssim(image, reference)));
        let mut ssim_to_neighbours = || *neighbour_likeness.get_or_insert_with(|| neighbours.mean(ssim));
        let dssim = |ssim: f64| (1.0 - ssim) / 2.0;
        let mut value = |name: &str| {
            let number = match name {
                "psnr" => reference.and_then(|reference| mean_squared_error(image, reference)).map(psnr),
                "ssim" => ssim_to_reference(),
                "dssim" => ssim_to_reference().map(dssim),
                "ciede2000" => reference.and_then(|reference| ciede2000(image, reference)),
                "neighbour_psnr" => neighbours.mean(mean_squared_error).map(psnr),
                "neighbour_ssim" => ssim_to_neighbours(),
                "neighbour_dssim" => ssim_to_neighbours().map(dssim),
                "neighbour_ciede2000" => neighbours.mean(ciede2000),
                "sharpness" => sharpness(image),
                "phash" => return self.hash.of(image).map(|hash| Score::Text(format!("{hash:016x}"))),
                _ => None,
            };
            number.map(Score::Number)
        };
        self.metrics.iter().map(|metric| value(metric.name)).collect()
    }
}

/// A picture and those beside it.
struct Neighbours<'a> {
    image: &'a Image,
    neighbours: &'a [Arc<Image>],
}

impl Neighbours<'_> {
    /// The mean over the neighbours that can be compared; `None` if there are none.
    fn mean(&self, of: fn(&Image, &Image) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> =
            self.neighbours.iter().filter_map(|neighbour| of(self.image, neighbour)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}
