//! From a picture back to its settings: `show`, `reproduce` and `verify`.

use crate::support::{Workspace, repository};
use std::collections::BTreeMap;
use std::fs;

const PORTRAITS: &str = r#"
prompt = "portrait of a man, by {artist}"
init_image = "references/selfie.png"
steps = 3
scheduler = "euler"
[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
strength = [0.4, 0.9]
"#;

const CATS: &str = "prompt = \"a {animal}\"\n[sweep]\nanimal = [\"cat\", \"dog\", \"owl\"]\nseed = [1, 2]\n";

/// The pictures of a run, by their paths in the workspace.
fn pictures(workspace: &Workspace, run: &str) -> Vec<String> {
    let folder = format!("runs/{run}/images");
    workspace.files(&folder).into_iter().map(|name| format!("{folder}/{name}")).collect()
}

/// Every file of the workspace with its bytes.
fn all_files(workspace: &Workspace) -> BTreeMap<String, Vec<u8>> {
    let files = workspace.files("").into_iter();
    // (`latest` is a link to a folder.)
    let files = files.filter(|name| workspace.path().join(name).is_file());
    files.map(|name| (name.clone(), fs::read(workspace.path().join(name)).unwrap())).collect()
}

fn cats(workspace: &Workspace) -> Vec<String> {
    workspace.write("cats.toml", CATS);
    workspace.maquette(&["run", "cats.toml", "--backend", "fake"]).code(0);
    pictures(workspace, "cats/1")
}

fn fixture(workspace: &Workspace, name: &str) {
    let bytes = fs::read(repository().join("tests/fixtures/metadata").join(name)).unwrap();
    workspace.write(name, bytes);
}

#[test]
fn a_picture_is_an_experiment_of_one_cell() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("portraits.toml", PORTRAITS);
    workspace.maquette(&["run", "portraits.toml", "--backend", "fake", "--no-sheets"]).code(0);
    // Without the reference picture, the run's own copy is found by its content.
    fs::remove_dir_all(workspace.path().join("references")).unwrap();
    let picture = &pictures(&workspace, "portraits/1")[0];
    let toml = workspace.maquette(&["show", picture, "--toml"]).code(0).stdout;
    assert!(toml.starts_with("# From alphonse-mucha"), "{toml}");
    workspace.write("elsewhere/one.toml", toml);
    let ended = workspace.maquette(&["run", "elsewhere/one.toml", "--backend", "fake"]).code(0);
    ended.says(&["1 cell", "1 reused"]);
}

#[test]
fn a_picture_is_rendered_again_and_compared() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("portraits.toml", PORTRAITS);
    workspace.maquette(&["run", "portraits.toml", "--no-sheets", "--only", "artist=Edvard Munch"]).code(0);
    let picture = &pictures(&workspace, "portraits/1")[0];
    let before = all_files(&workspace);
    let same = workspace.maquette(&["reproduce", picture, "--device", "cpu"]).code(0).stdout;
    assert_eq!(
        same,
        "identical: every pixel is the same\nunchanged: version, numerics, model, settings and files\n"
    );
    assert_eq!(all_files(&workspace), before, "nothing is written");

    let other = ["reproduce", picture, "--set", "steps=8", "--save", "other.png", "--device", "cpu"];
    let other = workspace.maquette(&other).code(0).stdout;
    assert!(other.starts_with("different: PSNR ") || other.starts_with("close: PSNR "), "{other}");
    assert!(other.lines().any(|line| line.split_whitespace().eq(["steps", "3", "8"])), "{other}");
    workspace.maquette(&["reproduce", "other.png", "--device", "cpu"]).code(0);
}

