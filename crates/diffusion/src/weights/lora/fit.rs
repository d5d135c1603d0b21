//! Fits the tensors of a LoRA to the layer that they change: checks their shapes, and finds their scale.
//!
//! Not here: what is computed from them (`change.rs`).

use super::change::{Axis, Change, Difference, Magnitude, Matrix, Rule, WeightChange};
use super::error::LoraError;
use super::factors::{Factors, Kind};
use super::keys::Factor;
use super::peft::Alphas;
use crate::weights::lora::targets::{Layer, Norm};
use candle_core::{DType, Tensor};

/// A tensor and its key.
type Keyed = (String, Tensor);

/// One layer or norm that tensors are checked against.
pub(super) struct Fitting<'a> {
    pub file: &'a str,
    pub name: &'a str,
    pub hint: &'a str,
    pub alphas: &'a Alphas,
}

impl Fitting<'_> {
    /// The change of a norm.
    pub(super) fn norm(&self, norm: &Norm, mut factors: Factors<Tensor>) -> Result<Change, LoraError> {
        let kind = factors.kind(self.file, self.name)?;
        if kind.is_some_and(|kind| kind != Kind::Full) {
            let key = factors.any_key().unwrap_or_default().to_owned();
            return Err(LoraError::NotNorm { file: self.file.to_owned(), key, layer: self.name.to_owned() });
        }
        let channels = norm.weight.base().elem_count();
        let mut fitted = |factor| {
            factors.take(factor).map(|tensor| self.fitted(tensor, &[channels], &[channels])).transpose()
        };
        let (scale, bias) = (fitted(Factor::Diff)?, fitted(Factor::DiffB)?);
        Ok(Change { weight: None, scale, bias: bias.into_iter().map(|bias| (bias, 1.0)).collect() })
    }

    /// The change of a layer.
    pub(super) fn layer(&self, layer: &Layer, mut factors: Factors<Tensor>) -> Result<Change, LoraError> {
        let kind = factors.kind(self.file, self.name)?;
        let alpha = factors.take(Factor::Alpha);
        let (rank, difference) = match kind {
            None => (None, None),
            Some(Kind::LowRank) => self.low_rank(layer, &mut factors)?,
            Some(Kind::Hadamard) => self.hadamard(layer, &mut factors)?,
            Some(Kind::Kronecker) => self.kronecker(layer, &mut factors)?,
            Some(Kind::Full) => {
                let full = shape(layer);
                let flat = if layer.kernel.is_some() { &full[..] } else { &full[..2] };
                let tensor = factors.take(Factor::Diff).map(|tensor| self.fitted(tensor, flat, &full));
                (None, tensor.transpose()?.map(Difference::Full))
            }
        };
        let scale = match (kind, rank) {
            (Some(Kind::Full) | None, _) => 1.0,
            // LyCORIS scales by alpha only what has a rank, peft by the rank that was asked for.
            (_, None) => self.alphas.scale_without_rank(self.name),
            (_, Some(rank)) => match alpha {
                Some(tensor) => self.number(&tensor)? / rank as f64,
                None => self.alphas.of(self.name, rank) / rank as f64,
            },
        };
        let mut bias = Vec::new();
        for (factor, scale) in [(Factor::DiffB, 1.0), (Factor::UpBias, scale)] {
            let Some(tensor) = factors.take(factor) else { continue };
            if layer.bias.is_none() {
                let (file, key) = (self.file.to_owned(), tensor.0);
                return Err(LoraError::NoBias { file, key, layer: self.name.to_owned() });
            }
            bias.push((self.fitted(tensor, &[layer.outputs], &[layer.outputs])?, scale));
        }
        let magnitude = self.magnitude(layer, &mut factors)?;
        let weight = difference.map(|difference| WeightChange { difference, scale, magnitude });
        Ok(Change { weight, scale: None, bias })
    }

    fn low_rank(
        &self,
        layer: &Layer,
        factors: &mut Factors<Tensor>,
    ) -> Result<(Option<usize>, Option<Difference>), LoraError> {
        let &Layer { inputs, outputs, kernel, .. } = layer;
        let [Some(down), mid, Some(up)] =
            [Factor::Down, Factor::Mid, Factor::Up].map(|factor| factors.take(factor))
        else {
            return Ok((None, None));
        };
        let kernel = kernel.unwrap_or(1);
        let rank = up.1.dims().get(1).copied().unwrap_or(0);
        let inner = down.1.dims().first().copied().unwrap_or(0);
        // The kernel belongs to `mid` if there is one, otherwise to `down`.
        let below = if mid.is_some() { 1 } else { kernel };
        let up = self.fitted(up, &[outputs, rank], &[outputs, rank, 1, 1])?;
        let down = match (&mid, inner == rank) {
            (None, false) => return Err(self.shape(&down, &[rank, inputs, below, below])),
            _ => self.fitted(down, &[inner, inputs * below * below], &[inner, inputs, below, below])?,
        };
        let is_kernel = layer.kernel.is_some() && mid.is_none();
        let down = if is_kernel { down.reshape((inner, inputs, below, below))? } else { down };
        let mid = match mid {
            None => None,
            Some(mid) => {
                let shape = [rank, inner, kernel, kernel];
                Some(self.fitted(mid, &shape, &shape)?)
            }
        };
        if rank == 0 || inner == 0 {
            return Err(LoraError::Empty { file: self.file.to_owned() });
        }
        Ok((Some(rank), Some(Difference::LowRank { down, mid, up })))
    }

    fn hadamard(
        &self,
        layer: &Layer,
        factors: &mut Factors<Tensor>,
    ) -> Result<(Option<usize>, Option<Difference>), LoraError> {
        let mut half = |a, b, core| {
            let (a, b, core) = (factors.take(a), factors.take(b), factors.take(core));
            let (Some(a), Some(b)) = (a, b) else { return Ok((None, None)) };
            let (rank, matrix) = self.matrix(layer.outputs, layer.inputs, layer.kernel, a, b, core)?;
            Ok::<_, LoraError>((Some(rank), Some(matrix)))
        };
        let (rank, one) = half(Factor::HadaW1A, Factor::HadaW1B, Factor::HadaT1)?;
        let (_, other) = half(Factor::HadaW2A, Factor::HadaW2B, Factor::HadaT2)?;
        Ok((rank, one.zip(other).map(|(one, other)| Difference::Hadamard(one, other))))
    }

    fn kronecker(
        &self,
        layer: &Layer,
        factors: &mut Factors<Tensor>,
    ) -> Result<(Option<usize>, Option<Difference>), LoraError> {
        let &Layer { inputs, outputs, kernel, .. } = layer;
        let size = kernel.unwrap_or(1);
        let mut take = |factor| factors.take(factor);
        let (w1, w1_a, w1_b) = (take(Factor::LokrW1), take(Factor::LokrW1A), take(Factor::LokrW1B));
        let (w2, w2_a, w2_b) = (take(Factor::LokrW2), take(Factor::LokrW2A), take(Factor::LokrW2B));
        let core = take(Factor::LokrT2);
        let dim = |tensor: &Keyed, axis: usize| tensor.1.dims().get(axis).copied().unwrap_or(0).max(1);
        let (first, mut rank) = match (w1, w1_a, w1_b) {
            (Some(w1), ..) => {
                let shape = [dim(&w1, 0), dim(&w1, 1)];
                ((shape, Matrix::Whole(self.fitted(w1, &shape, &shape)?)), None)
            }
            (None, Some(a), Some(b)) => {
                let shape = [dim(&a, 0), dim(&b, 1)];
                let (rank, matrix) = self.matrix(shape[0], shape[1], None, a, b, None)?;
                ((shape, matrix), Some(rank))
            }
            _ => return Ok((None, None)),
        };
        let ([rows, columns], first) = first;
        // The second matrix has the rest of the layer's outputs and inputs.
        let (own_rows, own_inputs) = (outputs / rows, inputs / columns);
        if own_rows * rows != outputs || own_inputs * columns != inputs {
            return Err(LoraError::Factors {
                file: self.file.to_owned(),
                layer: self.name.to_owned(),
                factor: [rows, columns].into(),
                shape: [outputs, inputs].into(),
                hint: self.hint.into(),
            });
        }
        let second = match (w2, w2_a, w2_b) {
            (Some(w2), ..) => {
                let full = [own_rows, own_inputs, size, size];
                Matrix::Whole(self.fitted(w2, &[own_rows, own_inputs * size * size], &full)?)
            }
            (None, Some(a), Some(b)) => {
                let (own, matrix) = self.matrix(own_rows, own_inputs, kernel, a, b, core)?;
                rank = rank.or(Some(own));
                matrix
            }
            _ => return Ok((None, None)),
        };
        Ok((rank, Some(Difference::Kronecker(first, second, size * size))))
    }

    /// The product of `a` `[rows, rank]` and `b` `[rank, inputs * kernel * kernel]`, or with a core `[rank, rank, kernel,
    /// kernel]`, where `a` is `[rank, rows]` and `b` is `[rank, inputs]`; and its rank.
    fn matrix(
        &self,
        rows: usize,
        inputs: usize,
        kernel: Option<usize>,
        a: Keyed,
        b: Keyed,
        core: Option<Keyed>,
    ) -> Result<(usize, Matrix), LoraError> {
        let size = kernel.unwrap_or(1);
        let rank = b.1.dims().first().copied().unwrap_or(0);
        if rank == 0 {
            return Err(LoraError::Empty { file: self.file.to_owned() });
        }
        let Some(core) = core else {
            let a = self.fitted(a, &[rows, rank], &[rows, rank, 1, 1])?;
            let b = self.fitted(b, &[rank, inputs * size * size], &[rank, inputs, size, size])?;
            return Ok((rank, Matrix::Product(a, b)));
        };
        let other = a.1.dims().first().copied().unwrap_or(0);
        let (left, right) = (
            self.fitted(a, &[other, rows], &[other, rows])?,
            self.fitted(b, &[rank, inputs], &[rank, inputs])?,
        );
        let shape = [other, rank, size, size];
        Ok((rank, Matrix::Tucker(self.fitted(core, &shape, &shape)?, left, right)))
    }

    /// The norms of DoRA. LyCORIS keeps one for each output or, in files of before version 3.1, for each input; peft
    /// keeps one for each output.
    fn magnitude(
        &self,
        layer: &Layer,
        factors: &mut Factors<Tensor>,
    ) -> Result<Option<Magnitude>, LoraError> {
        let &Layer { inputs, outputs, .. } = layer;
        if let Some(tensor) = factors.take(Factor::Magnitude) {
            let norms = self.fitted(tensor, &[outputs], &[1, outputs, 1, 1])?;
            return Ok(Some(Magnitude { norms, axis: Axis::Outputs, rule: Rule::Peft }));
        }
        let Some(tensor) = factors.take(Factor::DoraScale) else { return Ok(None) };
        let dims = tensor.1.dims();
        let count = tensor.1.elem_count();
        let axis = match dims {
            [first, ..] if *first == outputs && count == outputs => Axis::Outputs,
            [1, second, ..] if *second == inputs && count == inputs => Axis::Inputs,
            _ => return Err(self.shape(&tensor, &[outputs, 1])),
        };
        Ok(Some(Magnitude { norms: tensor.1.flatten_all()?, axis, rule: Rule::Lycoris }))
    }

    /// A tensor of shape `full`, or of `flat` with as many values; the result has shape `flat`. `full` may have ones at
    /// its end that `flat` has not.
    fn fitted(&self, (key, tensor): Keyed, flat: &[usize], full: &[usize]) -> Result<Tensor, LoraError> {
        if tensor.dims() != flat && tensor.dims() != full {
            return Err(self.shape(&(key, tensor), full));
        }
        Ok(tensor.reshape(flat)?)
    }

    fn shape(&self, (key, tensor): &Keyed, expected: &[usize]) -> LoraError {
        let expected = expected.strip_suffix(&[1, 1]).unwrap_or(expected);
        LoraError::Shape {
            file: self.file.to_owned(),
            key: key.as_str().into(),
            found: tensor.dims().into(),
            layer: self.name.into(),
            expected: expected.into(),
            hint: self.hint.into(),
        }
    }

    fn number(&self, tensor: &Keyed) -> Result<f64, LoraError> {
        match tensor.1.elem_count() {
            1 => Ok(f64::from(tensor.1.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?[0])),
            _ => Err(self.shape(tensor, &[])),
        }
    }
}

/// The shape of a layer's weight in files, with the kernel of a convolution.
fn shape(layer: &Layer) -> [usize; 4] {
    let kernel = layer.kernel.unwrap_or(1);
    [layer.outputs, layer.inputs, kernel, kernel]
}
