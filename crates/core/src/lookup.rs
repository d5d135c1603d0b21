//! Resolves settings and placeholders of one cell of a plan, and is the only code that does so: the base, overridden by
//! axes; defaults of the table, the model and the scheduler; whether a setting applies; texts with placeholders filled.

use crate::kind::{Applies, Fallback, Literal};
use crate::named_file::NamedFile;
use crate::settings::guided;
use crate::table::Setting;
use crate::training::{NO_SUBJECT, SUBJECT, Training, TrainingMethod};
use crate::weights::{WeightRef, WeightsKind, parse_weights};
use crate::{Dialect, FoundFile, ModelCard, Plan, SETTINGS, Scheduler, SettingError, Template, Value};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The index of a setting in [`SETTINGS`]; `SETTINGS.len()` if there is no such setting.
pub(crate) fn row(name: &str) -> usize {
    row_from(0, name)
}

/// The same, searched from `start` on: a plan has its settings in the table's order.
fn row_from(start: usize, name: &str) -> usize {
    let mut rows = (start..SETTINGS.len()).chain(0..start.min(SETTINGS.len()));
    rows.find(|&at| SETTINGS[at].name == name).unwrap_or(SETTINGS.len())
}

/// A value written in the plan, or a default.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    Written(&'a Value),
    Default(Literal),
}

impl<'a> Found<'a> {
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Found::Written(value) => value.as_text(),
            Found::Default(Literal::Text(text)) => Some(text),
            Found::Default(_) => None,
        }
    }

    pub fn as_number(self) -> Option<f64> {
        match self {
            Found::Written(value) => value.as_number(),
            Found::Default(literal) => Value::from(literal).as_number(),
        }
    }

    pub fn as_unsigned(self) -> Option<u64> {
        match self {
            Found::Written(value) => value.as_unsigned(),
            Found::Default(literal) => Value::from(literal).as_unsigned(),
        }
    }

    pub fn as_flag(self) -> Option<bool> {
        match self {
            Found::Written(Value::Flag(flag)) => Some(*flag),
            Found::Default(Literal::Flag(flag)) => Some(flag),
            _ => None,
        }
    }

    pub fn into_value(self) -> Value {
        match self {
            Found::Written(value) => value.clone(),
            Found::Default(literal) => literal.into(),
        }
    }
}

