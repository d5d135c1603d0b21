//! From a picture to the vision tower's input: resized, centre-cropped, normalised.
//!
//! Configured by `feature_extractor/preprocessor_config.json`, like transformers' `CLIPImageProcessor` with Pillow.

use crate::error::ModelError;
use crate::image::init_image;
use crate::image::init_image::InitImageError;
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use maquette_core::Image;
use serde_json::{Value, json};

pub(crate) const CONFIG: &str = "feature_extractor/preprocessor_config.json";

/// How pictures are prepared.
pub(crate) struct Preprocessor {
    /// The shorter edge after resizing.
    shortest_edge: usize,
    /// The edge of the square centre crop.
    crop: usize,
    mean: [f32; 3],
    std: [f32; 3],
    config: ConfigFile,
}

/// transformers' OPENAI_CLIP_MEAN and OPENAI_CLIP_STD.
const MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f64; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

impl Preprocessor {
    pub fn open(source: &ModelSource) -> Result<Preprocessor, ModelError> {
        let config = ConfigFile::open(source, CONFIG)?;
        for flag in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] {
            config.only(flag, &[json!(true)])?;
        }
        // 3 is Pillow's constant for bicubic.
        config.only("resample", &[json!(3)])?;
        config.only("rescale_factor", &[json!(1.0 / 255.0)])?;
        let edge = |key: &str, names: &[&str]| match config.get(key) {
            Some(Value::Object(edges)) => {
                let edges: Option<Vec<u64>> = names.iter().map(|name| edges.get(*name)?.as_u64()).collect();
                edges
                    .filter(|edges| edges.iter().all(|edge| *edge == edges[0]))
                    .map(|edges| edges[0] as usize)
            }
            Some(value) => value.as_u64().map(|edge| edge as usize),
            None => Some(224),
        };
        // The largest size of a picture that is rendered here.
        let shortest_edge =
            edge("size", &["shortest_edge"]).filter(|edge| (1..=8192).contains(edge)).ok_or_else(|| {
                config.refuse("size", "a whole number from 1 to 8192, or {\"shortest_edge\": …} with one")
            })?;
        let crop = edge("crop_size", &["height", "width"])
            .filter(|crop| (1..=shortest_edge).contains(crop))
            .ok_or_else(|| config.refuse("crop_size", format!("a square of at most {shortest_edge}")))?;
        let (mean, std) = (colours(&config, "image_mean", MEAN)?, colours(&config, "image_std", STD)?);
        Ok(Preprocessor { shortest_edge, crop, mean, std, config })
    }

    /// `CLIPImageProcessor`'s defaults for a vision tower of this size.
    pub fn of_size(edge: usize) -> Preprocessor {
        let [mean, std] = [MEAN, STD].map(|colours| colours.map(|number| number as f32));
        let config = ConfigFile::inferred(String::new(), serde_json::Map::new());
        Preprocessor { shortest_edge: edge, crop: edge, mean, std, config }
    }

    /// Refuses a configuration that does not fit the vision tower.
    pub fn check_size(&self, image_size: usize) -> Result<(), ModelError> {
        match self.crop == image_size {
            true => Ok(()),
            false => Err(self.config.refuse(
                "crop_size",
                format!("{image_size}, the image_size of the safety checker's vision tower"),
            )),
        }
    }

    /// `[3, crop, crop]`, normalised.
    pub fn pixels(&self, image: &Image) -> Result<Vec<f32>, InitImageError> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        // int(size * long / short), as transformers' `get_resize_output_image_size`.
        let long =
            |long: usize, short: usize| (self.shortest_edge as f64 * long as f64 / short as f64) as usize;
        let (to_width, to_height) = match width <= height {
            true => (self.shortest_edge, long(height, width)),
            false => (long(width, height), self.shortest_edge),
        };
        let resized = init_image::bicubic(image, to_width as u32, to_height as u32)?;
        let (left, top) = ((to_width - self.crop) / 2, (to_height - self.crop) / 2);
        let mut pixels = Vec::with_capacity(3 * self.crop * self.crop);
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            for y in top..top + self.crop {
                for x in left..left + self.crop {
                    let level = resized.rgb()[3 * (y * to_width + x) + channel];
                    pixels.push(((f64::from(level) * (1.0 / 255.0)) as f32 - mean) / std);
                }
            }
        }
        Ok(pixels)
    }
}

/// One number per colour.
fn colours(config: &ConfigFile, key: &str, default: [f64; 3]) -> Result<[f32; 3], ModelError> {
    let Some(value) = config.get(key) else { return Ok(default.map(|number| number as f32)) };
    let numbers: Option<Vec<f32>> = value
        .as_array()
        .and_then(|list| list.iter().map(|number| number.as_f64().map(|number| number as f32)).collect());
    let numbers = numbers.and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
    numbers
        .filter(|numbers| numbers.iter().all(|n| n.is_finite() && (key != "image_std" || *n > 0.0)))
        .ok_or_else(|| config.refuse(key, "a list of three numbers, those of image_std above 0"))
}
