//! How alike two drawn portraits are: the metric for the bundled model, which needs no download.
//!
//! A small network (`crates/sketchbook/training/likeness.py`, trained on the drawing program's pictures in all manners) estimates
//! from a picture what identifies its sitter: seven attributes (sex, age, hair, hair colour, beard, glasses, hat) as
//! probabilities, and ten numbers (width and height of the head, jaw, skin, height of the eyes, weight of the brows, hairline,
//! parting, shoulders, neck). Clothes, background, pose and light do not count.
//!
//! The likeness is the mean over these seventeen traits of how well two estimates agree: for an attribute the probability that
//! both have the same value, the sum of p q over its values; for a number exp(-2 d^2), with d the difference in standard
//! deviations of the estimates.

use super::ModelError;
use super::folder::{Tensors, builder, parse_tensors};
use super::pillow::{Filter, resize};
use candle_core::{Device, Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, conv2d, linear, ops};
use maquette_core::Image;

/// The network.
pub struct Likeness {
    convs: Vec<Conv2d>,
    hidden: Linear,
    answer: Linear,
    /// The standard deviation of each estimated number.
    spread: Vec<f32>,
}

/// What the network estimates about the sitter of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Traits {
    /// For each attribute, the probability of each of its values.
    pub labels: Vec<Vec<f32>>,
    /// The numbers, in standard deviations of the estimates.
    pub numbers: Vec<f32>,
}

/// The attributes, and how many values each has: the order of the network's answers.
const LABELS: [(&str, usize); 7] =
    [("sex", 2), ("age", 2), ("hair", 4), ("hair_colour", 5), ("beard", 3), ("glasses", 2), ("hat", 2)];

/// How many numbers it estimates.
const NUMBERS: usize = 10;

/// The side of the square that it sees, in pixels.
const SIDE: u32 = 64;

/// Channels before and after each convolution, and its size. Each halves the picture.
const CONVS: [(usize, usize, usize); 4] = [(3, 24, 5), (24, 48, 3), (48, 96, 3), (96, 128, 3)];
const HIDDEN: usize = 128;

/// The width of a number's agreement, in standard deviations.
const WIDTH: f64 = 0.5;

impl Likeness {
    /// The bundled network.
    ///
    /// # Errors
    ///
    /// None for the bundled bytes; a test opens them.
    pub fn bundled() -> Result<Likeness, ModelError> {
        let tensors = parse_tensors(maquette_sketchbook::LIKENESS.to_vec(), &|_| true)?;
        Likeness::new(tensors)
    }

    fn new(mut tensors: Tensors) -> Result<Likeness, ModelError> {
        let spread = tensors.remove("spread").map(|tensor| tensor.to_vec1()).transpose()?.unwrap_or_default();
        let weights = builder(tensors);
        let conv = |(k, &(before, after, size)): (usize, &(usize, usize, usize))| {
            let config = Conv2dConfig { stride: 2, padding: size / 2, ..Conv2dConfig::default() };
            conv2d(before, after, size, config, weights.pp("convs").pp(k))
        };
        let last = CONVS[CONVS.len() - 1].1;
        let seen = last * (SIDE as usize >> CONVS.len()).pow(2);
        let answers = LABELS.iter().map(|(_, values)| values).sum::<usize>() + NUMBERS;
        Ok(Likeness {
            convs: CONVS.iter().enumerate().map(conv).collect::<Result<_, _>>()?,
            hidden: linear(seen, HIDDEN, weights.pp("hidden"))?,
            answer: linear(HIDDEN, answers, weights.pp("answer"))?,
            spread,
        })
    }

    /// What it estimates about the sitter of a picture. The middle square of the picture is averaged down to 64x64.
    ///
    /// # Errors
    ///
    /// A picture that cannot be resized.
    pub fn traits(&self, image: &Image) -> Result<Traits, ModelError> {
        let small = resize(&middle_square(image)?, SIDE, SIDE, Filter::Box);
        let side = SIDE as usize;
        let values: Vec<f32> = small.rgb().iter().map(|&value| f32::from(value) / 127.5 - 1.0).collect();
        let mut x = Tensor::from_vec(values, (1, side, side, 3), &Device::Cpu)?
            .permute((0, 3, 1, 2))?
            .contiguous()?;
        for conv in &self.convs {
            x = conv.forward(&x)?.relu()?;
        }
        let x = self.hidden.forward(&x.flatten_from(1)?)?.relu()?;
        let answers = self.answer.forward(&x)?.squeeze(0)?;
        let (mut at, mut labels) = (0, Vec::new());
        for (_, values) in LABELS {
            labels.push(ops::softmax(&answers.narrow(0, at, values)?, 0)?.to_vec1()?);
            at += values;
        }
        let numbers: Vec<f32> = answers.narrow(0, at, NUMBERS)?.to_vec1()?;
        Ok(Traits {
            labels,
            numbers: numbers.iter().zip(&self.spread).map(|(v, spread)| v / spread).collect(),
        })
    }
}

impl Traits {
    /// How alike two sitters are, 0..1. Below 1 for a picture and itself, too, as far as the network is unsure.
    pub fn likeness(&self, other: &Traits) -> f64 {
        let dot = |a: &Vec<f32>, b: &Vec<f32>| {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>()
        };
        let labels = self.labels.iter().zip(&other.labels).map(|(a, b)| dot(a, b));
        let numbers = self.numbers.iter().zip(&other.numbers).map(|(&a, &b)| {
            let apart = f64::from(a) - f64::from(b);
            (-apart * apart / (2.0 * WIDTH * WIDTH)).exp()
        });
        let agreements: Vec<f64> = labels.chain(numbers).collect();
        agreements.iter().sum::<f64>() / agreements.len() as f64
    }

    /// The traits as one vector: the square roots of the probabilities, then the numbers.
    pub fn vector(&self) -> Vec<f32> {
        let labels = self.labels.iter().flatten().map(|p| p.sqrt());
        labels.chain(self.numbers.iter().copied()).collect()
    }
}

fn middle_square(image: &Image) -> Result<Image, ModelError> {
    let side = image.width().min(image.height());
    if image.width() == image.height() {
        return Ok(image.clone());
    }
    let (left, top) = ((image.width() - side) / 2, (image.height() - side) / 2);
    let row = |y: u32| {
        let start = 3 * ((top + y) as usize * image.width() as usize + left as usize);
        &image.rgb()[start..start + 3 * side as usize]
    };
    let rgb: Vec<u8> = (0..side).flat_map(row).copied().collect();
    Image::new(side, side, rgb).ok_or_else(|| ModelError::Picture("it has no pixels".to_owned()))
}
