//! What a forecast says of prompts that are long, cut or odd.

use crate::support::{Project, fixture, run};
use maquette::PromptNote;

/// Plans an experiment with a fixture's model: what there is to say of its prompts.
fn notes(text: &str) -> Vec<PromptNote> {
    notes_of("tiny-a", text)
}

fn notes_of(model: &str, text: &str) -> Vec<PromptNote> {
    let project = Project::new();
    project.write("long.toml", format!("model = '{}'\n{text}", fixture(model).display()));
    let workspace = project.engine();
    let planned = workspace.plan(&project.experiment("long.toml")).unwrap();
    let prompts = workspace.forecast(&planned).unwrap().prompts;
    assert!(!prompts.more);
    prompts.notes
}

#[test]
fn a_prompt_without_surprises_is_not_mentioned() {
    let text = "prompt = \"a (red:1.2) portrait\"\nnegative_prompt = \"blurry\"\n[sweep]\ndialect = [\"plain\", \"a1111\"]\n";
    assert_eq!(notes(text), []);
}

#[test]
fn words_that_are_cut_are_named() {
    let prompt = format!("{}the garden", "a ".repeat(74));
    let notes = notes(&format!("prompt = \"{prompt}\"\nguidance_scale = 1\n"));
    let [note] = &notes[..] else { panic!("{notes:?}") };
    assert_eq!((note.setting, &note.text), ("prompt", &prompt));
    let [cut] = &note.reading.as_ref().unwrap().cuts[..] else { panic!("{notes:?}") };
    assert_eq!((cut.tokens, cut.room, cut.text.as_str(), cut.by), (78, 75, "garden", None));
}

#[test]
fn chunks_and_odd_signs_are_named() {
    let text = format!(
        "dialect = \"a1111\"\nprompt = \"{}{{hat}}, {}end AND (night at 9:30\"\nnegative_prompt = \"a BREAK b\"\n\
         [sweep]\nhat = [\"x\", \"[b|c]\"]\nseed = [1, 2, 3]\n",
        "a ".repeat(60),
        "b ".repeat(20),
    );
    let notes = notes(&text);
    let chunks: Vec<(&str, Vec<usize>, usize)> = notes
        .iter()
        .map(|note| {
            let reading = note.reading.as_ref().unwrap();
            let [chunks] = &reading.long[..] else { panic!("{reading:?}") };
            (note.setting, chunks.iter().map(|chunk| chunk.tokens).collect(), reading.oddities.len())
        })
        .collect();
    let expected =
        [("prompt", vec![62, 23], 1), ("negative_prompt", vec![1, 1], 0), ("prompt", vec![62, 23], 1)];
    assert_eq!(chunks, expected);
    let first = notes[0].reading.as_ref().unwrap();
    assert!(
        first.long[0][0].text.ends_with(" a x,") && first.long[0][1].text.ends_with(" b end"),
        "{first:?}"
    );
    assert_eq!(first.oddities, ["a bracket is never closed: it applies to the end of the prompt"]);
    // Of the alternating words one is taken.
    assert!(notes[2].reading.as_ref().unwrap().long[0][0].text.ends_with(" a b,"), "{notes:?}");
}

#[test]
fn many_prompts_are_counted() {
    let text = format!(
        "prompt = \"{}{{n}} x\"\nguidance_scale = 1\n[sweep]\nn = {{ from = 1, to = 30, step = 1 }}\n",
        "a ".repeat(75)
    );
    let notes = notes(&text);
    assert_eq!(notes.len(), 30);
    assert!(notes.iter().all(|note| note.reading.as_ref().unwrap().cuts.len() == 1), "{notes:?}");
}

/// The text encoders that ignore words of a prompt, with the model's room for it, and whether its last word is ignored.
fn ignored(model: &str, text: &str) -> Vec<(Option<&'static str>, usize, bool)> {
    let notes = notes_of(model, text);
    let cuts = notes.iter().flat_map(|note| &note.reading.as_ref().unwrap().cuts);
    let cut = |cut: &maquette::Cut| {
        assert!(cut.tokens > cut.room && cut.room < cut.length, "{cut:?}");
        (cut.by, cut.length, cut.text.ends_with("harbour") && !cut.text.starts_with("start"))
    };
    cuts.map(cut).collect()
}

#[test]
fn words_that_other_text_encoders_ignore_are_named() {
    let prompt = |words: usize| format!("prompt = \"start {}harbour\"\n", "boats ".repeat(words));
    for model in ["tiny-z-image", "tiny-flux2", "tiny-qwen-image"] {
        assert_eq!(ignored(model, &prompt(20)), []);
        assert_eq!(ignored(model, &prompt(600)), [(None, 512, true)], "{model}");
        // In A1111's dialect of each text of a composed prompt; the weights of words are no part of it.
        let two = format!("dialect = \"a1111\"\n{}", prompt(600).replace("start", "(x:1.5) AND start"));
        assert_eq!(ignored(model, &two), [(None, 512, true)], "{model}");
    }
    // Of FLUX.1, CLIP's pooled embedding alone has less of the prompt.
    assert_eq!(ignored("tiny-flux1", &prompt(10)), []);
    assert_eq!(ignored("tiny-flux1", &prompt(700)), [(Some("T5"), 512, true)]);
    assert_eq!(ignored("tiny-chroma", &prompt(700)), [(Some("T5"), 512, true)]);
    assert_eq!(ignored("tiny-anima", &prompt(700)), [(Some("T5"), 512, true)]);
    // T5 reads what CLIP does not.
    assert_eq!(ignored("tiny-sd3", &prompt(10)), []);
    assert_eq!(ignored("tiny-sd3", &prompt(400)), [(Some("CLIP"), 77, true), (Some("T5"), 256, true)]);
    // CLIP reads A1111's dialect in chunks.
    let long = format!("dialect = \"a1111\"\n{}", prompt(400));
    assert_eq!(ignored("tiny-sd3", &long), [(Some("T5"), 256, true)]);
}

#[test]
fn clip_is_not_named_where_there_is_no_t5() {
    let project = Project::new();
    project.copy("tiny-sd3", "model");
    std::fs::remove_dir_all(project.path().join("model/text_encoder_3")).unwrap();
    let text = format!("model = \"model\"\nprompt = \"{}\"\n", "boats ".repeat(400));
    project.write("e.toml", text);
    let workspace = project.engine();
    let planned = workspace.plan(&project.experiment("e.toml")).unwrap();
    let notes = workspace.forecast(&planned).unwrap().prompts.notes;
    let cuts = &notes[0].reading.as_ref().unwrap().cuts;
    assert!(notes.len() == 1 && cuts.len() == 1 && cuts[0].by.is_none(), "{notes:?}");
}

#[test]
fn a_run_warns_of_each_text_encoder_that_ignores_words() {
    let project = Project::new();
    let prompt = format!("start {}harbour", "boats ".repeat(400));
    let size = "width = 32\nheight = 32\nsteps = 1\nguidance_scale = 1\n";
    let model = fixture("tiny-sd3");
    project.write("e.toml", format!("model = '{}'\nprompt = \"{prompt}\"\n{size}", model.display()));
    let warnings = run(&project.engine(), &project.experiment("e.toml")).warnings;
    for part in [
        "is longer than 77 tokens; CLIP ignores this part",
        "is longer than 256 tokens; T5 ignores this part",
    ] {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:?}");
    }
}
