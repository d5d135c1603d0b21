//! The types of the fields of [`crate::Settings`]: how each is read, formatted and written into a cell's name.

use crate::canonical::Form;
use crate::interval::GuidanceInterval;
use crate::lookup::Lookup;
use crate::lora_tags::{LoraTag, has_loras, take_loras};
use crate::named_file::{Embedding, Lora, NamedFile};
use crate::options::{Dialect, Dtype, Fit, Noise, PredictionType, Scheduler, Sigmas, Spacing};
use crate::training::TrainingMethod;
use crate::weights::{WeightRef, WeightsKind};
use crate::{SETTINGS, SettingError, Value};
use std::sync::Arc;

/// A type of settings. `row` is a setting's index in [`SETTINGS`].
pub(crate) trait Field: Sized {
    /// Reads a setting of a cell.
    fn read(lookup: &Lookup, row: usize) -> Result<Self, SettingError>;

    /// The value as written in an experiment file; `None` if the setting does not apply.
    fn value(&self) -> Option<Value>;

    /// Writes its lines of the canonical form.
    fn write(&self, name: &str, form: &mut Form);
}

impl Field for Arc<str> {
    fn read(lookup: &Lookup, row: usize) -> Result<Arc<str>, SettingError> {
        if SETTINGS[row].name != "prompt" {
            return Ok(lookup.text(row)?.into());
        }
        // The LoRAs of a prompt are read by the field `lora`.
        let prompt = lookup.prompt()?;
        Ok(if has_loras(prompt) { take_loras(prompt)?.0.into() } else { Arc::clone(prompt) })
    }

    fn value(&self) -> Option<Value> {
        Some(Value::from(&**self))
    }

    fn write(&self, name: &str, form: &mut Form) {
        form.text(name, self);
    }
}

impl Field for bool {
    fn read(lookup: &Lookup, row: usize) -> Result<bool, SettingError> {
        lookup.required(row)?.as_flag().ok_or_else(|| lookup.wrong(row))
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Flag(*self))
    }

    fn write(&self, name: &str, form: &mut Form) {
        form.line(name, self);
    }
}

impl Field for f64 {
    fn read(lookup: &Lookup, row: usize) -> Result<f64, SettingError> {
        lookup.required(row)?.as_number().ok_or_else(|| lookup.wrong(row))
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Number(*self))
    }

    fn write(&self, name: &str, form: &mut Form) {
        form.line(name, self);
    }
}

impl Field for u32 {
    fn read(lookup: &Lookup, row: usize) -> Result<u32, SettingError> {
        let whole = lookup.required(row)?.as_unsigned().and_then(|n| u32::try_from(n).ok());
        whole.ok_or_else(|| lookup.wrong(row))
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Integer((*self).into()))
    }

    fn write(&self, name: &str, form: &mut Form) {
        form.line(name, self);
    }
}

impl Field for u64 {
    fn read(lookup: &Lookup, row: usize) -> Result<u64, SettingError> {
        lookup.required(row)?.as_unsigned().ok_or_else(|| lookup.wrong(row))
    }

    fn value(&self) -> Option<Value> {
        Some(Value::seed(*self))
    }

    fn write(&self, name: &str, form: &mut Form) {
        form.line(name, self);
    }
}

impl Field for GuidanceInterval {
    fn read(lookup: &Lookup, row: usize) -> Result<GuidanceInterval, SettingError> {
        let interval = lookup.required(row)?.as_text().and_then(|text| text.parse().ok());
        interval.ok_or_else(|| lookup.wrong(row))
    }

    fn value(&self) -> Option<Value> {
        Some(self.to_string().as_str().into())
    }

    fn write(&self, name: &str, form: &mut Form) {
        form.line(name, self);
    }
}

/// Options are read from and written as their words.
macro_rules! option_fields {
    ($($name:ident),+) => {$(
        impl Field for $name {
            fn read(lookup: &Lookup, row: usize) -> Result<$name, SettingError> {
                let option = lookup.required(row)?.as_text().and_then(|word| word.parse().ok());
                option.ok_or_else(|| lookup.wrong(row))
            }

            fn value(&self) -> Option<Value> {
                Some(self.as_str().into())
            }

            fn write(&self, name: &str, form: &mut Form) {
                form.text(name, self.as_str());
            }
        }

        impl Optional for $name {}
    )+};
}

option_fields!(Dialect, Dtype, Fit, Noise, PredictionType, Scheduler, Sigmas, Spacing);

/// A type of settings that may not apply.
trait Optional: Field {}

impl Optional for bool {}
impl Optional for u32 {}
impl Optional for f64 {}
impl Optional for u64 {}
impl Optional for GuidanceInterval {}

impl<T: Optional> Field for Option<T> {
    fn read(lookup: &Lookup, row: usize) -> Result<Option<T>, SettingError> {
        if lookup.applies(row)? { T::read(lookup, row).map(Some) } else { Ok(None) }
    }

    fn value(&self) -> Option<Value> {
        self.as_ref().and_then(Field::value)
    }

    fn write(&self, name: &str, form: &mut Form) {
        if let Some(value) = self {
            value.write(name, form);
        }
    }
}

