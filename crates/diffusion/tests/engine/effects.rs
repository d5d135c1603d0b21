//! A cell is named by its effect: cells have the same name exactly if they have the same picture, to the byte.
//!
//! Random cells of the tiny models, each with a neighbour that differs in one setting.

use crate::cases::{controlnet, encoder, engine, fixtures, named, render};
use maquette_core::{
    Cell, Digest, FoundFile, Image, NamedFile, Value, WeightsKind, parse_weights, test_plans, with_defaults,
};
use maquette_diffusion::{DeviceName, Engine};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::path::Path;

/// How many neighbours are rendered.
const CASES: usize = 180;

const PICTURE: &str = "init/48x32.png";
const MASK: &str = "masks/binary.png";
const LORA: &str = "lora/kohya.safetensors";
const CONTROLNET: &str = "controlnet/a";
const IP_ADAPTER: &str = "ip_adapter/a.safetensors";

type Given = Vec<(&'static str, Value)>;

fn text(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(words).prop_map(Value::from).boxed()
}

fn number(numbers: &'static [f64]) -> BoxedStrategy<Value> {
    prop::sample::select(numbers).prop_map(Value::from).boxed()
}

fn whole(numbers: &'static [i64]) -> BoxedStrategy<Value> {
    prop::sample::select(numbers).prop_map(Value::from).boxed()
}

/// Values of each setting: some of them have the same effect on some pictures, the others change every picture that they
/// apply to.
fn values(name: &str) -> BoxedStrategy<Value> {
    match name {
        "model" => text(&["tiny-a", "tiny-b", "tiny-sdxl"]),
        "prompt" => text(&["a cat", "a portrait of a man", "a cat AND a boat", "a boat :1.4"]),
        "negative_prompt" => text(&["", "blurry, low quality"]),
        "dialect" => text(&["plain", "a1111"]),
        "init_image" => text(&["", PICTURE]),
        "mask" => text(&["", MASK]),
        "fit" => text(&["crop", "stretch"]),
        "strength" => number(&[0.5, 0.55, 0.6, 0.74, 0.75, 0.76, 0.99, 1.0]),
        "seed" => whole(&[7, 7 + (1 << 32), 8]),
        "noise" => text(&["torch-cpu", "torch-cuda"]),
        "variation_seed" => whole(&[5, 5 + (1 << 40), 6]),
        "variation_strength" => number(&[0.0, 0.6]),
        "steps" => whole(&[2, 3, 4]),
        "guidance_scale" => number(&[0.0, 0.5, 1.0, 5.0]),
        "guidance_interval" => text(&["0-1", "0.4-1", "0.45-1", "0-0.3", "0.5-0.5"]),
        "guidance_rescale" => number(&[0.0, 0.8]),
        "deepcache_interval" => whole(&[1, 1, 2, 3, 9]),
        "deepcache_branch_id" => whole(&[0, 1]),
        "scheduler" => text(&["ddim", "pndm", "euler", "euler_a", "heun", "dpmpp_2m", "lcm"]),
        "eta" => number(&[0.0, 1.0]),
        "lora" => prop::sample::select(&["none", "style:0", "style:0.9"][..])
            .prop_map(|list| Value::Weights(parse_weights(list).unwrap()))
            .boxed(),
        "controlnet" => text(&["", CONTROLNET]),
        "control_image" => text(&["controlnet/square.png", PICTURE]),
        "controlnet_conditioning_scale" => number(&[0.0, 0.5, 1.0]),
        "control_guidance_start" => number(&[0.0, 0.1, 0.4, 1.0]),
        "control_guidance_end" => number(&[0.0, 0.7, 0.9, 1.0]),
        "ip_adapter" => text(&["", IP_ADAPTER]),
        "ip_adapter_image" => text(&["ip_adapter/tall.png", PICTURE]),
        "ip_adapter_scale" => number(&[0.0, 0.6, 1.0]),
        name => panic!("no values of {name}"),
    }
}

const VARIED: [&str; 29] = [
    "model",
    "prompt",
    "negative_prompt",
    "dialect",
    "init_image",
    "mask",
    "fit",
    "strength",
    "seed",
    "noise",
    "variation_seed",
    "variation_strength",
    "steps",
    "guidance_scale",
    "guidance_interval",
    "guidance_rescale",
    "deepcache_interval",
    "deepcache_branch_id",
    "scheduler",
    "eta",
    "lora",
    "controlnet",
    "control_image",
    "controlnet_conditioning_scale",
    "control_guidance_start",
    "control_guidance_end",
    "ip_adapter",
    "ip_adapter_image",
    "ip_adapter_scale",
];

/// The settings of which only tiny-a has files.
const OF_TINY_A: [&str; 3] = ["lora", "controlnet", "ip_adapter"];

/// The settings that differ between neighbours; those that may be merged occur more often.
const CHANGED: [&str; 28] = [
    "strength",
    "strength",
    "strength",
    "negative_prompt",
    "negative_prompt",
    "guidance_scale",
    "guidance_scale",
    "guidance_interval",
    "guidance_interval",
    "guidance_rescale",
    "deepcache_interval",
    "deepcache_interval",
    "deepcache_branch_id",
    "seed",
    "variation_seed",
    "eta",
    "lora",
    "fit",
    "mask",
    "steps",
    "controlnet",
    "control_image",
    "controlnet_conditioning_scale",
    "control_guidance_start",
    "control_guidance_end",
    "ip_adapter",
    "ip_adapter_image",
    "ip_adapter_scale",
];

/// A cell's settings, and those of its neighbour.
fn neighbours() -> impl Strategy<Value = (Given, Given)> {
    let all: Vec<BoxedStrategy<Value>> = VARIED.iter().map(|name| values(name)).collect();
    let changed = prop::sample::select(&CHANGED[..]).prop_flat_map(|name| (Just(name), values(name)));
    (all, changed).prop_map(|(all, (name, value))| {
        let one: Given = VARIED.into_iter().zip(all).collect();
        let other =
            one.iter().map(|(known, old)| (*known, if *known == name { &value } else { old }.clone()));
        (one.clone(), other.collect())
    })
}

/// The cell of these settings, resolved as in a plan.
fn cell(given: &Given) -> Cell {
    let value = |name: &str| given.iter().find(|(known, _)| *known == name).unwrap().1.to_string();
    let model = value("model");
    let mut given = given.clone();
    given.push(("dtype", "f32".into()));
    given.retain(|(name, _)| !OF_TINY_A.contains(name) || model == "tiny-a");
    let found = |file: &str| {
        let file = named(&fixtures().join(file));
        FoundFile { file: Path::new(&*file.path).to_owned(), digest: file.digest }
    };
    let mut plan = test_plans::plan(&[]);
    plan.base = with_defaults(&given);
    let mut card = plan.models.remove("sketchbook").unwrap();
    (card.fingerprint, card.size) = (Digest::of(model.as_bytes()), (32, 32));
    plan.models.insert(model, card);
    let pictures = [PICTURE, MASK, "controlnet/square.png", "ip_adapter/tall.png"];
    plan.pictures.extend(pictures.map(|file| (file.to_owned(), found(file))));
    let named_as = |named: NamedFile| FoundFile { file: named.file.to_path_buf(), digest: named.digest };
    let (net, adapter) = (fixtures().join(CONTROLNET), fixtures().join(IP_ADAPTER));
    plan.weights.insert(WeightsKind::ControlNet.key(CONTROLNET), named_as(controlnet(&net)));
    plan.weights.insert(WeightsKind::IpAdapter.key(IP_ADAPTER), found(IP_ADAPTER));
    plan.weights.insert(WeightsKind::ImageEncoder.key(IP_ADAPTER), named_as(encoder(&adapter)));
    plan.weights.insert(WeightsKind::Lora.key("style"), found(LORA));
    plan.cell(0).unwrap()
}

fn picture(engine: &mut Engine, cell: &Cell) -> Image {
    render(engine, std::slice::from_ref(cell)).remove(&cell.id).unwrap().unwrap()
}

#[test]
fn cells_have_the_same_name_exactly_if_they_have_the_same_picture() {
    let mut engine = engine(DeviceName::Cpu, None);
    let mut runner = TestRunner::deterministic();
    let (mut merged, mut apart) = (0, 0);
    for _ in 0..CASES {
        let (one, other) = neighbours().new_tree(&mut runner).unwrap().current();
        if one == other {
            continue;
        }
        let (one, other) = (cell(&one), cell(&other));
        let same = picture(&mut engine, &one) == picture(&mut engine, &other);
        assert_eq!(one.id == other.id, same, "{:#?}\n{:#?}", one.settings, other.settings);
        *if same { &mut merged } else { &mut apart } += 1;
    }
    assert!(merged > CASES / 10 && apart > CASES / 10, "{merged} merged, {apart} apart");
}
