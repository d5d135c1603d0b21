//! Pictures that follow another picture through an IP-Adapter, against diffusers, and its guarantees.

use crate::cases::{
    Case, Difference, cases, cases_in, cell, difference, encoder, engine, fixtures, named, render,
};
use crate::copies::{change_tensors, copy_folder};
use maquette_core::{Cell, Dialect, Image, Settings};
use maquette_diffusion::{DeviceName, Engine, IpAdapterFile};

/// The same as for pictures without an IP-Adapter.
const HANDFUL: usize = 10;

fn shown() -> Vec<Case> {
    cases_in("ip_adapter/cases.json")
}

fn settings_of(name: &str) -> Settings {
    shown().into_iter().find(|case| case.name == name).unwrap().cell().settings
}

fn one(engine: &mut Engine, settings: Settings) -> Result<Image, String> {
    let cell = cell(settings);
    render(engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap()
}

#[test]
fn pictures_with_an_ip_adapter_match_diffusers() {
    let mut engine = engine(DeviceName::Cpu, None);
    let mut wrong = Vec::new();
    for case in shown() {
        match one(&mut engine, case.cell().settings) {
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
            Ok(image) => {
                let difference = difference(&image, &case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > HANDFUL {
                    wrong.push(format!("{}: {difference:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_ip_adapter_at_scale_0_changes_nothing_to_the_bit() {
    let mut engine = engine(DeviceName::Cpu, None);
    for name in ["a-plus", "xl-base"] {
        let settings = settings_of(name);
        let without = Settings {
            ip_adapter: None,
            ip_adapter_image: None,
            ip_adapter_scale: None,
            ip_adapter_image_encoder: None,
            ..settings.clone()
        };
        let picture = one(&mut engine, without.clone()).unwrap();
        let zero = Settings { ip_adapter_scale: Some(0.0), ..settings.clone() };
        assert_eq!(cell(zero.clone()).id, cell(without.clone()).id, "{name}");
        assert_eq!(one(&mut engine, zero).unwrap(), picture, "{name}");
        assert_ne!(cell(settings.clone()).id, cell(without).id);
        assert_ne!(one(&mut engine, settings).unwrap(), picture, "{name}");
    }
}

#[test]
fn rows_with_and_without_an_ip_adapter_do_not_affect_each_other() {
    let composed = Settings {
        dialect: Dialect::A1111,
        prompt: "a cat AND a boat :0.7".into(),
        ..settings_of("a-base-half")
    };
    let controlled = cases_in("controlnet/cases.json");
    // With a ControlNet as well.
    let both: Vec<Cell> = ["a-base", "a-base-half"]
        .iter()
        .zip(controlled.iter().map(|case| case.cell().settings))
        .map(|(name, control)| {
            let Settings { ip_adapter, ip_adapter_image, ip_adapter_scale, .. } = settings_of(name);
            let ip_adapter_image_encoder = settings_of(name).ip_adapter_image_encoder;
            cell(Settings {
                ip_adapter,
                ip_adapter_image,
                ip_adapter_scale,
                ip_adapter_image_encoder,
                ..control
            })
        })
        .collect();
    let all = shown().into_iter().chain(controlled).chain(cases());
    let all: Vec<Cell> = all.map(|case| case.cell()).chain(both).chain([cell(composed)]).collect();
    for model in ["tiny-a", "tiny-sdxl"] {
        let is_it = |cell: &&Cell| {
            let Settings { width, height, .. } = cell.settings;
            &*cell.settings.model == model && (width, height) == (32, 32)
        };
        let cells: Vec<Cell> = all.iter().filter(is_it).cloned().collect();
        assert!(cells.iter().filter(|cell| cell.settings.ip_adapter.is_some()).count() > 1, "{model}");
        let alone = render(&mut engine(DeviceName::Cpu, Some(2)), &cells);
        assert!(alone.values().all(Result::is_ok));
        assert_eq!(render(&mut engine(DeviceName::Cpu, Some(64)), &cells), alone);
    }
}

#[test]
fn ip_adapters_that_cannot_be_used_fail_with_a_reason() {
    let mut engine = engine(DeviceName::Cpu, None);
    let settings = settings_of("a-plus");
    let mut check = |change: Settings, expected: &str| {
        let error = one(&mut engine, change).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let with = |file: &str| Settings { ip_adapter: Some(named(&fixtures().join(file))), ..settings.clone() };
    check(
        with("ip_adapter/xl.safetensors"),
        "it is for text embeddings of width 36, the model is of text embeddings",
    );
    check(with("lora/kohya.safetensors"), "it has no tensor `image_proj.proj.weight`");
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures().join("ip_adapter"), folder.path());
    let file = folder.path().join("a-plus.safetensors");
    change_tensors(&file, |tensors| {
        tensors.remove("ip_adapter.1.to_k_ip.weight");
        tensors.remove("ip_adapter.1.to_v_ip.weight");
    });
    check(Settings { ip_adapter: Some(named(&file)), ..settings.clone() }, "it is for another UNet");
    // An encoder of another width.
    let config = folder.path().join("image_encoder/config.json");
    let text =
        std::fs::read_to_string(&config).unwrap().replace("\"hidden_size\": 24", "\"hidden_size\": 36");
    std::fs::write(&config, text).unwrap();
    let other = encoder(&folder.path().join("image_encoder"));
    check(
        Settings { ip_adapter_image_encoder: Some(other), ..settings.clone() },
        "it takes one with a hidden_size of 24, this one has a projection_dim of 20 and a hidden_size of 36",
    );
    std::fs::remove_dir_all(folder.path().join("image_encoder")).unwrap();
    let error = IpAdapterFile::open(&folder.path().join("a.safetensors")).unwrap().encoder().err().unwrap();
    let error = error.to_string();
    assert!(
        error.contains("needs an image encoder, CLIP's vision tower with a projection_dim of 20"),
        "{error}"
    );
    assert!(error.contains("`h94/IP-Adapter` on the hub has it in `models/image_encoder`"), "{error}");
}