/// The values of a plan at some coordinates.
pub(crate) struct Lookup<'a> {
    plan: &'a Plan,
    /// The written value of each setting.
    values: [Option<&'a Value>; SETTINGS.len()],
    /// The card of this cell's model, once it was asked for.
    card: OnceCell<Option<&'a ModelCard>>,
    /// The prompt with its placeholders filled, once it was asked for: two settings read it.
    prompt: OnceCell<Arc<str>>,
    /// The value of each placeholder.
    pub vars: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Lookup<'a> {
    pub fn new(plan: &'a Plan, coordinates: &[usize]) -> Lookup<'a> {
        let mut values = [None; SETTINGS.len()];
        let mut vars: Vec<(&str, &Value)> =
            plan.vars.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let chosen = coordinates.iter().zip(&plan.axes).flat_map(|(&at, axis)| &axis.values[at].set);
        let mut next = 0;
        for (name, value) in plan.base.iter().chain(chosen) {
            let at = row_from(next, name);
            match values.get_mut(at) {
                Some(slot) => {
                    *slot = Some(value);
                    next = at + 1;
                }
                None => match vars.iter_mut().find(|(var, _)| var == name) {
                    Some(var) => var.1 = value,
                    None => vars.push((name, value)),
                },
            }
        }
        let (card, prompt) = (OnceCell::new(), OnceCell::new());
        Lookup {
            plan,
            values,
            card,
            prompt,
            vars: vars.into_iter().map(|(name, value)| (name, text_of(value))).collect(),
        }
    }

    /// Whether a setting has a value here, written or a default.
    pub fn has(&self, row: usize) -> bool {
        self.value(row).is_some()
    }

    /// The written value, otherwise the default: the table's, the model's or the scheduler's.
    pub fn value(&self, row: usize) -> Option<Found<'a>> {
        if let Some(value) = self.values.get(row)? {
            return Some(Found::Written(value));
        }
        Some(Found::Default(match SETTINGS[row].fallback {
            Fallback::Nothing => return None,
            Fallback::Value(literal) => literal,
            Fallback::Model(of) => of(self.card()?)?,
            Fallback::ModelOr(of, literal) => self.card().and_then(of).unwrap_or(literal),
            Fallback::Scheduler(of) => of(self.card()?, self.scheduler()?)?,
            Fallback::Training(of) => of(self.training()?),
        }))
    }

    /// The same, checked; an error if there is none.
    pub fn required(&self, row: usize) -> Result<Found<'a>, SettingError> {
        let found = self.value(row).ok_or_else(|| self.wrong(row))?;
        match found {
            Found::Written(value) => SETTINGS[row].check(value)?,
            // A model's card may have been edited by hand.
            Found::Default(literal @ (Literal::Integer(_) | Literal::Number(_))) => {
                SETTINGS[row].check(&literal.into())?;
            }
            Found::Default(_) => {}
        }
        Ok(found)
    }

    /// The error for the value that a setting has here.
    pub fn wrong(&self, row: usize) -> SettingError {
        SETTINGS[row].error(&self.value(row).map_or_else(|| "".into(), Found::into_value))
    }

    /// A text with its placeholders filled.
    pub fn text(&self, row: usize) -> Result<Cow<'a, str>, SettingError> {
        let text = self.required(row)?.as_text().ok_or_else(|| self.wrong(row))?;
        match text.contains(['{', '}']) {
            false => Ok(Cow::Borrowed(text)),
            true => {
                let filled = self.fill(text).ok_or_else(|| self.wrong(row))?;
                SETTINGS[row].check_length(&filled)?;
                Ok(Cow::Owned(filled))
            }
        }
    }

    /// The prompt with its placeholders filled and its `<lora:…>` still in it.
    pub fn prompt(&self) -> Result<&Arc<str>, SettingError> {
        if self.prompt.get().is_none() {
            let filled = self.text(row("prompt"))?;
            _ = self.prompt.set(filled.into());
        }
        self.prompt.get().ok_or_else(|| self.wrong(row("prompt")))
    }

    /// A text with its placeholders filled; `None` if one has no value.
    pub fn fill(&self, text: &str) -> Option<String> {
        Template::parse(text).ok()?.fill(|name| self.filling(name)).ok()
    }

    /// What a placeholder is filled with: its value, or the word of the subject that it names.
    fn filling(&self, name: &str) -> Option<&str> {
        if name != SUBJECT || self.plan.trainings.is_empty() {
            return self.var(name);
        }
        match self.var(name)? {
            // All subjects of a plan with cells without a subject are of one class.
            NO_SUBJECT => self.plan.trainings.first().map(|training| training.class.as_str()),
            _ => self.training().map(|training| training.word.as_str()),
        }
    }

    /// The training of this cell's subject; `None` if it has none.
    pub fn training(&self) -> Option<&'a Training> {
        let subject = self.plan.trainings.first().and_then(|_| self.var(SUBJECT))?;
        let model = self.value(row("model"))?.as_text()?;
        let mut trainings = self.plan.trainings.iter();
        trainings.find(|training| training.subject == subject && training.model == model)
    }

    /// The trained weights of this cell's subject, if it was trained with one of these methods.
    pub fn trained(&self, methods: fn(TrainingMethod) -> bool) -> Result<Option<NamedFile>, SettingError> {
        let Some(training) = self.training().filter(|training| methods(training.method)) else {
            return Ok(None);
        };
        let row = row("train_steps");
        let step = self.required(row)?.as_unsigned().and_then(|step| u32::try_from(step).ok());
        let step = step.filter(|step| *step <= training.steps).ok_or_else(|| self.wrong(row))?;
        let path = format!("{}@{step}", training.subject);
        let file = training.weights_file(step).as_path().into();
        Ok(Some(NamedFile { path: path.into(), file, digest: training.weights_digest(step) }))
    }

    fn var(&self, name: &str) -> Option<&str> {
        self.vars.iter().find(|(var, _)| *var == name).map(|(_, value)| &**value)
    }

    /// The entries of a list of weight files.
    pub fn weights(&self, row: usize) -> Result<Cow<'a, [WeightRef]>, SettingError> {
        if !self.has(row) {
            return Ok(Cow::Borrowed(&[]));
        }
        match self.required(row)? {
            Found::Written(Value::Weights(list)) => Ok(Cow::Borrowed(list)),
            // A list with placeholders is parsed once they are filled; older plans store all lists as text.
            _ => parse_weights(&self.text(row)?).map(Cow::Owned).ok_or_else(|| self.wrong(row)),
        }
    }

    /// The card of this cell's model; `None` if it is not in the plan.
    pub fn card(&self) -> Option<&'a ModelCard> {
        *self.card.get_or_init(|| self.plan.models.get(self.value(row("model"))?.as_text()?))
    }

    fn scheduler(&self) -> Option<Scheduler> {
        self.value(row("scheduler"))?.as_text()?.parse().ok()
    }

    fn embeds_guidance(&self) -> bool {
        self.card().is_some_and(|card| card.guidance_embedding)
    }

    /// Whether a setting applies to this cell; a best effort if the model's card is not in the plan.
    pub fn applies(&self, setting: usize) -> Result<bool, SettingError> {
        if self.card().is_some_and(|card| !(SETTINGS[setting].families)(card.family)) {
            return Ok(false);
        }
        Ok(match SETTINGS[setting].applies {
            Applies::Always => true,
            Applies::With(name) => self.has(row(name)) && !self.text(row(name))?.is_empty(),
            Applies::NonZero(name) => self.required(row(name))?.as_number() != Some(0.0),
            Applies::AboveOne(name) => self.required(row(name))?.as_number().is_some_and(|x| x > 1.0),
            Applies::Schedulers(which) => self.scheduler().is_some_and(which),
            Applies::Known => self.has(setting),
            Applies::KnownWith(which) => self.has(setting) && self.scheduler().is_some_and(which),
            Applies::Trained(methods) => self.training().is_some_and(|training| methods(training.method)),
            Applies::Embedded => self.embeds_guidance(),
            Applies::Guided => {
                let scale = if self.embeds_guidance() { "true_cfg_scale" } else { "guidance_scale" };
                let scale = self.required(row(scale))?.as_number();
                // Millions of cells are named: the prompt is only filled if the scale leaves the question open.
                if scale.is_some_and(|scale| scale > 1.0) {
                    return Ok(true);
                }
                let dialect = self.required(row("dialect"))?.as_text().and_then(|word| word.parse().ok());
                guided(scale.unwrap_or(0.0), dialect.unwrap_or(Dialect::Plain), self.prompt()?)
            }
        })
    }

    /// The weight file of that name.
    pub fn weight_file(
        &self,
        setting: &str,
        kind: WeightsKind,
        name: &str,
    ) -> Result<NamedFile, SettingError> {
        let allowed = "a weight file that is in the plan";
        named(self.plan.weights.get(&kind.key(name)), setting, name, allowed)
    }

    /// The picture of that path.
    pub fn picture(&self, setting: &str, path: &str) -> Result<NamedFile, SettingError> {
        named(self.plan.pictures.get(path), setting, path, "a picture that is in the plan")
    }
}

