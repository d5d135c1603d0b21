//! The networks apart, on the device under test and on the CPU in f32: relative errors, without the steps of a sampler
//! that add them up.

use crate::cases::fixtures;
use crate::device;
use candle_core::{DType, Device, Result, Tensor};
use maquette_diffusion::{Conditions, ModelSource, Sdxl, StableDiffusion, TextEncoder, Tokenizer, Vae};

/// The largest relative error for each dtype. f32: sums in another order. f16 and bf16 have 11 and 8 bits; errors of some
/// tens of layers, each rounded several times, add up.
const BOUNDS: [(DType, f64); 3] = [(DType::F32, 1e-4), (DType::F16, 1e-2), (DType::BF16, 5e-2)];

const MODELS: [&str; 4] = ["tiny-a", "tiny-b", "tiny-sd2", BUNDLED];

/// The bundled model, from the fixtures.
const BUNDLED: &str = "../../crates/sketchbook/weights";

const PROMPTS: [&str; 3] =
    ["", "a portrait of a man by Alphonse Mucha", "boats in the harbour, oil painting"];

const TIMESTEPS: [f32; 3] = [999.0, 500.0, 21.0];

fn source(model: &str) -> ModelSource {
    ModelSource::Folder(fixtures().join(model))
}

fn load(model: &str, device: &Device, dtype: DType) -> StableDiffusion {
    StableDiffusion::load(&source(model), device, dtype).unwrap()
}

