//! What other tools read in Maquette's pictures, and exports for other programs.

use crate::support::{Project, fixture, log, picture, run};
use maquette::Run;
use serde_json::{Map, Value as Json, json};
use sha2::Digest;
use std::fs;
use std::process::Command;

/// The `parameters` text of a PNG file.
fn parameters(png: &[u8]) -> String {
    let start = png.windows(11).position(|bytes| bytes == b"parameters\0").unwrap();
    let length = u32::from_be_bytes(png[start - 8..start - 4].try_into().unwrap()) as usize;
    String::from_utf8(png[start + 11..start + length].to_vec()).unwrap()
}

fn first_picture(run: &Run) -> Vec<u8> {
    fs::read(picture(run, &log(run)[0])).unwrap()
}

/// The expected hashes were computed with Python's `hashlib`: of the whole files, and for `Lora hashes` of what follows the
/// header.
#[test]
fn weight_files_are_named_by_the_hashes_of_a1111_and_civitai() {
    let project = Project::new();
    project.copy("tiny-a", "tiny-a");
    project.copy("tiny-a/vae/diffusion_pytorch_model.safetensors", "vae/sharp.safetensors");
    project.copy("lora/kohya.safetensors", "loras/ink.safetensors");
    project.copy("embeddings/several.pt", "embeddings/several.pt");
    project.write(
        "style.toml",
        "model = \"tiny-a\"\nvae = \"sharp\"\nlora = \"ink:0.5\"\nembeddings = \"several\"\nprompt = \"charturner\"\n\
         steps = 1\nwidth = 32\nheight = 32\n",
    );
    let ran = run(&project.engine(), &project.experiment("style.toml"));
    let text = parameters(&first_picture(&ran.result.run));
    for expected in [
        "VAE hash: 677c112d56, VAE: sharp",
        "Lora hashes: \"ink: de605f9e9323\", TI hashes: \"several: 5c2c30e57aab\", Version: maquette ",
        r#", Hashes: {"vae":"677c112d56","lora:ink":"d7084d1598","embed:several":"5c2c30e57a"}"#,
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // A folder has no hash of its own.
    assert!(!text.contains("Model hash"), "{text}");
    // They are remembered with the fingerprint.
    let remembered = project.read("runs/.fingerprints.json");
    assert!(remembered.contains("\"tensors\": \"de605f9e9323"), "{remembered}");
}

/// The configurations beside a checkpoint are files of the model, too.
#[test]
fn a_checkpoint_is_named_by_the_hash_of_its_own_file() {
    let project = Project::new();
    project.write("models/painter.safetensors", checkpoint("tiny-a"));
    for file in ["scheduler/scheduler_config.json", "unet/config.json", "vae/config.json"] {
        project.copy(&format!("tiny-a/{file}"), &format!("models/painter/{file}"));
    }
    for file in ["text_encoder/config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"] {
        project.copy(&format!("tiny-a/{file}"), &format!("models/painter/{file}"));
    }
    project.write(
        "one.toml",
        "model = \"models/painter.safetensors\"\nprompt = \"a\"\nsteps = 1\nwidth = 32\nheight = 32\n",
    );
    let ran = run(&project.engine(), &project.experiment("one.toml"));
    let text = parameters(&first_picture(&ran.result.run));
    let bytes = fs::read(project.path().join("models/painter.safetensors")).unwrap();
    let hash: String = sha2::Sha256::digest(bytes).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    assert!(text.contains(&format!("Model hash: {hash}, Model: painter,")), "{hash}: {text}");
    assert!(text.ends_with(&format!("Hashes: {{\"model\":\"{hash}\"}}")), "{hash}: {text}");
}

/// ComfyUI's folders, with a checkpoint, a model in diffusers' layout, a LoRA, and a checkpoint without an autoencoder.
#[test]
fn models_in_folders_of_other_tools_are_listed() {
    let project = Project::new();
    project.write("models/checkpoints/old/painter.safetensors", checkpoint("tiny-a"));
    for file in ["scheduler/scheduler_config.json", "unet/config.json", "vae/config.json"] {
        project.copy(&format!("tiny-a/{file}"), &format!("models/checkpoints/old/painter/{file}"));
    }
    for file in ["text_encoder/config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"] {
        project.copy(&format!("tiny-a/{file}"), &format!("models/checkpoints/old/painter/{file}"));
    }
    project.copy("tiny-a", "models/diffusers/tiny-a");
    project.copy("lora/kohya.safetensors", "models/loras/ink.safetensors");
    project.write("models/checkpoints/notes.txt", "");
    let list = |path: &str| {
        let found = project.engine().models_at(&project.path().join(path)).unwrap();
        let root = project.path().join("models");
        let name = |name: String| name.strip_prefix(root.to_str().unwrap()).unwrap().replace('\\', "/");
        found
            .into_iter()
            .map(|model| (name(model.name), model.bytes > 0, model.card.unwrap().map(|card| card.size)))
            .collect::<Vec<_>>()
    };
    let painter = ("/checkpoints/old/painter.safetensors".to_owned(), true, Ok((32, 32)));
    assert_eq!(list("models"), [painter.clone(), ("/diffusers/tiny-a".to_owned(), true, Ok((32, 32)))]);
    assert_eq!(list("models/checkpoints/old/painter.safetensors"), [painter]);
    // A file that is named is listed with the reason.
    let [(_, _, Err(reason))] = &list("models/loras/ink.safetensors")[..] else { panic!("a LoRA") };
    assert!(reason.contains("is not a single file of a supported model"), "{reason}");
    assert!(project.engine().models_at(&project.path().join("models/none")).is_err());
}

/// A checkpoint with the names and shapes of a tiny model, by the recipe in the fixtures; its weights are zeros.
fn checkpoint(name: &str) -> Vec<u8> {
    let header = |file: &str| -> Json {
        let bytes = fs::read(fixture(&format!("{name}/{file}.safetensors"))).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        serde_json::from_slice(&bytes[8..8 + length]).unwrap()
    };
    let (mut tensors, mut end) = (Map::new(), 0);
    for line in fs::read_to_string(fixture(&format!("{name}-ldm.tsv"))).unwrap().lines() {
        let [key, how, part, names] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let file = if part == "text_encoder" { "model" } else { "diffusion_pytorch_model" };
        let header = header(&format!("{part}/{file}"));
        let shape = |name: &str| -> Vec<u64> {
            let old = name.replace(".to_q.", ".query.").replace(".to_k.", ".key.");
            let old = old.replace(".to_v.", ".value.").replace(".to_out.0.", ".proj_attn.");
            let names = [name, &old, &format!("text_model.{name}")].map(|name| header.get(name));
            let tensor = names.into_iter().flatten().next().unwrap_or_else(|| panic!("{name}"));
            serde_json::from_value(tensor["shape"].clone()).unwrap()
        };
        let shapes: Vec<Vec<u64>> = names.split(' ').map(shape).collect();
        let mut made = shapes[0].clone();
        match how {
            "same" => {}
            "conv" => made.extend([1, 1]),
            "transposed" => made.reverse(),
            "stacked" => made[0] = shapes.iter().map(|shape| shape[0]).sum(),
            _ => panic!("{how}"),
        }
        let begin = end;
        end += 4 * made.iter().product::<u64>();
        tensors
            .insert(key.to_owned(), json!({ "dtype": "F32", "shape": made, "data_offsets": [begin, end] }));
    }
    let header = Json::Object(tensors).to_string();
    let zeros = vec![0; end as usize];
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &zeros].concat()
}

