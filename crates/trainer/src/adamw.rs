//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) as in torch, with moments that can be saved, and gradient clipping.
//!
//! candle-nn's has the same arithmetic, but keeps its moments to itself.

use candle_core::{DType, Result, Tensor, TensorId, Var};
use maquette_kernels::AdamWStep;
use std::collections::{BTreeMap, HashMap};

/// torch's defaults, which diffusers' scripts have, too.
const BETAS: (f64, f64) = (0.9, 0.999);
const EPS: f64 = 1e-8;

/// The optimizer: two moments for each parameter.
pub(crate) struct AdamW {
    pub first: BTreeMap<String, Tensor>,
    pub second: BTreeMap<String, Tensor>,
    /// Steps done.
    pub steps: u32,
    pub weight_decay: f64,
}

/// The gradients of parameters by name.
pub(crate) struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// The gradients of parameters, given those of parameters and of tensors that candle computed from parameters. A
    /// parameter without any influence has none, as in torch.
    pub fn of(parameters: &BTreeMap<String, Var>, leaves: Vec<(Tensor, Tensor)>) -> Result<Gradients> {
        let names: HashMap<TensorId, &String> =
            parameters.iter().map(|(name, var)| (var.id(), name)).collect();
        let mut found = BTreeMap::new();
        let mut rest: Option<Tensor> = None;
        for (leaf, gradient) in leaves {
            if let Some(&name) = names.get(&leaf.id()) {
                found.insert(name.clone(), gradient);
                continue;
            }
            // The gradient of this sum with respect to the leaf is the leaf's.
            let sum = (&leaf * gradient)?.sum_all()?;
            rest = Some(match rest {
                Some(rest) => (rest + sum)?,
                None => sum,
            });
        }
        if let Some(rest) = rest {
            let mut more = rest.backward()?;
            for (name, var) in parameters {
                let Some(gradient) = more.remove(var) else { continue };
                let sum = match found.remove(name) {
                    Some(other) => (other + gradient)?,
                    None => gradient,
                };
                found.insert(name.clone(), sum);
            }
        }
        Ok(Gradients(found))
    }

    /// Their norm, all taken together.
    pub fn norm(&self) -> Result<f64> {
        let square = |gradient: &Tensor| gradient.sqr()?.sum_all()?.to_dtype(DType::F64);
        let squares = self.0.values().map(square).collect::<Result<Vec<_>>>()?;
        if squares.is_empty() {
            return Ok(0.0);
        }
        // Together, so that a GPU is waited for once.
        let squares = Tensor::stack(&squares, 0)?.to_vec1::<f64>()?;
        Ok(squares.iter().sum::<f64>().sqrt())
    }

    /// Scales them so that their norm is at most `most`: torch's `clip_grad_norm_`.
    pub fn clip(&mut self, norm: f64, most: f64) -> Result<()> {
        let factor = most / (norm + 1e-6);
        if factor < 1.0 {
            for gradient in self.0.values_mut() {
                *gradient = (&*gradient * factor)?;
            }
        }
        Ok(())
    }
}

impl AdamW {
    pub fn new(parameters: &BTreeMap<String, Var>, weight_decay: f64) -> Result<AdamW> {
        let zeros = |(name, var): (&String, &Var)| Ok((name.clone(), var.zeros_like()?));
        let moments = || parameters.iter().map(zeros).collect::<Result<BTreeMap<_, _>>>();
        Ok(AdamW { first: moments()?, second: moments()?, steps: 0, weight_decay })
    }

    /// Changes the parameters along their gradients; `learning_rate` gives that of a parameter.
    pub fn step(
        &mut self,
        parameters: &BTreeMap<String, Var>,
        gradients: &Gradients,
        learning_rate: impl Fn(&str) -> f64,
    ) -> Result<()> {
        self.steps += 1;
        for (name, gradient) in &gradients.0 {
            let (Some(first), Some(second)) = (self.first.get_mut(name), self.second.get_mut(name)) else {
                continue;
            };
            let step = AdamWStep {
                betas: BETAS,
                eps: EPS,
                steps: self.steps,
                learning_rate: learning_rate(name),
                weight_decay: self.weight_decay,
            };
            let parameter = &parameters[name];
            let changed;
            [changed, *first, *second] = step.apply([parameter.as_tensor(), gradient, first, second])?;
            parameter.set(&changed)?;
        }
        Ok(())
    }
}