#[test]
fn a_different_result_names_what_changed() {
    let workspace = Workspace::new();
    workspace.write("cat.toml", "prompt = \"a cat\"\nsteps = 1\n");
    workspace.maquette(&["run", "cat.toml", "--backend", "fake", "--no-sheets"]).code(0);
    let picture = &pictures(&workspace, "cat/1")[0];
    // The fake has its own model and device.
    let args = ["reproduce", picture, "--json", "--device", "cpu", "-q"];
    let json = workspace.maquette(&args).code(6).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["likeness"], "different");
    let names: Vec<&str> =
        json["changes"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"model") && names.contains(&"device"), "{names:?}");
}

#[test]
fn an_intact_run_is_verified_and_not_changed() {
    let workspace = Workspace::new();
    cats(&workspace);
    let before = all_files(&workspace);
    let ended = workspace.maquette(&["verify", "cats", "--sample", "3", "--backend", "fake"]).code(0);
    assert!(
        ended.stdout.ends_with("6 pictures checked, 0 wrong\n3 rendered again: 3 identical\n"),
        "{ended:?}"
    );
    assert_eq!(all_files(&workspace), before, "nothing is written");
    let args = ["verify", "cats", "--sample", "99", "--seed", "7", "--backend", "fake", "--json", "-q"];
    let json = workspace.maquette(&args).code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["pictures"].as_u64(), json["again"].as_array().unwrap().len()), (Some(6), 6));
}

#[test]
fn damage_is_reported_for_each_picture() {
    let workspace = Workspace::new();
    let pictures = cats(&workspace);
    let path = |at: usize| workspace.path().join(&pictures[at]);
    // A new file under the same name, so that the linked file in `.cells` stays intact.
    let replace = |at: usize, bytes: &[u8]| {
        fs::remove_file(path(at)).unwrap();
        fs::write(path(at), bytes).unwrap();
    };
    let (second, third) = (fs::read(path(1)).unwrap(), fs::read(path(2)).unwrap());
    fs::remove_file(path(0)).unwrap();
    replace(1, &second[..second.len() / 2]);
    replace(2, &fs::read(path(3)).unwrap());
    let log = workspace.read("runs/cats/1/log.csv");
    let row = log.lines().find(|line| line.contains("a owl") && line.contains(&pictures[4][12..])).unwrap();
    workspace.write("runs/cats/1/log.csv", log.replace(row, &row.replace("a owl", "a crow")));
    let ended = workspace.maquette(&["verify", "cats", "--sample", "6", "--backend", "fake"]).code(6);
    for part in [
        "the picture is missing",
        "is not a readable picture",
        "its metadata names the cell",
        "its metadata and the log differ in `prompt`",
        "6 pictures checked, 4 wrong",
        "6 rendered again: 3 identical, 1 different, 2 missing",
    ] {
        assert!(ended.stdout.contains(part), "{part} is not in:\n{}", ended.stdout);
    }
    replace(2, &third);
    let none = workspace.maquette(&["verify", "cats", "--sample", "0", "--backend", "fake"]).code(6);
    assert!(none.stdout.ends_with("6 pictures checked, 3 wrong\n"), "{none:?}");
}

/// The chunks of a PNG file, each with its length, kind and checksum.
fn chunks(png: &[u8]) -> Vec<&[u8]> {
    let (mut chunks, mut rest) = (Vec::new(), &png[8..]);
    while let Some(length) = rest.first_chunk::<4>() {
        let (chunk, behind) = rest.split_at(12 + u32::from_be_bytes(*length) as usize);
        chunks.push(chunk);
        rest = behind;
    }
    chunks
}

