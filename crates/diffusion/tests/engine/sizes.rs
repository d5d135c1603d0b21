//! How much memory models' weights take, by their headers.

use crate::cases::{fixtures, named};
use crate::stored::Stored;
use candle_core::quantized::GgmlDType;
use candle_core::{Device, safetensors};
use maquette_core::{Dtype, Lora};
use maquette_diffusion::{DeviceName, ModelSize, ModelSource, model_size};

fn size(model: &str, device: DeviceName, dtype: Dtype) -> ModelSize {
    let source = ModelSource::at(&fixtures().join(model)).unwrap();
    model_size(&source, device, dtype, &[]).unwrap_or_else(|error| panic!("{model}: {error}"))
}

/// The bytes of a part in memory.
fn memory(size: &ModelSize, part: &str) -> u64 {
    size.parts.iter().find(|known| known.part == part).unwrap_or_else(|| panic!("{part}: {size:?}")).memory
}

/// The number of values in weight files, without counters, which are no weights.
fn values(model: &str, files: &[&str]) -> u64 {
    let files = files.iter().map(|file| fixtures().join(model).join(file));
    let tensors = files.flat_map(|file| safetensors::load(file, &Device::Cpu).unwrap().into_values());
    tensors.filter(|tensor| tensor.rank() > 0).map(|tensor| tensor.elem_count() as u64).sum()
}

#[test]
fn a_part_takes_what_its_tensors_have() {
    let file = "diffusion_pytorch_model.safetensors";
    for (model, denoiser) in [
        ("tiny-a", "unet"),
        ("tiny-sdxl", "unet"),
        ("tiny-sd3", "transformer"),
        ("tiny-flux1", "transformer"),
        ("tiny-flux2", "transformer"),
        ("tiny-chroma", "transformer"),
        ("tiny-anima", "transformer"),
        ("tiny-qwen-image", "transformer"),
    ] {
        let found = size(model, DeviceName::Cpu, Dtype::F32);
        // Of an autoencoder for films, the kernels of one frame are kept.
        let is_of_films = ["tiny-anima", "tiny-qwen-image"].contains(&model);
        let whole = if is_of_films { &[denoiser][..] } else { &[denoiser, "vae"] };
        for part in whole {
            assert_eq!(
                memory(&found, part),
                4 * values(model, &[&format!("{part}/{file}")]),
                "{model}: {part}"
            );
        }
        // The tables of words, and layers that are not used, are left out where they stay in the file.
        let text = memory(&found, "text_encoder");
        assert!(text > 0 && text <= 4 * values(model, &["text_encoder/model.safetensors"]), "{model}");
        // On a GPU weights have the model's precision.
        let half = size(model, DeviceName::Cuda(0), Dtype::Bf16);
        assert_eq!(2 * memory(&half, denoiser), memory(&found, denoiser), "{model}");
    }
}

#[test]
fn all_parts_of_stable_diffusion_are_in_memory_together() {
    let found = size("tiny-a", DeviceName::Cpu, Dtype::F32);
    assert_eq!(found.at_once(), found.parts.iter().map(|part| part.memory).sum::<u64>());
}

#[test]
fn text_encoders_and_transformer_take_turns() {
    let found = size("tiny-z-image", DeviceName::Cpu, Dtype::F32);
    let [text, transformer, vae] = ["text_encoder", "transformer", "vae"].map(|part| memory(&found, part));
    assert_eq!(found.at_once(), text.max(transformer) + vae);
    // f16 autoencoders are in f32, as they would overflow.
    let half = size("tiny-z-image", DeviceName::Cuda(0), Dtype::F16);
    assert_eq!((2 * memory(&half, "transformer"), memory(&half, "vae")), (transformer, vae));
}

#[test]
fn weights_of_fewer_bits_stay_in_their_file() {
    for stored in [Stored::gguf(GgmlDType::Q8_0), Stored::scaled_float8()] {
        let [packed, whole] = stored.sources().map(|source| {
            let size = model_size(&source, DeviceName::Cpu, Dtype::F32, &[]).unwrap();
            size.parts.into_iter().find(|part| part.part == "transformer").unwrap()
        });
        assert_eq!(whole.in_file, 0);
        assert!(packed.in_file > 0 && 3 * packed.in_file < whole.memory, "{packed:?} {whole:?}");
        assert!(packed.memory < whole.memory / 10, "{packed:?} {whole:?}");
    }
}

/// Blocks of a transformer, and layers of other networks, are in memory one at a time; the rest is not read again.
#[test]
fn offloaded_weights_leave_the_largest_block_in_memory() {
    for model in [
        "tiny-a",
        "tiny-sdxl",
        "tiny-z-image",
        "tiny-sd3",
        "tiny-flux1",
        "tiny-flux2",
        "tiny-chroma",
        "tiny-anima",
    ] {
        let found = size(model, DeviceName::Cpu, Dtype::F32);
        assert!(found.offloaded < found.at_once(), "{model}: {found:?}");
        if found.takes_turns {
            let transformer = found.parts.iter().find(|part| part.part == "transformer").unwrap();
            assert!(transformer.block < transformer.streamed, "{model}: {found:?}");
            assert!(found.offloaded >= memory(&found, "vae") + transformer.block, "{model}: {found:?}");
        }
    }
}

#[test]
fn a_separate_autoencoder_and_loras_are_counted() {
    let own = size("tiny-a", DeviceName::Cpu, Dtype::F32);
    let source = || ModelSource::at(&fixtures().join("tiny-a")).unwrap();
    let tiny = source().with_vae(&fixtures().join("tiny-sdxl/vae")).unwrap();
    let other = model_size(&tiny, DeviceName::Cpu, Dtype::F32, &[]).unwrap();
    assert_eq!(memory(&other, "vae"), memory(&size("tiny-sdxl", DeviceName::Cpu, Dtype::F32), "vae"));
    assert_ne!(memory(&other, "vae"), memory(&own, "vae"));

    let lora = |file: &str| {
        let path = fixtures().join(file);
        let bytes: usize = safetensors::load(&path, &Device::Cpu)
            .unwrap()
            .values()
            .map(|tensor| tensor.elem_count() * tensor.dtype().size_in_bytes())
            .sum();
        (Lora::new(named(&path), 1.0), bytes as u64)
    };
    let (kohya, factors) = lora("lora/kohya.safetensors");
    let found = |device| model_size(&source(), device, Dtype::F32, std::slice::from_ref(&kohya)).unwrap();
    // The factors stay in the machine's memory, the copies of changed weights are on the device.
    let (cpu, gpu) = (found(DeviceName::Cpu), found(DeviceName::Cuda(0)));
    assert!(gpu.loras > 0 && cpu.loras == gpu.loras + factors, "{cpu:?} {gpu:?}");
    assert_eq!(cpu.at_once(), own.at_once() + cpu.loras);
    // A weight that is read for each call has no copy.
    let (diffusers, factors) = lora("z-image/lora-diffusers.safetensors");
    let z_image = ModelSource::at(&fixtures().join("tiny-z-image")).unwrap();
    let found = |device| model_size(&z_image, device, Dtype::F32, std::slice::from_ref(&diffusers)).unwrap();
    assert_eq!((found(DeviceName::Cpu).loras, found(DeviceName::Cuda(0)).loras), (factors, 0));
}
