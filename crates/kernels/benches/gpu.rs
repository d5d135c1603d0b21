//! Measures the kernels of a GPU at the shapes of Stable Diffusion 1:
//! `cargo bench -p maquette-kernels --features cuda --bench gpu -- [ROWS [f16|bf16|f32 [PART]]]`, with a part of
//! convolutions, attention, linear and norms.
//!
//! Prints the time of the first call, in which libraries choose and load their kernels, the mean of calls queued one
//! after the other, and the rate at which it multiplies. Operands are normal numbers: GPUs multiply zeros faster.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{
    Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands, Padding, select,
};
use std::time::Instant;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let rows = words.first().and_then(|word| word.parse().ok()).unwrap_or(16);
    let dtype = match words.get(1).map(String::as_str) {
        Some("f32") => DType::F32,
        Some("bf16") => DType::BF16,
        _ => DType::F16,
    };
    let device = Device::new_cuda(0).or_else(|_| Device::new_metal(0))?;
    let bench = Bench { kernels: select(&device, dtype), device, dtype, rows };
    println!("{rows} rows, {}, {}", dtype.as_str(), bench.kernels.name());
    let parts: [(&str, Part); 4] =
        [("convolutions", convolutions), ("attention", attention), ("linear", linear), ("norms", norms)];
    for (name, measure) in parts {
        if words.get(2).is_none_or(|wanted| wanted == name) {
            measure(&bench)?;
        }
    }
    Ok(())
}

fn convolutions(bench: &Bench) -> Result<()> {
    for (inputs, outputs, edge, stride) in [
        (4, 320, 64, 1),
        (320, 320, 64, 1),
        (640, 320, 64, 1),
        (960, 320, 64, 1),
        (320, 320, 64, 2),
        (640, 640, 32, 1),
        (1280, 640, 32, 1),
        (640, 640, 64, 1),
        (1280, 1280, 16, 1),
        (2560, 1280, 16, 1),
        (1280, 1280, 8, 1),
        (2560, 1280, 8, 1),
        (320, 4, 64, 1),
    ] {
        bench.convolution(bench.rows, [inputs, outputs, edge, stride])?;
    }
    // The autoencoder, one picture.
    for (inputs, outputs, edge) in
        [(512, 512, 64), (512, 512, 256), (256, 256, 512), (128, 128, 512), (128, 3, 512)]
    {
        bench.convolution(1, [inputs, outputs, edge, 1])?;
    }
    Ok(())
}

fn attention(bench: &Bench) -> Result<()> {
    for (queries, keys, heads, head) in [
        (4096, 4096, 8, 40),
        (1024, 1024, 8, 80),
        (256, 256, 8, 160),
        (64, 64, 8, 160),
        (4096, 77, 8, 40),
        (1024, 77, 8, 80),
        (256, 77, 8, 160),
        (4096, 4096, 10, 64),
    ] {
        bench.attention(bench.rows, [queries, keys, heads, head])?;
    }
    bench.attention(1, [4096, 4096, 1, 512])
}

fn linear(bench: &Bench) -> Result<()> {
    for (tokens, inputs, outputs) in [
        (4096, 320, 320),
        (4096, 320, 2560),
        (4096, 1280, 320),
        (1024, 640, 640),
        (1024, 640, 5120),
        (1024, 2560, 640),
        (256, 1280, 1280),
        (256, 1280, 10240),
        (77, 768, 320),
    ] {
        bench.linear([tokens, inputs, outputs])?;
    }
    Ok(())
}

fn norms(bench: &Bench) -> Result<()> {
    for (channels, edge) in [(320, 64), (960, 64), (640, 32), (1280, 16)] {
        bench.group_norm([channels, edge])?;
    }
    bench.layer_norm([4096, 320])
}

type Part = fn(&Bench) -> Result<()>;

struct Bench {
    kernels: &'static dyn Kernels,
    device: Device,
    dtype: DType,
    rows: usize,
}

