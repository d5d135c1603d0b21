//! `[subject.NAME]`: trainings that cells depend on.

use crate::folder::{Folder, labels};
use maquette_core::{LrScheduler, Plan, TrainingMethod};
use maquette_planner::{ExperimentText, Overrides, subjects};

const FILES: &[(&str, &str)] = &[
    ("photos/a.jpg", "a"),
    ("photos/b.jpg", "b"),
    ("photos/b.txt", "{word} at the sea\n"),
    ("photos/c.png", "c"),
    ("photos/d.jpg", "d"),
    ("photos/d.mask.png", "mask of d"),
    ("few/a.jpg", "a"),
    ("few/b.jpg", "b"),
];

const SUBJECT: &str = "[subject.me]\nimages = \"photos/*.*g\"\nmask = \"photos/*.mask.png\"\nword = \"sks man\"\nclass = \"man\"\n";

fn folder(text: &str) -> Folder {
    let mut files = FILES.to_vec();
    files.push(("e.toml", text));
    Folder::new(&files)
}

fn plan(text: &str) -> Plan {
    folder(text).plan("e.toml").plan
}

fn message(text: &str) -> String {
    let folder = folder(text);
    match folder.with("e.toml", &Overrides::default()) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(error) => folder.error_text(&error),
    }
}

#[test]
fn a_training_has_every_setting_its_captions_and_masks() {
    let plan = plan(&format!(
        "prompt = \"portrait of {{subject}}\"\n{SUBJECT}steps = 400\nlr_scheduler = \"cosine\"\nrank = 4\n\
         [sweep]\nsubject = [\"none\", \"me\"]\n"
    ));
    let [training] = &plan.trainings[..] else { panic!("{:?}", plan.trainings) };
    let images: Vec<_> =
        training.images.iter().map(|it| (it.path.as_str(), it.caption.as_str(), it.mask.is_some())).collect();
    assert_eq!(
        images,
        [
            ("photos/a.jpg", "photo of sks man", false),
            ("photos/b.jpg", "sks man at the sea", false),
            ("photos/c.png", "photo of sks man", false),
            ("photos/d.jpg", "photo of sks man", true),
        ]
    );
    assert_eq!((training.method, training.lr_scheduler), (TrainingMethod::Lora, LrScheduler::Cosine));
    assert_eq!((training.steps, training.rank, training.alpha), (400, 4, 4.0));
    assert_eq!((training.learning_rate, training.text_learning_rate), (1e-4, 1e-4));
    assert_eq!((&*training.class_prompt, training.resolution), ("photo of man", (64, 64)));
}

#[test]
fn the_subject_of_a_cell_is_its_word_and_its_weights() {
    let plan = plan(&format!(
        "prompt = \"portrait of {{subject}}\"\n{SUBJECT}steps = 400\n\
         [sweep]\nsubject = [\"none\", \"me\"]\nlora_weight = [0, 0.5, 1]\ntrain_steps = [200, 400]\n"
    ));
    let cells: Vec<_> = plan.cells().map(Result::unwrap).collect();
    assert_eq!(labels(&plan, "subject"), ["none", "me"]);
    let training = &plan.trainings[0];
    for cell in &cells {
        let s = &cell.settings;
        if cell.vars[0].1.as_ref() == "none" {
            assert_eq!(
                (&*s.prompt, s.lora.len(), s.lora_weight, s.train_steps),
                ("portrait of man", 0, None, None)
            );
        } else {
            let step = s.train_steps.unwrap();
            assert_eq!((&*s.prompt, &*s.lora[0].file.path), ("portrait of sks man", &*format!("me@{step}")));
            assert_eq!(
                (Some(s.lora[0].weight), s.lora[0].file.digest),
                (s.lora_weight, training.weights_digest(step))
            );
        }
    }
    // Without a subject, neither weight nor steps matter; at weight 0 the steps do not.
    let names: std::collections::BTreeSet<_> = cells.iter().map(|cell| cell.id).collect();
    assert_eq!((cells.len(), names.len()), (12, 1 + 1 + 4));
}

