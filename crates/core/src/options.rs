//! Options: settings that take one word of a list; each is an enum. The macro serves other such words as well.

/// A word that is not a value of an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not one of {allowed}")]
pub struct OptionError {
    /// What was written.
    pub value: String,
    /// The words, separated by commas.
    pub allowed: String,
}

/// Defines an enum whose variants have words, with `Display`, `FromStr`, serde's traits and a list of all values.
macro_rules! options {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word for each of them.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it in files, logs and labels.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::options::OptionError;

            fn from_str(word: &str) -> Result<$name, Self::Err> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::options::OptionError { value: word.to_owned(), allowed: $name::WORDS.join(", ") }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use options;

options! {
    /// How a reference picture is fitted to another aspect ratio.
    Fit {
        /// Crop to the target's aspect ratio around the centre.
        Crop = "crop",
        /// Crop to the target's aspect ratio, keeping the top: portraits keep their heads.
        Top = "top",
        /// Keep the whole picture and fill the rest with its mean colour.
        Contain = "contain",
        /// Stretch it to the target's aspect ratio.
        Stretch = "stretch",
    }
}

options! {
    /// How a prompt is read.
    Dialect {
        /// As plain text, truncated to the text encoder's length, as in diffusers.
        Plain = "plain",
        /// With weights, BREAK, AND, switches and any length, as in the A1111 web UI.
        A1111 = "a1111",
    }
}

options! {
    /// The random generator that a seed is for.
    Noise {
        /// torch's generator on the CPU, in f32.
        TorchCpu = "torch-cpu",
        /// torch's generator on the CPU, drawing f16 as half-precision pipelines do.
        TorchCpuF16 = "torch-cpu-f16",
        /// torch's generator on CUDA (Philox), which A1111 also uses on a GPU.
        TorchCuda = "torch-cuda",
    }
}

options! {
    /// How noise levels are spaced between the first and the last step.
    Sigmas {
        /// As given by the timesteps.
        Normal = "normal",
        /// After Karras et al., arXiv 2206.00364, equation 5.
        Karras = "karras",
        /// Evenly on a logarithmic scale.
        Exponential = "exponential",
    }
}

options! {
    /// How timesteps are chosen from the training timesteps (table 2 of arXiv 2305.08891).
    Spacing {
        /// Multiples of T // N, from the start.
        Leading = "leading",
        /// Multiples of T / N, from the end.
        Trailing = "trailing",
        /// Evenly between both ends.
        Linspace = "linspace",
    }
}

options! {
    /// What the UNet predicts.
    PredictionType {
        /// The noise.
        Epsilon = "epsilon",
        /// The velocity (Salimans and Ho, arXiv 2202.00512).
        VPrediction = "v_prediction",
        /// The clean latents.
        Sample = "sample",
    }
}

options! {
    /// The rule that turns predicted noise into the next latents; diffusers' classes of the same names.
    Scheduler {
        /// PNDMScheduler with skipped Runge-Kutta steps (PLMS), the default of Stable Diffusion v1-4.
        Pndm = "pndm",
        /// DDIMScheduler.
        Ddim = "ddim",
        /// DDPMScheduler.
        Ddpm = "ddpm",
        /// EulerDiscreteScheduler.
        Euler = "euler",
        /// EulerAncestralDiscreteScheduler.
        EulerA = "euler_a",
        /// HeunDiscreteScheduler.
        Heun = "heun",
        /// DPMSolverMultistepScheduler: DPM-Solver++ of second order.
        Dpmpp2m = "dpmpp_2m",
        /// UniPCMultistepScheduler.
        Unipc = "unipc",
        /// LCMScheduler, for models distilled to few steps.
        Lcm = "lcm",
        /// FlowMatchEulerDiscreteScheduler, for models that predict flow, as are the next two.
        FlowEuler = "flow_euler",
        /// FlowMatchHeunDiscreteScheduler.
        FlowHeun = "flow_heun",
        /// DPMSolverMultistepScheduler with flow sigmas: DPM-Solver++ of second order.
        FlowDpmpp2m = "flow_dpmpp_2m",
    }
}

impl Noise {
    /// The bits of a seed that the generator uses: torch's on the CPU uses the low 32 bits.
    ///
    /// Source: `mt19937(uint64_t seed)` of `aten/src/ATen/core/MT19937RNGEngine.h`.
    pub fn seed_bits(self, seed: u64) -> u64 {
        match self {
            Noise::TorchCpu | Noise::TorchCpuF16 => seed & 0xffff_ffff,
            Noise::TorchCuda => seed,
        }
    }
}

impl Scheduler {
    /// The default timestep spacing of its class in diffusers; `None` for LCM and the schedulers of
    /// flow, which have their own rules.
    pub fn own_spacing(self) -> Option<Spacing> {
        match self {
            Scheduler::Pndm | Scheduler::Ddim | Scheduler::Ddpm => Some(Spacing::Leading),
            Scheduler::Euler
            | Scheduler::EulerA
            | Scheduler::Heun
            | Scheduler::Dpmpp2m
            | Scheduler::Unipc => Some(Spacing::Linspace),
            Scheduler::Lcm | Scheduler::FlowEuler | Scheduler::FlowHeun | Scheduler::FlowDpmpp2m => None,
        }
    }

    /// Whether it is for models that predict flow, the difference of noise and clean latents, and for no others.
    pub fn is_flow(self) -> bool {
        matches!(self, Scheduler::FlowEuler | Scheduler::FlowHeun | Scheduler::FlowDpmpp2m)
    }

    /// Whether its class can rescale betas to zero terminal SNR.
    pub fn has_zero_snr(self) -> bool {
        !self.is_flow() && !matches!(self, Scheduler::Pndm | Scheduler::Heun)
    }

    /// Whether it supports [`Sigmas`].
    pub fn has_sigmas(self) -> bool {
        matches!(self, Scheduler::Euler | Scheduler::Heun | Scheduler::Dpmpp2m | Scheduler::Unipc)
    }
}

options! {
    /// The families of models. What the settings of a picture mean is the same in all of them, but not every setting has an
    /// effect in every family.
    ModelFamily {
        /// Stable Diffusion 1 and 2.
        StableDiffusion = "stable-diffusion",
        /// Stable Diffusion XL.
        Sdxl = "sdxl",
        /// Z-Image and Z-Image-Turbo.
        ZImage = "z-image",
        /// Stable Diffusion 3 and 3.5.
        StableDiffusion3 = "stable-diffusion-3",
        /// FLUX.1 schnell and dev.
        Flux1 = "flux1",
        /// FLUX.2 klein.
        Flux2 = "flux2-klein",
        /// Chroma.
        Chroma = "chroma",
        /// Anima.
        Anima = "anima",
        /// Qwen-Image.
        QwenImage = "qwen-image",
    }
}

impl ModelFamily {
    /// Whether its models predict flow, so that they need a scheduler of flow.
    pub fn is_flow(self) -> bool {
        !matches!(self, ModelFamily::StableDiffusion | ModelFamily::Sdxl)
    }

    /// Whether its denoiser is a UNet, whose deep layers DeepCache can skip.
    pub fn has_unet(self) -> bool {
        matches!(self, ModelFamily::StableDiffusion | ModelFamily::Sdxl)
    }

    /// Whether its prompts are encoded by the layers of CLIP, of which the last can be skipped.
    pub fn has_clip(self) -> bool {
        !matches!(
            self,
            ModelFamily::ZImage
                | ModelFamily::Flux1
                | ModelFamily::Flux2
                | ModelFamily::Chroma
                | ModelFamily::Anima
                | ModelFamily::QwenImage
        )
    }

    /// Whether textual inversions can extend its vocabulary.
    pub fn has_inversions(self) -> bool {
        matches!(self, ModelFamily::StableDiffusion | ModelFamily::Sdxl)
    }
}

options! {
    /// Precision of weights and activations.
    Dtype {
        /// 32-bit floats.
        F32 = "f32",
        /// 16-bit floats.
        F16 = "f16",
        /// bfloat16.
        Bf16 = "bf16",
    }
}
