//! Models that predict flow: whole pictures against diffusers, and rows that do not affect each other. The cases of a family have
//! prompts of several lengths, with and without guidance, reference pictures, masks and LoRAs, as far as it takes them.

use crate::flow_cases::cases_in;
use crate::flow_checks::{forms_of_a_lora_agree, pictures_match, rows_are_independent, with_lora};

macro_rules! families {
    ($($family:ident: $cases:literal,)*) => {$(
        mod $family {
            #[test]
            fn pictures_match_diffusers() {
                super::pictures_match(&super::cases_in($cases));
            }

            #[test]
            fn rows_do_not_affect_each_other() {
                super::rows_are_independent(super::cases_in($cases));
            }

            /// Names of diffusers, kohya's trainer and ComfyUI, where queries, keys and values may be one module.
            #[test]
            fn every_form_of_a_lora_gives_the_same_picture() {
                super::forms_of_a_lora_agree(&super::with_lora($cases));
            }
        }
    )*};
}

families! {
    anima: "anima/cases.json",
    chroma: "chroma/cases.json",
    flux1: "flux1/cases.json",
    flux2: "flux2/cases.json",
    qwen_image: "qwen-image/cases.json",
    stable_diffusion_3: "sd3/cases.json",
    z_image: "z-image/cases.json",
}
