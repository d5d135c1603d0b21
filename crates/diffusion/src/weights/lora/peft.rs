//! Peft's configuration of an adapter, which has the alphas of its layers: `adapter_config.json` beside the adapter, or the
//! header of a file from diffusers.
//!
//! Not here: ranks, which the shapes of the factors show, except where there are no factors.

use super::error::LoraError;
use serde_json::{Map, Value};

/// The kinds of adapters that are supported (`peft_type`).
const KINDS: [&str; 3] = ["LORA", "LOHA", "LOKR"];

/// Initialisations that change the model's own weights, so that the adapter alone does not describe the change.
const CHANGING: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

/// The alphas of a file's layers; without a configuration, alpha is the rank.
#[derive(Default)]
pub(super) struct Alphas {
    config: Map<String, Value>,
    /// Whether its keys begin with the model's part, as in the header of a file from diffusers.
    by_part: bool,
}

impl Alphas {
    /// Parses the text of a configuration; `key` and `file` name it in errors.
    pub(super) fn parse(
        file: &str,
        key: &'static str,
        text: &str,
        by_part: bool,
    ) -> Result<Alphas, LoraError> {
        let config: Map<String, Value> = serde_json::from_str(text)
            .map_err(|source| LoraError::Metadata { file: file.to_owned(), key, source })?;
        let refuse = |name: &str, value: &Value, allowed: &str| {
            let (file, name) = (file.to_owned(), name.to_owned());
            Err(LoraError::Config { file, name, value: value.to_string(), allowed: allowed.to_owned() })
        };
        for (name, value) in &config {
            let last = name.rsplit('.').next().unwrap_or(name);
            let patterns = || value.as_object().into_iter().flatten();
            match last {
                "peft_type" if !value.as_str().is_some_and(|kind| KINDS.contains(&kind)) => {
                    return refuse(name, value, &KINDS.join(", "));
                }
                "init_lora_weights" | "init_weights"
                    if value.as_str().is_some_and(|it| CHANGING.iter().any(|one| it.starts_with(one))) =>
                {
                    return refuse(
                        name,
                        value,
                        "true, \"gaussian\" and others that do not change the model's own weights; peft's \
                         `save_pretrained` converts such an adapter with \
                         `path_initial_model_for_weight_conversion`",
                    );
                }
                "alpha_pattern" | "rank_pattern" => {
                    if let Some((pattern, _)) = patterns().find(|(pattern, _)| is_expression(pattern)) {
                        return refuse(name, &Value::from(pattern.as_str()), "names of modules");
                    }
                }
                _ => {}
            }
        }
        Ok(Alphas { config, by_part })
    }

    fn get(&self, part: &str, key: &str) -> Option<&Value> {
        match self.by_part {
            true => self.config.get(&format!("{part}.{key}")),
            false => self.config.get(key),
        }
    }

    /// The number that a pattern gives a module, or the one of all modules.
    fn number(&self, layer: &str, pattern: &str, all: &[&str]) -> Option<f64> {
        let (part, module) = layer.split_once('.').unwrap_or(("", layer));
        let pattern = self.get(part, pattern).and_then(Value::as_object);
        let fits = |(key, value): (&String, &Value)| value.as_f64().filter(|_| matches(key, module));
        pattern
            .and_then(|pattern| pattern.iter().find_map(fits))
            .or_else(|| all.iter().find_map(|key| self.get(part, key)?.as_f64()))
    }

    /// The alpha of a layer of this rank.
    pub(super) fn of(&self, layer: &str, rank: usize) -> f64 {
        let rank = rank as f64;
        let part = layer.split_once('.').map_or("", |(part, _)| part);
        // `alpha` is the key of LoHa and LoKr.
        match self.number(layer, "alpha_pattern", &["lora_alpha", "alpha"]) {
            // Rank-stabilised: alpha over the root of the rank (arXiv 2312.03732).
            Some(alpha) if self.get(part, "use_rslora") == Some(&Value::Bool(true)) => alpha * rank.sqrt(),
            Some(alpha) => alpha,
            None => rank,
        }
    }

    /// The scale of a layer whose tensors show no rank: 1, as in LyCORIS, or peft's alpha over the configured rank.
    pub(super) fn scale_without_rank(&self, layer: &str) -> f64 {
        match self.number(layer, "rank_pattern", &["r"]) {
            Some(rank) if rank > 0.0 => self
                .number(layer, "alpha_pattern", &["lora_alpha", "alpha"])
                .map_or(1.0, |alpha| alpha / rank),
            _ => 1.0,
        }
    }
}

/// Whether a pattern's key fits a module: peft matches it as `(.*\.)?(key)$`, so it is the name's end, or with `^` all of it.
fn matches(key: &str, module: &str) -> bool {
    let key = key.replace(r"\.", ".");
    let key = key.strip_suffix('$').unwrap_or(&key);
    let whole = |key: &str| module == key || key.strip_prefix("text_model.") == Some(module);
    match key.strip_prefix('^') {
        Some(key) => whole(key),
        None => whole(key) || module.strip_suffix(key).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// Whether a pattern's key is a regular expression beyond a name with anchors and escaped dots.
fn is_expression(key: &str) -> bool {
    let name = key.strip_prefix('^').unwrap_or(key);
    let name = name.strip_suffix('$').unwrap_or(name).replace(r"\.", ".");
    name.contains(|c: char| r"\^$*+?()[]{}|".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_the_end_of_a_module() {
        let check = |key: &str, module: &str, expected: bool| {
            assert_eq!(matches(key, module), expected, "{key}, {module}");
        };
        check("attn1.to_q", "mid_block.attn1.to_q", true);
        check("to_q", "mid_block.attn1.to_q", true);
        check("q", "mid_block.attn1.to_q", false);
        check(r"^mid_block\.attn1\.to_q$", "mid_block.attn1.to_q", true);
        check("^attn1.to_q", "mid_block.attn1.to_q", false);
        check("text_model.encoder.fc1", "encoder.fc1", true);
    }

    #[test]
    fn configurations_give_alphas() {
        let parse = |text: &str| Alphas::parse("x", "adapter_config.json", text, false);
        let config = parse(r#"{"lora_alpha": 3, "r": 2, "alpha_pattern": {"to_q": 8}}"#).unwrap();
        assert_eq!([config.of("unet.a.to_k", 2), config.of("unet.a.to_q", 2)], [3.0, 8.0]);
        assert_eq!(config.scale_without_rank("unet.a.to_q"), 4.0);
        assert_eq!(parse(r#"{"lora_alpha": 4, "use_rslora": true}"#).unwrap().of("unet.a", 4), 8.0);
        assert_eq!(Alphas::default().of("unet.a", 4), 4.0);
        assert_eq!(Alphas::default().scale_without_rank("unet.a"), 1.0);
        let check = |text: &str, part: &str| {
            let error = parse(text).err().map_or(String::new(), |error| error.to_string());
            assert!(error.contains(part), "{text}: {error}");
        };
        check(r#"{"peft_type": "OFT"}"#, "`peft_type` is `\"OFT\"`; allowed: LORA, LOHA, LOKR");
        check(r#"{"init_lora_weights": "pissa_niter_4"}"#, "`init_lora_weights`");
        check(r#"{"alpha_pattern": {"to_(q|k)": 3}}"#, "names of modules");
    }
}
