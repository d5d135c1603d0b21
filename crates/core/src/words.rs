//! The settings that are words of a short list, each an enum.

/// Gives an enum of plain words its `Display`, `FromStr` and list.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word for it in files, logs and labels.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The value that a word stands for.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                let word = String::deserialize(from)?;
                $name::from_word(&word).ok_or_else(|| {
                    let allowed: Vec<&str> = $name::ALL.iter().map(|value| value.word()).collect();
                    serde::de::Error::custom(format!("`{word}` is none of {}", allowed.join(", ")))
                })
            }
        }
    };
}

words! {
    /// How a reference picture meets an aspect that is not its own.
    Fit {
        /// Cut to the target's aspect from the centre.
        Crop = "crop",
        /// Cut to the target's aspect, keeping the top: portraits keep their heads.
        Top = "top",
        /// Keep all of it and fill the rest with its mean colour.
        Contain = "contain",
        /// Squeeze it.
        Stretch = "stretch",
    }
}

words! {
    /// How a prompt is read.
    Dialect {
        /// As it is, cut at the text encoder's length: diffusers' way.
        Plain = "plain",
        /// With weights, BREAK, AND, switches and any length: the A1111 web UI's way.
        A1111 = "a1111",
    }
}

words! {
    /// Whose random numbers a seed stands for.
    Noise {
        /// torch's generator on the CPU, in f32.
        TorchCpu = "torch-cpu",
        /// torch's generator on the CPU as half-precision pipelines draw from it.
        TorchCpuF16 = "torch-cpu-f16",
        /// torch's generator on CUDA (Philox), which is also that of A1111's pictures made on a GPU.
        TorchCuda = "torch-cuda",
    }
}

words! {
    /// How noise levels are spaced between the first and the last step.
    Sigmas {
        /// As the timesteps have them.
        Normal = "normal",
        /// After Karras et al., arXiv 2206.00364, equation 5.
        Karras = "karras",
        /// Evenly in the logarithm.
        Exponential = "exponential",
    }
}

words! {
    /// How timesteps are chosen from the training's (table 2 of arXiv 2305.08891).
    Spacing {
        /// Multiples of T // N, from the start.
        Leading = "leading",
        /// Multiples of T / N, from the end.
        Trailing = "trailing",
        /// Evenly between both ends.
        Linspace = "linspace",
    }
}

words! {
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
    }
}

impl Scheduler {
    /// How its class in diffusers chooses timesteps unless told otherwise; `None` for LCM, which has a way of its own.
    pub fn own_spacing(self) -> Option<Spacing> {
        match self {
            Scheduler::Pndm | Scheduler::Ddim | Scheduler::Ddpm => Some(Spacing::Leading),
            Scheduler::Euler
            | Scheduler::EulerA
            | Scheduler::Heun
            | Scheduler::Dpmpp2m
            | Scheduler::Unipc => Some(Spacing::Linspace),
            Scheduler::Lcm => None,
        }
    }

    /// Whether [`Sigmas`] mean anything to it.
    pub fn has_sigmas(self) -> bool {
        matches!(self, Scheduler::Euler | Scheduler::Heun | Scheduler::Dpmpp2m | Scheduler::Unipc)
    }
}

words! {
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
