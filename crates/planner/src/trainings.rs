//! From subjects to trainings: one for each subject and model that occur together in a cell.

use crate::AssetResolver;
use crate::cells::{Cells, place, unknown};
use crate::nearest::{did_you_mean, list};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::subject::Subject;
use crate::text_file;
use maquette_core::{
    FoundFile, ModelCard, NO_SUBJECT, SUBJECT, Template, Training, TrainingImage, TrainingMethod, Value,
};
use maquette_files::limits;
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

/// The placeholder of `instance_prompt` and of captions.
const WORD: &str = "word";

/// The placeholder of `class_prompt`.
const CLASS: &str = "class";

/// The keys that have an effect with some methods only.
const OF_METHOD: &[(&[&str], &[TrainingMethod])] = &[
    (
        &["rank", "alpha", "layers", "train_text_encoder", "text_learning_rate", "mixed_precision"],
        &[TrainingMethod::Lora],
    ),
    (&["num_vectors"], &[TrainingMethod::TextualInversion]),
    (
        &["class_prompt", "num_class_images", "prior_loss_weight"],
        &[TrainingMethod::Lora, TrainingMethod::Dreambooth],
    ),
];

impl Cells<'_> {
    /// The trainings of the subjects that cells name; the paths of pictures are relative to `folder`.
    pub fn trainings(
        &self,
        subjects: &[Subject],
        folder: &Path,
        assets: &dyn AssetResolver,
        notes: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Vec<Training> {
        let mut trainings: Vec<Training> = Vec::new();
        if subjects.is_empty() {
            return trainings;
        }
        let mut used = BTreeSet::new();
        let mut without = None;
        for at in self.parts(&[SUBJECT, "model"]) {
            let Some(name) = self.plan.value(SUBJECT, &at).map(|value| value.to_string()) else { continue };
            if name == NO_SUBJECT {
                without = without.or(Some(at));
                continue;
            }
            let Some(subject) = subjects.iter().find(|subject| subject.name == name) else {
                if used.insert(name.clone()) {
                    let names = || subjects.iter().map(|subject| subject.name.as_str()).chain([NO_SUBJECT]);
                    let message = format!("`{SUBJECT}` is `{name}`; allowed: {}", list(names()));
                    problems
                        .add(place(self.place(SUBJECT, &at), message).help_if(did_you_mean(&name, names())));
                }
                continue;
            };
            let Some((model, card)) = self.model(&at) else { continue };
            if trainings.iter().any(|known| known.subject == name && known.model == model) {
                continue;
            }
            if card.inpainting {
                let message =
                    format!("the model {model} is for inpainting, and cannot be trained on a subject");
                problems.add(
                    place(self.place("model", &at), message).help("train on the model it was made from"),
                );
                continue;
            }
            // Only the first training of a subject tells what is wrong with it.
            let first = used.insert(name.clone());
            let (mut spare_notes, mut spare) = (Vec::new(), Problems::default());
            let (notes, problems) =
                if first { (&mut *notes, &mut *problems) } else { (&mut spare_notes, &mut spare) };
            trainings.extend(training(subject, model, card, folder, assets, notes, problems));
        }
        for subject in subjects.iter().filter(|subject| !used.contains(&subject.name)) {
            let (name, names) = (&subject.name, list(subjects.iter().map(|subject| subject.name.as_str())));
            let message = format!("no cell has the subject `{name}`");
            match subject.at.layer() {
                0.. => problems.add(Problem::at(&subject.at, message).label("unused").help(format!(
                    "add an axis: `[sweep]` with `{SUBJECT} = [\"{NO_SUBJECT}\", \"{name}\"]`; the subjects are {names}"
                ))),
                _ => notes.push(message),
            }
        }
        if let Some(at) = without {
            self.check_class(subjects, &at, problems);
        }
        trainings
    }

    /// Checks that prompts of cells without a subject have a word for it.
    fn check_class(&self, subjects: &[Subject], at: &[usize], problems: &mut Problems) {
        if !self.grid.mentions(|text| text.contains("{subject}")) {
            return;
        }
        let classes: BTreeSet<String> = subjects.iter().map(|subject| text(subject, "class")).collect();
        let message = match classes.len() {
            1 if !classes.contains("") => return,
            1 => "cells without a subject have no word for {subject}".to_owned(),
            _ => format!(
                "cells without a subject have several words for {{subject}}: {}",
                list(classes.iter().map(String::as_str))
            ),
        };
        problems.add(place(self.place(SUBJECT, at), message).help(
            "give every [subject.NAME] the same `class`, such as `class = \"man\"`, or leave out `none`",
        ));
    }

    /// Reports steps after which a training has ended.
    pub fn train_steps(&self, problems: &mut Problems) {
        if self.plan.trainings.is_empty() || self.plan.written("train_steps").next().is_none() {
            return;
        }
        let mut reported = BTreeSet::new();
        for at in self.parts(&["train_steps", SUBJECT, "model"]) {
            let name = self.plan.value(SUBJECT, &at).map(|value| value.to_string());
            let steps = self.plan.value("train_steps", &at).and_then(|value| value.as_integer());
            let training = self.plan.trainings.iter().find(|one| Some(&one.subject) == name.as_ref());
            if let (Some(steps), Some(training)) = (steps, training)
                && steps > training.steps.into()
                && reported.insert((steps, name))
            {
                let message = format!(
                    "`train_steps` is `{steps}`, and the training of `{}` has {}; allowed: 1 to {}",
                    training.subject, training.steps, training.steps
                );
                let help = format!("set `steps = {steps}` in [subject.{}], or use fewer", training.subject);
                problems.add(place(self.place("train_steps", &at), message).help(help));
            }
        }
    }
}

