//! A step of AdamW (Loshchilov and Hutter, arXiv 1711.05101) as in torch.

use candle_core::{Result, Tensor};

/// What a step depends on besides the tensors.
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep {
    /// How much of the moments is kept.
    pub betas: (f64, f64),
    /// Added to the divisor.
    pub eps: f64,
    /// Steps done, this one included.
    pub steps: u32,
    /// The change of a parameter whose gradient was always the same.
    pub learning_rate: f64,
    /// The share of the parameter that is taken off, times the learning rate.
    pub weight_decay: f64,
}

impl AdamWStep {
    /// What the kernel for CUDA multiplies with: see `elementwise.cu`.
    #[cfg(feature = "cuda")]
    fn factors(&self) -> [f64; 6] {
        let (first_correction, second_correction) = self.corrections();
        [
            self.betas.0,
            self.betas.1,
            1.0 - self.learning_rate * self.weight_decay,
            self.learning_rate / first_correction,
            second_correction.sqrt(),
            self.eps,
        ]
    }

    /// By what the moments are divided, because they began at 0.
    fn corrections(&self) -> (f64, f64) {
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        (1.0 - self.betas.0.powi(steps), 1.0 - self.betas.1.powi(steps))
    }

    /// The parameter and its two moments after the step, given the parameter, its gradient and the moments before, in f32.
    pub fn apply(&self, of: [&Tensor; 4]) -> Result<[Tensor; 3]> {
        #[cfg(feature = "cuda")]
        if of[0].device().is_cuda() {
            return crate::cuda::adamw(of, self.factors());
        }
        let [parameter, gradient, first, second] = of;
        let (first_correction, second_correction) = self.corrections();
        let first = ((first * self.betas.0)? + (gradient * (1.0 - self.betas.0))?)?;
        let second = ((second * self.betas.1)? + (gradient.sqr()? * (1.0 - self.betas.1))?)?;
        let divisor = ((second.sqrt()? / second_correction.sqrt())? + self.eps)?;
        let change = ((&first / divisor)? * (self.learning_rate / first_correction))?;
        let parameter = ((parameter * (1.0 - self.learning_rate * self.weight_decay))? - change)?;
        Ok([parameter, first, second])
    }
}
