//! Drafts: quick pictures that stand for the cells of a plan until those are rendered.
//!
//! A draft is a cell of its own, with fewer steps and perhaps a tiny autoencoder, so its name differs from that of the cell
//! it stands for.

use crate::steps::steps_left_with;
use crate::{Cell, NamedFile, Plan, Settings};
use std::collections::BTreeMap;

/// The least number of denoising steps of a draft, unless a number is given.
const LEAST: u32 = 4;

/// How drafts differ from their cells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DraftSettings {
    /// Denoising steps of a draft; by default a quarter of its cell's, at least 4.
    pub steps: Option<u32>,
    /// The tiny autoencoder for the models that have one, by the model's name.
    pub vae: BTreeMap<String, NamedFile>,
}

impl DraftSettings {
    /// The draft of a cell; `None` for a cell with so few steps that a draft would not be quicker.
    ///
    /// With a reference picture, `strength` is kept and `steps` are chosen so that the draft does its number of steps.
    pub fn draft(&self, plan: &Plan, cell: &Cell) -> Option<Cell> {
        let card = plan.models.get(&*cell.settings.model)?;
        let mut settings = cell.settings.clone();
        settings.steps = self.steps_of(&settings);
        if settings.unet_calls() >= cell.settings.unet_calls() {
            return None;
        }
        if let Some(vae) = self.vae.get(&*settings.model) {
            settings.vae = Some(vae.clone());
        }
        let id = plan.name_of(&settings, card);
        Some(Cell { id, settings, ..cell.clone() })
    }

    /// The number of steps of which `strength` leaves those of a draft.
    fn steps_of(&self, settings: &Settings) -> u32 {
        let left = |steps: u32| {
            settings.strength.map_or(steps, |strength| steps_left_with(settings.scheduler, steps, strength))
        };
        let all = left(settings.steps);
        let wanted = self.steps.unwrap_or_else(|| all.div_ceil(4).max(LEAST)).min(all);
        (1..settings.steps).find(|&steps| left(steps) >= wanted).unwrap_or(settings.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_plans::{cell, plan, with_init_image};
    use crate::{Digest, Scheduler};

    #[test]
    fn a_draft_does_a_quarter_of_the_steps() {
        let check =
            |steps: u32, strength: Option<f64>, given: Option<u32>, expected: Option<(u32, usize)>| {
                let mut cell = cell();
                cell.settings.steps = steps;
                if let Some(strength) = strength {
                    with_init_image(&mut cell.settings, strength);
                }
                let how = DraftSettings { steps: given, ..DraftSettings::default() };
                let draft = how.draft(&plan(&[]), &cell);
                let found = draft.as_ref().map(|draft| (draft.settings.steps, draft.settings.unet_calls()));
                assert_eq!(found, expected, "{steps} {strength:?} {given:?}");
                if let Some(draft) = draft {
                    assert_ne!(draft.id, cell.id);
                    assert_eq!(draft.settings.strength, strength);
                }
            };
        check(50, None, None, Some((13, 13)));
        check(20, None, None, Some((5, 5)));
        check(10, None, None, Some((4, 4)));
        check(4, None, None, None);
        check(5, None, None, Some((4, 4)));
        check(50, None, Some(1), Some((1, 1)));
        check(50, None, Some(50), None);
        check(50, None, Some(900), None);
        // 15 steps are left of 50, and 4 of 14.
        check(50, Some(0.3), None, Some((14, 4)));
        check(50, Some(0.9), None, Some((14, 12)));
        check(50, Some(0.0), None, None);
        check(50, Some(0.04), None, None);
    }

    #[test]
    fn a_tiny_autoencoder_is_used_for_its_model_only() {
        let vae = NamedFile {
            path: "taesd".into(),
            file: std::path::Path::new("/models/taesd").into(),
            digest: Digest::of(b"tiny"),
        };
        let how = |model: &str| DraftSettings { steps: None, vae: [(model.to_owned(), vae.clone())].into() };
        let draft = |model: &str| how(model).draft(&plan(&[]), &cell()).unwrap();
        assert_eq!(draft("sketchbook").settings.vae, Some(vae.clone()));
        assert_eq!(draft("another").settings.vae, None);
        assert_ne!(draft("sketchbook").id, draft("another").id);
    }

    #[test]
    fn the_draft_of_a_scheduler_with_more_calls_has_fewer_calls() {
        for scheduler in [Scheduler::Pndm, Scheduler::Heun] {
            let mut cell = cell();
            cell.settings.scheduler = scheduler;
            let draft = DraftSettings::default().draft(&plan(&[]), &cell).unwrap();
            assert!(draft.settings.unet_calls() * 2 < cell.settings.unet_calls());
        }
    }
}
