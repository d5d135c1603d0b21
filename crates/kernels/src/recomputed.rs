//! Any set of kernels with gradients: every call is recorded with its operands. The backward pass uses the formulas of
//! `gradients.rs` where there is one, and otherwise computes the call again with candle's operations, which have gradients.
//!
//! So nothing inside of an operation, such as the scores of attention, is kept between the passes.

use crate::gradients;
use crate::layout::{as_image, channels_last};
use crate::recording::{Backward, add};
use crate::reference::{Reference, softmax};
use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{D, DType, Result, Tensor, Var};

/// What gradients need of a set of kernels.
pub(crate) trait Gradients: Kernels + Copy + 'static {
    /// The softmax along the last axis.
    fn softmax(self, scores: &Tensor) -> Result<Tensor> {
        softmax(scores)
    }

    /// The gradients of the image and of the weight of a convolution, those that are wanted; `None` to compute it again with
    /// candle's operations.
    fn conv2d_gradients(
        self,
        _x: &Tensor,
        _conv: ConvOperands,
        _gradient: &Tensor,
        _wanted: [bool; 2],
    ) -> Result<Option<[Option<Tensor>; 2]>> {
        Ok(None)
    }

    /// The gradient of a group norm's image, in the same way.
    fn group_norm_gradient(
        self,
        _x: &Tensor,
        _norm: NormOperands,
        _groups: usize,
        _then: Activation,
        _gradient: &Tensor,
    ) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// That of a layer norm's tokens.
    fn layer_norm_gradient(
        self,
        _x: &Tensor,
        _norm: NormOperands,
        _gradient: &Tensor,
    ) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// That of GEGLU.
    fn geglu_gradient(self, _x: &Tensor, _gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

impl Gradients for Reference {}

/// The kernels of a set for the forward pass.
#[derive(Debug)]
pub(crate) struct Recomputed<F>(pub F);

impl<F: Gradients> Kernels for Recomputed<F> {
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
        convolution(self.0, x, conv, more, &out);
        Ok(out)
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        let out = self.0.linear(x, linear, residual)?;
        add(&[Some(x), Some(linear.weight), linear.bias, residual], &out, || {
            let layer = Layer::new(x, linear);
            let has_residual = residual.is_some();
            Box::new(move |gradient, wanted| {
                let mut found = layer.gradients(gradient, wanted)?;
                if has_residual {
                    found.push(Some(gradient.clone()));
                }
                Ok(found)
            })
        });
        Ok(out)
    }

    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        let out = self.0.image_to_tokens(x, linear)?;
        let image = channels_last(x)?;
        add(&[Some(x), Some(linear.weight), linear.bias], &out, || {
            let layer = Layer::new(&image, linear);
            Box::new(move |gradient, wanted| {
                let mut found = layer.gradients(gradient, wanted)?;
                found[0] = found[0].as_ref().map(as_image).transpose()?;
                Ok(found)
            })
        });
        Ok(out)
    }

    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor> {
        let out = self.0.tokens_to_image(x, linear, residual)?;
        add(&[Some(x), Some(linear.weight), linear.bias, Some(residual)], &out, || {
            let layer = Layer::new(x, linear);
            Box::new(move |gradient, wanted| {
                let mut found = layer.gradients(&channels_last(gradient)?, wanted)?;
                found.push(Some(gradient.clone()));
                Ok(found)
            })
        });
        Ok(out)
    }

    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
        let out = self.0.group_norm(x, norm, groups, then)?;
        normalised(
            &out,
            x,
            norm,
            self.0,
            move |of, x, norm, gradient| of.group_norm_gradient(x, norm, groups, then, gradient),
            move |x, norm| Reference.group_norm(x, norm, groups, then),
        );
        Ok(out)
    }

    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor> {
        let out = self.0.layer_norm(x, norm)?;
        normalised(&out, x, norm, self.0, F::layer_norm_gradient, |x, norm| Reference.layer_norm(x, norm));
        Ok(out)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
        let out = self.0.rms_norm(x, weight, eps)?;
        recompute(&[Some(x), Some(weight)], &out, move |of| Reference.rms_norm(&of[0], &of[1], eps));
        Ok(out)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
        let out = self.0.attention(q, k, v, heads, mask)?;
        if mask == Mask::Causal {
            recompute(&[Some(q), Some(k), Some(v)], &out, move |of| {
                Reference.attention(&of[0], &of[1], &of[2], heads, mask)
            });
            return Ok(out);
        }
        add(&[Some(q), Some(k), Some(v)], &out, || {
            let (of, [q, k, v, out]) = (self.0, [q, k, v, &out].map(Tensor::detach));
            let attention = gradients::Attention { q, k, v, out, heads };
            Box::new(move |gradient, _| {
                gradients::attention(&attention, |scores| of.softmax(scores), gradient)
            })
        });
        Ok(out)
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.0.geglu(x)?;
        add(&[Some(x)], &out, || {
            let (of, x) = (self.0, x.detach());
            Box::new(move |gradient, wanted| match of.geglu_gradient(&x, gradient)? {
                Some(found) => Ok(vec![Some(found)]),
                None => again(&[x], gradient, wanted, |of| Reference.geglu(&of[0])),
            })
        });
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
        let (_, _, from_height, from_width) = x.dims4()?;
        if !height.is_multiple_of(from_height) || !width.is_multiple_of(from_width) {
            recompute(&[Some(x)], &out, move |of| Reference.upsample_nearest(&of[0], height, width));
            return Ok(out);
        }
        add(&[Some(x)], &out, || {
            let from = (from_height, from_width);
            Box::new(move |gradient, _| Ok(vec![Some(gradients::upsample_nearest(from, gradient)?)]))
        });
        Ok(out)
    }

    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let out = self.0.concat(left, right)?;
        let channels = [left.dim(1)?, right.dim(1)?];
        add(&[Some(left), Some(right)], &out, || {
            Box::new(move |gradient, _| gradients::concat(channels, gradient))
        });
        Ok(out)
    }
}

