//! The UNet's blocks: layers of one residual block and optionally one transformer, then a change of size.

use super::config::{BlockShape, UnetConfig};
use super::transformer::{Context, Transformer};
use crate::error::ModelError;
use crate::models::resnet::Resnet;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Conv2d, Padding, checkpoint};

type Loaded<T> = std::result::Result<T, ModelError>;

pub(super) struct Block {
    pub layers: Vec<Layer>,
    /// The convolution that halves the size, or the one after upsampling.
    pub resample: Option<Conv2d>,
    width: usize,
}

pub(super) struct Layer {
    resnet: Resnet,
    transformer: Option<Transformer>,
}

pub(super) struct Middle {
    first: Resnet,
    /// Models with fewer layers such as SSD-1B lack them.
    rest: Option<(Transformer, Resnet)>,
}

impl Block {
    /// A block with one layer for each width in `inputs`; `depths` has the depth of each layer's transformer, or nothing if
    /// they have none.
    pub(super) fn load(
        config: &UnetConfig,
        shape: &BlockShape,
        depths: &[usize],
        inputs: Vec<usize>,
        weights: &Weights,
    ) -> Loaded<Block> {
        let layer = |(j, inputs): (usize, usize)| {
            let transformer = |&depth: &usize| {
                Transformer::load(config, shape, depth, &weights.at(format!("attentions.{j}")))
            };
            Ok(Layer {
                resnet: resnet(config, inputs, shape.width, &weights.at(format!("resnets.{j}")))?,
                transformer: depths.get(j).map(transformer).transpose()?,
            })
        };
        let layers = inputs.into_iter().enumerate().map(layer).collect::<Loaded<_>>()?;
        Ok(Block { layers, resample: None, width: shape.width })
    }

    /// Numbers its cross-attentions, see [`Transformer::number`].
    pub(super) fn number(&mut self, widths: &mut Vec<usize>) {
        let transformers = self.layers.iter_mut().filter_map(|layer| layer.transformer.as_mut());
        transformers.for_each(|transformer| transformer.number(self.width, widths));
    }

    /// The same block with a convolution after its layers, unless `padding` is `None`.
    pub(super) fn with_resample(
        mut self,
        name: &str,
        stride: usize,
        padding: Option<Padding>,
        weights: &Weights,
    ) -> Loaded<Block> {
        if let Some(padding) = padding {
            let weights = weights.at(format!("{name}.0.conv"));
            self.resample = Some(weights.conv2d(self.width, self.width, 3, stride, padding)?);
        }
        Ok(self)
    }
}

impl Layer {
    pub(super) fn forward(&self, x: &Tensor, time: &Tensor, context: &Context) -> Result<Tensor> {
        let x = residual(&self.resnet, x, time)?;
        match &self.transformer {
            Some(transformer) => transformer.forward(&x, context),
            None => Ok(x),
        }
    }
}

impl Middle {
    pub(super) fn load(config: &UnetConfig, weights: &Weights) -> Loaded<Middle> {
        let shape = &config.blocks[config.blocks.len() - 1];
        let resnet = |name: &str| resnet(config, shape.width, shape.width, &weights.at(name));
        let rest = |depth| {
            let transformer = Transformer::load(config, shape, depth, &weights.at("attentions.0"))?;
            Ok((transformer, resnet("resnets.1")?))
        };
        Ok(Middle { first: resnet("resnets.0")?, rest: config.middle_depth.map(rest).transpose()? })
    }

    /// Numbers its cross-attentions, see [`Transformer::number`].
    pub(super) fn number(&mut self, width: usize, widths: &mut Vec<usize>) {
        if let Some((transformer, _)) = &mut self.rest {
            transformer.number(width, widths);
        }
    }

    pub(super) fn forward(&self, x: &Tensor, time: &Tensor, context: &Context) -> Result<Tensor> {
        let x = residual(&self.first, x, time)?;
        match &self.rest {
            Some((transformer, second)) => residual(second, &transformer.forward(&x, context)?, time),
            None => Ok(x),
        }
    }
}

fn resnet(config: &UnetConfig, inputs: usize, outputs: usize, weights: &Weights) -> Loaded<Resnet> {
    Resnet::load(weights, inputs, outputs, Some(config.time_width), config.groups, config.eps)
}

fn residual(resnet: &Resnet, x: &Tensor, time: &Tensor) -> Result<Tensor> {
    checkpoint(resnet, (x.clone(), time.clone()), |resnet, (x, time)| resnet.forward(x, Some(time)))
}
