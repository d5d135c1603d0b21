//! LoRAs set and unset, the safety checker, long prompts, and retries in f32.

use crate::added_cases::added;
use crate::cases::{cases, cell, difference, engine, render, render_with_remarks};
use crate::checked_cases::{is_black, runs};
use crate::composed::{checked_model, engine_of, overflowing_model};
use crate::pairs::{Pair, compare};
use crate::{DTYPES, device};
use maquette_core::{Cell, Dialect, Dtype, Image, Settings};
use maquette_diffusion::{DeviceName, Engine};

fn one(engine: &mut Engine, settings: &Settings) -> Image {
    let cell = cell(settings.clone());
    render(engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap().unwrap()
}

/// The pictures with LoRAs themselves are compared in `pictures`.
#[test]
fn without_a_lora_again_the_picture_is_the_one_before() {
    for dtype in DTYPES {
        let mut engine = engine(device(), None);
        let with = |k: usize| Settings { dtype, seed: 5, ..added("lora")[k].settings() };
        let without = Settings { lora: Vec::new(), ..with(0) };
        let (before, first) = (one(&mut engine, &without), one(&mut engine, &with(0)));
        let second = one(&mut engine, &with(1));
        assert!(before != first && first != second && before != second, "{dtype}: a LoRA has no effect");
        assert!(one(&mut engine, &without) == before, "{dtype}: without LoRAs the picture has changed");
        assert!(one(&mut engine, &with(0)) == first, "{dtype}: with the first LoRA again it has changed");
        assert!(one(&mut engine, &without) == before, "{dtype}: without LoRAs the picture has changed");
    }
}

/// In half precision a verdict may differ where the similarity is near its threshold: that is printed only.
#[test]
fn safety_checker() {
    let model = checked_model();
    let mut engine = engine_of(device(), model.path());
    let mut wrong = Vec::new();
    for dtype in DTYPES {
        let (cells, expected): (Vec<Cell>, Vec<bool>) = runs()
            .into_iter()
            .map(|(of, flagged)| (cell(Settings { dtype, ..of.settings }), flagged))
            .unzip();
        let mut rendered = render_with_remarks(&mut engine, &cells);
        let mut same = 0;
        for (cell, expected) in cells.iter().zip(&expected) {
            let (image, remarks) = rendered.remove(&cell.id).unwrap();
            let name = format!("{dtype}, {}, seed {}", cell.settings.prompt, cell.settings.seed);
            match (image, remarks.nsfw_content_detected) {
                (Ok(image), Some(flagged)) => {
                    same += usize::from(flagged == *expected);
                    if is_black(&image) != flagged || (dtype == Dtype::F32 && flagged != *expected) {
                        wrong.push(format!("{name}: flagged: {flagged}, black: {}", is_black(&image)));
                    }
                }
                (image, verdict) => wrong.push(format!("{name}: {verdict:?}, {:?}", image.err())),
            }
        }
        println!("safety checker         {dtype:<5} {same} of {} verdicts are diffusers'", cells.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two chunks of 77 tokens, for the prompt and the negative prompt.
#[test]
fn long_prompts() {
    let plain = cases().into_iter().find(|case| case.name == "a-text-ddim").unwrap().cell().settings;
    let words = ["portrait", "of", "a", "man", "with", "red", "leaves", "by", "Mucha"];
    let prompt: Vec<&str> = words.into_iter().cycle().take(100).collect();
    let settings = |prompt: &str, negative: &str| Settings {
        prompt: prompt.into(),
        negative_prompt: negative.into(),
        dialect: Dialect::A1111,
        ..plain.clone()
    };
    let long = prompt.join(" ");
    let all = [
        ("prompt", settings(&long, "")),
        ("both", settings(&long, &long)),
        ("negative", settings("a man", &long)),
    ];
    let mut on_cpu = engine(DeviceName::Cpu, None);
    let pairs = all.map(|(name, settings)| Pair {
        name: name.to_owned(),
        expected: one(&mut on_cpu, &settings),
        settings,
    });
    compare("long prompts", &mut engine(device(), None), &pairs);
}

#[test]
fn a_picture_that_overflows_in_f16_is_rendered_again_in_f32() {
    let model = overflowing_model();
    let mut engine = engine_of(device(), model.path());
    let of = |dtype| cell(Settings { dtype, ..cases()[0].cell().settings });
    let cells = [Dtype::F16, Dtype::F32, Dtype::Bf16].map(of);
    let mut rendered = render_with_remarks(&mut engine, &cells);
    let [half, wide, bf16] = cells.map(|cell| rendered.remove(&cell.id).unwrap());
    assert_eq!(half.1.note.as_deref(), Some("f16 overflowed, so it was rendered again in f32"));
    assert_eq!((wide.1.note, bf16.1.note), (None, None));
    assert!(bf16.0.is_ok(), "{:?}", bf16.0);
    let difference = difference(&half.0.unwrap(), &wide.0.unwrap());
    assert!(difference.largest <= 1, "{difference:?}");
}
