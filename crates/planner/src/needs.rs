//! Requirements between settings: a mask needs a picture of its shape, an inpainting model needs a picture, a safety
//! checker needs a model that has one. Only combinations that occur in cells are checked.

use crate::AssetResolver;
use crate::cells::{Cells, place, unknown};
use crate::problem::Problems;
use maquette_core::{Digest, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

impl Cells<'_> {
    /// Checks the requirements between settings; the paths of pictures are relative to `folder`.
    pub fn needs(&self, folder: &Path, assets: &dyn AssetResolver, problems: &mut Problems) {
        // Each problem is reported once, however many cells have it.
        let mut reported = BTreeSet::new();
        let mut checked = BTreeSet::new();
        let (mut unused, mut used) = (None, false);
        for at in self.parts(&["model", "safety_checker", "init_image", "mask"]) {
            let given = |name: &str| self.grid.value(name, &at);
            // As written: this checks whether a mask applies.
            let text = |name: &str| {
                let text = given(name).and_then(|given| self.plan.fill(given.value.as_text()?, &at));
                text.filter(|text| !text.is_empty())
            };
            let mut report = |name: &str, message: String, help: &str| {
                if reported.insert(message.clone()) {
                    problems.add(place(given(name).and_then(|given| given.at.as_ref()), message).help(help));
                }
            };
            let (picture, mask) = (text("init_image"), text("mask"));
            if let Some((name, card)) = self.model(&at) {
                if card.inpainting && picture.is_none() {
                    let message = format!("the model {name} is for inpainting; allowed: with `init_image`");
                    report("model", message, "set `init_image`, and `mask` to limit where it may change");
                }
                let enabled = given("safety_checker").is_some_and(|given| given.value == Value::Flag(true));
                if enabled && !card.safety_checker {
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
                    report("safety_checker", message, &help);
                }
            }
            match (mask, picture) {
                (Some(mask), Some(picture)) => {
                    used = true;
                    if checked.insert((mask.clone(), picture.clone()))
                        && let Err(error) = assets.mask_fits(&folder.join(&mask), &folder.join(&picture))
                    {
                        problems.add(unknown(error, given("mask").and_then(|given| given.at.as_ref())));
                    }
                }
                (Some(_), None) => unused = unused.or(given("mask")),
                (None, _) => {}
            }
        }
        let control = [
            "set `controlnet`, the network that follows the picture",
            "set `control_image`: a picture that already shows what the ControlNet expects, such as edges or depth",
        ];
        self.shown(problems, "controlnet", "control_image", control);
        let image = [
            "set `ip_adapter`, the network that shows the picture to the model",
            "set `ip_adapter_image`: a picture of a face or of a style",
        ];
        self.shown(problems, "ip_adapter", "ip_adapter_image", image);
        if let Some(mask) = unused.filter(|_| !used) {
            let problem = place(mask.at.as_ref(), "`mask` has no effect without `init_image`".to_owned());
            problems.add(problem.help("set `init_image`, the picture that the mask is for"));
        }
    }

    /// Reports a network without the picture that it is for, and a picture without the network.
    fn shown(&self, problems: &mut Problems, network: &str, picture: &str, hints: [&str; 2]) {
        let [for_network, for_picture] = hints;
        let is_given = |name: &str| !self.plan.written(name).all(Value::is_empty);
        if !is_given(network) {
            let unused = self.grid.values(picture).into_iter().find(|given| !given.value.is_empty());
            if let Some(image) = unused {
                let problem =
                    place(image.at.as_ref(), format!("`{picture}` has no effect without `{network}`"));
                problems.add(problem.help(for_network));
            }
            return;
        }
        for at in self.parts(&[network, picture]) {
            let text = |name: &str| self.plan.text(name, &at).filter(|text| !text.is_empty());
            if let (Some(_), None) = (text(network), text(picture)) {
                let message = format!("`{network}` needs a picture; allowed: with `{picture}`");
                return problems.add(place(self.place(network, &at), message).help(for_picture));
            }
        }
    }

    /// The digests of the safety checkers that cells use, by model.
    pub fn safety_checkers(
        &self,
        assets: &dyn AssetResolver,
        problems: &mut Problems,
    ) -> BTreeMap<String, Digest> {
        let mut digests = BTreeMap::new();
        for at in self.parts(&["model", "safety_checker"]) {
            let given = self.grid.value("safety_checker", &at);
            let Some((name, card)) = self.model(&at) else { continue };
            let enabled = given.is_some_and(|given| given.value == Value::Flag(true)) && card.safety_checker;
            if !enabled || digests.contains_key(name) {
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
