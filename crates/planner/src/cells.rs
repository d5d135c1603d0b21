//! Checks that need more than one value: models and files must exist, the model must support the size, the strength
//! must leave at least one step. Only combinations that occur in cells are checked.
//!
//! The plan resolves the settings of a cell; the grid only gives the place where a value was written.

use crate::grid::{Given, Grid};
use crate::nearest::list;
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::projection::project;
use crate::{AssetError, AssetResolver};
use maquette_core::{
    Applies, Dtype, FoundFile, ModelCard, Plan, SETTINGS, Scheduler, Selection, Setting, Value, WeightsKind,
    has_loras, take_loras, unet_calls,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The cells of a plan, and the places where their values were written.
pub(crate) struct Cells<'a> {
    pub plan: &'a Plan,
    pub grid: &'a Grid,
}

impl Cells<'_> {
    /// Coordinates of one cell for each combination of the axes on which these settings depend.
    pub fn parts(&self, settings: &[&str]) -> Vec<Vec<usize>> {
        let plan = self.plan;
        let axes = plan.axes_of(settings.iter().flat_map(|name| plan.decided_by(name)));
        let sizes = self.grid.sizes();
        let parts = match &plan.kept {
            Selection::All => project(&sizes, &axes, 0..sizes.iter().product()),
            Selection::Only(positions) => project(&sizes, &axes, positions.iter().map(|&at| at as usize)),
        };
        parts.iter().map(|part| plan.coordinates_at(part.position)).collect()
    }

    /// Where a setting of a cell was written.
    pub fn place(&self, name: &str, coordinates: &[usize]) -> Option<&At> {
        self.grid.value(name, coordinates)?.at.as_ref()
    }

    /// The card of a cell's model, by the model's name.
    pub fn model(&self, coordinates: &[usize]) -> Option<(&str, &ModelCard)> {
        let name = self.plan.text("model", coordinates)?;
        self.plan.models.get_key_value(&name).map(|(name, card)| (name.as_str(), card))
    }

    /// Looks up every model that a cell names.
    pub fn models(&self, assets: &dyn AssetResolver, problems: &mut Problems) -> BTreeMap<String, ModelCard> {
        let mut requests: Vec<(String, Option<&At>, Dtype)> = Vec::new();
        for at in self.parts(&["model", "dtype"]) {
            let Some(name) = self.plan.text("model", &at) else { continue };
            let dtype = self.plan.text("dtype", &at).and_then(|word| word.parse().ok());
            let dtype = dtype.unwrap_or(Dtype::F32);
            match requests.iter_mut().find(|(other, ..)| *other == name) {
                // Full precision is also valid for the others.
                Some((_, _, widest)) if *widest == Dtype::F16 => *widest = dtype,
                Some(_) => {}
                None => requests.push((name, self.place("model", &at), dtype)),
            }
        }
        let mut models = BTreeMap::new();
        for (name, at, dtype) in requests {
            match assets.model(&name, dtype) {
                Ok(card) => _ = models.insert(name, card),
                Err(error) => problems.add(unknown(error, at)),
            }
        }
        models
    }

    /// Looks up every picture that a cell names; their paths are relative to `folder`.
    pub fn pictures(
        &self,
        folder: &Path,
        assets: &dyn AssetResolver,
        problems: &mut Problems,
    ) -> BTreeMap<String, FoundFile> {
        let mut pictures = BTreeMap::new();
        for setting in ["init_image", "mask", "control_image", "ip_adapter_image"] {
            for at in self.parts_of_given(setting) {
                // A mask that does not apply is also looked up: `needs` reports why it does not apply.
                let path = self.grid.value(setting, &at).and_then(|given| given.value.as_text());
                let Some(path) = path.and_then(|path| self.plan.fill(path, &at)) else { continue };
                if path.is_empty() || pictures.contains_key(&path) {
                    continue;
                }
                match assets.picture(&folder.join(&path)) {
                    Ok(picture) => _ = pictures.insert(path, picture),
                    Err(error) => problems.add(unknown(error, self.place(setting, &at))),
                }
            }
        }
        pictures
    }

    /// Looks up every weight file that a cell names, in a setting or in its prompt.
    pub fn weights(
        &self,
        assets: &dyn AssetResolver,
        problems: &mut Problems,
    ) -> BTreeMap<String, FoundFile> {
        let mut weights = BTreeMap::new();
        // A missing file is reported once, however many cells name it.
        let mut seen = BTreeSet::new();
        let mut look_up = |kind: WeightsKind, name: &str, at: Option<&At>| {
            let key = kind.key(name);
            if !seen.insert(key.clone()) {
                return weights.contains_key(&key);
            }
            match assets.weights(kind, name) {
                Ok(file) => _ = weights.insert(key.clone(), file),
                Err(error) => problems.add(unknown(error, at)),
            }
            weights.contains_key(&key)
        };
        let one_file = [
            ("vae", WeightsKind::Vae),
            ("controlnet", WeightsKind::ControlNet),
            ("ip_adapter", WeightsKind::IpAdapter),
            ("ip_adapter_image_encoder", WeightsKind::ImageEncoder),
        ];
        for (setting, kind) in one_file {
            for at in self.parts_of_given(setting) {
                if let Some(name) = self.plan.text(setting, &at).filter(|name| !name.is_empty()) {
                    look_up(kind, &name, self.place(setting, &at));
                }
            }
        }
        // Without an image encoder, the one near the IP-Adapter.
        for at in self.parts(&["ip_adapter", "ip_adapter_image_encoder"]) {
            let given = |name: &str| self.plan.text(name, &at).filter(|name| !name.is_empty());
            let (adapter, place) = (given("ip_adapter"), self.place("ip_adapter", &at));
            // A missing adapter was reported above.
            if let (Some(adapter), None) = (adapter, given("ip_adapter_image_encoder"))
                && look_up(WeightsKind::IpAdapter, &adapter, place)
            {
                look_up(WeightsKind::ImageEncoder, &adapter, place);
            }
        }
        for (setting, kind) in [("lora", WeightsKind::Lora), ("embeddings", WeightsKind::Embedding)] {
            for at in self.parts_of_given(setting) {
                for file in self.plan.weights_at(setting, &at) {
                    look_up(kind, &file.name, self.place(setting, &at));
                }
            }
        }
        let mut wrong = BTreeMap::new();
        if self.grid.mentions(has_loras) {
            for at in self.parts(&["prompt"]) {
                match take_loras(&self.plan.text("prompt", &at).unwrap_or_default()) {
                    Ok((_, tags)) => tags.iter().for_each(|tag| {
                        look_up(WeightsKind::Lora, tag.name, self.place("prompt", &at));
                    }),
                    Err(error) => _ = wrong.entry(error.to_string()).or_insert(self.place("prompt", &at)),
                }
            }
        }
        for (message, at) in wrong {
            problems.add(unknown(AssetError { message, help: None }, at));
        }
        weights
    }

    /// The parts of a setting; empty if the experiment does not set it.
    fn parts_of_given(&self, setting: &str) -> Vec<Vec<usize>> {
        match self.plan.written(setting).next() {
            Some(_) => self.parts(&[setting]),
            None => Vec::new(),
        }
    }

    /// Reports sizes that a model does not support.
    pub fn sizes(&self, problems: &mut Problems) {
        for edge in ["width", "height"] {
            for at in self.parts(&[edge]) {
                let Some((model, card)) = self.model(&at) else { continue };
                let Some(Given { value, at, .. }) = self.grid.value(edge, &at) else { continue };
                let (size, of) = (value.as_integer().unwrap_or(0), i64::from(card.multiple_of.max(1)));
                if size % of != 0 {
                    let message =
                        format!("`{edge}` is `{size}`; allowed with the model {model}: multiples of {of}");
                    let allowed = |edge_of: &i64| {
                        Setting::named(edge).is_some_and(|setting| setting.check(&(*edge_of).into()).is_ok())
                    };
                    let nearest = [size / of * of, (size / of + 1) * of].into_iter().filter(allowed);
                    let nearest = nearest.map(|size| size.to_string()).collect::<Vec<_>>().join(" or ");
                    problems.add(place(at.as_ref(), message).help(format!("nearest allowed: {nearest}")));
                }
            }
        }
    }

    /// Reports cells without a scheduler: they want their model's own, which is not supported.
    pub fn schedulers(&self, problems: &mut Problems) {
        for at in self.parts(&["scheduler"]) {
            let Some((model, card)) = self.model(&at) else { continue };
            if let (Some(class), None) = (&card.scheduler_class, self.plan.value("scheduler", &at)) {
                let message =
                    format!("the scheduler of the model {model} is {class}, which is not supported");
                let help = format!("set `scheduler`; allowed: {}", list(Scheduler::WORDS.iter().copied()));
                problems.add(place(self.place("model", &at), message).help(help));
            }
        }
    }

    /// Reports strengths so small that no step would be done.
    pub fn strengths(&self, problems: &mut Problems) {
        if self.plan.written("init_image").all(Value::is_empty) {
            return;
        }
        for at in self.parts(&["strength", "scheduler", "steps"]) {
            let value = |name: &str| self.plan.value(name, &at);
            let number = |name: &str| value(name).and_then(|value| value.as_number());
            let scheduler = value("scheduler").and_then(|value| value.as_text()?.parse::<Scheduler>().ok());
            let (Some(scheduler), Some(steps), Some(strength)) =
                (scheduler, number("steps"), number("strength"))
            else {
                continue;
            };
            if unet_calls(scheduler, steps as u32, Some(strength)) == 0 {
                let message = format!(
                    "`strength` is `{strength}` and `steps` is `{steps}`: {scheduler} would do int({steps} × \
                     {strength}) = 0 steps; allowed: at least 1"
                );
                let least = (1..=1000).find(|&steps| unet_calls(scheduler, steps, Some(strength)) > 0);
                let help = match least {
                    Some(least) => format!("use {least} steps or more, or a larger strength"),
                    None => "use a larger strength".to_owned(),
                };
                problems.add(place(self.place("strength", &at), message).help(help));
            }
        }
    }

    /// Reports settings that have no effect because no cell has the file that they are about. An axis of the experiment itself is
    /// an error; inherited axes and constant settings are only noted.
    pub fn unused(&self, notes: &mut Vec<String>, problems: &mut Problems) {
        for setting in SETTINGS {
            let name = setting.name;
            let (message, cure) = match setting.applies {
                Applies::With(other) if self.plan.written(other).all(Value::is_empty) => (
                    format!("`{name}` has no effect without `{other}`"),
                    format!("set `{other}` at the top of the file"),
                ),
                Applies::AboveOne(other)
                    if self.plan.written(other).all(|value| value.as_number() <= Some(1.0)) =>
                {
                    (
                        format!("`{name}` has no effect without a `{other}` above 1"),
                        format!("set `{other}` at the top of the file"),
                    )
                }
                Applies::Embedded if !self.plan.models.values().any(|card| card.guidance_embedding) => (
                    format!("`{name}` has no effect without a model that takes `guidance_scale` as an input"),
                    "set `guidance_scale`, which guides the other models".to_owned(),
                ),
                Applies::Trained(_) if self.plan.trainings.is_empty() => (
                    format!("`{name}` has no effect without a subject"),
                    "describe one in a table `[subject.NAME]`".to_owned(),
                ),
                _ => continue,
            };
            // `needs` reports pictures.
            if ["mask", "control_image", "ip_adapter_image"].contains(&name) {
                continue;
            }
            match self.grid.axis_of(name) {
                Some((axis, _)) if self.grid.axes[axis].at.layer() >= 0 => {
                    let problem = Problem::at(&self.grid.axes[axis].at, message).label("affects no cell");
                    problems.add(problem.help(format!("{cure}, or remove `{name}` from the axes")));
                }
                Some(_) => notes.push(message),
                None if self.is_changed(setting) => notes.push(message),
                None => {}
            }
        }
    }

    /// Reports settings that have no effect in the families of some models. Sweeping one is an error if no model of the
    /// experiment has a use for it; everything else is noted.
    pub fn ignored(&self, notes: &mut Vec<String>, problems: &mut Problems) {
        for setting in SETTINGS {
            let of_family = |has: bool| {
                let models = self.plan.models.iter();
                models
                    .filter(move |(_, card)| (setting.families)(card.family) == has)
                    .map(|(name, _)| name.as_str())
            };
            let without: Vec<&str> = of_family(false).collect();
            if without.is_empty() {
                continue;
            }
            let name = setting.name;
            let message = format!("`{name}` has no effect with the model {}", without.join(", "));
            match self.grid.axis_of(name) {
                Some((axis, _))
                    if of_family(true).next().is_none() && self.grid.axes[axis].at.layer() >= 0 =>
                {
                    let problem = Problem::at(&self.grid.axes[axis].at, message).label("affects no cell");
                    problems.add(problem.help(format!("remove `{name}` from the axes")));
                }
                Some(_) => notes.push(message),
                None if self.is_changed(setting) => notes.push(message),
                None => {}
            }
        }
    }

    /// Whether the experiment sets a setting to a value other than its default.
    fn is_changed(&self, setting: &Setting) -> bool {
        let given = self.grid.constant(setting.name);
        given.is_some_and(|given| setting.default().as_ref() != Some(&given.value))
    }
}

pub(crate) fn place(at: Option<&At>, message: String) -> Problem {
    match at {
        Some(at) => Problem::at(at, message),
        None => Problem::without_place(message),
    }
}

pub(crate) fn unknown(error: AssetError, at: Option<&At>) -> Problem {
    place(at, error.message).help_if(error.help)
}
