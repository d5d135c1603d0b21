//! What trains: the factors of LoRA, the vectors of a new word, or all weights of the UNet.

use crate::draws::Draws;
use crate::error::TrainError;
use crate::network::{DTYPE, Network};
use candle_core::{Result, Tensor, Var};
use maquette_core::{Training, TrainingLayers, TrainingMethod};
use maquette_diffusion::{Inversions, LoraTarget, LoraTargets};
use maquette_kernels::Branch;
use std::collections::BTreeMap;

/// The parameters of a training by name.
///
/// LoRA's are `LAYER.lora_down` and `LAYER.lora_up`, a textual inversion's `text_encoder.vectors` and, in SDXL,
/// `text_encoder_2.vectors`, DreamBooth's those of the UNet.
pub(crate) struct Parameters {
    pub all: BTreeMap<String, Var>,
    /// DreamBooth's before the training: its file has differences.
    pub before: BTreeMap<String, Tensor>,
}

/// The parts that have text encoders, in their order.
const TEXT_PARTS: [&str; 2] = ["text_encoder", "text_encoder_2"];

impl Parameters {
    /// The parameters of a loaded model, at their initial values; the model computes with them from now on. `unet` has the
    /// UNet's variables if these train.
    pub fn new(
        training: &Training,
        network: &Network,
        unet: BTreeMap<String, Var>,
        draws: &mut Draws,
    ) -> std::result::Result<Parameters, TrainError> {
        let mut before = BTreeMap::new();
        let all = match training.method {
            TrainingMethod::Lora => branches(training, network, draws)?,
            TrainingMethod::TextualInversion => vectors(training, network)?,
            TrainingMethod::Dreambooth => {
                for (name, var) in &unet {
                    before.insert(name.clone(), var.as_tensor().copy()?.detach());
                }
                unet
            }
        };
        Ok(Parameters { all, before })
    }

    /// How many numbers they have.
    pub fn count(&self) -> usize {
        self.all.values().map(|var| var.elem_count()).sum()
    }

    /// The learning rate of a parameter, without its scheduler's factor.
    pub fn learning_rate(training: &Training, name: &str) -> f64 {
        match training.method == TrainingMethod::Lora && is_text(name) {
            true => training.text_learning_rate,
            false => training.learning_rate,
        }
    }

    /// The word that trains with its vectors, for prompts; without words if no word trains.
    pub fn word(&self, training: &Training) -> Inversions {
        match training.method {
            TrainingMethod::TextualInversion => {
                let vectors = self.all.values().map(|var| var.as_tensor().clone()).collect();
                Inversions::of_word(&training.word, vectors)
            }
            _ => Inversions::default(),
        }
    }
}

/// Whether a parameter or layer is one of a text encoder.
pub(crate) fn is_text(name: &str) -> bool {
    name.starts_with("text_encoder")
}

/// The layers that get branches, by name.
pub(crate) fn layers<'a>(training: &Training, all: &'a LoraTargets) -> Vec<(&'a String, &'a LoraTarget)> {
    let ends = |name: &str, suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    let is_wanted = |(name, layer): &(&String, &LoraTarget)| {
        if is_text(name) {
            let projections = [".q_proj", ".k_proj", ".v_proj", ".out_proj"];
            return training.train_text_encoder && ends(name, &projections);
        }
        let attention = ends(name, &[".to_q", ".to_k", ".to_v", ".to_out.0"]);
        match training.layers {
            TrainingLayers::Attention => attention,
            TrainingLayers::All => {
                let others = [".ff.net.0.proj", ".ff.net.2", ".proj_in", ".proj_out"];
                let in_block = name.contains("_block");
                attention || ends(name, &others) || (layer.kernel.is_some() && in_block)
            }
        }
    };
    all.iter().filter(is_wanted).collect()
}

/// A branch for each layer: the inner factor drawn with a standard deviation of `1 / rank`, the outer one zero, as in peft's
/// `init_lora_weights="gaussian"`, which diffusers' scripts use.
fn branches(training: &Training, network: &Network, draws: &mut Draws) -> Result<BTreeMap<String, Var>> {
    let (rank, device) = (training.rank as usize, network.device());
    let mut all = BTreeMap::new();
    for (name, layer) in layers(training, network.layers()) {
        let shape = match layer.kernel {
            None => vec![rank, layer.inputs],
            Some(kernel) => vec![rank, layer.inputs, kernel, kernel],
        };
        let drawn = draws.normal(shape.iter().product());
        let drawn = drawn.into_iter().map(|number| number / rank as f32).collect();
        let down = Var::from_vec::<_, f32>(drawn, shape, &device)?;
        let up = Var::zeros((layer.outputs, rank), DTYPE, &device)?;
        let scale = training.alpha / f64::from(training.rank);
        let branch = Branch { down: down.as_tensor().clone(), up: up.as_tensor().clone(), scale };
        layer.weight.set_branches(vec![branch]);
        all.insert(format!("{name}.lora_down"), down);
        all.insert(format!("{name}.lora_up"), up);
    }
    Ok(all)
}

/// The vectors of a new word: those of the class's tokens, in order and again from the first.
fn vectors(training: &Training, network: &Network) -> std::result::Result<BTreeMap<String, Var>, TrainError> {
    let mut all = BTreeMap::new();
    for ((tokenizer, encoder), part) in network.texts().into_iter().zip(TEXT_PARTS) {
        if tokenizer.has_token(&training.word) {
            return Err(TrainError::WordTaken { word: training.word.clone() });
        }
        let words = tokenizer.words(&training.class, &Inversions::default())?;
        let ids: Vec<u32> = words.into_iter().flat_map(|word| word.ids).collect();
        if ids.is_empty() {
            return Err(TrainError::NoClass);
        }
        let ids: Vec<u32> = ids.into_iter().cycle().take(training.num_vectors as usize).collect();
        all.insert(format!("{part}.vectors"), Var::from_tensor(&encoder.look_up(&ids, None)?)?);
    }
    Ok(all)
}