#[test]
fn a_run_becomes_an_image_folder() {
    let project = Project::new();
    project.write(
        "cats.toml",
        "prompt = \"a {animal}, quoted: \\\"x\\\"\"\n[sweep]\nanimal = [\"cat\", \"dog\"]\n",
    );
    let workspace = project.fake();
    run(&workspace, &project.experiment("cats.toml"));
    let folder = project.path().join("pictures");
    assert_eq!(workspace.export_image_folder("cats@latest", &folder).unwrap(), 2);
    let table = project.read("pictures/metadata.csv");
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("file_name,cell,model,vae,"), "{table}");
    for (line, animal) in lines.zip(["cat", "dog"]) {
        let (file, _) = line.split_once(',').unwrap();
        assert!(folder.join(file).is_file() && file.starts_with(animal), "{table}");
        assert!(line.contains(&format!("\"a {animal}, quoted: \"\"x\"\"\"")), "{table}");
    }
    let refused = workspace.export_image_folder("cats", &folder).unwrap_err();
    assert!(refused.to_string().contains("is not empty; allowed: a new or empty folder"), "{refused}");
}

/// `just test` runs it if it finds a Python with the packages, and names it in `MAQUETTE_READERS_PYTHON`.
#[test]
#[ignore = "needs Python with tests/fixtures/requirements-readers.txt"]
fn readers_of_other_people_read_the_pictures() {
    let python = std::env::var("MAQUETTE_READERS_PYTHON").expect("MAQUETTE_READERS_PYTHON is not set");
    let project = Project::new().with_selfie();
    project.write(
        "all.toml",
        "negative_prompt = \"blurry, text\"\nseed = 18446744073709551615\ninit_image = \"{picture}\"\n[sweep]\n\
         prompt = [\"a cat\", \"café, (oil paint:1.2): 絵画 🎨\", \"two\\nlines\"]\n\
         picture = [\"\", \"references/selfie.png\"]\nscheduler = [\"euler_a\", \"dpmpp_2m\"]\n",
    );
    let ran = run(&project.fake(), &project.experiment("all.toml"));
    let pictures = log(&ran.result.run).into_iter().map(|row| picture(&ran.result.run, &row));
    let script = fixture("readers.py");
    let read = Command::new(python).arg(script).args(pictures).output().unwrap();
    let said = [read.stdout, read.stderr].concat();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&said));
}
