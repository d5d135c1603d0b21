//! What no single value shows: models and files that must exist, sizes that a model can make, strengths that leave
//! something to do. Each is checked for the combinations that cells really have.

use crate::grid::{Given, Grid};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::projection::{Part, project};
use crate::steps::unet_calls;
use crate::{AssetError, AssetResolver};
use maquette_core::{Dtype, FoundFile, ModelCard, Selection, Template, Value, WeightsKind, take_loras};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The grid with the filters applied.
pub(crate) struct Cells<'a> {
    pub grid: &'a Grid,
    pub kept: &'a Selection,
}

impl Cells<'_> {
    /// The combinations of the axes that set these names.
    pub fn parts(&self, names: &[&str]) -> Vec<Vec<usize>> {
        let mut axes: Vec<usize> =
            names.iter().filter_map(|name| self.grid.axis_of(name)).map(|(axis, _)| axis).collect();
        axes.sort_unstable();
        axes.dedup();
        let sizes = self.grid.sizes();
        let parts = match self.kept {
            Selection::All => project(&sizes, &axes, 0..sizes.iter().product()),
            Selection::Only(positions) => project(&sizes, &axes, positions.iter().map(|&at| at as usize)),
        };
        parts.iter().map(|part: &Part| coordinates(&sizes, part.position)).collect()
    }

    /// Asks the assets about every model that a cell names.
    pub fn models(&self, assets: &dyn AssetResolver, problems: &mut Problems) -> BTreeMap<String, ModelCard> {
        let mut asked: Vec<(&Given, Dtype)> = Vec::new();
        for at in self.parts(&["model", "dtype"]) {
            let Some(given) = self.grid.value("model", &at) else { continue };
            let word = self.grid.value("dtype", &at).and_then(|dtype| dtype.value.as_text());
            let dtype = word.and_then(|word| word.parse().ok()).unwrap_or(Dtype::F32);
            match asked.iter_mut().find(|(other, _)| other.value == given.value) {
                // Full precision serves the others, too.
                Some((_, widest)) if *widest == Dtype::F16 => *widest = dtype,
                Some(_) => {}
                None => asked.push((given, dtype)),
            }
        }
        let mut models = BTreeMap::new();
        for (given, dtype) in asked {
            let Some(name) = given.value.as_text() else { continue };
            match assets.model(name, dtype) {
                Ok(card) => _ = models.insert(name.to_owned(), card),
                Err(error) => problems.add(unknown(error, given.at.as_ref())),
            }
        }
        models
    }

    /// Asks the assets about every picture that a cell names; `folder` is where their paths start.
    pub fn pictures(
        &self,
        folder: &Path,
        assets: &dyn AssetResolver,
        problems: &mut Problems,
    ) -> BTreeMap<String, FoundFile> {
        let mut pictures = BTreeMap::new();
        for setting in ["init_image", "mask"] {
            self.texts(setting, |path, at| {
                if path.is_empty() || pictures.contains_key(&path) {
                    return;
                }
                match assets.picture(&folder.join(&path)) {
                    Ok(picture) => _ = pictures.insert(path, picture),
                    Err(error) => problems.add(unknown(error, at)),
                }
            });
        }
        pictures
    }

    /// Asks the assets about every weight file that a cell names, in a setting or in its prompt.
    pub fn weights(
        &self,
        assets: &dyn AssetResolver,
        problems: &mut Problems,
    ) -> BTreeMap<String, FoundFile> {
        let mut weights = BTreeMap::new();
        // What is missing is told once, however many cells name it.
        let mut asked = BTreeSet::new();
        let mut look_up = |kind: WeightsKind, name: &str, at: Option<&At>| {
            let key = kind.key(name);
            if !asked.insert(key.clone()) {
                return;
            }
            match assets.weights(kind, name) {
                Ok(file) => _ = weights.insert(key, file),
                Err(error) => problems.add(unknown(error, at)),
            }
        };
        self.texts("vae", |name, at| {
            if !name.is_empty() {
                look_up(WeightsKind::Vae, &name, at);
            }
        });
        for (setting, kind) in [("lora", WeightsKind::Lora), ("embeddings", WeightsKind::Embedding)] {
            self.texts(setting, |list, at| {
                for named in maquette_core::weights_list(&list).unwrap_or_default() {
                    look_up(kind, named.name, at);
                }
            });
        }
        if self.grid.mentions("<lora:") {
            self.texts("prompt", |prompt, at| {
                for (name, _) in take_loras(&prompt).1 {
                    look_up(WeightsKind::Lora, name, at);
                }
            });
        }
        weights
    }

    /// Every text that a setting has in some cell, its placeholders filled, and where it was written.
    fn texts(&self, setting: &str, mut each: impl FnMut(String, Option<&At>)) {
        if self.grid.values(setting).is_empty() {
            return;
        }
        for at in self.parts(&self.names_of(setting)) {
            let Some(given) = self.grid.value(setting, &at) else { continue };
            if let Some(text) = self.filled(given.value.as_text(), &at) {
                each(text, given.at.as_ref());
            }
        }
    }

    /// The names that decide what a text is in a cell: its own, and those of its placeholders.
    pub fn names_of<'a>(&'a self, setting: &'a str) -> Vec<&'a str> {
        let texts = self.grid.values(setting).into_iter().filter_map(|given| given.value.as_text());
        let templates = texts.filter_map(|text| Template::parse(text).ok());
        let words = templates.flat_map(|template| template.placeholders().collect::<Vec<_>>());
        std::iter::once(setting).chain(words).collect()
    }

    /// A text with its placeholders filled.
    pub fn filled(&self, text: Option<&str>, coordinates: &[usize]) -> Option<String> {
        let template = Template::parse(text?).ok()?;
        let words: Vec<(&str, String)> = template
            .placeholders()
            .filter_map(|name| Some((name, self.grid.value(name, coordinates)?.value.to_string())))
            .collect();
        let word = |name: &str| words.iter().find(|(known, _)| *known == name).map(|(_, word)| word.as_str());
        // Read again so that the words and the text live equally long.
        Template::parse(text?).ok()?.fill(word).ok()
    }

    /// Sizes that a model cannot make.
    pub fn sizes(&self, models: &BTreeMap<String, ModelCard>, problems: &mut Problems) {
        for edge in ["width", "height"] {
            for at in self.parts(&["model", edge]) {
                let model = self.grid.value("model", &at).and_then(|given| given.value.as_text());
                let Some((model, card)) = model.and_then(|name| models.get_key_value(name)) else { continue };
                let Some(given) = self.grid.value(edge, &at) else { continue };
                let (size, of) = (given.value.as_integer().unwrap_or(0), i64::from(card.multiple_of.max(1)));
                if size % of != 0 {
                    let (below, above) = (size / of * of, (size / of + 1) * of);
                    let message =
                        format!("`{edge}` is `{size}`; allowed with the model {model}: multiples of {of}");
                    let nearest = if below > 0 { format!("{below} or {above}") } else { above.to_string() };
                    problems.add(place(given.at.as_ref(), message).help(format!("the nearest: {nearest}")));
                }
            }
        }
    }

    /// Strengths so small that not one step would be done.
    pub fn strengths(&self, models: &BTreeMap<String, ModelCard>, problems: &mut Problems) {
        let mut names = self.names_of("init_image");
        if names == ["init_image"] && self.grid.values("init_image").is_empty() {
            return;
        }
        names.extend(["model", "scheduler", "steps", "strength"]);
        for at in self.parts(&names) {
            let value = |name: &str| self.grid.value(name, &at).map(|given| &given.value);
            let model = value("model").and_then(Value::as_text).and_then(|name| models.get(name));
            let word = value("scheduler").and_then(Value::as_text);
            let scheduler = word.and_then(|word| word.parse().ok()).or(model.map(|card| card.scheduler));
            let picture = self.filled(value("init_image").and_then(Value::as_text), &at);
            let (Some(scheduler), Some(steps), Some(strength)) = (
                scheduler,
                value("steps").and_then(Value::as_integer),
                value("strength").and_then(Value::as_number),
            ) else {
                continue;
            };
            if picture.is_some_and(|path| !path.is_empty())
                && unet_calls(scheduler, steps as usize, Some(strength)) == 0
            {
                let message = format!(
                    "`strength` is `{strength}` and `steps` is `{steps}`: {scheduler} would do int({steps} × \
                     {strength}) = 0 steps; allowed: at least 1"
                );
                let least = (1.0 / strength).ceil();
                let help = match strength > 0.0 && least <= 1000.0 {
                    true => format!("use {least} steps or more, or a larger strength"),
                    false => "use a larger strength".to_owned(),
                };
                let given = self.grid.value("strength", &at);
                problems.add(place(given.and_then(|given| given.at.as_ref()), message).help(help));
            }
        }
    }

    /// Axes that the experiment gives and no cell can feel.
    pub fn idle(&self, notes: &mut Vec<String>, problems: &mut Problems) {
        if self.grid.values("init_image").iter().any(|given| given.value.as_text() != Some("")) {
            return;
        }
        for name in ["strength", "fit"] {
            let Some((axis, _)) = self.grid.axis_of(name) else { continue };
            let at = &self.grid.axes[axis].at;
            let message = format!("`{name}` does nothing without `init_image`");
            if at.layer() >= 0 {
                problems.add(Problem::at(at, message).label("nobody uses it").help(format!(
                    "give `init_image` at the top of the file, or take `{name}` out of the axes"
                )));
            } else {
                notes.push(message);
            }
        }
    }
}

fn coordinates(sizes: &[usize], mut position: usize) -> Vec<usize> {
    let mut coordinates = vec![0; sizes.len()];
    for (coordinate, size) in coordinates.iter_mut().zip(sizes).rev() {
        *coordinate = position % size;
        position /= size;
    }
    coordinates
}

pub(crate) fn place(at: Option<&At>, message: String) -> Problem {
    match at {
        Some(at) => Problem::at(at, message),
        None => Problem::nowhere(message),
    }
}

pub(crate) fn unknown(error: AssetError, at: Option<&At>) -> Problem {
    place(at, error.message).hint(error.help)
}
