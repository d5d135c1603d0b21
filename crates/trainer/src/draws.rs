//! Everything random in a training, from one generator in one order.
//!
//! The generator is `torch.Generator("cpu")`, so that a script in torch draws the same. First come the factors of
//! LoRA, `torch.randn` for each layer in the order of their names. Then every step draws, for each of its pictures, those of
//! the subject first: `torch.randperm` of the pictures, if all were used since the last one; with random flips,
//! `torch.randint(2)`; with random crops, `torch.randint` of the rows that are cut off plus one, then of the columns; the
//! timestep, `torch.randint`; the noise of the autoencoder's posterior, if it has one, and the noise of the diffusion,
//! `torch.randn` each.
//!
//! Steps that were done before are drawn again and not used, so a saved state needs no generator.

use maquette_diffusion::TorchCpu;

/// The generator of a training.
pub(crate) struct Draws(TorchCpu);

/// What the draws of a picture depend on.
pub(crate) struct Drawn<'a> {
    /// For each picture, how many rows and columns of pixels are cut off.
    pub cut: &'a [(u32, u32)],
    pub flips: bool,
    /// Whether crops are drawn.
    pub crops: bool,
    /// How many timesteps there are.
    pub timesteps: u32,
    /// How many numbers latents have.
    pub latents: usize,
    /// Whether latents are drawn from a distribution.
    pub posterior: bool,
}

/// Pictures in random order, each as often as the others.
#[derive(Default)]
pub(crate) struct Order(Vec<usize>);

/// The draws of one picture in a step.
#[derive(Debug, PartialEq)]
pub(crate) struct Draw {
    /// Which picture.
    pub view: View,
    pub timestep: u32,
    /// Standard normal; empty without a posterior.
    pub posterior: Vec<f32>,
    /// Standard normal.
    pub noise: Vec<f32>,
}

/// A picture as it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct View {
    /// Its number.
    pub picture: usize,
    /// The first row and column of its crop.
    pub corner: (u32, u32),
    /// Whether it is mirrored.
    pub flipped: bool,
}

impl Draws {
    pub fn new(seed: u64) -> Draws {
        Draws(TorchCpu::new(seed))
    }

    /// The next `count` standard normal numbers.
    pub fn normal(&mut self, count: usize) -> Vec<f32> {
        self.0.randn(count)
    }

    /// The next picture of a step.
    pub fn next(&mut self, order: &mut Order, drawn: &Drawn) -> Draw {
        let Draws(generator) = self;
        if order.0.is_empty() {
            order.0 = generator.permutation(drawn.cut.len());
            order.0.reverse();
        }
        // Not empty: there is at least one picture.
        let picture = order.0.pop().unwrap_or_default();
        let flipped = drawn.flips && generator.below(2) == 1;
        let (rows, columns) = drawn.cut[picture];
        let corner = match drawn.crops {
            true => (generator.below(rows + 1), generator.below(columns + 1)),
            false => (rows / 2, columns / 2),
        };
        let timestep = generator.below(drawn.timesteps);
        let posterior = if drawn.posterior { generator.randn(drawn.latents) } else { Vec::new() };
        let noise = generator.randn(drawn.latents);
        Draw { view: View { picture, corner, flipped }, timestep, posterior, noise }
    }
}