impl Plan {
    /// The value of a setting or placeholder at some coordinates, its placeholders unfilled; `None` if it does not
    /// apply or has no value.
    pub fn value(&self, name: &str, coordinates: &[usize]) -> Option<Value> {
        let lookup = Lookup::new(self, coordinates);
        match row(name) {
            row if row < SETTINGS.len() => {
                let applies = lookup.applies(row).unwrap_or(false);
                lookup.value(row).filter(|_| applies).map(Found::into_value)
            }
            _ => lookup.var(name).map(Value::from),
        }
    }

    /// A text setting at some coordinates, its placeholders filled; `None` if it has no value or does not apply.
    pub fn text(&self, name: &str, coordinates: &[usize]) -> Option<String> {
        let lookup = Lookup::new(self, coordinates);
        let row =
            Some(row(name)).filter(|&row| row < SETTINGS.len() && lookup.applies(row).unwrap_or(false))?;
        lookup.text(row).ok().map(Cow::into_owned)
    }

    /// A text with its placeholders filled for some coordinates; `None` if one has no value.
    pub fn fill(&self, text: &str, coordinates: &[usize]) -> Option<String> {
        Lookup::new(self, coordinates).fill(text)
    }

    /// The entries of a list of weight files at some coordinates; empty if there is no list.
    pub fn weights_at(&self, name: &str, coordinates: &[usize]) -> Vec<WeightRef> {
        let lookup = Lookup::new(self, coordinates);
        let row = Some(row(name)).filter(|&row| row < SETTINGS.len());
        row.and_then(|row| lookup.weights(row).ok()).map_or_else(Vec::new, Cow::into_owned)
    }