/// The setting whose file is found near another one if it is not set.
const IMAGE_ENCODER: &str = "ip_adapter_image_encoder";

impl Field for Option<NamedFile> {
    fn read(lookup: &Lookup, row: usize) -> Result<Option<NamedFile>, SettingError> {
        let name = SETTINGS[row].name;
        if !lookup.applies(row)? {
            return Ok(None);
        }
        let path = if lookup.has(row) { lookup.text(row)? } else { "".into() };
        if path.is_empty() && name == IMAGE_ENCODER {
            // The one near the IP-Adapter.
            let adapter = lookup.text(crate::lookup::row("ip_adapter"))?;
            let found = lookup.weight_file(name, WeightsKind::ImageEncoder, &adapter)?;
            return Ok(Some(NamedFile { path: "".into(), ..found }));
        }
        if path.is_empty() {
            return Ok(None);
        }
        match name {
            "vae" => lookup.weight_file(name, WeightsKind::Vae, &path).map(Some),
            "controlnet" => lookup.weight_file(name, WeightsKind::ControlNet, &path).map(Some),
            "ip_adapter" => lookup.weight_file(name, WeightsKind::IpAdapter, &path).map(Some),
            IMAGE_ENCODER => lookup.weight_file(name, WeightsKind::ImageEncoder, &path).map(Some),
            _ => lookup.picture(name, &path).map(Some),
        }
    }

    fn value(&self) -> Option<Value> {
        self.as_ref().filter(|file| !file.path.is_empty()).map(|file| Value::from(&*file.path))
    }

    fn write(&self, name: &str, form: &mut Form) {
        if let Some(file) = self {
            form.line(name, &file.digest);
        }
    }
}

impl Field for Vec<Lora> {
    fn read(lookup: &Lookup, row: usize) -> Result<Vec<Lora>, SettingError> {
        let mut loras = Vec::new();
        for WeightRef { word, name, weight, text_weight } in &*lookup.weights(row)? {
            if word.is_some() {
                return Err(lookup.wrong(row));
            }
            let file = lookup.weight_file("lora", WeightsKind::Lora, name)?;
            let weight = weight.unwrap_or(1.0);
            loras.push(Lora { file, weight, text_weight: text_weight.unwrap_or(weight) });
        }
        if let Some(file) = lookup.trained(|method| method != TrainingMethod::TextualInversion)? {
            let weight = lookup.required(crate::lookup::row("lora_weight"))?.as_number();
            loras.push(Lora::new(file, weight.ok_or_else(|| lookup.wrong(row))?));
        }
        let prompt = lookup.prompt()?;
        if has_loras(prompt) {
            for LoraTag { name, weight, text_weight } in take_loras(prompt)?.1 {
                let file = lookup.weight_file("prompt", WeightsKind::Lora, name)?;
                loras.push(Lora { file, weight, text_weight });
            }
        }
        Ok(loras)
    }

    fn value(&self) -> Option<Value> {
        let entry = |Lora { file, weight, text_weight }: &Lora| WeightRef {
            word: None,
            name: file.path.to_string(),
            weight: Some(*weight),
            text_weight: (text_weight != weight).then_some(*text_weight),
        };
        (!self.is_empty()).then(|| Value::Weights(self.iter().map(entry).collect()))
    }

    fn write(&self, _: &str, form: &mut Form) {
        for lora in self {
            if lora.is_active() || form.has_zero_weights() {
                form.line("lora", &lora.file.digest);
                form.line("lora_weight", &lora.weight);
                if lora.text_weight != lora.weight {
                    form.line("lora_text_weight", &lora.text_weight);
                }
            }
        }
    }
}

impl Field for Vec<Embedding> {
    fn read(lookup: &Lookup, row: usize) -> Result<Vec<Embedding>, SettingError> {
        let mut embeddings = Vec::new();
        for WeightRef { word, name, weight, .. } in &*lookup.weights(row)? {
            if weight.is_some() {
                return Err(lookup.wrong(row));
            }
            let file = lookup.weight_file("embeddings", WeightsKind::Embedding, name)?;
            embeddings.push(Embedding { word: word.as_deref().map(Into::into), file });
        }
        if let Some(file) = lookup.trained(|method| method == TrainingMethod::TextualInversion)? {
            let word = lookup.training().map(|training| training.word.as_str().into());
            embeddings.push(Embedding { word, file });
        }
        Ok(embeddings)
    }

    fn value(&self) -> Option<Value> {
        let entry = |Embedding { word, file }: &Embedding| WeightRef {
            word: word.as_deref().map(str::to_owned),
            name: file.path.to_string(),
            weight: None,
            text_weight: None,
        };
        (!self.is_empty()).then(|| Value::Weights(self.iter().map(entry).collect()))
    }

    fn write(&self, _: &str, form: &mut Form) {
        for Embedding { word, file } in self {
            // Without a given word, the word comes from the file's name.
            form.text("embedding", word.as_deref().unwrap_or_else(|| stem(&file.path)));
            form.line("embedding_file", &file.digest);
        }
    }
}

/// A file's name without its folder and extension.
fn stem(path: &str) -> &str {
    std::path::Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(path)
}