#[test]
fn an_edited_picture_and_a_damaged_row_are_reported_and_replaced() {
    let workspace = Workspace::new();
    let pictures = cats(&workspace);
    let before = all_files(&workspace);
    let (first, second) = (&before[&pictures[0]], &before[&pictures[1]]);
    // The metadata of one picture with the pixels of another of the same size, written in place as image editors do.
    let is_pixels = |chunk: &&[u8]| &chunk[4..8] == b"IDAT";
    let texts = chunks(first).into_iter().filter(|chunk| !is_pixels(chunk));
    let mut edited: Vec<&[u8]> = texts.collect();
    let end = edited.len() - 1;
    edited.splice(end..end, chunks(second).into_iter().filter(is_pixels));
    workspace.write(&pictures[0], [&first[..8], &edited.concat()].concat());
    let log = workspace.read("runs/cats/1/log.csv");
    let last = log.lines().last().unwrap();
    workspace.write("runs/cats/1/log.csv", log.replace(last, &last.replace(",done,", ",dome,")));

    let verified =
        workspace.maquette(&["verify", "cats", "--sample", "0", "--backend", "fake"]).code(6).stdout;
    for part in [
        format!("wrong: {}: it was edited: its pixels differ from", &pictures[0]["runs/cats/1/".len()..]),
        "note: line 7 of `runs/cats/1/log.csv` has no valid status".to_owned(),
        "5 pictures checked, 1 wrong; 1 cell not rendered yet".to_owned(),
    ] {
        assert!(verified.contains(&part), "{part} is not in:\n{verified}");
    }
    let run = workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--no-sheets"]).code(0);
    run.says(&["was edited", "so it is replaced", "line 7 of", "so it counts as missing", "1 rendered"]);
    for picture in &pictures {
        assert_eq!(fs::read(workspace.path().join(picture)).unwrap(), before[picture], "{picture}");
    }
    workspace.maquette(&["verify", "cats", "--sample", "6", "--backend", "fake"]).code(0);
}

#[test]
fn the_pictures_on_a_sheet_are_listed() {
    let workspace = Workspace::new();
    let pictures = cats(&workspace);
    let sheets = workspace.files("runs/cats/1/sheets");
    let sheet = format!("runs/cats/1/sheets/{}", sheets[0]);
    let info = workspace.maquette(&["show", &sheet]).code(0).stdout;
    assert!(info.starts_with("cats, page "), "{info}");
    for picture in &pictures {
        assert!(info.contains(picture.rsplit('/').next().unwrap()), "{picture} is not in:\n{info}");
    }
    workspace.maquette(&["show", &sheet, "--toml"]).code(7).says(&["is a contact sheet", "experiment.toml"]);
    workspace.maquette(&["reproduce", &sheet]).code(7).says(&["is a contact sheet"]);
}

