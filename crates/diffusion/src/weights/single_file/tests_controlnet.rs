//! Tests of a published ControlNet's header, under both of its namings.

use super::controlnet_in;
use crate::models::unet::controlnet::ControlNet;
use crate::weights::config::ConfigFile;
use crate::weights::header::{Entry, Header, Stored};
use crate::weights::single_file::Part;
use candle_core::DType;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Diffusers' name, the authors' name and the shape of each tensor of Stable Diffusion 1.5's.
fn published() -> Vec<(String, String, Vec<usize>)> {
    let text = include_str!("../../../../../tests/fixtures/controlnet/published.tsv");
    let line = |line: &str| {
        let mut words = line.split('\t').map(str::to_owned);
        let mut next = || words.next().unwrap();
        (next(), next(), serde_json::from_str(&next()).unwrap())
    };
    text.lines().map(line).collect()
}

fn header(tensors: impl Iterator<Item = (String, Vec<usize>)>) -> Header {
    let entry = |shape| Entry { stored: Stored::Float(DType::F16), shape, bytes: 0..0 };
    Header::from_entries(tensors.map(|(key, shape)| (key, entry(shape))))
}

#[test]
fn the_published_controlnet_is_read_under_both_namings() {
    let expected = json!({
        "_class_name": "ControlNetModel",
        "in_channels": 4,
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "down_block_types":
            ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "transformer_layers_per_block": [1, 1, 1, 1],
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
        "use_linear_projection": false,
        "conditioning_embedding_out_channels": [16, 32, 96, 256],
    });
    let bare = |key: &str| key.strip_prefix("control_model.").unwrap().to_owned();
    // Diffusers' names, the original ones, and those without their prefix.
    type Naming<'a> = &'a dyn Fn(&str, &str) -> String;
    let namings: [Naming; 3] = [&|name, _| name.to_owned(), &|_, key| key.to_owned(), &|_, key| bare(key)];
    for (number, naming) in namings.into_iter().enumerate() {
        let keys: BTreeMap<String, String> =
            published().iter().map(|tensor| (tensor.0.clone(), naming(&tensor.0, &tensor.1))).collect();
        let header =
            header(published().iter().map(|tensor| (naming(&tensor.0, &tensor.1), tensor.2.clone())));
        let (config, part) = controlnet_in(&header).unwrap();
        assert_eq!(config, expected, "{number}");
        for (name, key) in keys {
            assert_eq!(part.place(&name).keys, [key], "{number}");
        }
        let Value::Object(values) = config else { panic!("{config}") };
        ControlNet::check(&ConfigFile::inferred("inferred".to_owned(), values)).unwrap();
    }
    let (_, part) =
        controlnet_in(&header(published().into_iter().map(|tensor| (tensor.1, tensor.2)))).unwrap();
    assert_eq!(part, Part::ControlNet { prefix: "control_model.".to_owned(), layers: 2, hints: 6 });
}

#[test]
fn other_files_are_refused() {
    let one = |key: &str| header([(key.to_owned(), vec![1])].into_iter());
    assert!(controlnet_in(&one("lora_unet_x.lora_down.weight")).unwrap_err().contains("use it with `lora`"));
    assert!(controlnet_in(&one("model.weight")).unwrap_err().contains("it has no tensor"));
}
