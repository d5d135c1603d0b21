//! From coordinates to settings: how one cell of a plan gets its values.

use crate::options::{Scheduler, Sigmas};
use crate::settings::{Embedding, Lora, NamedFile, Settings, Variation};
use crate::weights::{WeightRef, WeightsKind, take_loras, weights_list};
use crate::{Digest, FoundFile, Plan, SETTINGS, Setting, SettingError, Template, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// What the coordinates of a cell stand for.
pub(crate) struct Resolved<'a> {
    pub settings: Settings,
    /// What each placeholder stands for.
    pub vars: Vec<(&'a str, Cow<'a, str>)>,
    /// The model's fingerprint.
    pub model: Digest,
}

/// The one place where values meet: base, then axes; placeholders filled; the model's own defaults last.
pub(crate) fn resolve<'a>(plan: &'a Plan, coordinates: &[usize]) -> Result<Resolved<'a>, SettingError> {
    let mut values: [Option<&Value>; SETTINGS.len()] = [None; SETTINGS.len()];
    let mut vars: Vec<(&str, &Value)> =
        plan.vars.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let chosen = coordinates.iter().zip(&plan.axes).flat_map(|(&at, axis)| &axis.values[at].set);
    for (name, value) in plan.base.iter().chain(chosen) {
        match SETTINGS.iter().position(|setting| setting.name == name) {
            Some(slot) => values[slot] = Some(value),
            None => match vars.iter_mut().find(|(var, _)| var == name) {
                Some(var) => var.1 = value,
                None => vars.push((name, value)),
            },
        }
    }
    let vars: Vec<(&str, Cow<str>)> = vars.into_iter().map(|(name, value)| (name, text_of(value))).collect();
    let read = Read { values, vars: &vars };

    let model: Arc<str> = read.text("model")?;
    let card = plan.models.get(&*model).ok_or_else(|| SettingError {
        setting: "model".to_owned(),
        value: model.to_string(),
        allowed: "a model that the plan has looked up".to_owned(),
    })?;
    let init_image = read.picture(plan, "init_image")?;
    let img2img = init_image.is_some();
    let scheduler = read.word_or("scheduler", |word| word.parse().ok(), card.scheduler)?;
    let sigmas = read.word_or("sigmas", |word| word.parse().ok(), card.sigmas.unwrap_or(Sigmas::Normal))?;
    let spacing = match scheduler.own_spacing() {
        Some(own) => Some(read.word_or("spacing", |word| word.parse().ok(), card.spacing.unwrap_or(own))?),
        None => None,
    };
    let mut lora = read.loras(plan)?;
    let mut prompt = read.text("prompt")?;
    if prompt.contains("<lora:") {
        let (rest, named) = take_loras(&prompt);
        for (name, weight) in named {
            lora.push(Lora { file: weights_file(plan, "prompt", WeightsKind::Lora, name)?, weight });
        }
        prompt = rest.into();
    }
    let settings = Settings {
        vae: match read.optional_text("vae")? {
            Some(path) => Some(weights_file(plan, "vae", WeightsKind::Vae, &path)?),
            None => None,
        },
        lora,
        embeddings: read.embeddings(plan)?,
        prompt,
        negative_prompt: read.text("negative_prompt")?,
        dialect: read.word("dialect", |word| word.parse().ok())?,
        fit: if img2img { Some(read.word("fit", |word| word.parse().ok())?) } else { None },
        strength: if img2img { Some(read.number("strength")?) } else { None },
        mask: if img2img { read.picture(plan, "mask")? } else { None },
        init_image,
        seed: read.integer("seed")?,
        noise: read.word("noise", |word| word.parse().ok())?,
        variation: match read.number("variation_strength")? {
            0.0 => None,
            strength => Some(Variation { seed: read.integer("variation_seed")?, strength }),
        },
        steps: read.small("steps")?,
        guidance_scale: read.number("guidance_scale")?,
        scheduler,
        eta: if scheduler == Scheduler::Ddim { Some(read.number("eta")?) } else { None },
        sigmas: scheduler.has_sigmas().then_some(sigmas),
        spacing,
        width: if read.has("width") { read.small("width")? } else { card.size.0 },
        height: if read.has("height") { read.small("height")? } else { card.size.1 },
        clip_skip: read.small("clip_skip")?,
        dtype: read.word("dtype", |word| word.parse().ok())?,
        safety_checker: read.flag("safety_checker")?,
        model,
    };
    Ok(Resolved { settings, vars, model: card.fingerprint })
}

/// The text of a value, borrowed where it is text.
fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        _ => Cow::Owned(value.to_string()),
    }
}

fn weights_file(
    plan: &Plan,
    setting: &str,
    kind: WeightsKind,
    name: &str,
) -> Result<NamedFile, SettingError> {
    named(plan.weights.get(&kind.key(name)), setting, name, "a weight file that the plan has looked up")
}

