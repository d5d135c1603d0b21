//! `maquette reproduce`: a picture rendered again from what it says, and compared with what it is.

use super::show::made;
use crate::args::{Common, ExperimentArgs, ReproduceArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::{self, Outcome, store_failure, talk};
use crate::planning::{self, Planning};
use crate::recall::{Near, Recalled, recall, recall_foreign};
use crate::rendering;
use maquette_core::{Backend, Cell, Digest, Image, Kind, Remarks, Setting};
use maquette_interop::{Made, Recipe, encode_cell, read_metadata};
use maquette_picture::decode;
use maquette_reporter::{Likeness, Pixels};
use maquette_store::write_atomic;
use serde_json::{Value as Json, json};

/// Something that was another way when the picture was made.
struct Change {
    name: String,
    before: String,
    now: String,
}

pub fn reproduce(args: &ReproduceArgs, common: &Common) -> Outcome {
    let metadata = read_metadata(&args.image).map_err(output::picture_failure)?;
    let made = made(&args.image, &metadata)?;
    let near = Near::around(&args.image);
    let recalled = recalled(args, made, &near)?;
    let before = decode(&args.image).map_err(output::picture_failure)?;
    if !common.quiet {
        recalled.remarks.iter().for_each(talk);
    }

    let experiment = ExperimentArgs {
        file: args.image.clone(),
        set: args.set.clone(),
        sweep: Vec::new(),
        only: Vec::new(),
        device: args.again.device.clone(),
        dtype: None,
    };
    let text = recalled.text("What the picture says");
    let runs = planning::runs(&common.runs)?;
    let Planning { planned, device, base } =
        planning::plan_text(&experiment, &text, args.again.backend, &runs, None)?;
    let cell = planned.plan.cell(0).or_exit(Exit::Unexpected)?;
    let fingerprint = planned.plan.models.get(&*cell.settings.model).map(|card| card.fingerprint);
    let fingerprint = fingerprint.unwrap_or(Digest::from_bytes([0; 32]));
    let mut backend = rendering::backend(args.again.backend, device, base, None)?;
    let (now, remarks) = render(backend.as_mut(), &cell, common.quiet)?;

    let pixels = Pixels::of(&before, &now);
    let recipe = match made {
        Made::Cell(recipe) => Some(recipe),
        Made::Sheet(_) | Made::Foreign(_) => None,
    };
    let mut changes =
        recipe.map_or_else(Vec::new, |recipe| changes(recipe, &Recipe::of(&cell, &fingerprint)));
    changes.extend(recipe.and_then(|recipe| other_device(&near, recipe, &backend.device())));
    if let Some(file) = &args.save {
        let png = encode_cell(&now, &cell, &fingerprint, &remarks).map_err(output::picture_failure)?;
        write_atomic(file, &png).map_err(store_failure(Exit::Unexpected))?;
    }
    let text = match args.again.json {
        true => json_told(&pixels, &changes, &recalled, recipe, &cell),
        false => told(&pixels, &changes, recipe.is_some()),
    };
    output::print(&text)?;
    // With `--set` another picture is what was asked for.
    let as_wished = pixels.likeness() != Likeness::Different || !args.set.is_empty();
    Ok(if as_wished { Exit::Done } else { Exit::Different })
}

fn recalled(args: &ReproduceArgs, made: &Made, near: &Near) -> Result<Recalled, Failure> {
    let image = args.image.display();
    let recalled = match made {
        Made::Cell(recipe) => recall(recipe, near),
        Made::Foreign(foreign) => recall_foreign(foreign, near),
        Made::Sheet(_) => {
            let help = "`maquette report` draws the sheets of a run again.";
            return Err(Failure::message(
                Exit::NotFound,
                format!("`{image}` is a sheet, not one picture"),
                help,
            ));
        }
    };
    if !recalled.gives("model") && !args.set.iter().any(|set| set.trim_start().starts_with("model")) {
        let message = format!("`{image}` does not say which model made it");
        return Err(Failure::message(Exit::NotFound, message, "Name it: --set model=..."));
    }
    Ok(recalled)
}

fn render(backend: &mut dyn Backend, cell: &Cell, quiet: bool) -> Result<(Image, Remarks), Failure> {
    let mut image = Err("the engine made no picture".to_owned());
    rendering::render(backend, vec![cell.clone()], quiet, &mut |_, ended| image = ended)?;
    image.map_err(|error| Failure::message(Exit::CellsFailed, error, ""))
}

/// What is another way than when the picture was made. Files count by their content, whatever their names.
fn changes(before: &Recipe, now: &Recipe) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut check = |name: &str, before: Option<String>, now: Option<String>| {
        if before != now {
            let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            changes.push(Change { name: name.to_owned(), before: shown(before), now: shown(now) });
        }
    };
    // Pictures of the first versions do not name theirs.
    if before.version.is_some() {
        check("version", before.version.clone(), now.version.clone());
        let numerics = |recipe: &Recipe| recipe.numerics.map(|numerics| numerics.to_string());
        check("numerics", numerics(before), numerics(now));
    }
    check("model", Some(before.fingerprint.to_string()), Some(now.fingerprint.to_string()));
    let value = |recipe: &Recipe, name: &str| {
        recipe.values().into_iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string())
    };
    for setting in maquette_core::SETTINGS.iter().filter(|setting| !is_file(setting)) {
        check(setting.name, value(before, setting.name), value(now, setting.name));
    }
    for setting in maquette_core::SETTINGS.iter().filter(|setting| is_file(setting)) {
        let content = |recipe: &Recipe| {
            let digests: Vec<String> = recipe.files(setting.name).map(|file| file.digest.short()).collect();
            (!digests.is_empty()).then(|| digests.join(" + "))
        };
        if content(before) != content(now) {
            check(setting.name, content(before), content(now));
        } else {
            check(setting.name, weights_of(before, setting), weights_of(now, setting));
        }
    }
    changes
}

