//! Single files with LDM's names, and separate autoencoders: they give the same model as the folder that they were made
//! from; and broken ones. `tests/fixtures/ldm.py` makes them from a folder and checks that diffusers reads the same model.

#[path = "copies/checkpoint.rs"]
mod checkpoint;

use candle_core::{DType, Device, Tensor};
use checkpoint::{Tensors, checkpoint, fixture, save_with, tensors};
use maquette_diffusion::{
    Conditions, ModelError, ModelSource, SchedulerConfig, Sdxl, StableDiffusion, TextEncoder, Tokenizer,
    Unet, Vae, card, model_notes,
};
use std::path::{Path, PathBuf};

/// A checkpoint of a tiny model in its own folder, next to the configurations that cannot be inferred from shapes.
struct Single {
    folder: tempfile::TempDir,
    xl: bool,
}

/// The parts of a model of either family.
struct Model {
    texts: Vec<(Tokenizer, TextEncoder)>,
    unet: Unet,
    vae: Vae,
    scheduler_config: SchedulerConfig,
}

fn load_from(source: &ModelSource, xl: bool) -> Result<Model, ModelError> {
    if xl {
        let model = Sdxl::load(source, &Device::Cpu, DType::F32)?;
        let Sdxl { tokenizers, text_encoders, unet, vae, scheduler_config, .. } = model;
        let texts = tokenizers.into_iter().zip(text_encoders).collect();
        return Ok(Model { texts, unet, vae, scheduler_config });
    }
    let model = StableDiffusion::load(source, &Device::Cpu, DType::F32)?;
    let StableDiffusion { tokenizer, text_encoder, unet, vae, scheduler_config, .. } = model;
    Ok(Model { texts: vec![(tokenizer, text_encoder)], unet, vae, scheduler_config })
}

