//! Tests of inferring the published models from headers, which are built by LDM's rules for its modules
//! (`openaimodel.py`, `model.py` of CompVis' latent-diffusion).

use super::infer::{self, Kind};
use super::stated::Stated;
use crate::weights::header::{Entry, Header, Stored};
use candle_core::DType;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The parameters of LDM's `UNetModel` that differ, and of the text encoder.
struct Ldm {
    channel_mult: &'static [usize],
    /// Transformer layers by level; 0 for no attention.
    depth: &'static [usize],
    context: usize,
    linear: bool,
    added: Option<usize>,
    channels: usize,
}

#[derive(Default)]
struct Tensors(BTreeMap<String, Vec<usize>>);

impl Tensors {
    fn add(&mut self, key: String, shape: &[usize]) {
        self.0.insert(key, shape.to_vec());
    }

    fn header(self) -> Header {
        let entry = |shape| Entry { stored: Stored::Float(DType::F16), shape, bytes: 0..0 };
        Header::from_entries(self.0.into_iter().map(|(key, shape)| (key, entry(shape))))
    }
}

fn unet(tensors: &mut Tensors, ldm: &Ldm) {
    let name = |rest: &str| format!("model.diffusion_model.{rest}");
    let mut block = |place: String, width: usize, depth: usize| {
        tensors.add(name(&format!("{place}.0.out_layers.3.weight")), &[width, width, 3, 3]);
        let proj: &[usize] = if ldm.linear { &[width, width] } else { &[width, width, 1, 1] };
        if depth > 0 {
            tensors.add(name(&format!("{place}.1.proj_in.weight")), proj);
        }
        for k in 0..depth {
            let key = format!("{place}.1.transformer_blocks.{k}.attn2.to_k.weight");
            tensors.add(name(&key), &[width, ldm.context]);
        }
    };
    let mut i = 1;
    let mut up = 0;
    for (level, mult) in ldm.channel_mult.iter().enumerate() {
        for _ in 0..2 {
            block(format!("input_blocks.{i}"), 320 * mult, ldm.depth[level]);
            i += 1;
        }
        i += 1;
    }
    for (level, mult) in ldm.channel_mult.iter().enumerate().rev() {
        for _ in 0..3 {
            block(format!("output_blocks.{up}"), 320 * mult, ldm.depth[level]);
            up += 1;
        }
    }
    let (last, depth) =
        (320 * ldm.channel_mult[ldm.channel_mult.len() - 1], ldm.depth[ldm.depth.len() - 1].max(1));
    block("middle_block".to_owned(), last, depth);
    for level in 1..ldm.channel_mult.len() {
        let width = 320 * ldm.channel_mult[level - 1];
        tensors.add(name(&format!("input_blocks.{}.0.op.weight", 3 * level)), &[width, width, 3, 3]);
    }
    tensors.add(name("input_blocks.0.0.weight"), &[320, ldm.channels, 3, 3]);
    tensors.add(name("out.2.weight"), &[4, 320, 3, 3]);
    if let Some(added) = ldm.added {
        tensors.add(name("label_emb.0.0.weight"), &[1280, added]);
    }
}

fn vae(tensors: &mut Tensors, prefix: &str) {
    for (level, width) in [128, 256, 512, 512].into_iter().enumerate() {
        for block in 0..3 {
            tensors
                .add(format!("{prefix}decoder.up.{level}.block.{block}.conv1.weight"), &[width, width, 3, 3]);
        }
        for block in 0..2 {
            tensors.add(
                format!("{prefix}encoder.down.{level}.block.{block}.conv1.weight"),
                &[width, width, 3, 3],
            );
        }
    }
    tensors.add(format!("{prefix}decoder.conv_in.weight"), &[512, 4, 3, 3]);
    tensors.add(format!("{prefix}quant_conv.weight"), &[8, 8, 1, 1]);
    tensors.add(format!("{prefix}post_quant_conv.weight"), &[4, 4, 1, 1]);
}

fn clip(tensors: &mut Tensors, prefix: &str) {
    let name = |rest: &str| format!("{prefix}text_model.{rest}");
    tensors.add(name("embeddings.token_embedding.weight"), &[49408, 768]);
    tensors.add(name("embeddings.position_embedding.weight"), &[77, 768]);
    for layer in 0..12 {
        tensors.add(name(&format!("encoder.layers.{layer}.mlp.fc1.weight")), &[3072, 768]);
    }
}