/// Whether a setting names files, or the model, which has its fingerprint.
fn is_file(setting: &Setting) -> bool {
    matches!(setting.kind, Kind::Path | Kind::Weights) || setting.name == "model"
}

/// The weights and words that a list gives its files.
fn weights_of(recipe: &Recipe, setting: &Setting) -> Option<String> {
    let list = recipe.settings.get(setting.name)?.as_str()?;
    let entries = maquette_core::weights_list(list).filter(|_| setting.kind == Kind::Weights)?;
    let entry = |entry: &maquette_core::Named| {
        format!("{}:{}", entry.word.unwrap_or_default(), entry.weight.unwrap_or(1.0))
    };
    Some(entries.iter().map(entry).collect::<Vec<_>>().join(" + "))
}

/// Where the picture was rendered, when it lies in a run whose log says so and it was elsewhere.
fn other_device(near: &Near, recipe: &Recipe, now: &str) -> Option<Change> {
    let log = near.run.as_ref()?.log().ok()?;
    let before = log.iter().find(|row| row.cell() == recipe.cell)?.device()?;
    let change = Change { name: "device".to_owned(), before: before.to_owned(), now: now.to_owned() };
    (before != now).then_some(change)
}

/// How two pictures differ, in words.
pub fn words(pixels: &Pixels) -> String {
    match pixels {
        Pixels::Identical => "every pixel is the same".to_owned(),
        Pixels::Different { psnr, max_difference, share, .. } => format!(
            "PSNR {psnr:.1} dB, at most {max_difference} of 255 levels off, {:.1} % of the pixels differ",
            100.0 * share
        ),
        Pixels::Sizes { left, right } => {
            format!("{}x{} pixels before, {}x{} now", left.0, left.1, right.0, right.1)
        }
        Pixels::NoPicture { left, right } => format!("before: {left}, now: {right}"),
    }
}

fn told(pixels: &Pixels, changes: &[Change], ours: bool) -> String {
    let mut text = format!("{}: {}\n", pixels.likeness().word(), words(pixels));
    match changes {
        [] if ours => text += "unchanged: version, numerics, model, settings and files\n",
        [] => {}
        changes => {
            let rows = changes.iter().map(|it| vec![it.name.clone(), it.before.clone(), it.now.clone()]);
            text += &output::table(&["changed", "before", "now"], rows);
        }
    }
    text
}

fn json_told(
    pixels: &Pixels,
    changes: &[Change],
    recalled: &Recalled,
    recipe: Option<&Recipe>,
    cell: &Cell,
) -> String {
    let change = |it: &Change| json!({ "name": it.name, "before": it.before, "now": it.now });
    let told = json!({
        "likeness": pixels.likeness(),
        "pixels": pixels,
        "cell": { "before": recipe.map(|recipe| recipe.cell), "now": cell.id },
        "changes": changes.iter().map(change).collect::<Vec<Json>>(),
        "remarks": recalled.remarks,
    });
    serde_json::to_string_pretty(&told).unwrap_or_default() + "\n"
}