#[test]
fn a_textual_inversion_is_an_embedding() {
    let plan = plan(
        "prompt = \"portrait of {subject}\"\n[vars]\nsubject = \"me\"\n\
         [subject.me]\nimages = \"photos/?.*g\"\nword = \"<me>\"\nmethod = \"textual-inversion\"\n",
    );
    let cell = plan.cell(0).unwrap();
    let embedding = &cell.settings.embeddings[0];
    assert_eq!((embedding.word.as_deref(), &*embedding.file.path), (Some("<me>"), "me@800"));
    assert_eq!((cell.settings.lora.len(), cell.settings.lora_weight), (0, None));
    assert_eq!((&*plan.trainings[0].class_prompt, plan.trainings[0].learning_rate), ("", 5e-4));
}

#[test]
fn a_training_is_named_by_content() {
    let digest = |change: &dyn Fn(String) -> String| {
        let text = format!("prompt = \"{{subject}}\"\n{SUBJECT}[vars]\nsubject = \"me\"\n");
        plan(&change(text)).trainings[0].digest()
    };
    let same = digest(&|text| text);
    assert_eq!(digest(&|text| text.replace("subject.me", "subject.you").replace("\"me\"", "\"you\"")), same);
    assert_eq!(digest(&|text| text.replace("photos/*.*g", "photos/**/*.*g")), same);
    assert_ne!(digest(&|text| text.replace("sks man", "skt man")), same);
    assert_ne!(digest(&|text| text.replace("class =", "steps = 7\nclass =")), same);
    assert_ne!(digest(&|text| text.replace("mask =", "#")), same);
    assert_ne!(digest(&|text| text.replace("prompt =", "model = \"big\"\nprompt =")), same);
}

#[test]
fn each_model_has_its_training_and_the_resolved_text_plans_to_the_same_cells() {
    let text = format!(
        "prompt = \"portrait of {{subject}}\"\n{SUBJECT}[sweep]\nmodel = [\"sketchbook\", \"big\"]\nsubject = [\"none\", \"me\"]\n"
    );
    let folder = folder(&text);
    let planned = folder.plan("e.toml");
    let trainings: Vec<_> =
        planned.plan.trainings.iter().map(|it| (it.model.as_str(), it.resolution)).collect();
    assert_eq!(trainings, [("sketchbook", (64, 64)), ("big", (512, 512))]);
    std::fs::write(folder.0.path().join("resolved.toml"), &planned.resolved).unwrap();
    let again = folder.plan("resolved.toml");
    assert_eq!(again.distinct, planned.distinct, "{}", planned.resolved);
    assert_eq!(again.plan.trainings, planned.plan.trainings);
    let json = serde_json::to_string(&planned.plan).unwrap();
    let read: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(read.cell(1).unwrap().id, planned.plan.cell(1).unwrap().id);
}

#[test]
fn the_next_experiment_has_the_same_subjects() {
    let text = format!(
        "prompt = \"portrait of {{subject}}\"\n{SUBJECT}steps = 400\n[sweep]\nsubject = [\"none\", \"me\"]\n"
    );
    let folder = folder(&text);
    let planned = folder.plan("e.toml");
    let next = ExperimentText {
        settings: vec![("prompt".to_owned(), "a drawing of {subject}".into())],
        vars: vec![("subject".to_owned(), "me".into())],
        subjects: subjects(&planned.resolved),
        ..ExperimentText::default()
    };
    std::fs::write(folder.0.path().join("next.toml"), next.text()).unwrap();
    let next = folder.plan("next.toml").plan;
    assert_eq!(next.trainings, planned.plan.trainings);
    assert_eq!(&*next.cell(0).unwrap().settings.prompt, "a drawing of sks man");
}

