//! What to train: the pictures of a subject and every setting of the training, as a plan stores them.
//!
//! A training is named by its effect, as a cell is: by the content of its pictures and of its model, never by their paths.
//! Not here: the training itself, and where its weights are stored.

use crate::model::FoundFile;
use crate::options::options;
use crate::{Digest, NUMERICS};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The placeholder that names the subject of a cell, in experiments with trainings.
pub const SUBJECT: &str = "subject";

/// Its value for cells without a subject.
pub const NO_SUBJECT: &str = "none";

/// The most steps of a training.
pub(crate) const MAX_TRAINING_STEPS: i64 = 1_000_000;

options! {
    /// What is trained.
    TrainingMethod {
        /// Low-rank branches of the denoiser's attention layers (Hu et al., arXiv 2106.09685).
        Lora = "lora",
        /// Vectors of a new word in the text encoder's vocabulary (Gal et al., arXiv 2208.01618).
        TextualInversion = "textual-inversion",
        /// All weights of the denoiser (Ruiz et al., arXiv 2208.12242).
        Dreambooth = "dreambooth",
    }
}

options! {
    /// The layers that get low-rank branches.
    TrainingLayers {
        /// The projections of the denoiser's attention.
        Attention = "attention",
        /// The same, its feed-forward layers, its convolutions and the projections around its transformers.
        All = "all",
    }
}

options! {
    /// How the learning rate changes after the warm-up; diffusers' words.
    LrScheduler {
        /// It stays the same.
        Constant = "constant",
        /// It falls to 0 along half a period of a cosine.
        Cosine = "cosine",
    }
}

options! {
    /// The precision of the frozen weights and of the computation; what trains is in f32. accelerate's words.
    MixedPrecision {
        /// f32 throughout.
        No = "no",
        /// bf16.
        Bf16 = "bf16",
    }
}

options! {
    /// How a picture is fitted to the training's resolution.
    TrainingCrop {
        /// Cropped around the centre.
        Center = "center",
        /// Cropped somewhere else at each use.
        Random = "random",
    }
}

/// One training: the pictures of a subject, the model, and all settings. No setting means "default".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The name of the subject in the experiment, such as `me`.
    pub subject: String,
    /// The model as written.
    pub model: String,
    /// The model's fingerprint.
    pub fingerprint: Digest,
    /// What is trained.
    pub method: TrainingMethod,
    /// The pictures of the subject, 1 or more.
    pub images: Vec<TrainingImage>,
    /// How prompts name the subject, such as `sks man`. In a textual inversion it is the new word.
    pub word: String,
    /// What the subject is, such as `man`; empty for none. It takes the word's place in prompts without the subject, and
    /// a textual inversion starts from its embeddings.
    pub class: String,
    /// The prompt of the pictures of the class that preserve the model's prior; empty for no prior preservation.
    pub class_prompt: String,
    /// The number of pictures of the class; the model renders them with seeds from 0 on.
    pub num_class_images: u32,
    /// The factor of the loss of the class's pictures.
    pub prior_loss_weight: f64,
    /// Optimizer steps.
    pub steps: u32,
    /// Pictures of the subject in a step; with prior preservation, as many of the class are added.
    pub batch_size: u32,
    /// The learning rate after the warm-up.
    pub learning_rate: f64,
    /// The learning rate of the text encoder's branches.
    pub text_learning_rate: f64,
    /// How the learning rate changes.
    pub lr_scheduler: LrScheduler,
    /// Steps in which the learning rate rises linearly from 0.
    pub lr_warmup_steps: u32,
    /// The gradients are scaled so that their norm is at most this; 0 leaves them as they are.
    pub max_grad_norm: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// The gamma of min-SNR weights (Hang et al., arXiv 2303.09556); 0 for none.
    pub snr_gamma: f64,
    /// The rank of the branches.
    pub rank: u32,
    /// The branches are scaled by `alpha / rank`.
    pub alpha: f64,
    /// The layers that get branches.
    pub layers: TrainingLayers,
    /// Whether the text encoders get branches, too.
    pub train_text_encoder: bool,
    /// The vectors of a textual inversion, 1 to 8.
    pub num_vectors: u32,
    /// Width and height of the pictures in training, in pixels.
    pub resolution: (u32, u32),
    /// How the pictures are fitted to it.
    pub crop: TrainingCrop,
    /// Whether a picture is mirrored at half of its uses.
    pub random_flip: bool,
    /// The seed of everything random.
    pub seed: u64,
    /// The precision of the model that is trained.
    #[serde(default = "full")]
    pub mixed_precision: MixedPrecision,
    /// Whether the results between blocks are computed again in the backward pass instead of being kept. It changes no bit.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// The folder of trained weights. Not stored in a plan on disk: each process sets it.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// One picture of a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingImage {
    /// Its path as written.
    pub path: String,
    /// Its content and current path.
    pub image: FoundFile,
    /// What the loss counts: white fully, black not at all. It has the picture's shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<FoundFile>,
    /// Its prompt, with the subject's word in it.
    pub caption: String,
}

