//! Which files of a repository are downloaded.

use super::*;

const STABLE_DIFFUSION: &str = r#"{ "_class_name": "StableDiffusionPipeline", "requires_safety_checker": true,
    "feature_extractor": ["transformers", "CLIPImageProcessor"], "image_encoder": [null, null],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"] }"#;

/// The files of CompVis/stable-diffusion-v1-4.
const LISTING: &str = "README.md model_index.json v1-variants/x.png \
    feature_extractor/preprocessor_config.json safety_checker/config.json safety_checker/flax_model.msgpack \
    safety_checker/model.fp16.safetensors safety_checker/model.safetensors safety_checker/pytorch_model.bin \
    scheduler/scheduler_config.json text_encoder/config.json text_encoder/flax_model.msgpack \
    text_encoder/model.fp16.safetensors text_encoder/model.safetensors text_encoder/pytorch_model.bin \
    tokenizer/merges.txt tokenizer/special_tokens_map.json tokenizer/tokenizer_config.json tokenizer/vocab.json \
    unet/config.json unet/diffusion_pytorch_model.bin unet/diffusion_pytorch_model.fp16.safetensors \
    unet/diffusion_pytorch_model.non_ema.safetensors unet/diffusion_pytorch_model.safetensors vae/config.json \
    vae/diffusion_pytorch_model.fp16.safetensors vae/diffusion_pytorch_model.safetensors";

fn files(wanted: &Wanted, index: Option<&str>, listing: &str) -> Result<String, Unusable> {
    let all: Vec<String> = listing.split_whitespace().map(str::to_owned).collect();
    let has = |file: &str| all.iter().any(|one| one == file);
    wanted.files(index.map(str::as_bytes), &|| all.clone(), &has, &|_| false).map(|files| files.join(" "))
}

fn model(dtype: Dtype) -> Wanted {
    Wanted::Pipeline { dtype, safety_checker: false }
}

