//! From a picture to a model's input, as transformers' image processors on Pillow do it: resize, crop, scale, normalise.
//!
//! Resizing is Pillow's, with antialiasing, on eight bits per channel (`pillow.rs`).

use super::ModelError;
use super::folder::ModelFolder;
use super::pillow::{Filter, resize};
use candle_core::{Device, Tensor};
use maquette_core::Image;
use serde_json::Value;

/// OpenAI's mean and deviation, which CLIP and BLIP use.
pub(super) const OPENAI: Normal =
    Normal { mean: [0.481_454_66, 0.457_827_5, 0.408_210_73], std: [0.268_629_54, 0.261_302_6, 0.275_777_1] };

/// SigLIP's.
pub(super) const HALF: Normal = Normal { mean: [0.5; 3], std: [0.5; 3] };

/// The mean and deviation of each channel, of values in 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normal {
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// What a processor does unless its file says otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    /// Whether a size given as one number is that of the shortest edge, to be followed by a crop; of a square otherwise.
    pub shortest: bool,
    pub normal: Normal,
}

/// How pictures are prepared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Preparation {
    resize: Option<Size>,
    filter: Filter,
    /// Width and height.
    crop: Option<(u32, u32)>,
    rescale: f32,
    normal: Option<Normal>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Size {
    Shortest(u32),
    Exact(u32, u32),
}

impl Preparation {
    /// That of a model's `preprocessor_config.json`, or the image processor of its `processor_config.json`.
    pub fn of(folder: &ModelFolder, defaults: Defaults) -> Result<Preparation, ModelError> {
        const FILE: &str = "preprocessor_config.json";
        let whole = || -> Result<Option<Value>, ModelError> {
            let file = folder.json("processor_config.json")?;
            Ok(file.map(|file| file["image_processor"].clone()).filter(Value::is_object))
        };
        let file = folder.json(FILE)?.map_or_else(whole, |file| Ok(Some(file)))?;
        let file = file.ok_or_else(|| folder.missing(FILE))?;
        Preparation::parse(&file, defaults)
            .map_err(|reason| ModelError::unreadable(&folder.path().join(FILE), reason))
    }

    fn parse(file: &Value, defaults: Defaults) -> Result<Preparation, String> {
        let does = |key: &str, default| file[key].as_bool().unwrap_or(default);
        let resize = does("do_resize", true).then(|| size(&file["size"], defaults.shortest)).transpose()?;
        let crop =
            does("do_center_crop", defaults.shortest).then(|| size(&file["crop_size"], false)).transpose()?;
        let crop = match crop {
            None => None,
            Some(Size::Exact(width, height)) => Some((width, height)),
            Some(Size::Shortest(_)) => return Err("`crop_size` must have a height and a width".to_owned()),
        };
        let channels = |key: &str, default: [f32; 3]| match file[key].as_array() {
            None => Ok(default),
            Some(values) => {
                let values: Vec<f32> = values.iter().filter_map(Value::as_f64).map(|v| v as f32).collect();
                values.try_into().map_err(|_| format!("`{key}` must be three numbers"))
            }
        };
        let (mean, std) =
            (channels("image_mean", defaults.normal.mean)?, channels("image_std", defaults.normal.std)?);
        Ok(Preparation {
            resize,
            crop,
            filter: filter(file["resample"].as_u64().unwrap_or(3))?,
            rescale: match does("do_rescale", true) {
                true => file["rescale_factor"].as_f64().unwrap_or(1.0 / 255.0) as f32,
                false => 1.0,
            },
            normal: does("do_normalize", true).then_some(Normal { mean, std }),
        })
    }

    /// The picture as a tensor, (1, 3, height, width).
    pub fn tensor(&self, image: &Image) -> Result<Tensor, ModelError> {
        let (width, height) = (image.width(), image.height());
        let resized = match self.resize {
            None => None,
            Some(Size::Exact(w, h)) => Some(resize(image, w, h, self.filter)),
            Some(Size::Shortest(edge)) => {
                let (w, h) = shortest_edge(width, height, edge);
                Some(resize(image, w, h, self.filter))
            }
        };
        let image = resized.as_ref().unwrap_or(image);
        let (width, height) = self.crop.unwrap_or((image.width(), image.height()));
        if width > image.width() || height > image.height() {
            let size = format!("{}x{}", image.width(), image.height());
            return Err(ModelError::Picture(format!(
                "it has {size} pixels before a crop to {width}x{height}"
            )));
        }
        let (left, top) = ((image.width() - width) / 2, (image.height() - height) / 2);
        let value = |channel: usize, x: u32, y: u32| {
            let at = 3 * ((top + y) as usize * image.width() as usize + (left + x) as usize) + channel;
            let value = f32::from(image.rgb()[at]) * self.rescale;
            self.normal.map_or(value, |n| (value - n.mean[channel]) / n.std[channel])
        };
        let rows = |channel| (0..height).flat_map(move |y| (0..width).map(move |x| (channel, x, y)));
        let values: Vec<f32> = (0..3).flat_map(rows).map(|(channel, x, y)| value(channel, x, y)).collect();
        Ok(Tensor::from_vec(values, (1, 3, height as usize, width as usize), &Device::Cpu)?)
    }
}

/// Width and height with the shortest edge at `edge`; the other one is rounded down, as transformers does.
fn shortest_edge(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let long = (f64::from(edge) * f64::from(width.max(height)) / f64::from(width.min(height))) as u32;
    if width <= height { (edge, long) } else { (long, edge) }
}

fn size(value: &Value, shortest: bool) -> Result<Size, String> {
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0);
    let (edge, exact) =
        (number(&value["shortest_edge"]), number(&value["width"]).zip(number(&value["height"])));
    match (number(value), edge, exact) {
        (Some(n), ..) if shortest => Ok(Size::Shortest(n)),
        (Some(n), ..) => Ok(Size::Exact(n, n)),
        (_, Some(edge), _) => Ok(Size::Shortest(edge)),
        (.., Some((width, height))) => Ok(Size::Exact(width, height)),
        _ => Err(format!(
            "the size {value} is not supported; allowed: a number, `shortest_edge`, or `height` and `width`"
        )),
    }
}

/// Pillow's filter by its number.
fn filter(number: u64) -> Result<Filter, String> {
    match number {
        2 => Ok(Filter::Bilinear),
        3 => Ok(Filter::Bicubic),
        4 => Ok(Filter::Box),
        _ => {
            Err(format!("`resample` {number} is not supported; allowed: 2 (bilinear), 3 (bicubic), 4 (box)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_read_in_every_form() {
        let check = |value: Value, shortest, expected: Result<Size, ()>| {
            assert_eq!(size(&value, shortest).map_err(|_| ()), expected, "{value}");
        };
        check(json!(224), true, Ok(Size::Shortest(224)));
        check(json!(224), false, Ok(Size::Exact(224, 224)));
        check(json!({ "shortest_edge": 336 }), false, Ok(Size::Shortest(336)));
        check(json!({ "height": 20, "width": 30 }), true, Ok(Size::Exact(30, 20)));
        check(json!({ "longest_edge": 20 }), true, Err(()));
        check(json!(0), true, Err(()));
    }

    #[test]
    fn the_longer_edge_is_rounded_down() {
        assert_eq!(shortest_edge(400, 280, 56), (80, 56));
        assert_eq!(shortest_edge(61, 90, 56), (56, 82));
        assert_eq!(shortest_edge(50, 50, 56), (56, 56));
    }
}