/// Records a norm whose result is `out`. `own` is the set's gradient where only that of `x` is wanted, `run` the norm.
fn normalised<F: Gradients>(
    out: &Tensor,
    x: &Tensor,
    norm: NormOperands,
    of: F,
    own: impl Fn(F, &Tensor, NormOperands, &Tensor) -> Result<Option<Tensor>> + 'static,
    run: impl Fn(&Tensor, NormOperands) -> Result<Tensor> + 'static,
) {
    add(&[Some(x), Some(norm.weight), Some(norm.bias)], out, || {
        let (operands, eps) = ([x, norm.weight, norm.bias].map(Tensor::detach), norm.eps);
        Box::new(move |gradient, wanted| {
            let [x, weight, bias] = &operands;
            if wanted == [true, false, false]
                && let Some(found) = own(of, x, NormOperands { weight, bias, eps }, gradient)?
            {
                return Ok(vec![Some(found), None, None]);
            }
            again(&operands, gradient, wanted, |of| {
                run(&of[0], NormOperands { weight: &of[1], bias: &of[2], eps })
            })
        })
    });
}

/// What a linear layer's gradients need.
struct Layer {
    /// Tokens, or an image with its channels last.
    x: Tensor,
    weight: Tensor,
    has_bias: bool,
}

impl Layer {
    fn new(x: &Tensor, linear: LinearOperands) -> Layer {
        Layer { x: x.detach(), weight: linear.weight.detach(), has_bias: linear.bias.is_some() }
    }

    fn gradients(&self, gradient: &Tensor, wanted: &[bool]) -> Result<Vec<Option<Tensor>>> {
        gradients::linear(&self.x, &self.weight, self.has_bias, gradient, wanted)
    }
}

/// Records a convolution whose result is `out`.
pub(crate) fn convolution(of: impl Gradients, x: &Tensor, conv: ConvOperands, more: Add, out: &Tensor) {
    let ConvOperands { weight, bias, stride, padding } = conv;
    let (added, is_shift) = match more {
        Add::Nothing => (None, false),
        Add::Channels(shift) => (Some(shift), true),
        Add::Image(image) => (Some(image), false),
    };
    let (has_bias, has_more) = (bias.is_some(), added.is_some());
    add(&[Some(x), Some(weight), bias, added], out, || {
        let operands: Vec<Tensor> =
            [Some(x), Some(weight), bias, added].into_iter().flatten().map(Tensor::detach).collect();
        Box::new(move |gradient, wanted| {
            let conv = ConvOperands { weight: &operands[1], bias: None, stride, padding };
            let own = of.conv2d_gradients(&operands[0], conv, gradient, [wanted[0], wanted[1]])?;
            let Some(own) = own else {
                return again(&operands, gradient, wanted, |of| {
                    let conv =
                        ConvOperands { weight: &of[1], bias: has_bias.then(|| &of[2]), stride, padding };
                    let more = match (has_more, is_shift) {
                        (false, _) => Add::Nothing,
                        (true, true) => Add::Channels(&of[of.len() - 1]),
                        (true, false) => Add::Image(&of[of.len() - 1]),
                    };
                    Reference.conv2d(&of[0], conv, more)
                });
            };
            let mut found = Vec::from(own);
            // `[B, pixels, outputs]`
            let slopes = channels_last(gradient)?.flatten(1, 2)?;
            if has_bias {
                let sums = || gradients::total(&slopes.flatten(0, 1)?, 0);
                found.push(wanted[2].then(sums).transpose()?);
            }
            if has_more {
                let of_shift = || gradients::total(&slopes, 1)?.unsqueeze(1);
                let is_wanted = wanted[wanted.len() - 1];
                found.push(match is_shift {
                    true => is_wanted.then(of_shift).transpose()?,
                    false => Some(gradient.clone()),
                });
            }
            Ok(found)
        })
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
        Box::new(move |gradient, wanted| again(&operands, gradient, wanted, run))
    });
}

/// The wanted gradients of operands, from a computation in candle's operations.
fn again(
    operands: &[Tensor],
    gradient: &Tensor,
    wanted: &[bool],
    run: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Option<Tensor>>> {
    let variable = |(operand, wanted): (&Tensor, &bool)| {
        // A variable is a copy; what needs no gradient stays what it is.
        if *wanted { Var::from_tensor(operand).map(Some) } else { Ok(None) }
    };
    let variables = operands.iter().zip(wanted).map(variable).collect::<Result<Vec<_>>>()?;
    let tensor = |(operand, variable): (&Tensor, &Option<Var>)| {
        variable.as_ref().map_or_else(|| operand.clone(), |variable| variable.as_tensor().clone())
    };
    let tensors: Vec<Tensor> = operands.iter().zip(&variables).map(tensor).collect();
    let mut sum = (run(&tensors)? * gradient)?;
    // A GPU computes each sum on one of its multiprocessors: many short ones are faster than a long one.
    while sum.rank() > 1 {
        sum = sum.sum(D::Minus1)?;
    }
    let mut found = sum.sum_all()?.backward()?;
    Ok(variables.iter().map(|variable| found.remove(variable.as_ref()?)).collect())
}
