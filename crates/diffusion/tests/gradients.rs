//! Gradients of every part of a model against torch's autograd (`tests/fixtures/gradients.py`), and of LoRA's branches
//! against those of the weights that they change.

mod distance;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use distance::{distance, values};
use maquette_diffusion::{LoadOptions, ModelSource, StableDiffusion, Variables};
use maquette_kernels::{Branch, reference};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

const MODELS: [&str; 2] = ["tiny-a", "tiny-b"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// A model with the variables whose names begin with `part`.
fn trainable(name: &str, part: &'static str, dtype: DType) -> (StableDiffusion, BTreeMap<String, Var>) {
    let variables = Variables::matching(move |name| name.starts_with(part));
    let options = LoadOptions::new(&Device::Cpu, dtype).with_variables(&variables);
    let model = StableDiffusion::load_with(&ModelSource::Folder(fixture(name)), &options).unwrap();
    (model, variables.into_inner())
}

/// The fixtures of one part of one model.
struct Expected {
    tensors: HashMap<String, Tensor>,
    part: String,
    dtype: DType,
}

impl Expected {
    fn read(model: &str, part: &str, dtype: DType) -> Expected {
        let tensors = candle_core::safetensors::load(fixture("gradients.safetensors"), &Device::Cpu).unwrap();
        Expected { tensors, part: format!("{model}.{part}"), dtype }
    }

    fn get(&self, key: &str) -> Tensor {
        self.tensors[&format!("{}.{key}", self.part)].clone()
    }

    fn input(&self, key: &str) -> Var {
        Var::from_tensor(&self.get(&format!("in.{key}")).to_dtype(self.dtype).unwrap()).unwrap()
    }

    /// The gradients of the fixtures' loss for these outputs.
    fn backward(&self, outputs: &[Tensor]) -> GradStore {
        let weighted = outputs.iter().enumerate().map(|(i, output)| {
            let factors = self.get(&format!("factors.{i}")).to_dtype(self.dtype).unwrap();
            (output * factors).unwrap().sum_all().unwrap()
        });
        weighted.reduce(|sum, loss| (sum + loss).unwrap()).unwrap().backward().unwrap()
    }

    /// Asserts that the same parameters have gradients as in the fixtures, and that these and the inputs' are equal.
    fn check(
        &self,
        found: &GradStore,
        inputs: &[(&str, &Var)],
        variables: &BTreeMap<String, Var>,
        most: f32,
    ) {
        for (name, input) in inputs {
            let error = distance(found.get(input).unwrap(), &self.get(&format!("grad.in.{name}")));
            assert!(
                error < most,
                "{}, {:?}: the gradient of {name} is off by {error}",
                self.part,
                self.dtype
            );
        }
        let prefix = format!("{}.grad.", self.part);
        let expected: BTreeMap<&str, Vec<f32>> = self
            .tensors
            .iter()
            .filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?, values(tensor))))
            .filter(|(name, _)| !name.starts_with("in."))
            .collect();
        let found: BTreeMap<String, Vec<f32>> = variables
            .iter()
            .filter_map(|(name, variable)| Some((torch_name(name), summary(name, found.get(variable)?))))
            .collect();
        let names: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, expected.keys().copied().collect(), "{}", self.part);
        let longest = expected.values().map(|gradient| gradient[0]).fold(0.0, f32::max);
        for (name, expected) in &expected {
            let found = &found[*name];
            assert_eq!(found.len(), expected.len(), "{}.{name}", self.part);
            // Adding the same to every key does not change a softmax: that bias's gradient is only rounding.
            if expected[0] < 1e-9 * longest {
                assert!(found[0] < 1e-5 * longest, "{}.{name}: {} instead of 0", self.part, found[0]);
                continue;
            }
            let length = (found[0] - expected[0]).abs() / expected[0];
            let scale = expected[1..].iter().fold(0f32, |most, x| most.max(x.abs()));
            let differences = found.iter().zip(expected).skip(1).map(|(a, b)| (a - b).abs() / scale);
            let error = differences.fold(length, |most, x| if x <= most { most } else { x });
            assert!(error < most, "{}, {:?}: {name} is off by {error}", self.part, self.dtype);
        }
    }
}

/// The name of a variable in torch's modules: without the part, and with the new names in the autoencoder's attention.
fn torch_name(name: &str) -> String {
    let (_, name) = name.split_once('.').unwrap();
    let renamed = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];
    renamed.iter().fold(name.to_owned(), |name, (then, now)| {
        name.replace(&format!("attentions.0.{then}."), &format!("attentions.0.{now}."))
    })
}

/// A gradient's length, then a sample of its values, in the order of the files.
fn summary(name: &str, gradient: &Tensor) -> Vec<f32> {
    let is_linear = gradient.rank() == 2 && !name.ends_with("embedding.weight");
    let gradient = if is_linear { gradient.t().unwrap() } else { gradient.clone() };
    let all = values(&gradient);
    let length = all.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() as f32;
    [length].into_iter().chain(all.iter().copied().step_by(all.len().div_ceil(48))).collect()
}

/// Runs a check in f32, as training would, and in f64, where rounding hides nothing.
fn in_both_dtypes(check: impl Fn(&str, DType, f32)) {
    for name in MODELS {
        check(name, DType::F32, 1e-3);
        check(name, DType::F64, 1e-4);
    }
}