fn named(
    found: Option<&FoundFile>,
    setting: &str,
    path: &str,
    allowed: &str,
) -> Result<NamedFile, SettingError> {
    let found = found.ok_or_else(|| SettingError {
        setting: setting.to_owned(),
        value: path.to_owned(),
        allowed: allowed.to_owned(),
    })?;
    Ok(NamedFile { path: path.into(), file: found.file.as_path().into(), digest: found.digest })
}

/// The values chosen for one cell, read by type.
struct Read<'a> {
    values: [Option<&'a Value>; SETTINGS.len()],
    vars: &'a [(&'a str, Cow<'a, str>)],
}

impl Read<'_> {
    fn has(&self, name: &str) -> bool {
        SETTINGS.iter().zip(&self.values).any(|(setting, value)| setting.name == name && value.is_some())
    }

    fn checked(&self, name: &str) -> Result<(&'static Setting, &Value), SettingError> {
        let found = SETTINGS.iter().zip(&self.values).find(|(setting, _)| setting.name == name);
        match found {
            Some((setting, Some(value))) => setting.check(value).map(|()| (setting, *value)),
            _ => Err(SettingError {
                setting: name.to_owned(),
                value: String::new(),
                allowed: Setting::named(name).map_or_else(|| "a setting".to_owned(), Setting::allowed),
            }),
        }
    }

    fn text(&self, name: &str) -> Result<Arc<str>, SettingError> {
        let (setting, value) = self.checked(name)?;
        let text = value.as_text().ok_or_else(|| setting.error(value))?;
        if !text.contains(['{', '}']) {
            return Ok(text.into());
        }
        let var = |name: &str| self.vars.iter().find(|(var, _)| *var == name).map(|(_, value)| &**value);
        let template = Template::parse(text).map_err(|_| setting.error(value))?;
        template.fill(var).map(Into::into).map_err(|_| setting.error(value))
    }

    /// A text that is neither absent nor empty.
    fn optional_text(&self, name: &str) -> Result<Option<Arc<str>>, SettingError> {
        match self.has(name) {
            true => Ok(Some(self.text(name)?).filter(|text| !text.is_empty())),
            false => Ok(None),
        }
    }

    fn picture(&self, plan: &Plan, name: &str) -> Result<Option<NamedFile>, SettingError> {
        let Some(path) = self.optional_text(name)? else { return Ok(None) };
        named(plan.pictures.get(&*path), name, &path, "a picture that the plan has looked up").map(Some)
    }

    fn loras(&self, plan: &Plan) -> Result<Vec<Lora>, SettingError> {
        self.weights("lora", |WeightRef { word, name, weight }| {
            if word.is_some() {
                return Ok(None);
            }
            let file = weights_file(plan, "lora", WeightsKind::Lora, name)?;
            Ok(Some(Lora { file, weight: weight.unwrap_or(1.0) }))
        })
    }

    fn embeddings(&self, plan: &Plan) -> Result<Vec<Embedding>, SettingError> {
        self.weights("embeddings", |WeightRef { word, name, weight }| {
            if weight.is_some() {
                return Ok(None);
            }
            let file = weights_file(plan, "embeddings", WeightsKind::Embedding, name)?;
            Ok(Some(Embedding { word: word.map(Into::into), file }))
        })
    }

    /// Reads a list of weight files; `found` says no to an entry that does not belong there.
    fn weights<T>(
        &self,
        name: &str,
        found: impl Fn(WeightRef) -> Result<Option<T>, SettingError>,
    ) -> Result<Vec<T>, SettingError> {
        let Some(text) = self.optional_text(name)? else { return Ok(Vec::new()) };
        let wrong = || SettingError {
            setting: name.to_owned(),
            value: text.to_string(),
            allowed: Setting::named(name).map_or_else(String::new, Setting::allowed),
        };
        let list = weights_list(&text).ok_or_else(wrong)?;
        list.into_iter().map(|entry| found(entry)?.ok_or_else(wrong)).collect()
    }

    fn flag(&self, name: &str) -> Result<bool, SettingError> {
        let (setting, value) = self.checked(name)?;
        match value {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(setting.error(value)),
        }
    }

    fn word_or<T>(
        &self,
        name: &str,
        from_word: fn(&str) -> Option<T>,
        otherwise: T,
    ) -> Result<T, SettingError> {
        if self.has(name) { self.word(name, from_word) } else { Ok(otherwise) }
    }

    fn number(&self, name: &str) -> Result<f64, SettingError> {
        let (setting, value) = self.checked(name)?;
        value.as_number().ok_or_else(|| setting.error(value))
    }

    fn integer(&self, name: &str) -> Result<i64, SettingError> {
        let (setting, value) = self.checked(name)?;
        value.as_integer().ok_or_else(|| setting.error(value))
    }

    fn small(&self, name: &str) -> Result<u32, SettingError> {
        let (setting, value) = self.checked(name)?;
        value.as_integer().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| setting.error(value))
    }

    fn word<T>(&self, name: &str, from_word: fn(&str) -> Option<T>) -> Result<T, SettingError> {
        let (setting, value) = self.checked(name)?;
        setting.word(value, from_word)
    }
}