#[test]
fn mistakes_are_errors_with_a_hint() {
    let check = |text: &str, parts: &[&str]| {
        let found = message(text);
        for part in parts {
            assert!(found.split_whitespace().collect::<Vec<_>>().join(" ").contains(part), "{found}");
        }
    };
    let base = format!("prompt = \"{{subject}}\"\n{SUBJECT}");
    let swept = format!("{base}[sweep]\nsubject = [\"none\", \"me\"]\n");
    check(&base, &["`{subject}` has no value"]);
    check(
        &base.replace("{subject}", "a cat"),
        &["no cell has the subject `me`", "subject = [\"none\", \"me\"]"],
    );
    check(
        &swept.replace("\"me\"]", "\"mee\"]"),
        &["`subject` is `mee`; allowed: `me`, `none`", "did you mean `me`?"],
    );
    check(&swept.replace("photos/*.*g", "few/*.jpg"), &["`images` has 2 pictures; allowed: 4 or more"]);
    check(&swept.replace("photos/*.*g", "none/*.jpg"), &["no file matches `none/*.jpg`"]);
    check(&swept.replace("class = \"man\"\n", ""), &["cells without a subject have no word for {subject}"]);
    check(&swept.replace("word = \"sks man\"\n", ""), &["[subject.me] has no `word`"]);
    check(
        &swept.replace("class =", "ranks = 3\nclass ="),
        &["`ranks` is not a key of [subject.me]", "did you mean `rank`?"],
    );
    check(
        &swept.replace("class =", "rank = 0\nclass ="),
        &["`rank` is `0`; allowed: a whole number from 1 to 1024"],
    );
    check(
        &swept.replace("class =", "steps = [1, 2]\nclass ="),
        &["`steps` is a list; allowed: a whole number"],
    );
    check(
        &swept.replace("class =", "width = 60\nclass ="),
        &["`width` is `60`; allowed with the model sketchbook: multiples of 8"],
    );
    check(
        &format!("{swept}train_steps = [400, 900]\n"),
        &["the training of `me` has 800; allowed: 1 to 800"],
    );
    check(
        &swept.replace("sks man\"", "sks man\"\nmethod = \"textual-inversion\""),
        &["one word without spaces"],
    );
    check(
        "lora_weight = 3\n[sweep]\ntrain_steps = [1, 2]\n",
        &["`train_steps` has no effect without a subject"],
    );
    check(&swept.replace("*.mask.png", "d.jpg"), &["the mask photos/d.jpg has no picture of its name"]);
    check(&swept.replace("[subject.me]", "[subject.none]"), &["`none` cannot be the name of a subject"]);
    check("subject = \"me\"\n", &["`subject` is the text `me`; allowed: a table", "[subject.me]"]);
}

#[test]
fn the_command_line_changes_a_training() {
    let folder = folder(&format!("prompt = \"{{subject}}\"\n{SUBJECT}[vars]\nsubject = \"me\"\n"));
    let with = |set: &str| {
        let overrides = Overrides { set: vec![set.to_owned()], ..Overrides::default() };
        folder.with("e.toml", &overrides)
    };
    let plan = with("subject.me.steps=12").unwrap().plan;
    assert_eq!((plan.trainings[0].steps, plan.trainings[0].rank), (12, 16));
    let error = folder.error_text(&with("subject.me.stepz=12").unwrap_err());
    assert!(error.contains("did you mean `steps`?"), "{error}");
}

#[test]
fn what_has_no_effect_is_noted() {
    let text = format!("prompt = \"{{subject}}\"\n{SUBJECT}num_vectors = 3\n[vars]\nsubject = \"me\"\n");
    let folder = Folder::new(&[FILES, &[("e.toml", &*text), ("photos/a.txt", "a man")]].concat());
    let notes = folder.plan("e.toml").notes;
    let expected = "`num_vectors` of [subject.me] has no effect with the method lora";
    assert!(notes.iter().any(|note| note == expected), "{notes:?}");
    let expected = "the captions of `photos/a.jpg` do not contain the word `sks man` of the subject `me`, so that it does not learn from them";
    assert!(notes.iter().any(|note| note == expected), "{notes:?}");
}