#[test]
fn only_files_that_are_read() {
    let common = "model_index.json scheduler/scheduler_config.json text_encoder/config.json \
        text_encoder/modelX tokenizer/merges.txt tokenizer/special_tokens_map.json \
        tokenizer/tokenizer_config.json tokenizer/vocab.json unet/config.json unet/diffusion_pytorch_modelX \
        vae/config.json vae/diffusion_pytorch_modelX";
    for (dtype, kind) in [(Dtype::F32, ""), (Dtype::Bf16, ""), (Dtype::F16, ".fp16")] {
        let expected = common.replace('X', &format!("{kind}.safetensors"));
        let found = files(&model(dtype), Some(STABLE_DIFFUSION), LISTING).unwrap();
        assert_eq!(found, expected.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let wanted = Wanted::Pipeline { dtype: Dtype::F16, safety_checker: true };
    let found = files(&wanted, Some(STABLE_DIFFUSION), LISTING).unwrap();
    for file in ["feature_extractor/preprocessor_config.json", "safety_checker/model.fp16.safetensors"] {
        assert!(found.split(' ').any(|one| one == file), "{found}");
    }
}

/// As in the repository of Z-Image-Turbo.
#[test]
fn a_transformer_and_its_text_encoder_in_shards() {
    let index = r#"{ "_class_name": "ZImagePipeline", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3Model"], "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "ZImageTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"] }"#;
    let expected = "model_index.json scheduler/scheduler_config.json text_encoder/config.json \
        text_encoder/model-00001-of-00002.safetensors text_encoder/model-00002-of-00002.safetensors \
        text_encoder/model.safetensors.index.json tokenizer/merges.txt tokenizer/tokenizer.json \
        tokenizer/tokenizer_config.json tokenizer/vocab.json transformer/config.json \
        transformer/diffusion_pytorch_model-00001-of-00002.safetensors \
        transformer/diffusion_pytorch_model-00002-of-00002.safetensors \
        transformer/diffusion_pytorch_model.safetensors.index.json vae/config.json \
        vae/diffusion_pytorch_model.safetensors";
    let listing = format!("README.md assets/x.png text_encoder/generation_config.json {expected}");
    let found = files(&model(Dtype::Bf16), Some(index), &listing).unwrap();
    assert_eq!(found, expected.split_whitespace().collect::<Vec<_>>().join(" "));
}

/// As in the repository of Anima, a modular pipeline; a local copy of another model may have both kinds.
#[test]
fn modular_pipelines() {
    let part =
        |name: &str, library: &str| format!(r#""{name}": [{library}, null, {{"subfolder": "{name}"}}]"#);
    let parts =
        ["scheduler", "text_conditioner", "text_encoder", "transformer", "vae", "tokenizer", "t5_tokenizer"];
    let index = parts.map(|name| part(name, if name == "vae" { "null" } else { "\"diffusers\"" })).join(", ");
    let index = format!(r#"{{"_class_name": "AnimaModularPipeline", {index}}}"#);
    let expected = "modular_model_index.json scheduler/scheduler_config.json t5_tokenizer/tokenizer.json \
        t5_tokenizer/tokenizer_config.json text_conditioner/config.json \
        text_conditioner/diffusion_pytorch_model.safetensors text_encoder/config.json text_encoder/model.safetensors \
        tokenizer/tokenizer.json tokenizer/tokenizer_config.json transformer/config.json \
        transformer/diffusion_pytorch_model.safetensors vae/config.json vae/diffusion_pytorch_model.safetensors";
    let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = files(&model(Dtype::Bf16), Some(&index), &format!("README.md {expected}")).unwrap();
    assert_eq!(found, expected);
    let without = expected.replace(" vae/config.json", "");
    let missing = files(&model(Dtype::Bf16), Some(&index), &without).unwrap_err();
    assert_eq!(missing, Unusable::Missing("vae/config.json".to_owned()));
    assert_eq!(super::index(&|file| file.ends_with("model_index.json")), Some("model_index.json"));
}

#[test]
fn the_other_precision_is_a_fallback() {
    let halves = LISTING.replace("model.safetensors", "other");
    let found = files(&model(Dtype::F32), Some(STABLE_DIFFUSION), &halves).unwrap();
    assert!(found.contains("unet/diffusion_pytorch_model.fp16.safetensors"), "{found}");
    let wholes = LISTING.replace("fp16.", "other.");
    let found = files(&model(Dtype::F16), Some(STABLE_DIFFUSION), &wholes).unwrap();
    assert!(found.contains("unet/diffusion_pytorch_model.safetensors"), "{found}");
}

#[test]
fn shards_and_their_index() {
    let sharded = |variant: &str, names: [&str; 2]| {
        let whole = format!("unet/diffusion_pytorch_model{variant}.safetensors");
        let index = format!("unet/diffusion_pytorch_model.safetensors.index{variant}.json");
        let files = [index, format!("unet/{}", names[0]), format!("unet/{}", names[1])];
        let listing = LISTING.replace(".non_ema.", ".other.").replace(&whole, &files.join(" "));
        (listing, files)
    };
    let check = |dtype: Dtype, (listing, files): (String, [String; 3])| {
        let found = files_of(&model(dtype), &listing);
        let unet: Vec<String> = found.into_iter().filter(|it| it.starts_with("unet/")).collect();
        let mut expected = files.to_vec();
        expected.push("unet/config.json".to_owned());
        expected.sort();
        assert_eq!(unet, expected);
    };
    let files_in = [
        "diffusion_pytorch_model-00001-of-00002.safetensors",
        "diffusion_pytorch_model-00002-of-00002.safetensors",
    ];
    check(Dtype::F32, sharded("", files_in));
    let halves = [
        "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
    ];
    check(Dtype::F16, sharded(".fp16", halves));
    let halves = [
        "diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
        "diffusion_pytorch_model-00002-of-00002.fp16.safetensors",
    ];
    check(Dtype::F16, sharded(".fp16", halves));
}

fn files_of(wanted: &Wanted, listing: &str) -> Vec<String> {
    let found = files(wanted, Some(STABLE_DIFFUSION), listing).unwrap();
    found.split(' ').map(str::to_owned).collect()
}

#[test]
fn only_bf16() {
    let listing = LISTING.replace("model.safetensors", "model.bf16.safetensors").replace("fp16", "other");
    let found = files_of(&model(Dtype::F16), &listing);
    assert!(found.contains(&"unet/diffusion_pytorch_model.bf16.safetensors".to_owned()), "{found:?}");
}

#[test]
fn single_models() {
    let listing = "README.md config.json flax_model.msgpack merges.txt model.safetensors preprocessor_config.json \
        pytorch_model.bin tokenizer.json vocab.json";
    let found = files(&Wanted::Single, None, listing).unwrap();
    let expected =
        "config.json merges.txt model.safetensors preprocessor_config.json tokenizer.json vocab.json";
    assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    let check = |listing: &str, expected: Unusable| {
        assert_eq!(files(&Wanted::Single, None, listing), Err(expected));
    };
    check("model.safetensors", Unusable::Missing("config.json".to_owned()));
    check("config.json pytorch_model.bin", Unusable::Pickle("pytorch_model.bin".to_owned()));
    check("config.json", Unusable::Missing("model.safetensors".to_owned()));
}

#[test]
fn unusable_repositories_have_a_reason() {
    let check = |index: Option<&str>, listing: &str, expected: Unusable| {
        assert_eq!(files(&model(Dtype::F32), index, listing), Err(expected));
    };
    let index = Some(STABLE_DIFFUSION);
    let pickled = LISTING.replace("safetensors", "msgpack");
    check(index, &pickled, Unusable::Pickle("text_encoder/pytorch_model.bin".to_owned()));
    let cut = LISTING.replace("fp16", "other").replace(
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json \
         unet/diffusion_pytorch_model-00001-of-00002.safetensors",
    );
    let second = "unet/diffusion_pytorch_model-00002-of-00002.safetensors";
    check(index, &cut.replace("bin", "msgpack"), Unusable::Missing(second.to_owned()));
    check(index, &LISTING.replace("vae/config.json", ""), Unusable::Missing("vae/config.json".to_owned()));
    check(
        index,
        &LISTING.replace("vocab.json", ""),
        Unusable::Missing("tokenizer/tokenizer.json".to_owned()),
    );
    check(None, "README.md unet/x.safetensors", Unusable::NoIndex(vec![]));
    let checkpoints = vec!["b.safetensors".to_owned(), "a.ckpt".to_owned()];
    check(None, "a.ckpt b.safetensors", Unusable::NoIndex(checkpoints));
    assert!(matches!(files(&model(Dtype::F32), Some("<html>"), ""), Err(Unusable::BadIndex(_))));
}