fn open_clip(tensors: &mut Tensors, prefix: &str, width: usize, layers: usize) {
    tensors.add(format!("{prefix}token_embedding.weight"), &[49408, width]);
    tensors.add(format!("{prefix}positional_embedding"), &[77, width]);
    tensors.add(format!("{prefix}text_projection"), &[width, width]);
    for layer in 0..layers {
        let key = format!("{prefix}transformer.resblocks.{layer}.mlp.c_fc.weight");
        tensors.add(key, &[4 * width, width]);
    }
}

const ONE: Ldm = Ldm {
    channel_mult: &[1, 2, 4, 4],
    depth: &[1, 1, 1, 0],
    context: 768,
    linear: false,
    added: None,
    channels: 4,
};

#[track_caller]
fn check(found: &Value, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key}");
    }
}

#[test]
fn stable_diffusion_1() {
    for channels in [4, 9] {
        let mut tensors = Tensors::default();
        unet(&mut tensors, &Ldm { channels, ..ONE });
        vae(&mut tensors, "first_stage_model.");
        clip(&mut tensors, infer::CLIP);
        let header = tensors.header();
        let kind = infer::kind(&header).unwrap();
        assert_eq!(kind, Kind::Sd1);
        check(
            &infer::unet(&header, kind, &infer::unet_part(&header), &Stated::default()),
            &json!({
                "in_channels": channels, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
                "layers_per_block": 2, "cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64,
                "use_linear_projection": false, "transformer_layers_per_block": [1, 1, 1, 1],
                "down_block_types":
                    ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            }),
        );
        check(
            &infer::vae(&header, kind, &infer::vae_part(&header)),
            &json!({
                "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 4,
                "scaling_factor": 0.18215, "use_quant_conv": true, "use_post_quant_conv": true,
            }),
        );
        let texts = infer::text_parts(&header, kind);
        assert_eq!(texts.len(), 1);
        check(
            &infer::text_encoder(&header, &texts[0]),
            &json!({
                "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
                "hidden_act": "quick_gelu", "vocab_size": 49408, "max_position_embeddings": 77,
            }),
        );
    }
}

