//! What settings ask of each other: a mask of a picture of its shape, an inpainting model of a picture, a safety checker
//! of a model that has one. Each is checked for the combinations that cells really have.

use crate::AssetResolver;
use crate::cells::{Cells, place, unknown};
use crate::problem::Problems;
use maquette_core::{Digest, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

impl Cells<'_> {
    /// Everything that one setting needs of another one; `folder` is where the paths of pictures start.
    pub fn needs(&self, folder: &Path, assets: &dyn AssetResolver, problems: &mut Problems) {
        // Each is said once, whatever the number of cells.
        let mut said = BTreeSet::new();
        let mut looked_at = BTreeSet::new();
        let (mut idle, mut used) = (None, false);
        for at in self.parts(&["model", "safety_checker", "init_image", "mask"]) {
            let given = |name: &str| self.grid.value(name, &at);
            // As written: whether a mask applies is the question here.
            let text = |name: &str| {
                let text = given(name).and_then(|given| self.plan.fill(given.value.as_text()?, &at));
                text.filter(|text| !text.is_empty())
            };
            let mut say = |name: &str, message: String, help: &str| {
                if said.insert(message.clone()) {
                    problems.add(place(given(name).and_then(|given| given.at.as_ref()), message).help(help));
                }
            };
            let (picture, mask) = (text("init_image"), text("mask"));
            if let Some((name, card)) = self.model(&at) {
                if card.inpainting && picture.is_none() {
                    let message = format!("the model {name} is for inpainting; allowed: with `init_image`");
                    say("model", message, "set `init_image`, and `mask` to limit where it may change");
                }
                let asked = given("safety_checker").is_some_and(|given| given.value == Value::Flag(true));
                if asked && !card.safety_checker {
                    let message =
                        format!("the model {name} has no safety checker; allowed: `safety_checker = false`");
                    let mut help =
                        "a model has one if its folder contains `safety_checker` and `feature_extractor`"
                            .to_owned();
                    if name.contains('/') {
                        help += &format!(
                            "; `maquette models fetch {name} --safety-checker` downloads it from the hub"
                        );
                    }
                    say("safety_checker", message, &help);
                }
            }
            match (mask, picture) {
                (Some(mask), Some(picture)) => {
                    used = true;
                    if looked_at.insert((mask.clone(), picture.clone()))
                        && let Err(error) = assets.mask_fits(&folder.join(&mask), &folder.join(&picture))
                    {
                        problems.add(unknown(error, given("mask").and_then(|given| given.at.as_ref())));
                    }
                }
                (Some(_), None) => idle = idle.or(given("mask")),
                (None, _) => {}
            }
        }
        if let Some(mask) = idle.filter(|_| !used) {
            let problem = place(mask.at.as_ref(), "`mask` has no effect without `init_image`".to_owned());
            problems.add(problem.help("set `init_image`, the picture that the mask is for"));
        }
    }

    /// The digest of the safety checker of every model that a cell asks it of.
    pub fn safety_checkers(
        &self,
        assets: &dyn AssetResolver,
        problems: &mut Problems,
    ) -> BTreeMap<String, Digest> {
        let mut digests = BTreeMap::new();
        for at in self.parts(&["model", "safety_checker"]) {
            let given = self.grid.value("safety_checker", &at);
            let Some((name, card)) = self.model(&at) else { continue };
            let looks = given.is_some_and(|given| given.value == Value::Flag(true)) && card.safety_checker;
            if !looks || digests.contains_key(name) {
                continue;
            }
            match assets.safety_checker(name) {
                Ok(digest) => _ = digests.insert(name.to_owned(), digest),
                Err(error) => problems.add(unknown(error, given.and_then(|given| given.at.as_ref()))),
            }
        }
        digests
    }
}
