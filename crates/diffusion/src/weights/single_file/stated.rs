//! What a checkpoint states about the prediction of its UNet and about its noise schedule: empty tensors, texts in its
//! header, LDM's configuration beside it. Shapes do not tell.
//!
//! Not here: the defaults where nothing is stated (`infer.rs`).

use crate::weights::header::Header;
use maquette_core::PredictionType;

/// The statements of a checkpoint, the most trusted first.
#[derive(Debug, Default)]
pub(super) struct Stated {
    /// What the UNet predicts.
    pub predictions: Vec<Statement<PredictionType>>,
    /// Whether the last timestep is pure noise.
    pub zero_snr: Vec<Statement<bool>>,
    /// Whether it is the variant of Stable Diffusion 2 for 512 pixels.
    pub is_small: bool,
    /// Statements that are not understood, each a sentence without its full stop.
    pub unknown: Vec<String>,
}

/// A value, and where it is stated.
#[derive(Debug)]
pub(super) struct Statement<T> {
    pub value: T,
    pub place: String,
}

/// The names of prediction types in headers (`modelspec`) and in LDM's configurations.
const PREDICTIONS: [(&str, PredictionType); 9] = [
    ("epsilon", PredictionType::Epsilon),
    ("eps", PredictionType::Epsilon),
    ("v", PredictionType::VPrediction),
    ("v_prediction", PredictionType::VPrediction),
    ("v-prediction", PredictionType::VPrediction),
    ("v_pred", PredictionType::VPrediction),
    ("velocity", PredictionType::VPrediction),
    ("x0", PredictionType::Sample),
    ("sample", PredictionType::Sample),
];

impl Stated {
    /// Collects the statements of a header and of a configuration with the file name `yaml`.
    pub(super) fn read(header: &Header, yaml: Option<(&str, &str)>) -> Stated {
        let mut stated = Stated::default();
        // ComfyUI and A1111 read these two tensors; their values do not matter.
        if header.contains_key("v_pred") {
            stated.predicts(PredictionType::VPrediction, "its tensor `v_pred`");
        }
        if header.contains_key("ztsnr") {
            stated.zero_snr.push(Statement { value: true, place: "its tensor `ztsnr`".to_owned() });
        }
        // https://github.com/Stability-AI/ModelSpec
        if let Some(word) = header.metadata.get("modelspec.prediction_type") {
            stated.word(word, "`modelspec.prediction_type` in its header");
        }
        let place = "`modelspec.architecture` in its header";
        match header.metadata.get("modelspec.architecture").map(String::as_str) {
            Some("stable-diffusion-v2-768-v") => stated.predicts(PredictionType::VPrediction, place),
            Some("stable-diffusion-v2-512") => {
                stated.predicts(PredictionType::Epsilon, place);
                stated.is_small = true;
            }
            _ => {}
        }
        if let Some((file, text)) = yaml {
            if let Some(word) = value_of(text, "parameterization") {
                stated.word(word, &format!("`parameterization` in {file}"));
            }
            if let Some(flag) = value_of(text, "rescale_betas_zero_snr") {
                let place = format!("`rescale_betas_zero_snr` in {file}");
                stated.zero_snr.push(Statement { value: flag.eq_ignore_ascii_case("true"), place });
            }
        }
        stated
    }

    fn predicts(&mut self, value: PredictionType, place: &str) {
        self.predictions.push(Statement { value, place: place.to_owned() });
    }

    fn word(&mut self, word: &str, place: &str) {
        match PREDICTIONS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)) {
            Some((_, value)) => self.predicts(*value, place),
            None => self.unknown.push(format!("{place} is `{word}`, which is not a known prediction type")),
        }
    }

    /// What was taken from which place, and what contradicts it; each a sentence without its full stop.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = notes("prediction_type", &self.predictions, PredictionType::as_str);
        notes.extend(notes_of_flag(&self.zero_snr));
        notes.extend(self.unknown.iter().cloned());
        notes
    }
}

fn notes_of_flag(statements: &[Statement<bool>]) -> Vec<String> {
    notes("zero_snr", statements, |flag| if flag { "true" } else { "false" })
}

fn notes<T: Copy + PartialEq>(
    name: &str,
    statements: &[Statement<T>],
    text: impl Fn(T) -> &'static str,
) -> Vec<String> {
    let Some((first, rest)) = statements.split_first() else { return Vec::new() };
    let taken = format!("`{name}` is {}, stated by {}", text(first.value), first.place);
    let contrary = rest.iter().filter(|other| other.value != first.value).map(|other| {
        format!(
            "{} says that `{name}` is {}, which {} overrules",
            other.place,
            text(other.value),
            first.place
        )
    });
    std::iter::once(taken).chain(contrary).collect()
}

/// The value of a key in a YAML text, wherever the key is: a plain or quoted word.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let quotes = ['"', '\''];
    text.lines().find_map(|line| {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        let (before, after) = line.split_once(key)?;
        let before = before.trim_end_matches(quotes);
        let is_key = before.is_empty() || before.ends_with([' ', '\t', '{', ',']);
        let value = after.trim_start_matches(quotes).trim_start().strip_prefix(':')?;
        let word = value.trim_start().trim_start_matches(quotes).split(['"', '\'', ',', '}']).next()?.trim();
        (is_key && !word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_yaml() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(value_of(text, "parameterization"), expected, "{text}");
        };
        check("model:\n  params:\n    parameterization: \"v\"\n    linear_start: 0.00085", Some("v"));
        check("    parameterization: 'eps' # as in 2.0-base", Some("eps"));
        check("params: {scale_factor: 0.18215, parameterization: x0}", Some("x0"));
        check("\"parameterization\": v", Some("v"));
        check("parameterization: v", Some("v"));
        check("# parameterization: v", None);
        check("reparameterization: v", None);
        check("parameterization:", None);
        check("", None);
    }
}