/// Compares each model on the device, in each dtype, with the same on the CPU in f32. `run` returns the results of a model
/// with their names.
fn compare<M>(
    models: &[&str],
    load: impl Fn(&str, &Device, DType) -> M,
    run: impl Fn(&M, &Device) -> Vec<(&'static str, Result<Tensor>)>,
) {
    let device = device().open().unwrap();
    let mut wrong = Vec::new();
    for name in models {
        let expected = run(&load(name, &Device::Cpu, DType::F32), &Device::Cpu);
        for (dtype, bound) in BOUNDS {
            for ((part, found), (_, expected)) in
                run(&load(name, &device, dtype), &device).iter().zip(&expected)
            {
                let name = format!("{part}, {}", name.rsplit_once("crates/").map_or(*name, |name| name.1));
                let error = match found {
                    Ok(found) => relative_error(found, expected.as_ref().unwrap()).unwrap(),
                    Err(error) => {
                        wrong.push(format!("{name}, {}: {error}", dtype.as_str()));
                        continue;
                    }
                };
                println!("{name:<40} {:<5} {error:>9.2e} of {bound:.0e}", dtype.as_str());
                if error.is_nan() || error > bound {
                    wrong.push(format!("{name}, {}: {error:.2e}", dtype.as_str()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The norm of the difference, relative to the expected norm.
fn relative_error(found: &Tensor, expected: &Tensor) -> Result<f64> {
    assert_eq!(found.shape(), expected.shape());
    let on_host = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let (found, expected) = (on_host(found)?, on_host(expected)?);
    let norm = |x: Tensor| x.sqr()?.sum_all()?.to_scalar::<f64>();
    Ok((norm((found - &expected)?)? / norm(expected)?).sqrt())
}

fn texts(tokenizer: &Tokenizer, encoder: &TextEncoder) -> Result<Tensor> {
    let ids = PROMPTS.map(|prompt| tokenizer.encode(prompt).unwrap().ids);
    Tensor::cat(&ids.iter().map(|ids| encoder.encode(ids, 0)).collect::<Result<Vec<_>>>()?, 0)
}

/// A picture of the fixtures and its mirror image, `[2, 3, 32, 48]` in -1 to 1.
fn pixels(device: &Device) -> Result<Tensor> {
    let picture = image::open(fixtures().join("init/48x32.png")).unwrap().into_rgb8();
    let tensor = |picture: image::RgbImage| {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let values: Vec<f32> =
            picture.into_raw().iter().map(|&level| f32::from(level) / 127.5 - 1.0).collect();
        Tensor::from_vec(values, (1, height, width, 3), &Device::Cpu)?.permute((0, 3, 1, 2))?.contiguous()
    };
    let mirrored = image::imageops::flip_horizontal(&picture);
    Tensor::cat(&[tensor(picture)?, tensor(mirrored)?], 0)?.to_device(device)
}

/// Normal numbers, one row for each prompt.
fn latents(device: &Device) -> Result<Tensor> {
    let all = candle_core::safetensors::load(fixtures().join("tiny-a.safetensors"), &Device::Cpu)?;
    let latents = &all["unet.latents"];
    assert_eq!(latents.dims()[..2], [3, 4]);
    latents.to_device(device)
}

fn encoded(vae: &Vae, device: &Device) -> Vec<(&'static str, Result<Tensor>)> {
    let (mean, logvar) = match pixels(device).and_then(|pixels| vae.encode(&pixels)) {
        Ok((mean, logvar)) => (Ok(mean), Ok(logvar.unwrap())),
        Err(error) => (Err(candle_core::Error::Msg(error.to_string())), Err(error)),
    };
    vec![("VAE encode, mean", mean), ("VAE encode, logvar", logvar)]
}

fn decoded(vae: &Vae, device: &Device) -> Vec<(&'static str, Result<Tensor>)> {
    vec![("VAE decode", latents(device).and_then(|latents| vae.decode(&latents)))]
}

#[test]
fn text_encoder() {
    compare(&MODELS, load, |model, _| vec![("text encoder", texts(&model.tokenizer, &model.text_encoder))]);
}

#[test]
fn unet() {
    compare(&MODELS, load, |model, device| {
        let text = || texts(&model.tokenizer, &model.text_encoder);
        let rows = || model.unet.forward(&latents(device)?, &TIMESTEPS, &text()?);
        // The same row in a call of its own.
        let alone = || {
            let of = |x: Tensor| x.narrow(0, 1, 1);
            model.unet.forward(&of(latents(device)?)?, &TIMESTEPS[1..2], &of(text()?)?)
        };
        vec![("UNet, 3 rows", rows()), ("UNet, a row alone", alone())]
    });
}

#[test]
fn vae_decode() {
    compare(&MODELS, load, |model, device| decoded(&model.vae, device));
}

#[test]
fn vae_encode() {
    compare(&MODELS, load, |model, device| encoded(&model.vae, device));
}

#[test]
fn stable_diffusion_xl() {
    let load =
        |model: &str, device: &Device, dtype: DType| Sdxl::load(&source(model), device, dtype).unwrap();
    compare(&["tiny-sdxl"], load, |model, device| {
        let [first, second] = &model.tokenizers;
        let [encoder, encoder_2] = &model.text_encoders;
        let pooled = || {
            let ids = PROMPTS.map(|prompt| second.encode(prompt).unwrap().ids);
            let pooled = |ids: &Vec<u32>| Ok(encoder_2.embed_with(ids, None, 0)?.pooled.unwrap());
            Tensor::cat(&ids.iter().map(pooled).collect::<Result<Vec<_>>>()?, 0)
        };
        let unet = || {
            let text = Tensor::cat(&[texts(first, encoder)?, texts(second, encoder_2)?], 2)?;
            let sizes = [[32.0, 48.0, 0.0, 0.0, 32.0, 48.0]; 3];
            let pooled = pooled()?;
            let conditions = Conditions { added: Some((&pooled, &sizes)), ..Conditions::default() };
            model.unet.forward_with(&latents(device)?, &TIMESTEPS, &text, &conditions)
        };
        let mut results = vec![
            ("text encoder 1", texts(first, encoder)),
            ("text encoder 2", texts(second, encoder_2)),
            ("pooled text", pooled()),
            ("UNet", unet()),
        ];
        results.extend(decoded(&model.vae, device));
        results.extend(encoded(&model.vae, device));
        results
    });
}
