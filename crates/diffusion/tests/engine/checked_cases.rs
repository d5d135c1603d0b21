//! The fixtures' runs with a safety checker, as cells.

use crate::cases::{cases, cell, fixtures};
use maquette_core::{Cell, Image, Settings};
use serde::Deserialize;

#[derive(Deserialize)]
struct Run {
    prompt: String,
    seed: u64,
    nsfw_content_detected: bool,
}

/// The runs of the fixture as cells, and whether diffusers flagged each one.
pub fn runs() -> Vec<(Cell, bool)> {
    #[derive(Deserialize)]
    struct File {
        runs: Vec<Run>,
    }
    let text = std::fs::read_to_string(fixtures().join("safety/cases.json")).unwrap();
    let plain = cases().into_iter().find(|case| case.name == "a-text-ddim").unwrap().cell().settings;
    let as_cell = |run: Run| {
        let settings = Settings {
            prompt: run.prompt.as_str().into(),
            seed: run.seed,
            steps: 2,
            guidance_scale: 1.0,
            width: 48,
            height: 32,
            safety_checker: true,
            ..plain.clone()
        };
        (cell(settings), run.nsfw_content_detected)
    };
    serde_json::from_str::<File>(&text).unwrap().runs.into_iter().map(as_cell).collect()
}

/// Whether a picture was blacked out.
pub fn is_black(image: &Image) -> bool {
    image.rgb().iter().all(|&level| level == 0)
}