impl Bench {
    fn convolution(&self, rows: usize, [inputs, outputs, edge, stride]: [usize; 4]) -> Result<()> {
        let x = self.image(&[rows, inputs, edge, edge])?;
        let weight = self.kernels.storage_layout(self.normal(&[outputs, inputs, 3, 3])?)?;
        let bias = self.normal(&[outputs])?;
        let out = edge / stride;
        let image = self.image(&[rows, outputs, out, out])?;
        let conv = ConvOperands { weight: &weight, bias: Some(&bias), stride, padding: Padding::Around(1) };
        let name = format!("conv {inputs} to {outputs}, {out}x{out}, stride {stride}, {rows} rows");
        let products = rows * out * out * outputs * inputs * 9;
        self.measure(&name, products, || self.kernels.conv2d(&x, conv, Add::Image(&image)))?;
        let shift = self.normal(&[rows, 1, outputs])?;
        self.measure(&format!("{name}, channels added"), products, || {
            self.kernels.conv2d(&x, conv, Add::Channels(&shift))
        })
    }

    fn attention(&self, rows: usize, [queries, keys, heads, head]: [usize; 4]) -> Result<()> {
        let q = self.normal(&[rows, queries, heads * head])?;
        let k = self.normal(&[rows, keys, heads * head])?;
        let v = self.normal(&[rows, keys, heads * head])?;
        let name = format!("attention {queries} to {keys}, {heads} x {head}, {rows} rows");
        let products = 2 * rows * heads * queries * keys * head;
        self.measure(&name, products, || self.kernels.attention(&q, &k, &v, heads, Mask::None))
    }

    fn linear(&self, [tokens, inputs, outputs]: [usize; 3]) -> Result<()> {
        let rows = self.rows;
        let x = self.normal(&[rows, tokens, inputs])?;
        let (weight, bias) = (self.normal(&[inputs, outputs])?, self.normal(&[outputs])?);
        let linear = LinearOperands { weight: &weight, bias: Some(&bias) };
        let products = rows * tokens * inputs * outputs;
        let name = format!("linear {inputs} to {outputs}, {tokens} tokens");
        self.measure(&name, products, || self.kernels.linear(&x, linear, None))?;
        if outputs == 8 * inputs {
            return self
                .measure(&format!("{name}, geglu"), products, || self.kernels.linear_geglu(&x, linear));
        }
        let residual = self.normal(&[rows, tokens, outputs])?;
        self.measure(&format!("{name}, residual"), products, || {
            self.kernels.linear(&x, linear, Some(&residual))
        })
    }

    fn group_norm(&self, [channels, edge]: [usize; 2]) -> Result<()> {
        let x = self.image(&[self.rows, channels, edge, edge])?;
        let (weight, bias) = (self.normal(&[channels])?, self.normal(&[channels])?);
        let norm = NormOperands { weight: &weight, bias: &bias, eps: 1e-5 };
        let name = format!("group norm {channels}, {edge}x{edge}");
        self.measure(&name, 0, || self.kernels.group_norm(&x, norm, 32, Activation::Silu))
    }

    fn layer_norm(&self, [tokens, channels]: [usize; 2]) -> Result<()> {
        let x = self.normal(&[self.rows, tokens, channels])?;
        let (weight, bias) = (self.normal(&[channels])?, self.normal(&[channels])?);
        let norm = NormOperands { weight: &weight, bias: &bias, eps: 1e-5 };
        self.measure(&format!("layer norm {channels}, {tokens} tokens"), 0, || {
            self.kernels.layer_norm(&x, norm)
        })
    }

    fn normal(&self, shape: &[usize]) -> Result<Tensor> {
        Tensor::randn(0f32, 1.0, shape, &self.device)?.to_dtype(self.dtype)
    }

    /// In the layout that the kernels leave their images in.
    fn image(&self, shape: &[usize; 4]) -> Result<Tensor> {
        let [batch, channels, height, width] = *shape;
        self.kernels.concat(
            &self.normal(&[batch, channels - 1, height, width])?,
            &self.normal(&[batch, 1, height, width])?,
        )
    }

    fn measure(&self, name: &str, products: usize, call: impl Fn() -> Result<Tensor>) -> Result<()> {
        let seconds = |times: usize| -> Result<f64> {
            self.device.synchronize()?;
            let start = Instant::now();
            for _ in 0..times {
                call()?;
            }
            self.device.synchronize()?;
            Ok(start.elapsed().as_secs_f64() / times as f64)
        };
        let first = match seconds(1) {
            Ok(first) => first,
            Err(error) => {
                println!("{name}: {}", error.to_string().lines().next().unwrap_or_default());
                return Ok(());
            }
        };
        seconds(3)?;
        let mean = seconds(20)?;
        let rate = 2.0 * products as f64 / mean / 1e12;
        println!("{name}: {:.3} ms, {rate:.0} TFLOP/s, first {:.1} ms", mean * 1e3, first * 1e3);
        Ok(())
    }
}
