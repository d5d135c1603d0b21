//! Any set of kernels with gradients: every call is recorded with its operands, and the backward pass computes it again with
//! candle's operations, which have gradients.
//!
//! So nothing inside of an operation, such as the scores of attention, is kept between the passes.

use crate::recording::{Backward, add};
use crate::reference::Reference;
use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{DType, Result, Tensor, Var};

/// The kernels of a set for the forward pass.
#[derive(Debug)]
pub(crate) struct Recomputed<F>(pub F);

impl<F: Kernels> Kernels for Recomputed<F> {
    fn name(&self) -> &'static str {
        "recomputed"
    }

    fn is_differentiable(&self) -> bool {
        true
    }

    fn storage_dtype(&self, dtype: DType) -> DType {
        self.0.storage_dtype(dtype)
    }

    fn activation_dtype(&self, dtype: DType) -> DType {
        self.0.activation_dtype(dtype)
    }

    fn accumulation_dtype(&self, dtype: DType) -> DType {
        Reference.accumulation_dtype(dtype)
    }

    fn storage_layout(&self, weight: Tensor) -> Result<Tensor> {
        // A variable stays what candle knows.
        if weight.track_op() { Ok(weight) } else { self.0.storage_layout(weight) }
    }

    fn conv2d(&self, x: &Tensor, conv: ConvOperands, more: Add) -> Result<Tensor> {
        let out = self.0.conv2d(x, conv, more)?;
        convolution(x, conv, more, &out);
        Ok(out)
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        let out = self.0.linear(x, linear, residual)?;
        let (has_bias, has_residual) = (linear.bias.is_some(), residual.is_some());
        recompute(&[Some(x), Some(linear.weight), linear.bias, residual], &out, move |of| {
            let bias = has_bias.then(|| &of[2]);
            let residual = if has_residual { of.last() } else { None };
            Reference.linear(&of[0], LinearOperands { weight: &of[1], bias }, residual)
        });
        Ok(out)
    }

    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        let out = self.0.image_to_tokens(x, linear)?;
        recompute(&[Some(x), Some(linear.weight), linear.bias], &out, |of| {
            Reference.image_to_tokens(&of[0], LinearOperands { weight: &of[1], bias: of.get(2) })
        });
        Ok(out)
    }

    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor> {
        let out = self.0.tokens_to_image(x, linear, residual)?;
        recompute(&[Some(x), Some(residual), Some(linear.weight), linear.bias], &out, |of| {
            Reference.tokens_to_image(&of[0], LinearOperands { weight: &of[2], bias: of.get(3) }, &of[1])
        });
        Ok(out)
    }

    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
        let (out, eps) = (self.0.group_norm(x, norm, groups, then)?, norm.eps);
        recompute(&[Some(x), Some(norm.weight), Some(norm.bias)], &out, move |of| {
            Reference.group_norm(&of[0], NormOperands { weight: &of[1], bias: &of[2], eps }, groups, then)
        });
        Ok(out)
    }

    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor> {
        let (out, eps) = (self.0.layer_norm(x, norm)?, norm.eps);
        recompute(&[Some(x), Some(norm.weight), Some(norm.bias)], &out, move |of| {
            Reference.layer_norm(&of[0], NormOperands { weight: &of[1], bias: &of[2], eps })
        });
        Ok(out)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
        let out = self.0.rms_norm(x, weight, eps)?;
        recompute(&[Some(x), Some(weight)], &out, move |of| Reference.rms_norm(&of[0], &of[1], eps));
        Ok(out)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
        let out = self.0.attention(q, k, v, heads, mask)?;
        recompute(&[Some(q), Some(k), Some(v)], &out, move |of| {
            Reference.attention(&of[0], &of[1], &of[2], heads, mask)
        });
        Ok(out)
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.0.geglu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.geglu(&of[0]));
        Ok(out)
    }

    fn gelu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.0.gelu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.gelu(&of[0]));
        Ok(out)
    }

    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.0.quick_gelu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.quick_gelu(&of[0]));
        Ok(out)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.0.silu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.silu(&of[0]));
        Ok(out)
    }

    fn relu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.0.relu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.relu(&of[0]));
        Ok(out)
    }

    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        let out = self.0.upsample_nearest(x, height, width)?;
        recompute(&[Some(x)], &out, move |of| Reference.upsample_nearest(&of[0], height, width));
        Ok(out)
    }

    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let out = self.0.concat(left, right)?;
        recompute(&[Some(left), Some(right)], &out, |of| Reference.concat(&of[0], &of[1]));
        Ok(out)
    }
}

/// Records a convolution whose result is `out`.
pub(crate) fn convolution(x: &Tensor, conv: ConvOperands, more: Add, out: &Tensor) {
    let ConvOperands { weight, bias, stride, padding } = conv;
    let (added, is_shift) = match more {
        Add::Nothing => (None, false),
        Add::Channels(shift) => (Some(shift), true),
        Add::Image(image) => (Some(image), false),
    };
    let (has_bias, has_more) = (bias.is_some(), added.is_some());
    recompute(&[Some(x), Some(weight), bias, added], out, move |of| {
        let conv = ConvOperands { weight: &of[1], bias: has_bias.then(|| &of[2]), stride, padding };
        let more = match (has_more, is_shift) {
            (false, _) => Add::Nothing,
            (true, true) => Add::Channels(&of[of.len() - 1]),
            (true, false) => Add::Image(&of[of.len() - 1]),
        };
        Reference.conv2d(&of[0], conv, more)
    });
}

/// Records a call whose gradients are those of `run`, a computation in candle's operations.
pub(crate) fn recompute(
    operands: &[Option<&Tensor>],
    out: &Tensor,
    run: impl Fn(&[Tensor]) -> Result<Tensor> + 'static,
) {
    add(operands, out, || -> Backward {
        let operands: Vec<Tensor> = operands.iter().flatten().map(|operand| operand.detach()).collect();
        Box::new(move |gradient, wanted| {
            let variable = |(operand, wanted): (&Tensor, &bool)| {
                // A variable is a copy; what needs no gradient stays what it is.
                if *wanted { Var::from_tensor(operand).map(Some) } else { Ok(None) }
            };
            let variables = operands.iter().zip(wanted).map(variable).collect::<Result<Vec<_>>>()?;
            let tensor = |(operand, variable): (&Tensor, &Option<Var>)| {
                variable.as_ref().map_or_else(|| operand.clone(), |variable| variable.as_tensor().clone())
            };
            let tensors: Vec<Tensor> = operands.iter().zip(&variables).map(tensor).collect();
            let mut found = (run(&tensors)? * gradient)?.sum_all()?.backward()?;
            Ok(variables.iter().map(|variable| found.remove(variable.as_ref()?)).collect())
        })
    });
}
