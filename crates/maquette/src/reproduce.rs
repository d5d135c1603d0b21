//! Renders a picture again from its metadata and compares the two.

use crate::Workspace;
use crate::error::Error;
use crate::plan::{Experiment, PlannedExperiment};
use crate::recreate::NearbyFiles;
use crate::render::render;
use crate::show::origin_of;
use maquette_core::{Applies, Backend, Cell, CellId, Digest, Image, Kind, Remarks, Setting};
use maquette_interop::{GenerationInfo, Origin, encode_cell, read_metadata};
use maquette_picture::decode;
use maquette_planner::Overrides;
use maquette_reporter::{Likeness, Pixels};
use maquette_store::write_atomic;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How to render a picture again.
#[derive(Debug, Clone, Default)]
pub struct ReproduceOptions {
    /// Settings to override, each as `name=value`.
    pub set: Vec<String>,
    /// Where to write the new picture.
    pub save: Option<PathBuf>,
}

/// A picture rendered again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduction {
    /// How similar the two pictures are.
    pub likeness: Likeness,
    /// How they differ.
    pub pixels: Pixels,
    /// The cells of the two pictures.
    pub cell: CellBeforeAndNow,
    /// What changed since the picture was made; empty for a picture made by another tool.
    pub changes: Vec<Change>,
    /// What could not be carried over from the picture, each a sentence without its full stop.
    pub remarks: Vec<String>,
}

/// The cell of a picture, and of the one rendered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CellBeforeAndNow {
    /// The cell that the picture's metadata names; `None` for a picture made by another tool.
    pub before: Option<CellId>,
    /// The cell that was rendered now.
    pub now: CellId,
}

/// A change since a picture was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What changed: a setting, `version`, `numerics`, `model`, `device`.
    pub name: String,
    /// Its value when the picture was made.
    pub before: String,
    /// Its value now.
    pub now: String,
}

impl Workspace {
    /// Renders a picture again from its metadata, and compares. `note` gets what could not be carried over, then the
    /// engine's warnings.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::show`] and [`Workspace::plan`]; [`Error::NoModel`] if neither the metadata nor `set` names a
    /// model; [`Error::CellFailed`].
    pub fn reproduce(
        &self,
        image: &Path,
        options: &ReproduceOptions,
        note: &mut dyn FnMut(&str),
    ) -> Result<Reproduction, Error> {
        let metadata = read_metadata(image)?;
        let origin = origin_of(image, &metadata)?;
        let nearby = self.nearby(image);
        let recreated = self.recreated(image, origin, &nearby)?;
        let set_model = options.set.iter().any(|set| set.trim_start().starts_with("model"));
        if !recreated.gives("model") && !set_model {
            return Err(Error::NoModel { image: image.to_owned() });
        }
        let before = decode(image)?;
        recreated.remarks.iter().for_each(|remark| note(remark));

        let PlannedExperiment { plan, base, .. } = self.plan(&Experiment {
            file: image.to_owned(),
            text: Some(recreated.text("The picture's metadata")),
            overrides: Overrides { set: options.set.clone(), ..Overrides::default() },
        })?;
        let cell = plan.cell(0)?;
        let fingerprint = plan.models.get(&*cell.settings.model).map(|card| card.fingerprint);
        let fingerprint = fingerprint.unwrap_or(Digest::from_bytes([0; 32]));
        let mut backend = self.backend(&base, None)?;
        let (now, remarks) = render_one(backend.as_mut(), &cell, note)?;

        let info = match origin {
            Origin::Cell(info) => Some(&**info),
            Origin::Sheet(_) | Origin::Foreign(_) => None,
        };
        let mut changes =
            info.map_or_else(Vec::new, |info| changes(info, &GenerationInfo::of(&cell, &fingerprint)));
        changes.extend(info.and_then(|info| other_device(&nearby, info, &backend.device())));
        if let Some(file) = &options.save {
            let hashes = self.hashes(&plan, &base);
            write_atomic(file, &encode_cell(&now, &cell, &fingerprint, &hashes, &remarks)?)?;
        }
        let pixels = Pixels::of(&before, &now);
        Ok(Reproduction {
            likeness: pixels.likeness(),
            pixels,
            cell: CellBeforeAndNow { before: info.map(|info| info.cell), now: cell.id },
            changes,
            remarks: recreated.remarks,
        })
    }
}

fn render_one(
    backend: &mut dyn Backend,
    cell: &Cell,
    note: &mut dyn FnMut(&str),
) -> Result<(Image, Remarks), Error> {
    let mut image = Err("the engine made no picture".to_owned());
    render(backend, vec![cell.clone()], note, &mut |_, ended| image = ended)?;
    image.map_err(Error::CellFailed)
}

/// What changed since the picture was made. Files are compared by content, not by name.
fn changes(before: &GenerationInfo, now: &GenerationInfo) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut check = |name: &str, before: Option<String>, now: Option<String>| {
        if before != now {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            changes.push(Change { name: name.to_owned(), before: or_dash(before), now: or_dash(now) });
        }
    };
    // Pictures made by the first versions do not name the version.
    if before.version.is_some() {
        check("version", before.version.clone(), now.version.clone());
        let numerics = |info: &GenerationInfo| info.numerics.map(|numerics| numerics.to_string());
        check("numerics", numerics(before), numerics(now));
    }
    check("model", Some(before.fingerprint.to_string()), Some(now.fingerprint.to_string()));
    let value = |info: &GenerationInfo, name: &str| {
        info.values().into_iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string())
    };
    // What was trained for a subject is compared as a file.
    let is_plain = |setting: &&Setting| !is_file(setting) && !matches!(setting.applies, Applies::Trained(_));
    for setting in maquette_core::SETTINGS.iter().filter(is_plain) {
        check(setting.name, value(before, setting.name), value(now, setting.name));
    }
    for setting in maquette_core::SETTINGS.iter().filter(|setting| is_file(setting)) {
        let content = |info: &GenerationInfo| {
            let digests: Vec<String> = info.files(setting.name).map(|file| file.digest.short()).collect();
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

/// Whether a setting names files, or the model, which is compared by its fingerprint.
fn is_file(setting: &Setting) -> bool {
    matches!(setting.kind, Kind::Path | Kind::Weights) || setting.name == "model"
}

/// The weights and words that a list gives its files.
fn weights_of(info: &GenerationInfo, setting: &Setting) -> Option<String> {
    let list = info.settings.get(setting.name)?.as_str()?;
    let entries = maquette_core::parse_weights(list).filter(|_| setting.kind == Kind::Weights)?;
    let entry = |entry: &maquette_core::WeightRef| {
        let text_weight = entry.text_weight.map_or(String::new(), |weight| format!("{weight}:"));
        format!("{}:{text_weight}{}", entry.word.as_deref().unwrap_or_default(), entry.weight.unwrap_or(1.0))
    };
    Some(entries.iter().map(entry).collect::<Vec<_>>().join(" + "))
}

/// The change of device, if the picture is in a run whose log names another device.
fn other_device(nearby: &NearbyFiles, info: &GenerationInfo, now: &str) -> Option<Change> {
    let log = nearby.run.as_ref()?.log().ok()?;
    let before = log.iter().find(|row| row.cell() == info.cell)?.device()?;
    let change = Change { name: "device".to_owned(), before: before.to_owned(), now: now.to_owned() };
    (before != now).then_some(change)
}
