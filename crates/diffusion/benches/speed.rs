//! Measures the parts of a model: `cargo bench -p maquette-diffusion -- FOLDER [ROWS]`.
//!
//! Prints the median of several calls, in milliseconds, at the size that the model was trained on. There is no
//! threshold: it never fails because of slow results.
#![allow(clippy::print_stdout, missing_docs)]

use candle_core::{DType, Device, Tensor};
use maquette_diffusion::{ModelSource, StableDiffusion};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../sketchbook/weights");
    let folder = arguments.first().map_or(bundled, String::as_str);
    let rows: usize = arguments.get(1).map_or(Ok(2), |rows| rows.parse())?;

    let device = Device::Cpu;
    let start = Instant::now();
    let model = StableDiffusion::load(&ModelSource::Folder(folder.into()), &device, DType::F32)?;
    println!("load {:.0} ms", start.elapsed().as_secs_f64() * 1e3);

    let size = model.unet.sample_size;
    let pixels = size * model.vae.factor();
    let ids = model.tokenizer.encode("a portrait of a woman with a red hat")?.ids;
    let text = model.text_encoder.encode(&ids, 0)?.repeat((rows, 1, 1))?;
    let noise = (0..rows * model.unet.in_channels * size * size).map(|i| (i as f32 * 0.7).sin()).collect();
    let latents = Tensor::from_vec(noise, (rows, model.unet.in_channels, size, size), &device)?;
    let timesteps = vec![500.0; rows];
    let one = latents.narrow(0, 0, 1)?;
    let image = Tensor::zeros((1, 3, pixels, pixels), DType::F32, &device)?;

    measure("text encoder", || model.text_encoder.encode(&ids, 0).map(drop))?;
    measure(&format!("UNet, {rows} rows"), || model.unet.forward(&latents, &timesteps, &text).map(drop))?;
    measure("VAE decode", || model.vae.decode(&one).map(drop))?;
    measure("VAE encode", || model.vae.encode(&image).map(drop))?;
    Ok(())
}

fn measure(name: &str, mut call: impl FnMut() -> candle_core::Result<()>) -> candle_core::Result<()> {
    call()?;
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 30 && (times.len() < 3 || begin.elapsed().as_secs() < 4) {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{name}: {:.1} ms (least {:.1}, of {})", times[times.len() / 2], times[0], times.len());
    Ok(())
}