    /// The settings and placeholders that determine the value of a setting in a cell: itself, those that determine
    /// whether it applies or what its default is, and the placeholders in their texts.
    pub fn decided_by<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        self.deciders(name, true)
    }

    /// The same if the placeholders in the setting's own text stay unfilled, as in [`Plan::value`].
    pub fn unfilled_decided_by<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        self.deciders(name, false)
    }

    fn deciders<'a>(&'a self, of: &'a str, filled: bool) -> BTreeSet<&'a str> {
        let (mut names, name) = (BTreeSet::new(), of);
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if !names.insert(name) {
                continue;
            }
            let Some(setting) = Setting::named(name) else { continue };
            if matches!(name, "lora" | "embeddings") && !self.trainings.is_empty() {
                open.extend([SUBJECT, "lora_weight", "train_steps", "model"]);
            }
            match setting.applies {
                Applies::Always | Applies::Known => {}
                Applies::With(other) | Applies::NonZero(other) | Applies::AboveOne(other) => open.push(other),
                Applies::Schedulers(_) | Applies::KnownWith(_) => open.push("scheduler"),
                Applies::Trained(_) => open.extend([SUBJECT, "model"]),
                Applies::Embedded => open.push("model"),
                Applies::Guided => {
                    open.extend(["guidance_scale", "dialect"]);
                    if self.models.values().any(|card| card.guidance_embedding) {
                        open.extend(["true_cfg_scale", "model"]);
                    }
                    if self.written("dialect").any(|dialect| dialect.as_text() == Some("a1111")) {
                        open.push("prompt");
                    }
                }
            }
            match setting.fallback {
                Fallback::Nothing | Fallback::Value(_) => {}
                Fallback::Training(_) => open.extend([SUBJECT, "model"]),
                Fallback::Model(_) => open.push("model"),
                Fallback::ModelOr(of, _) => {
                    if self.models.values().any(|card| of(card).is_some()) {
                        open.push("model");
                    }
                }
                Fallback::Scheduler(_) => open.extend(["model", "scheduler"]),
            }
            if setting.template && (filled || name != of) {
                let texts = self.written(name).filter_map(Value::as_text);
                let templates = texts.filter_map(|text| Template::parse(text).ok());
                open.extend(templates.flat_map(|template| template.placeholders().collect::<Vec<_>>()));
            }
        }
        names
    }

    /// All values that a setting or placeholder has in the file, on an axis or as a constant.
    pub fn written<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Value> {
        let swept = self.axes.iter().flat_map(|axis| &axis.values).flat_map(|value| &value.set);
        let all = self.vars.iter().chain(&self.base).chain(swept);
        all.filter(move |(set, _)| set == name).map(|(_, value)| value)
    }

    /// The indices of the axes that set any of these settings or placeholders, ascending.
    pub fn axes_of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        // Every position of an axis sets the same names.
        let sets = |&axis: &usize| {
            let first = self.axes[axis].values.first();
            first.is_some_and(|value| value.set.iter().any(|(name, _)| names.contains(name.as_str())))
        };
        (0..self.axes.len()).filter(sets).collect()
    }
}

/// The text of a value, borrowed if it is text.
fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        _ => Cow::Owned(value.to_string()),
    }
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
