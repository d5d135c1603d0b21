//! Tests of published IP-Adapters' headers.

use super::ip_adapter::{ImageInput, IpAdapterShape};
use crate::weights::header::{Entry, Header, Stored};
use candle_core::DType;

fn header(text: &str) -> Header {
    let tensor = |line: &str| {
        let (key, shape) = line.split_once('\t').unwrap();
        let shape = serde_json::from_str(shape).unwrap();
        (key.to_owned(), Entry { stored: Stored::Float(DType::F16), shape, bytes: 0..0 })
    };
    Header::from_entries(text.lines().map(tensor))
}

#[test]
fn the_published_plus_face_is_recognised() {
    let text = include_str!("../../../../../tests/fixtures/ip_adapter/published.tsv");
    let shape = IpAdapterShape::read(&header(text)).unwrap();
    assert_eq!(shape.input, ImageInput::Tokens(1280));
    assert_eq!(shape.text_width, 768);
    // Of the UNet of Stable Diffusion 1: down, up, middle.
    let widths: Vec<usize> = shape.cross.iter().map(|(_, width)| *width).collect();
    let (down, up) = ([320, 320, 640, 640, 1280, 1280], [1280, 1280, 1280, 640, 640, 640, 320, 320, 320]);
    assert_eq!(widths, [&down[..], &up[..], &[1280]].concat());
    assert!(shape.cross.iter().map(|(number, _)| *number).eq((1..32).step_by(2)));
}

#[test]
fn other_kinds_are_refused_with_what_they_are() {
    let check = |text: &str, expected: &str| {
        let error = IpAdapterShape::read(&header(text)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("image_proj.perceiver_resampler.proj_in.weight\t[4, 4]", "FaceID");
    check("ip_adapter.0.to_k_lora.down.weight\t[4, 4]", "FaceID");
    check("image_proj.proj.0.weight\t[4, 4]", "full-face");
    check("lora_unet.weight\t[4, 4]", "it has no tensor `image_proj.proj.weight`");
    check("image_proj.proj.weight\t[16, 4]", "`ip_adapter.1.to_k_ip.weight`");
}