impl Single {
    fn new(name: &str, change: impl FnOnce(&mut Tensors)) -> Single {
        let single = Single { folder: tempfile::tempdir().unwrap(), xl: name == "tiny-sdxl" };
        let mut tensors = checkpoint(name);
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, single.file()).unwrap();
        for part in fixture(name).read_dir().unwrap().filter_map(|entry| Some(entry.ok()?.path())) {
            if part.is_dir() {
                let beside = single.folder.path().join("model").join(part.file_name().unwrap());
                std::fs::create_dir_all(&beside).unwrap();
                for file in part.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
                    if file.extension().unwrap() != "safetensors" {
                        std::fs::copy(&file, beside.join(file.file_name().unwrap())).unwrap();
                    }
                }
            }
        }
        single
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("model.safetensors")
    }

    fn load(&self) -> Result<Model, ModelError> {
        load_from(&ModelSource::at(&self.file())?, self.xl)
    }

    /// The error of loading it.
    fn error(&self) -> String {
        let Err(error) = self.load() else { panic!("a broken checkpoint was loaded") };
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn load(name: &str) -> Model {
    load_from(&ModelSource::Folder(fixture(name)), name == "tiny-sdxl").unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that all parts of two models give the same values.
fn assert_same(name: &str, found: &Model, expected: &Model) {
    let [found_texts, texts] = [found, expected].map(|model| {
        let text = |(tokenizer, encoder): &(Tokenizer, TextEncoder)| {
            let ids = tokenizer.encode("a portrait, by Alphonse Mucha!").unwrap().ids;
            let embedding = encoder.embed_with(&ids, None, 0).unwrap();
            (ids, values(&embedding.sequence), embedding.pooled.as_ref().map(values))
        };
        model.texts.iter().map(text).collect::<Vec<_>>()
    });
    assert_eq!(found_texts, texts, "{name}");
    let (latents, text) = (wavy(&[1, 4, 8, 8]), wavy(&[1, 77, expected.unet.text_width]));
    let pooled = expected.unet.pooled_width().map(|width| wavy(&[1, width]));
    let added = pooled.as_ref().map(|pooled| (pooled, [[8.0, 8.0, 0.0, 0.0, 8.0, 8.0]]));
    let [found_noise, noise] = [found, expected].map(|model| {
        let added = added.as_ref().map(|(pooled, sizes)| (*pooled, sizes.as_slice()));
        let conditions = Conditions { added, ..Conditions::default() };
        values(&model.unet.forward_with(&latents, &[500.0], &text, &conditions).unwrap())
    });
    assert_eq!(found_noise, noise, "{name}");
    assert_same_vae(name, found, expected);
}

fn assert_same_vae(name: &str, found: &Model, expected: &Model) {
    let latents = wavy(&[1, 4, 8, 8]);
    let decoded = expected.vae.decode(&latents).unwrap();
    assert_eq!(values(&found.vae.decode(&latents).unwrap()), values(&decoded), "{name}");
    let [again, encoded] = [found, expected].map(|model| {
        let (mean, logvar) = model.vae.encode(&decoded).unwrap();
        (values(&mean), logvar.as_ref().map(values))
    });
    assert_eq!(again, encoded, "{name}");
    assert_eq!(found.vae.scaling_factor, expected.vae.scaling_factor, "{name}");
}

#[test]
fn a_checkpoint_gives_the_same_model_as_its_folder() {
    for name in ["tiny-a", "tiny-sd2", "tiny-sdxl"] {
        let single = Single::new(name, |tensors| {
            // Other tensors of such files, which are not used.
            let some = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
            for key in ["alphas_cumprod", "model_ema.decay", "model_ema.diffusion_modelout2weight", "betas"] {
                tensors.insert(key.to_owned(), some.clone());
            }
            let ids = Tensor::arange(0i64, 77, &Device::Cpu).unwrap();
            let key = "cond_stage_model.transformer.text_model.embeddings.position_ids";
            tensors.insert(key.to_owned(), ids.to_dtype(DType::F16).unwrap());
        });
        let found = single.load().unwrap();
        assert_same(name, &found, &load(name));
        assert_eq!(found.scheduler_config, load(name).scheduler_config);
        let found = card(&ModelSource::at(&single.file()).unwrap()).unwrap();
        let expected = card(&ModelSource::Folder(fixture(name))).unwrap();
        assert_eq!((found.size, found.multiple_of), (expected.size, expected.multiple_of));
        // The folder of tiny-sd2 has a model_index.json with another class.
        assert!(found.scheduler == expected.scheduler || name == "tiny-sd2");
    }
}

/// What a file states about its schedule, by precedence; nothing else of it matters here.
#[test]
fn statements_about_the_schedule_are_read() {
    use maquette_core::PredictionType::{Epsilon, VPrediction};
    type Stated<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    // Empty tensors, texts in the header, the yaml beside it.
    let check = |name: &str, (keys, texts, yaml): Stated, expected: (_, bool, u32), notes: &[&str]| {
        let single = Single::new(name, |_| {});
        let mut tensors = tensors(&single.file());
        for key in keys {
            tensors.insert((*key).to_owned(), Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap());
        }
        save_with(&tensors, texts, &single.file());
        std::fs::remove_dir_all(single.folder.path().join("model/scheduler")).unwrap();
        if !yaml.is_empty() {
            std::fs::write(single.file().with_extension("yaml"), yaml).unwrap();
        }
        let source = ModelSource::at(&single.file()).unwrap();
        let card = card(&source).unwrap();
        let found = (card.prediction_type.unwrap(), card.zero_snr.unwrap(), card.reading);
        assert_eq!(found, expected, "{name} {keys:?} {texts:?} {yaml}");
        let config = single.load().unwrap().scheduler_config;
        assert_eq!(config.prediction(), expected.0);
        let found: Vec<String> = model_notes(&source).unwrap().into_iter().map(|note| note.text).collect();
        assert_eq!(found.len(), notes.len(), "{found:?}");
        assert!(found.iter().zip(notes).all(|(found, part)| found.contains(part)), "{found:?}");
    };
    let none: Stated = (&[], &[], "");
    check("tiny-a", none, (Epsilon, false, 1), &[]);
    check("tiny-sd2", none, (VPrediction, false, 1), &["does not state whether it predicts velocity"]);
    check("tiny-sdxl", none, (Epsilon, false, 1), &[]);
    let tensors =
        ["`prediction_type` is v_prediction, stated by its tensor `v_pred`", "`zero_snr` is true, stated by"];
    check("tiny-sdxl", (&["v_pred", "ztsnr"], &[], ""), (VPrediction, true, 2), &tensors);
    check("tiny-sdxl", (&["v_pred"], &[], ""), (VPrediction, false, 2), &tensors[..1]);
    let velocity = ("modelspec.prediction_type", "v");
    check(
        "tiny-a",
        (&[], &[velocity], ""),
        (VPrediction, false, 2),
        &["`modelspec.prediction_type` in its header"],
    );
    // What the shapes suggest anyway changes nothing.
    check("tiny-sd2", (&[], &[velocity], ""), (VPrediction, false, 1), &["v_prediction"]);
    let architecture = |name| [("modelspec.architecture", name)];
    check(
        "tiny-sd2",
        (&[], &architecture("stable-diffusion-v2-512"), ""),
        (Epsilon, false, 2),
        &["architecture"],
    );
    check(
        "tiny-sd2",
        (&[], &architecture("stable-diffusion-v2-768-v"), ""),
        (VPrediction, false, 1),
        &["architecture"],
    );
    let yaml = "model:\n  params:\n    parameterization: \"v\"\n";
    check("tiny-a", (&[], &[], yaml), (VPrediction, false, 2), &["`parameterization` in model.yaml"]);
    let noise = ("modelspec.prediction_type", "epsilon");
    let overruled = ["`prediction_type` is epsilon", "`parameterization` in model.yaml says"];
    check("tiny-a", (&[], &[noise], yaml), (Epsilon, false, 1), &overruled);
    let unknown = ("modelspec.prediction_type", "flow");
    check(
        "tiny-a",
        (&[], &[unknown], ""),
        (Epsilon, false, 1),
        &["is `flow`, which is not a known prediction type"],
    );
}

/// A folder next to the file overrules what the file states, which is noted.
#[test]
fn a_folder_overrules_statements() {
    let single = Single::new("tiny-a", |tensors| {
        tensors.insert("v_pred".to_owned(), Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap());
    });
    let source = ModelSource::at(&single.file()).unwrap();
    let found = card(&source).unwrap();
    assert_eq!((found.prediction_type, found.reading), (Some(maquette_core::PredictionType::Epsilon), 1));
    let notes = model_notes(&source).unwrap();
    assert!(notes[0].text.contains("`v_pred`, but") && notes[0].text.contains("overrules it"), "{notes:?}");
}

#[test]
fn other_schedules_are_refused_by_name() {
    for (key, model) in [("edm_vpred.sigma_max", "CosXL"), ("edm_mean", "Playground 2.5")] {
        let single = Single::new("tiny-sdxl", |tensors| {
            tensors.insert(key.to_owned(), Tensor::ones(1, DType::F32, &Device::Cpu).unwrap());
        });
        let message = single.error();
        assert!(message.contains(model) && message.contains(key), "{message}");
    }
}

#[test]
fn a_fingerprint_depends_on_the_content() {
    let fingerprint = |single: &Single| card(&ModelSource::at(&single.file()).unwrap()).unwrap().fingerprint;
    let [one, same] = [(); 2].map(|()| Single::new("tiny-a", |_| {}));
    let other = Single::new("tiny-a", |tensors| {
        let key = "model.diffusion_model.out.2.bias";
        tensors.insert(key.to_owned(), (&tensors[key] + 1.0).unwrap());
    });
    assert_eq!(fingerprint(&one), fingerprint(&same));
    assert_ne!(fingerprint(&one), fingerprint(&other));
}

/// Without a tokenizer in the folder next to it, CLIP's own is used.
#[test]
fn the_tokenizer_needs_no_file() {
    let single = Single::new("tiny-a", |_| {});
    std::fs::remove_dir_all(single.folder.path().join("model/tokenizer")).unwrap();
    let message = single.error();
    assert!(
        message.contains("has the id 49407, but the text encoder's vocabulary has 600 words"),
        "{message}"
    );
}

#[test]
fn broken_checkpoints_are_errors() {
    let check = |change: fn(&mut Tensors), expected: &str| {
        assert_eq!(Single::new("tiny-a", change).error(), expected);
    };
    check(
        |tensors| drop(tensors.remove("model.diffusion_model.middle_block.2.out_layers.3.bias")),
        "model.safetensors has no tensor `model.diffusion_model.middle_block.2.out_layers.3.bias`, which \
         model/unet/config.json requires.",
    );
    check(
        |tensors| {
            let key = "first_stage_model.decoder.up.1.block.0.conv1.weight";
            let narrow = tensors[key].narrow(1, 0, 3).unwrap().contiguous().unwrap();
            tensors.insert(key.to_owned(), narrow);
        },
        "model.safetensors: tensor `first_stage_model.decoder.up.1.block.0.conv1.weight` has the shape [12, 3, 3, 3], but \
         model/vae/config.json requires [12, 12, 3, 3].",
    );
    check(
        |tensors| {
            let some = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
            tensors.insert("model.diffusion_model.input_blocks.1.2.weight".to_owned(), some.clone());
            tensors.insert("model.diffusion_model.label_emb.weight".to_owned(), some);
        },
        "model.safetensors has a tensor `model.diffusion_model.input_blocks.1.2.weight` and 1 more like it that \
         model/unet/config.json does not include.",
    );
    check(
        |tensors| {
            let key = "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.bias";
            let mut values: Vec<f32> = tensors[key].to_vec1().unwrap();
            values[7] = f32::NAN;
            tensors.insert(key.to_owned(), Tensor::new(values, &Device::Cpu).unwrap());
        },
        "model.safetensors: tensor `cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.bias` contains \
         NaN or infinity, at position 7 of 80.",
    );
    check(
        |tensors| tensors.retain(|key, _| !key.starts_with("cond_stage_model.")),
        "model.safetensors is not a single file of a supported model: it has no tensor \
         `cond_stage_model.transformer.text_model.embeddings.token_embedding.weight`, so it has no text_encoder. Supported \
         are checkpoints of Stable Diffusion 1, 2 and XL, and transformers and checkpoints of Stable Diffusion 3, Z-Image, \
         FLUX.1, FLUX.2 klein, Chroma and Anima, all with their authors' tensor names.",
    );
    check(
        |tensors| tensors.retain(|key, _| !key.starts_with("first_stage_model.")),
        "model.safetensors has no vae/diffusion_pytorch_model.safetensors or \
         vae/diffusion_pytorch_model.fp16.safetensors or vae/diffusion_pytorch_model.bf16.safetensors. It has no autoencoder; set one with `vae`.",
    );
    let message =
        Single::new("tiny-a", |tensors| tensors.retain(|key, _| !key.starts_with("model."))).error();
    assert!(message.contains("it looks like an autoencoder; use it with `vae`"), "{message}");
}

#[test]
fn pickles_are_refused() {
    for file in ["model.ckpt", "model.PT", "somewhere/model.bin", "model.pth"] {
        let error = ModelSource::at(Path::new(file)).unwrap_err();
        assert!(matches!(error, ModelError::Pickle { .. }));
        let message = error.to_string();
        assert!(
            message.starts_with(file) && message.contains("can run code") && message.contains(".safetensors")
        );
        assert!(ModelSource::Folder(fixture("tiny-a")).with_vae(Path::new(file)).is_err());
    }
}

#[test]
fn a_file_that_is_not_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    std::fs::write(&file, b"PK\x03\x04 this is a zip of pickles").unwrap();
    let message = ModelSource::at(&file).unwrap_err().to_string();
    assert!(message.contains("model.safetensors is not a valid safetensors file"), "{message}");
}

#[test]
fn a_separate_vae_replaces_the_models_own() {
    // Another autoencoder of the same shape: tiny-a's, changed.
    let changed = |tensors: &mut Tensors| {
        let key = "decoder.conv_out.bias";
        let other = (&tensors[key] + 0.25).unwrap();
        tensors.insert(key.to_owned(), other);
    };
    let original = fixture("tiny-a").join("vae");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut own = tensors(&original.join("diffusion_pytorch_model.safetensors"));
    changed(&mut own);
    // Its own folder, a model's folder, a file with diffusers' names, one with LDM's, and a whole checkpoint.
    for inner in ["folder", "model/vae"] {
        std::fs::create_dir_all(path(inner)).unwrap();
        std::fs::copy(original.join("config.json"), path(inner).join("config.json")).unwrap();
        candle_core::safetensors::save(&own, path(inner).join("diffusion_pytorch_model.safetensors"))
            .unwrap();
    }
    candle_core::safetensors::save(&own, path("diffusers.safetensors")).unwrap();
    let prefix = "first_stage_model.";
    let whole = Single::new("tiny-a", |tensors| {
        let key = format!("{prefix}decoder.conv_out.bias");
        tensors.insert(key.clone(), (&tensors[&key] + 0.25).unwrap());
    });
    let mut ldm: Tensors = tensors(&whole.file())
        .into_iter()
        .filter_map(|(key, tensor)| Some((key.strip_prefix(prefix)?.to_owned(), tensor)))
        .collect();
    ldm.insert("loss.logvar".to_owned(), Tensor::ones(1, DType::F32, &Device::Cpu).unwrap());
    candle_core::safetensors::save(&ldm, path("ldm.safetensors")).unwrap();

    let with = |vae: &Path| {
        let source = ModelSource::Folder(fixture("tiny-a")).with_vae(vae)?;
        load_from(&source, false)
    };
    let expected = with(&path("folder")).unwrap();
    let latents = Tensor::ones((1, 4, 2, 2), DType::F32, &Device::Cpu).unwrap();
    let [new, old] = [&expected, &load("tiny-a")].map(|model| values(&model.vae.decode(&latents).unwrap()));
    assert!(new.iter().zip(&old).all(|(new, old)| (new - old - 0.25).abs() < 1e-5));
    for vae in
        ["model", "diffusers.safetensors", "ldm.safetensors"].map(path).into_iter().chain([whole.file()])
    {
        assert_same_vae(&vae.display().to_string(), &with(&vae).unwrap(), &expected);
    }

    let message = |vae: &Path| with(vae).err().unwrap().to_string();
    // A file without a configuration next to it must match the model's own.
    let other = fixture("tiny-b").join("vae/diffusion_pytorch_model.safetensors");
    std::fs::copy(other, path("other.safetensors")).unwrap();
    let unfit = message(&path("other.safetensors"));
    assert!(
        unfit.contains("other.safetensors") && unfit.contains("tiny-a/vae/config.json requires"),
        "{unfit}"
    );
    let no_vae = message(&fixture("tiny-a").join("unet/diffusion_pytorch_model.safetensors"));
    assert!(
        no_vae.contains("has no tensor `decoder.conv_in.weight`, which an autoencoder requires"),
        "{no_vae}"
    );
    assert!(message(&path("nothing.safetensors")).contains("nothing.safetensors cannot be read"));
    assert!(message(&fixture("init")).contains("has no diffusion_pytorch_model.safetensors or"));
}

/// Reproducible irregular values.
fn wavy(shape: &[usize]) -> Tensor {
    let numbers = (0..shape.iter().product()).map(|i: usize| (i as f32 * 12.9898).sin() * 1.5);
    Tensor::from_iter(numbers, &Device::Cpu).unwrap().reshape(shape).unwrap()
}
