//! The change of one layer, and the tensors that it adds to the layer's weight and bias.
//!
//! Formulas are those of LyCORIS (`lycoris/functional`, Yeh et al., arXiv 2309.14859) and of peft; DoRA is Liu et al.,
//! arXiv 2402.09353. Not here: reading the factors and checking their shapes.

use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Branch, Change as Merged, Kernels, Weight};

/// The change of one layer or norm, on the CPU and in the file's dtype.
pub(super) struct Change {
    /// Of the weight.
    pub weight: Option<WeightChange>,
    /// Of the scale of a norm.
    pub scale: Option<Tensor>,
    /// Of the bias, each `[outputs]`, with its factor.
    pub bias: Vec<(Tensor, f64)>,
}

/// The change of a weight.
pub(super) struct WeightChange {
    pub difference: Difference,
    /// alpha / rank
    pub scale: f64,
    /// The norms of DoRA.
    pub magnitude: Option<Magnitude>,
}

/// What is added to a weight, times its scale.
pub(super) enum Difference {
    /// LoRA: `down` is `[rank, inputs]`, `[rank, inputs, kernel, kernel]` of a convolution, or `[inner, inputs]` below a
    /// `mid` `[rank, inner, kernel, kernel]`; `up` is `[outputs, rank]`.
    LowRank { down: Tensor, mid: Option<Tensor>, up: Tensor },
    /// LoHa: the elementwise product of two matrices.
    Hadamard(Matrix, Matrix),
    /// LoKr: the Kronecker product of two matrices, of which the second has this many columns for each input: the size
    /// of the convolution's kernel, squared.
    Kronecker(Matrix, Matrix, usize),
    /// Itself, with as many values as the weight.
    Full(Tensor),
}

/// A matrix `[rows, columns]`, as itself or as a product.
pub(super) enum Matrix {
    Whole(Tensor),
    /// `[rows, rank]` and `[rank, columns]`.
    Product(Tensor, Tensor),
    /// A Tucker decomposition: a core `[i, j, kernel, kernel]`, then `[i, rows]` and `[j, inputs]`; its columns are
    /// inputs, kernel, kernel.
    Tucker(Tensor, Tensor, Tensor),
}

/// The norms that DoRA gives a changed weight.
pub(super) struct Magnitude {
    /// One for each output, or for each input.
    pub norms: Tensor,
    pub axis: Axis,
    pub rule: Rule,
}

/// What the norms belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Outputs,
    Inputs,
}

/// How the LoRA's weight enters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The weight scales the whole change, as in A1111 and ComfyUI: at weight 0 nothing changes. At weight 1 it is the
    /// weight that LyCORIS trains.
    Lycoris,
    /// The weight scales the low-rank product before the norms are applied, as in peft and diffusers.
    Peft,
}

impl WeightChange {
    /// The change of a layer's weight by a LoRA of this weight.
    pub(super) fn of(&self, weight: &Weight, of_lora: f64) -> Result<Merged> {
        let (device, kernels) = (weight.device(), weight.kernels());
        let scale = of_lora * self.scale;
        if let (Difference::LowRank { down, mid, up }, None) = (&self.difference, &self.magnitude) {
            return Ok(Merged::LowRank(match mid {
                None => Branch { down: down.clone(), up: up.clone(), scale },
                Some(mid) => {
                    let [down, mid, up] = [down, mid, up].map(|factor| on(factor, device));
                    Branch::with_mid(kernels, &down?, &mid?, up?, scale)?
                }
            }));
        }
        // In the layout of files: outputs first.
        let base = weight.base()?.to_dtype(DType::F32)?;
        let base = if base.rank() == 2 { base.t()? } else { base };
        let difference = self.difference.tensor(kernels, device)?.reshape(base.shape())?;
        Ok(match &self.magnitude {
            None => Merged::Full { difference, scale },
            Some(magnitude) => {
                let (inner, outer) = match magnitude.rule {
                    Rule::Lycoris => (self.scale, of_lora),
                    Rule::Peft => (scale, 1.0),
                };
                let changed = (&base + (difference * inner)?)?;
                let difference = (magnitude.apply(&changed)? - &base)?;
                Merged::Full { difference, scale: outer }
            }
        })
    }
}

impl Difference {
    /// All values in f32, in the order outputs, inputs, kernel, kernel.
    pub(super) fn tensor(&self, kernels: &dyn Kernels, device: &Device) -> Result<Tensor> {
        match self {
            Difference::LowRank { down, mid: None, up } => {
                Matrix::Product(up.clone(), down.flatten_from(1)?).tensor(kernels, device)
            }
            Difference::LowRank { down, mid: Some(mid), up } => {
                Matrix::Tucker(mid.clone(), up.t()?.contiguous()?, down.clone()).tensor(kernels, device)
            }
            Difference::Hadamard(one, other) => {
                one.tensor(kernels, device)? * other.tensor(kernels, device)?
            }
            Difference::Kronecker(one, other, kernel) => {
                let (one, other) = (one.tensor(kernels, device)?, other.tensor(kernels, device)?);
                let ((a, c), (b, columns)) = (one.dims2()?, other.dims2()?);
                let other = other.reshape((1, b, 1, columns / kernel, *kernel))?;
                one.reshape((a, 1, c, 1, 1))?.broadcast_mul(&other)
            }
            Difference::Full(difference) => on(difference, device),
        }
    }
}

impl Matrix {
    /// `[rows, columns]` in f32.
    fn tensor(&self, kernels: &dyn Kernels, device: &Device) -> Result<Tensor> {
        match self {
            Matrix::Whole(tensor) => on(tensor, device),
            Matrix::Product(left, right) => kernels.product(&on(left, device)?, &on(right, device)?),
            Matrix::Tucker(core, left, right) => {
                let [core, left, right] = [core, left, right].map(|tensor| on(tensor, device));
                let (core, left, right) = (core?, left?, right?);
                let (i, j, height, width) = core.dims4()?;
                let ((_, rows), (_, inputs), kernel) = (left.dims2()?, right.dims2()?, height * width);
                let upper = kernels.product(&left.t()?.contiguous()?, &core.reshape((i, j * kernel))?)?;
                let upper = upper.reshape((rows, j, kernel))?.transpose(1, 2)?.contiguous()?;
                let both = kernels.product(&upper.reshape((rows * kernel, j))?, &right)?;
                let both = both.reshape((rows, kernel, inputs))?.transpose(1, 2)?.contiguous()?;
                both.reshape((rows, inputs * kernel))
            }
        }
    }
}

impl Magnitude {
    /// The changed weight, `[outputs, inputs]` or `[outputs, inputs, kernel, kernel]`, with these norms.
    fn apply(&self, changed: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = (changed.dim(0)?, changed.dim(1)?);
        let flat = changed.reshape((outputs, inputs, ()))?;
        let squares = flat.sqr()?.sum_keepdim(2)?;
        let axis = if self.axis == Axis::Outputs { 1 } else { 0 };
        let found = squares.sum_keepdim(axis)?.sqrt()?;
        // LyCORIS adds the smallest step of f32 at 1, peft adds nothing.
        let found = if self.rule == Rule::Lycoris { (found + f64::from(f32::EPSILON))? } else { found };
        let norms = on(&self.norms, changed.device())?.reshape(found.shape())?;
        flat.broadcast_mul(&(norms / found)?)?.reshape(changed.shape())
    }
}

/// A factor on a device in f32.
fn on(tensor: &Tensor, device: &Device) -> Result<Tensor> {
    tensor.to_device(device)?.to_dtype(DType::F32)
}
