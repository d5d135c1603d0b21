//! What `show`, `reproduce` and `verify` print of pictures and runs, and how they end.

use crate::huge_picture::huge_picture;
use crate::support::{Workspace, repository};
use std::fs;

const CATS: &str = "prompt = \"a {animal}\"\n[sweep]\nanimal = [\"cat\", \"dog\", \"owl\"]\nseed = [1, 2]\n";

/// The pictures of a run, by their paths in the workspace.
fn pictures(workspace: &Workspace, run: &str) -> Vec<String> {
    let folder = format!("runs/{run}/images");
    workspace.files(&folder).into_iter().map(|name| format!("{folder}/{name}")).collect()
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
fn pictures_of_others_are_told_with_what_is_left() {
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
}

#[test]
fn a_picture_rendered_again_is_compared_in_words() {
    let workspace = Workspace::new();
    workspace.write("cat.toml", "prompt = \"a cat\"\nsteps = 3\n");
    workspace.maquette(&["run", "cat.toml", "--backend", "fake", "--no-sheets"]).code(0);
    let picture = &pictures(&workspace, "cat/1")[0];
    let toml = workspace.maquette(&["show", picture, "--toml"]).code(0).stdout;
    assert!(toml.starts_with("# From ") && toml.contains("steps = 3\n"), "{toml}");
    let reproduce = |image: &str, more: &[&str]| {
        workspace.maquette(&[&["reproduce", image, "--backend", "fake"], more].concat())
    };
    assert_eq!(
        reproduce(picture, &[]).code(0).stdout,
        "identical: every pixel is the same\nunchanged: version, numerics, model, settings and files\n"
    );
    let other = reproduce(picture, &["--set", "steps=8", "--save", "other.png"]).code(0).stdout;
    assert!(other.starts_with("different: PSNR "), "{other}");
    assert!(other.lines().any(|line| line.split_whitespace().eq(["steps", "3", "8"])), "{other}");
    reproduce("other.png", &[]).code(0);

    // A picture that no fake has painted.
    fixture(&workspace, "a1111-plain.png");
    let told = reproduce("a1111-plain.png", &["--json", "-q"]).code(6).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["likeness"], "different");
    fixture(&workspace, "a1111-sheet.png");
    reproduce("a1111-sheet.png", &[]).code(7).says(&["does not name a model", "--set model="]);
    let ended = reproduce("a1111-sheet.png", &["--set", "model=sketchbook"]).code(0);
    assert!(ended.stdout.starts_with("different: 8x8 pixels before, 512x512 now"), "{}", ended.stdout);
    ended.says(&["not imported: Script = X/Y/Z plot"]);
}

#[test]
fn a_run_is_verified_in_words_and_numbers() {
    let workspace = Workspace::new();
    let pictures = cats(&workspace);
    let verify =
        |more: &[&str]| workspace.maquette(&[&["verify", "cats", "--backend", "fake"], more].concat());
    let sound = verify(&["--sample", "3"]).code(0).stdout;
    assert!(sound.ends_with("6 pictures checked, 0 wrong\n3 rendered again: 3 identical\n"), "{sound}");
    let told = verify(&["--sample", "99", "--seed", "7", "--json", "-q"]).code(0).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["pictures"].as_u64(), told["again"].as_array().unwrap().len()), (Some(6), 6));
    assert_eq!(told["again"][0]["outcome"], "identical");

    fs::remove_file(workspace.path().join(&pictures[0])).unwrap();
    fs::copy(workspace.path().join(&pictures[3]), workspace.path().join(&pictures[2])).unwrap();
    let log = workspace.read("runs/cats/1/log.csv");
    let last = log.lines().last().unwrap();
    workspace.write("runs/cats/1/log.csv", log.replace(last, &last.replace(",done,", ",dome,")));
    let damaged = verify(&["--sample", "6"]).code(6).stdout;
    let image = |at: usize| &pictures[at]["runs/cats/1/".len()..];
    for part in [
        format!("wrong: {}: the picture is missing\n", image(0)),
        format!("wrong: {}: its metadata names the cell", image(2)),
        "note: line 7 of `runs/cats/1/log.csv` has no valid status".to_owned(),
        "5 pictures checked, 2 wrong; 1 cell not rendered yet\n".to_owned(),
        "5 rendered again: ".to_owned(),
        "1 different, 1 missing\n".to_owned(),
    ] {
        assert!(damaged.contains(&part), "{part} is not in:\n{damaged}");
    }
    let run = workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--no-sheets"]).code(0);
    run.says(&["so it is replaced", "line 7 of", "so it counts as missing"]);
}

#[test]
fn a_sheet_is_shown_picture_by_picture() {
    let workspace = Workspace::new();
    let pictures = cats(&workspace);
    let sheet = format!("runs/cats/1/sheets/{}", workspace.files("runs/cats/1/sheets")[0]);
    let told = workspace.maquette(&["show", &sheet]).code(0).stdout;
    assert!(told.starts_with("cats, page "), "{told}");
    for picture in &pictures {
        assert!(told.contains(picture.rsplit('/').next().unwrap()), "{picture} is not in:\n{told}");
    }
    let toml = workspace.maquette(&["show", &sheet, "--toml"]).code(0).stdout;
    workspace.write("again.toml", &toml);
    let planned = workspace.maquette(&["plan", "again.toml"]).code(0).stdout;
    assert!(planned.contains(&format!("cells            {}", pictures.len())), "{planned}");
}

#[test]
fn whatever_a_picture_says_is_printed_or_refused() {
    let workspace = Workspace::new();
    for entry in fs::read_dir(repository().join("tests/fixtures/metadata")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.contains('.') {
            continue;
        }
        fixture(&workspace, &name);
        let ended = workspace.maquette(&["show", &name]);
        assert!(matches!(ended.code, 0 | 7) && !ended.stderr.contains("panicked"), "{name}: {ended:?}");
        assert!(ended.code == 0 || !ended.stderr.is_empty(), "{name}: {ended:?}");
    }
    let bomb = workspace.maquette(&["show", "bomb.png"]).code(7);
    bomb.says(&["has no metadata that says how it was made", "cannot be unpacked"]);
    workspace.maquette(&["show", "cut.png"]).code(0).says(&["the picture is damaged"]);
    let silent = fs::read(repository().join("tests/fixtures/metadata/silent.png")).unwrap();
    workspace.write("huge.png", huge_picture(&silent));
    assert!(workspace.maquette(&["show", "huge.png"]).code(0).stdout.len() > 1_000_000);
}
