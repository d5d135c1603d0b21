//! What a forecast says of prompts that are long, cut or odd.

use crate::support::{Project, fixture};
use maquette::PromptNote;

/// Plans an experiment with a fixture's model: what there is to say of its prompts.
fn notes(text: &str) -> Vec<PromptNote> {
    let project = Project::new();
    project.write("long.toml", format!("model = '{}'\n{text}", fixture("tiny-a").display()));
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
    let cut = note.reading.as_ref().unwrap().cut.as_ref().unwrap();
    assert_eq!((cut.tokens, cut.room, cut.text.as_str()), (78, 75, "garden"));
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
    assert!(notes.iter().all(|note| note.reading.as_ref().unwrap().cut.is_some()), "{notes:?}");
}