#[test]
fn pictures_of_other_tools_are_shown_with_what_is_not_imported() {
    let workspace = Workspace::new();
    fixture(&workspace, "a1111-full.png");
    insta::assert_snapshot!(workspace.maquette(&["show", "a1111-full.png"]).code(0).stdout, @r#"
made by             A1111
model               dream, final: 8
vae                 vae-ft-mse-840000-ema-pruned.safetensors
embeddings          bad-hands
prompt              portrait of a sailor, (oil paint:1.2), [sketch:oil:0.3]
                    <lora:old-masters:0.7> BREAK evening light, 絵画
negative_prompt     bad-hands, lowres,
                    text
dialect             a1111
seed                3141592653
noise               torch-cuda
variation_seed      7
variation_strength  0.15
steps               28
guidance_scale      6.5
scheduler           dpmpp_2m
sigmas              karras
spacing             linspace
width               512
height              640
clip_skip           1

other metadata:
Model hash   0a1b2c3d4e
VAE hash     c6a580b13a
Lora hashes  old-masters: 5d4f3e2a1b0c
Emphasis     Original
Version      v1.9.3

note: the text names no RNG, which in A1111 means the GPU's
"#);
    insta::assert_snapshot!(workspace.maquette(&["show", "a1111-full.png", "--toml"]).code(0).stdout, @r#"
# From the metadata of A1111 in a1111-full.png
# note: the text names no RNG, which in A1111 means the GPU's
model = "dream, final: 8"  # the name in the metadata; a path may be needed
vae = "vae-ft-mse-840000-ema-pruned.safetensors"  # no such file was found
embeddings = "bad-hands"
prompt = """
portrait of a sailor, (oil paint:1.2), [sketch:oil:0.3]
<lora:old-masters:0.7> BREAK evening light, 絵画"""
negative_prompt = """
bad-hands, lowres,
text"""
dialect = "a1111"
seed = 3141592653
noise = "torch-cuda"
variation_seed = 7
variation_strength = 0.15
steps = 28
guidance_scale = 6.5
scheduler = "dpmpp_2m"
sigmas = "karras"
spacing = "linspace"
width = 512
height = 640
clip_skip = 1
"#);
    fixture(&workspace, "comfy-two-passes.png");
    insta::assert_snapshot!(workspace.maquette(&["show", "comfy-two-passes.png"]).code(0).stdout, @r#"
made by          ComfyUI
model            xl.safetensors
vae              sharp.safetensors
prompt           a hill BREAK a house
negative_prompt
dialect          a1111
init_image       me.png
strength         0.6
seed             1
noise            torch-cpu
steps            20
guidance_scale   5
scheduler        euler
sigmas           normal
spacing          linspace

not imported:
KSampler         1 other sampler in the graph                     Maquette makes a picture in one pass
LatentUpscale    upscale_method bislerp, width 1024, height 1024  Maquette has no such node
ControlNetApply  strength 0.7                                     Maquette has no such node

note: ComfyUI does all 12 steps at denoise 0.6, diffusers the last steps of a longer schedule
note: prompt contains AND or BREAK: plain words in ComfyUI, but not in A1111's dialect
"#);
    fixture(&workspace, "a1111-sheet.png");
    let unnamed = workspace.maquette(&["reproduce", "a1111-sheet.png", "--backend", "fake"]).code(7);
    unnamed.says(&["does not name a model", "--set model=NAME"]);
    let args = ["reproduce", "a1111-sheet.png", "--backend", "fake", "--set", "model=sketchbook"];
    let ended = workspace.maquette(&args).code(0);
    assert!(ended.stdout.starts_with("different: 8x8 pixels before, 512x512 now"), "{}", ended.stdout);
    ended.says(&["not imported: Script = X/Y/Z plot"]);
}

#[test]
fn no_metadata_crashes_the_program() {
    let workspace = Workspace::new();
    let folder = repository().join("tests/fixtures/metadata");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.contains('.') {
            continue;
        }
        fixture(&workspace, &name);
        for option in [&["--toml"][..], &["--json"], &[]] {
            let args: Vec<&str> = ["show", &name].iter().chain(option).copied().collect();
            let ended = workspace.maquette(&args);
            assert!(matches!(ended.code, 0 | 7), "{name}: {ended:?}");
            assert!(!ended.stderr.contains("panicked"), "{name}: {ended:?}");
            assert!(ended.code == 0 || !ended.stderr.is_empty(), "{name}: {ended:?}");
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked} fixtures");
    workspace
        .maquette(&["show", "bomb.png"])
        .code(7)
        .says(&["has no metadata that says how it was made", "cannot be unpacked"]);
    workspace.maquette(&["show", "cut.png"]).code(0).says(&["the picture is damaged"]);
    workspace.write("huge.png", huge());
    assert!(workspace.maquette(&["show", "huge.png"]).code(0).stdout.len() > 2_000_000);
}

/// A picture whose prompt has two million characters.
fn huge() -> Vec<u8> {
    let plain = fs::read(repository().join("tests/fixtures/metadata/silent.png")).unwrap();
    let mut chunk = b"tEXtparameters\0".to_vec();
    chunk.extend("cat, ".repeat(400_000).as_bytes());
    chunk.extend(b"\nSteps: 2, Sampler: Euler, Seed: 1");
    let mut bytes = plain[..33].to_vec();
    bytes.extend((chunk.len() as u32 - 4).to_be_bytes());
    bytes.extend(&chunk);
    bytes.extend(checksum(&chunk).to_be_bytes());
    bytes.extend(&plain[33..]);
    bytes
}

/// CRC-32 as in PNG.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
