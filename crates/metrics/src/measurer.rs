//! The interface of everything that computes metrics.

use crate::{Metric, MetricInput, Score};
use maquette_core::Image;
use std::sync::Arc;

/// Computes some metrics. A model is loaded once, when its measurer is made.
pub trait Measurer: Send {
    /// The metrics that it computes, in the order of its values.
    fn metrics(&self) -> &[&'static Metric];

    /// The values of a batch of pictures: for each picture a value per metric, `None` where the metric does not apply.
    ///
    /// # Errors
    ///
    /// A model that cannot compute them, as a sentence without its full stop.
    fn measure(&mut self, batch: &[MetricInput]) -> Result<Vec<Vec<Option<Score>>>, String>;

    /// The values of all pictures once more, if they depend on all pictures. Called once, after the last batch.
    fn finish(&mut self) -> Option<Vec<Vec<Option<Score>>>> {
        None
    }
}

/// Turns pictures into vectors whose Euclidean distances say how different the pictures are. [`crate::Pixels`] needs no
/// model.
pub trait Embedder: Send {
    /// Its name: `pixels`, or that of a model in [`crate::MODELS`].
    fn name(&self) -> &'static str;

    /// What the distance is, in a sentence without its full stop.
    fn about(&self) -> String;

    /// The vectors of a batch of pictures, all of the same length.
    ///
    /// # Errors
    ///
    /// A model that cannot compute them, as a sentence without its full stop.
    fn embed(&mut self, batch: &[Arc<Image>]) -> Result<Vec<Vec<f32>>, String>;
}