#[test]
fn stable_diffusion_2() {
    let mut tensors = Tensors::default();
    unet(&mut tensors, &Ldm { context: 1024, linear: true, ..ONE });
    vae(&mut tensors, "first_stage_model.");
    open_clip(&mut tensors, infer::OPEN_CLIP, 1024, 24);
    let header = tensors.header();
    let kind = infer::kind(&header).unwrap();
    assert_eq!(kind, Kind::Sd2);
    check(
        &infer::unet(&header, kind, &infer::unet_part(&header), &Stated::default()),
        &json!({
            "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "sample_size": 96,
            "use_linear_projection": true,
        }),
    );
    let texts = infer::text_parts(&header, kind);
    check(
        &infer::text_encoder(&header, &texts[0]),
        &json!({
            "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23,
            "hidden_act": "gelu",
        }),
    );
    // The last layer is in the file and unused; there are no further ones.
    assert!(texts[0].is_spare("cond_stage_model.model.transformer.resblocks.23.ln_1.weight", |_| false));
    assert!(texts[0].is_spare("cond_stage_model.model.logit_scale", |_| false));
    assert!(!texts[0].is_spare("cond_stage_model.model.transformer.resblocks.24.ln_1.weight", |_| false));
    check(
        &infer::scheduler(kind, &Stated::default()),
        &json!({"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}),
    );
}

#[test]
fn stable_diffusion_xl() {
    let mut tensors = Tensors::default();
    let xl = Ldm {
        channel_mult: &[1, 2, 4],
        depth: &[0, 2, 10],
        context: 2048,
        linear: true,
        added: Some(2816),
        ..ONE
    };
    unet(&mut tensors, &xl);
    vae(&mut tensors, "first_stage_model.");
    clip(&mut tensors, infer::XL_CLIP);
    open_clip(&mut tensors, infer::XL_OPEN_CLIP, 1280, 32);
    let header = tensors.header();
    let kind = infer::kind(&header).unwrap();
    assert_eq!(kind, Kind::Xl);
    check(
        &infer::unet(&header, kind, &infer::unet_part(&header), &Stated::default()),
        &json!({
            "block_out_channels": [320, 640, 1280], "attention_head_dim": [5, 10, 20], "sample_size": 128,
            "transformer_layers_per_block": [1, 2, 10], "cross_attention_dim": 2048, "addition_embed_type": "text_time",
            "projection_class_embeddings_input_dim": 2816, "addition_time_embed_dim": 256,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        }),
    );
    check(&infer::vae(&header, kind, &infer::vae_part(&header)), &json!({"scaling_factor": 0.13025}));
    let texts = infer::text_parts(&header, kind);
    check(
        &infer::text_encoder(&header, &texts[1]),
        &json!({
            "hidden_size": 1280, "num_attention_heads": 20, "num_hidden_layers": 32, "hidden_act": "gelu",
            "projection_dim": 1280,
        }),
    );
}

/// SSD-1B: SDXL with fewer transformers, layer by layer, and one residual block in the middle.
#[test]
fn depths_may_differ_from_layer_to_layer() {
    let mut tensors = Tensors::default();
    let shallow = Ldm {
        channel_mult: &[1, 2, 4],
        depth: &[0, 1, 1],
        context: 2048,
        linear: true,
        added: Some(2816),
        ..ONE
    };
    unet(&mut tensors, &shallow);
    let layers: [(&str, &[usize]); 4] = [
        ("input_blocks.4", &[2, 2]),
        ("input_blocks.7", &[4, 4]),
        ("output_blocks.0", &[4, 4, 10]),
        ("output_blocks.3", &[2]),
    ];
    for (block, depths) in layers {
        let (side, first) = block.split_once('.').unwrap();
        for (i, &depth) in depths.iter().enumerate() {
            let place = format!("{side}.{}.1.transformer_blocks", first.parse::<usize>().unwrap() + i);
            for k in 1..depth {
                let key = format!("model.diffusion_model.{place}.{k}.attn2.to_k.weight");
                tensors.add(key, &[640, 2048]);
            }
        }
    }
    tensors.0.retain(|key, _| !key.contains("middle_block.1."));
    open_clip(&mut tensors, infer::XL_OPEN_CLIP, 1280, 32);
    let header = tensors.header();
    check(
        &infer::unet(&header, Kind::Xl, &infer::unet_part(&header), &Stated::default()),
        &json!({
            "transformer_layers_per_block": [[1, 1], [2, 2], [4, 4]],
            "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], [1, 1, 1]],
            "mid_block_type": "UNetMidBlock2D", "cross_attention_dim": 2048, "use_linear_projection": true,
        }),
    );
}

/// Configurations that were inferred before stay as they are: they are a part of fingerprints.
#[test]
fn usual_configurations_have_no_unusual_keys() {
    for ldm in [ONE, Ldm { depth: &[0, 2, 10, 0], ..ONE }] {
        let mut tensors = Tensors::default();
        unet(&mut tensors, &ldm);
        let header = tensors.header();
        let config = infer::unet(&header, Kind::Sd1, &infer::unet_part(&header), &Stated::default());
        for key in ["reverse_transformer_layers_per_block", "mid_block_type", "time_cond_proj_dim"] {
            assert!(config.get(key).is_none(), "{key}");
        }
    }
}

#[test]
fn other_files_are_refused() {
    let reason = |keys: &[&str]| {
        let mut tensors = Tensors::default();
        for key in keys {
            tensors.add((*key).to_owned(), &[1, 1, 1, 1]);
        }
        infer::kind(&tensors.header()).unwrap_err()
    };
    for (key, expected) in [
        ("lora_unet_down_blocks_0.lora_up.weight", "a LoRA"),
        ("encoder.down.0.block.0.conv1.weight", "an autoencoder"),
        ("down_blocks.0.resnets.0.conv1.weight", "the whole folder"),
        ("control_model.input_hint_block.0.weight", "a ControlNet"),
        ("decoder.layers.0.weight", "a tiny autoencoder; use it with `vae`"),
        ("something.else", "it has no tensor `model.diffusion_model.input_blocks.0.0.weight`"),
    ] {
        assert!(reason(&[key]).contains(expected), "{key}");
    }
    let refiner =
        ["model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.0.model.ln_final.bias"];
    assert!(reason(&refiner).contains("refiner"));
}

/// The tokenizer of a checkpoint, against transformers with the same vocabulary.
#[test]
fn clips_own_tokenizer() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let read = |file: &str| -> Value {
        serde_json::from_slice(&std::fs::read(fixtures.join(file)).unwrap()).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let key = "model.diffusion_model.input_blocks.0.0.weight".to_owned();
    let tensor = candle_core::Tensor::zeros((1, 4, 3, 3), DType::F32, &candle_core::Device::Cpu).unwrap();
    let text = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight".to_owned();
    candle_core::safetensors::save(&[(key, tensor.clone()), (text, tensor)].into(), &file).unwrap();
    let source = crate::weights::source::ModelSource::at(&file).unwrap();
    let tokenizer = crate::text::tokenizer::Tokenizer::load(&source, "tokenizer", 77, 49408).unwrap();
    let (texts, expected) = (read("cases.json"), read("clip-ids.json"));
    for (text, ids) in texts["texts"].as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
        assert_eq!(&json!(tokenizer.encode(text.as_str().unwrap()).unwrap().ids), ids, "{text}");
    }
}
