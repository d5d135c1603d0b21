//! Models that predict flow: whole pictures against diffusers, and rows that do not affect each other. The cases of a family have
//! prompts of several lengths, with and without guidance, reference pictures, masks and LoRAs, as far as it takes them.

use crate::flow_cases::cases_in;
use crate::flow_checks::{pictures_match, rows_are_independent};

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
