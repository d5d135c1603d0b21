//! From coordinates to settings: how one cell of a plan gets its values.

use crate::settings::{Dtype, Fit, InitImage, Scheduler, Settings};
use crate::{Digest, Plan, SETTINGS, Setting, SettingError, Template, Value};
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
    let init_image = init_image(plan, &read)?;
    let img2img = init_image.is_some();
    let settings = Settings {
        prompt: read.text("prompt")?,
        negative_prompt: read.text("negative_prompt")?,
        fit: if img2img { Some(read.word("fit", Fit::from_word)?) } else { None },
        strength: if img2img { Some(read.number("strength")?) } else { None },
        init_image,
        seed: read.integer("seed")?,
        steps: read.small("steps")?,
        guidance_scale: read.number("guidance_scale")?,
        scheduler: if read.has("scheduler") {
            read.word("scheduler", Scheduler::from_word)?
        } else {
            card.scheduler
        },
        width: if read.has("width") { read.small("width")? } else { card.size.0 },
        height: if read.has("height") { read.small("height")? } else { card.size.1 },
        clip_skip: read.small("clip_skip")?,
        dtype: read.word("dtype", Dtype::from_word)?,
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

fn init_image(plan: &Plan, read: &Read) -> Result<Option<InitImage>, SettingError> {
    if !read.has("init_image") {
        return Ok(None);
    }
    let path = read.text("init_image")?;
    if path.is_empty() {
        return Ok(None);
    }
    let picture = plan.pictures.get(&*path).ok_or_else(|| SettingError {
        setting: "init_image".to_owned(),
        value: path.to_string(),
        allowed: "a picture that the plan has looked up".to_owned(),
    })?;
    Ok(Some(InitImage { path, file: picture.file.as_path().into(), digest: picture.digest }))
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