impl Training {
    /// Whether pictures of the class are rendered and learned along with those of the subject.
    pub fn has_prior(&self) -> bool {
        !self.class_prompt.is_empty()
    }

    /// Forgets where its files are at the moment.
    pub fn forget_paths(&mut self) {
        self.folder = PathBuf::new();
        for image in &mut self.images {
            image.image.file = PathBuf::new();
            if let Some(mask) = &mut image.mask {
                mask.file = PathBuf::new();
            }
        }
    }

    /// The name of the training: a digest of everything that can change its weights.
    pub fn digest(&self) -> Digest {
        // All fields are listed, so that a new one cannot be forgotten. The names of subject, model and files change nothing,
        // nor does what is kept in memory.
        let Training { subject: _, model: _, fingerprint, method, images, word, class, .. } = self;
        let Training { class_prompt, num_class_images, prior_loss_weight, steps, batch_size, .. } = self;
        let Training { learning_rate, text_learning_rate, lr_scheduler, lr_warmup_steps, .. } = self;
        let Training { max_grad_norm, weight_decay, snr_gamma, rank, alpha, layers, .. } = self;
        let Training { train_text_encoder, num_vectors, resolution, crop, random_flip, seed, .. } = self;
        let Training { mixed_precision, gradient_checkpointing: _, folder: _, .. } = self;
        let (width, height) = resolution;
        let mut form = format!(
            "training 1\nnumerics {NUMERICS}\nmodel {fingerprint}\nmethod {method}\nword {word:?}\nclass {class:?}\n\
             class_prompt {class_prompt:?}\nnum_class_images {num_class_images}\nprior_loss_weight {prior_loss_weight}\n\
             steps {steps}\nbatch_size {batch_size}\nlearning_rate {learning_rate}\n\
             text_learning_rate {text_learning_rate}\nlr_scheduler {lr_scheduler}\n\
             lr_warmup_steps {lr_warmup_steps}\nmax_grad_norm {max_grad_norm}\nweight_decay {weight_decay}\n\
             snr_gamma {snr_gamma}\nrank {rank}\nalpha {alpha}\nlayers {layers}\n\
             train_text_encoder {train_text_encoder}\nnum_vectors {num_vectors}\nresolution {width} {height}\n\
             crop {crop}\nrandom_flip {random_flip}\nseed {seed}\n"
        );
        if *mixed_precision != MixedPrecision::No {
            form += &format!("mixed_precision {mixed_precision}\n");
        }
        for TrainingImage { path: _, image, mask, caption } in images {
            let mask = mask.as_ref().map(|mask| mask.digest.to_string()).unwrap_or_default();
            form += &format!("image {} {caption:?} mask {mask}\n", image.digest);
        }
        Digest::of(form.as_bytes())
    }

    /// The file of its weights after `step` steps.
    pub fn weights_file(&self, step: u32) -> PathBuf {
        self.folder.join(format!("{}.safetensors", self.weights_digest(step)))
    }

    /// The name of its weights after `step` steps, 1 to [`Training::steps`].
    pub fn weights_digest(&self, step: u32) -> Digest {
        Digest::of(format!("{}\nstep {step}", self.digest()).as_bytes())
    }
}

/// The precision of trainings in plans from before there was a choice.
fn full() -> MixedPrecision {
    MixedPrecision::No
}