/// The training of a subject on a model.
fn training(
    subject: &Subject,
    model: &str,
    card: &ModelCard,
    folder: &Path,
    assets: &dyn AssetResolver,
    notes: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Training> {
    let method: TrainingMethod = option(subject, "method")?;
    let name = &subject.name;
    for (keys, methods) in OF_METHOD {
        for key in keys.iter().filter(|key| subject.place(key).is_some() && !methods.contains(&method)) {
            notes.push(format!("`{key}` of [subject.{name}] has no effect with the method {method}"));
        }
    }
    let (word, class) = (text(subject, "word"), text(subject, "class"));
    if word.trim().is_empty()
        || (method == TrainingMethod::TextualInversion && word.contains(char::is_whitespace))
    {
        let allowed = match method {
            TrainingMethod::TextualInversion => "one word without spaces, such as `<me>`",
            _ => "text such as `sks man`",
        };
        let message = format!("`word` is `{word}`; allowed: {allowed}");
        problems.add(place(subject.place("word"), message));
        return None;
    }
    let whole = |key: &str| subject.value(key).and_then(|value| value.as_unsigned());
    let whole = |key: &str| whole(key).and_then(|n| u32::try_from(n).ok());
    let number = |key: &str| subject.value(key).and_then(|value| value.as_number());
    let flag = |key: &str| subject.value(key) == Some(Value::Flag(true));
    let learning_rate = number("learning_rate").unwrap_or(match method {
        TrainingMethod::Lora => 1e-4,
        TrainingMethod::TextualInversion => 5e-4,
        TrainingMethod::Dreambooth => 5e-6,
    });
    let has_prior = method != TrainingMethod::TextualInversion && number("prior_loss_weight") != Some(0.0);
    let class_prompt = match subject.value("class_prompt") {
        _ if !has_prior => String::new(),
        Some(_) => prompt(subject, "class_prompt", CLASS, &class, problems)?,
        None if class.is_empty() => String::new(),
        None => format!("photo of {class}"),
    };
    let size = (whole("width").unwrap_or(card.size.0), whole("height").unwrap_or(card.size.1));
    for (key, edge) in [("width", size.0), ("height", size.1)] {
        if edge % card.multiple_of.max(1) != 0 {
            let of = card.multiple_of;
            let message = format!("`{key}` is `{edge}`; allowed with the model {model}: multiples of {of}");
            problems.add(place(subject.place(key), message));
        }
    }
    let instance_prompt = prompt(subject, "instance_prompt", WORD, &word, problems)?;
    let images = images(subject, &word, &instance_prompt, folder, assets, notes, problems)?;
    let rank = whole("rank")?;
    Some(Training {
        subject: name.clone(),
        model: model.to_owned(),
        fingerprint: card.fingerprint,
        method,
        images,
        class_prompt,
        num_class_images: whole("num_class_images")?,
        prior_loss_weight: number("prior_loss_weight")?,
        steps: whole("steps")?,
        batch_size: whole("batch_size")?,
        learning_rate,
        text_learning_rate: number("text_learning_rate").unwrap_or(learning_rate),
        lr_scheduler: option(subject, "lr_scheduler")?,
        lr_warmup_steps: whole("lr_warmup_steps")?,
        max_grad_norm: number("max_grad_norm")?,
        weight_decay: number("weight_decay")?,
        snr_gamma: number("snr_gamma")?,
        rank,
        alpha: number("alpha").unwrap_or(rank.into()),
        layers: option(subject, "layers")?,
        train_text_encoder: flag("train_text_encoder"),
        num_vectors: whole("num_vectors")?,
        resolution: size,
        crop: option(subject, "crop")?,
        random_flip: flag("random_flip"),
        seed: subject.value("seed").and_then(|value| value.as_unsigned())?,
        mixed_precision: option(subject, "mixed_precision")?,
        gradient_checkpointing: flag("gradient_checkpointing"),
        folder: assets.trained(),
        word,
        class,
    })
}

/// The pictures with their captions and masks; `None` after a problem.
fn images(
    subject: &Subject,
    word: &str,
    instance_prompt: &str,
    folder: &Path,
    assets: &dyn AssetResolver,
    notes: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Vec<TrainingImage>> {
    let mut unmatched: Vec<&(String, At)> = subject.masks.iter().collect();
    let (mut images, mut unnamed) = (Vec::new(), Vec::new());
    for (path, at) in &subject.images {
        let image = picture(path, at, folder, assets, problems);
        let mask = unmatched.iter().position(|(mask, _)| is_mask_of(mask, path));
        let mask = mask.map(|nth| unmatched.remove(nth)).and_then(|(mask, at)| {
            let found = picture(mask, at, folder, assets, problems)?;
            if let Err(error) = assets.mask_fits(&folder.join(mask), &folder.join(path)) {
                problems.add(unknown(error, Some(at)));
            }
            Some(found)
        });
        let caption = problems.keep(caption(&folder.join(path), path, word, at));
        let (Some(image), Some(caption)) = (image, caption) else { continue };
        let caption = caption.unwrap_or_else(|| instance_prompt.to_owned());
        if !caption.contains(word) {
            unnamed.push(path.as_str());
        }
        images.push(TrainingImage { path: path.clone(), image, mask, caption });
    }
    if let Some((mask, at)) = unmatched.first() {
        let message =
            format!("the mask {mask} has no picture of its name among the images of `{}`", subject.name);
        problems.add(Problem::at(at, message).help("a picture `a.jpg` has the mask `a.png` or `a.mask.png`"));
    }
    if !unnamed.is_empty() {
        notes.push(format!(
            "the captions of {} do not contain the word `{word}` of the subject `{}`, so that it does not learn from them",
            list(unnamed.iter().copied()),
            subject.name
        ));
    }
    (images.len() == subject.images.len() && !images.is_empty()).then_some(images)
}

fn picture(
    path: &str,
    at: &At,
    folder: &Path,
    assets: &dyn AssetResolver,
    problems: &mut Problems,
) -> Option<FoundFile> {
    assets.picture(&folder.join(path)).map_err(|error| problems.add(unknown(error, Some(at)))).ok()
}

/// Whether a mask belongs to a picture by its file name: `a.png` or `a.mask.png` to `a.jpg`.
fn is_mask_of(mask: &str, picture: &str) -> bool {
    let stem = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
    };
    let (mask, picture) = (stem(mask), stem(picture));
    mask == picture
        || ["mask", "-mask", "_mask"]
            .iter()
            .any(|ending| mask.strip_suffix(ending).map(|stem| stem.trim_end_matches('.')) == Some(&*picture))
}

/// The caption in the `.txt` file beside a picture; `{word}` in it is filled.
fn caption(file: &Path, path: &str, word: &str, at: &At) -> Result<Option<String>, Problem> {
    let file = file.with_extension("txt");
    if !file.is_file() {
        return Ok(None);
    }
    let text = text_file::read(&file, path, limits::CONFIG).map_err(|unreadable| {
        let message = format!("cannot read the caption {}: {}", file.display(), unreadable.reason);
        Problem::at(at, message).help_if(unreadable.help)
    })?;
    let text = text.trim();
    if text.len() > maquette_core::MAX_TEXT {
        let message = format!("the caption {} has {} bytes", file.display(), text.len());
        return Err(Problem::at(at, message));
    }
    // Captions of other tools may have braces of their own.
    Ok(Some(text.replace("{word}", word)))
}

/// A prompt with its one placeholder filled.
fn prompt(
    subject: &Subject,
    key: &str,
    placeholder: &str,
    filling: &str,
    problems: &mut Problems,
) -> Option<String> {
    let written = text(subject, key);
    let fill = |name: &str| (name == placeholder).then_some(filling);
    let filled = Template::parse(&written).ok().and_then(|template| template.fill(fill).ok());
    if filled.is_none() {
        let message = format!("`{key}` is `{written}`; allowed: text with the placeholder {{{placeholder}}}");
        problems.add(place(subject.place(key), message).help("`{{` is a brace"));
    }
    filled
}

fn text(subject: &Subject, key: &str) -> String {
    subject.value(key).map(|value| value.to_string()).unwrap_or_default()
}

fn option<T: FromStr>(subject: &Subject, key: &str) -> Option<T> {
    subject.value(key)?.as_text()?.parse().ok()
}