#[test]
fn of_the_unet() {
    in_both_dtypes(|name, dtype, most| {
        let (model, variables) = trainable(name, "unet.", dtype);
        let expected = Expected::read(name, "unet", dtype);
        let (latents, text) = (expected.input("latents"), expected.input("text"));
        let timesteps = values(&expected.get("in.timesteps"));
        let out = model.unet.forward(&latents, &timesteps, &text).unwrap();
        let found = expected.backward(&[out]);
        expected.check(&found, &[("latents", &latents), ("text", &text)], &variables, most);
    });
}

#[test]
fn of_the_text_encoder() {
    in_both_dtypes(|name, dtype, most| {
        let (model, variables) = trainable(name, "text_encoder.", dtype);
        let expected = Expected::read(name, "text_encoder", dtype);
        let ids: Vec<i64> = expected.get("in.input_ids").flatten_all().unwrap().to_vec1().unwrap();
        let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
        let found = expected.backward(&[model.text_encoder.encode(&ids, 0).unwrap()]);
        expected.check(&found, &[], &variables, most);
    });
}

#[test]
fn of_the_autoencoder() {
    in_both_dtypes(|name, dtype, most| {
        let (model, variables) = trainable(name, "vae.", dtype);
        let expected = Expected::read(name, "vae.encoder", dtype);
        let pixels = expected.input("pixels");
        let (mean, logvar) = model.vae.encode(&pixels).unwrap();
        expected.check(
            &expected.backward(&[mean, logvar.unwrap()]),
            &[("pixels", &pixels)],
            &variables,
            most,
        );

        let expected = Expected::read(name, "vae.decoder", dtype);
        let latents = expected.input("latents");
        let out = model.vae.decode(&latents).unwrap();
        expected.check(&expected.backward(&[out]), &[("latents", &latents)], &variables, most);
    });
}

/// A branch changes its layer's weight by `scale * down * up`, so its gradients follow from the weight's.
#[test]
fn of_lora_on_every_layer() {
    const RANK: usize = 2;
    const SCALE: f64 = 0.5;
    for name in MODELS {
        let (model, _) = trainable(name, "", DType::F64);
        let variable = |shape: &[usize]| {
            let numbers: Vec<f64> =
                (0..shape.iter().product()).map(|i| 0.3 * (0.7 * i as f64 + shape[0] as f64).sin()).collect();
            Var::from_vec(numbers, shape, &Device::Cpu).unwrap()
        };
        let mut branches = Vec::new();
        for (layer, target) in model.layers() {
            let down = match target.kernel {
                None => variable(&[RANK, target.inputs]),
                Some(kernel) => variable(&[RANK, target.inputs, kernel, kernel]),
            };
            let up = variable(&[target.outputs, RANK]);
            let branch = Branch { down: down.as_tensor().clone(), up: up.as_tensor().clone(), scale: SCALE };
            target.weight.set_branches(vec![branch]);
            branches.push((layer, target, down, up));
        }
        let expected = Expected::read(name, "unet", DType::F64);
        let latents = expected.input("latents");
        let timesteps = values(&expected.get("in.timesteps"));
        let text = model.text_encoder.encode(&[3, 1, 4, 1, 5], 0).unwrap().repeat((2, 1, 1)).unwrap();
        let out = model.unet.forward(&latents, &timesteps, &text).unwrap();
        let found = expected.backward(&[out]);
        for (layer, target, down, up) in branches {
            let of_weight = found.get(&target.weight.base().unwrap()).unwrap();
            // [outputs, inputs * kernel * kernel], like the factors.
            let of_weight = match target.kernel {
                None => of_weight.t().unwrap(),
                Some(_) => of_weight.flatten_from(1).unwrap(),
            };
            let a = down.flatten_from(1).unwrap();
            let of_up = (of_weight.contiguous().unwrap().matmul(&a.t().unwrap()).unwrap() * SCALE).unwrap();
            let of_down = up.t().unwrap().matmul(&of_weight.contiguous().unwrap()).unwrap();
            let of_down = (of_down * SCALE).unwrap().reshape(down.shape()).unwrap();
            for (factor, found, expected) in
                [("down", found.get(&down).unwrap(), of_down), ("up", found.get(&up).unwrap(), of_up)]
            {
                let error = distance(found, &expected);
                assert!(error < 1e-6, "{name}, {layer}, {factor}: off by {error}");
            }
        }
    }
}

/// The reference kernels can be used for inference, too, and give the same pictures except for rounding.
#[test]
fn the_reference_kernels_match_the_cpu_kernels() {
    for name in MODELS {
        let source = ModelSource::Folder(fixture(name));
        let options = LoadOptions::new(&Device::Cpu, DType::F32);
        let fast = StableDiffusion::load_with(&source, &options).unwrap();
        let plain = StableDiffusion::load_with(&source, &options.with_kernels(reference())).unwrap();
        let expected = Expected::read(name, "unet", DType::F32);
        let (latents, text) = (expected.get("in.latents"), expected.get("in.text"));
        let timesteps = values(&expected.get("in.timesteps"));
        let run = |model: &StableDiffusion| model.unet.forward(&latents, &timesteps, &text).unwrap();
        assert!(distance(&run(&plain), &run(&fast)) < 1e-5, "{name}");
    }
}
