//! Transformers in the files that ComfyUI reads, with weights of fewer bits.

use crate::cases::{fixtures, render};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Device, Tensor, safetensors};
use maquette_core::{Cell, Image};
use maquette_diffusion::{DeviceName, Engine, ModelSource};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use tempfile::TempDir;

/// A transformer in two files: with weights of fewer bits, and with the values that they stand for.
pub struct Stored {
    folder: TempDir,
    files: [&'static str; 2],
    copy_parts: fn(&Path),
}

/// A transformer's tensors as ComfyUI's file has them, and what puts the other parts of its model beside such a file.
pub struct Transformer {
    pub tensors: HashMap<String, Tensor>,
    pub copy_parts: fn(&Path),
}

impl Transformer {
    /// That of Z-Image.
    pub fn z_image() -> Transformer {
        Transformer { tensors: comfyui(""), copy_parts }
    }
}

impl Stored {
    /// Quantised weights of Z-Image.
    pub fn gguf(dtype: GgmlDType) -> Stored {
        Stored::gguf_of(Transformer::z_image(), dtype)
    }

    /// Quantised weights.
    pub fn gguf_of(transformer: Transformer, dtype: GgmlDType) -> Stored {
        let stored = Stored::new(["turbo.gguf", "values.safetensors"], transformer.copy_parts);
        let (mut quantised, mut values) = (Vec::new(), HashMap::new());
        for (name, tensor) in transformer.tensors {
            let tensor = tensor.to_dtype(DType::F32).unwrap();
            let has_blocks = tensor.rank() == 2 && tensor.dim(1).unwrap().is_multiple_of(32);
            let tensor = QTensor::quantize(&tensor, if has_blocks { dtype } else { GgmlDType::F32 }).unwrap();
            values.insert(name.clone(), tensor.dequantize(&Device::Cpu).unwrap());
            quantised.push((name, tensor));
        }
        let named: Vec<_> = quantised.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let [gguf, whole] = stored.paths();
        gguf_file::write(&mut File::create(gguf).unwrap(), &[], &named).unwrap();
        safetensors::save(&values, whole).unwrap();
        stored
    }

    /// ComfyUI's 8-bit floats of Z-Image.
    pub fn scaled_float8() -> Stored {
        Stored::scaled_float8_of(Transformer::z_image(), "scale_weight")
    }

    /// 8-bit floats with a scale for each weight, whose name ends like this.
    pub fn scaled_float8_of(transformer: Transformer, ending: &str) -> Stored {
        let stored = Stored::new(["packed.safetensors", "values.safetensors"], transformer.copy_parts);
        let (mut packed, mut values) = (HashMap::new(), HashMap::new());
        for (name, tensor) in transformer.tensors {
            let tensor = tensor.to_dtype(DType::F32).unwrap();
            let Some(stem) = name.strip_suffix("weight").filter(|_| tensor.rank() == 2) else {
                packed.insert(name.clone(), tensor.clone());
                values.insert(name, tensor);
                continue;
            };
            let scale = 0.125_f32;
            let small = (&tensor / f64::from(scale)).unwrap().to_dtype(DType::F8E4M3).unwrap();
            let wide = (small.to_dtype(DType::F32).unwrap() * f64::from(scale)).unwrap();
            packed.insert(format!("{stem}{ending}"), Tensor::new(&[scale], &Device::Cpu).unwrap());
            packed.insert(name.clone(), small);
            values.insert(name, wide);
        }
        packed.insert("scaled_fp8".to_owned(), Tensor::zeros(2, DType::F8E4M3, &Device::Cpu).unwrap());
        for (tensors, path) in [packed, values].iter().zip(stored.paths()) {
            safetensors::save(tensors, path).unwrap();
        }
        stored
    }

    /// The pictures of both.
    pub fn pictures(&self, device: DeviceName, cell: &Cell) -> [Image; 2] {
        self.paths().map(|file| {
            (self.copy_parts)(&file);
            picture_of(&file, device, cell).unwrap()
        })
    }

    /// The models with both.
    pub fn sources(&self) -> [ModelSource; 2] {
        self.paths().map(|file| {
            (self.copy_parts)(&file);
            ModelSource::at(&file).unwrap()
        })
    }

    fn new(files: [&'static str; 2], copy_parts: fn(&Path)) -> Stored {
        Stored { folder: tempfile::tempdir().unwrap(), files, copy_parts }
    }

    fn paths(&self) -> [std::path::PathBuf; 2] {
        self.files.map(|file| self.folder.path().join(file))
    }
}

/// A picture with a model in one file, and what is beside it.
pub fn picture_of(file: &Path, device: DeviceName, cell: &Cell) -> Result<Image, String> {
    let path = file.to_owned();
    let find = move |_: &str| ModelSource::at(&path).map_err(Into::into);
    let mut engine = Engine::new(device, Box::new(find), None).unwrap();
    render(&mut engine, std::slice::from_ref(cell)).remove(&cell.id).unwrap()
}

/// Puts the other parts of Z-Image beside a transformer's file.
fn copy_parts(file: &Path) {
    let (folder, tiny) = (file.parent().unwrap(), fixtures().join("tiny-z-image"));
    let copy = |from: &str, to: &Path| {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(tiny.join(from), to).unwrap();
    };
    copy("text_encoder/model.safetensors", &folder.join("qwen_3_4b.safetensors"));
    copy("tokenizer/tokenizer.json", &folder.join("tokenizer.json"));
    for name in ["config.json", "diffusion_pytorch_model.safetensors"] {
        let part = format!("vae/{name}");
        copy(&part, &file.with_extension("").join(&part));
    }
}

/// The name of a tensor in the original code; queries, keys and values are one tensor there.
fn original(name: &str) -> String {
    name.replace("all_final_layer.2-1.", "final_layer.")
        .replace("all_x_embedder.2-1.", "x_embedder.")
        .replace("attention.to_out.0.", "attention.out.")
        .replace("attention.norm_k.", "attention.k_norm.")
        .replace("attention.norm_q.", "attention.q_norm.")
}

/// The transformer's tensors as ComfyUI's file has them.
pub fn comfyui(prefix: &str) -> HashMap<String, Tensor> {
    let mut tensors = HashMap::new();
    for shard in ["1", "2"] {
        let name =
            format!("tiny-z-image/transformer/diffusion_pytorch_model-0000{shard}-of-00002.safetensors");
        tensors.extend(safetensors::load(fixtures().join(name), &Device::Cpu).unwrap());
    }
    let mut renamed = HashMap::new();
    for (name, tensor) in &tensors {
        if let Some(stem) = name.strip_suffix("to_q.weight") {
            let parts = ["to_q", "to_k", "to_v"].map(|part| &tensors[&format!("{stem}{part}.weight")]);
            renamed.insert(format!("{prefix}{stem}qkv.weight"), Tensor::cat(&parts, 0).unwrap());
        } else if !name.contains(".to_k.") && !name.contains(".to_v.") {
            renamed.insert(format!("{prefix}{}", original(name)), tensor.clone());
        }
    }
    renamed
}
