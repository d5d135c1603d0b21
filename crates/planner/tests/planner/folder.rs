//! A folder of files to plan, and a fake asset resolver.

use crate::metrics::NAMES;
use maquette_core::{
    Digest, Dtype, FoundFile, ModelCard, ModelFamily, Plan, PredictionType, Scheduler, WeightsKind,
};
use maquette_planner::{AssetError, AssetResolver, Overrides, PlanError, Planned, Request, plan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Folder(pub TempDir);

/// Resolves the models `sketchbook`, `big`, which has a safety checker, `repainter`, an inpainting model, `solver`, whose
/// scheduler is not supported and which predicts velocity, `consistent`, which takes the guidance scale as an input, and
/// `flowing`, which predicts flow, and `distilled`, which has its own defaults of `steps` and `guidance_scale`.
/// Any existing file is a picture; the mask `wide.png` does not fit any picture.
pub struct Fake;

impl AssetResolver for Fake {
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        Ok(Digest::of(model.as_bytes()))
    }

    fn model(&self, name: &str, _: Dtype) -> Result<ModelCard, AssetError> {
        let (size, scheduler) = match name {
            "sketchbook" => ((64, 64), Some(Scheduler::Ddim)),
            "consistent" => ((64, 64), Some(Scheduler::Lcm)),
            "big" | "repainter" => ((512, 512), Some(Scheduler::Pndm)),
            "solver" => ((64, 64), None),
            "flowing" | "distilled" => ((64, 64), Some(Scheduler::FlowEuler)),
            _ => {
                return Err(AssetError {
                    message: format!("there is no model `{name}`"),
                    help: Some("the models are `sketchbook` and `big`".to_owned()),
                });
            }
        };
        Ok(ModelCard {
            fingerprint: Digest::of(name.as_bytes()),
            size,
            multiple_of: 8,
            reading: 1,
            scheduler,
            scheduler_class: scheduler.is_none().then(|| "DEISMultistepScheduler".to_owned()),
            spacing: None,
            sigmas: None,
            prediction_type: (name == "solver").then_some(PredictionType::VPrediction),
            zero_snr: (name == "solver").then_some(false),
            inpainting: name == "repainter",
            guidance_embedding: name == "consistent",
            safety_checker: name == "big",
            safety_checker_weights: None,
            family: match name {
                "flowing" => ModelFamily::ZImage,
                "distilled" => ModelFamily::Flux2,
                _ => ModelFamily::StableDiffusion,
            },
            shift: (name == "flowing").then_some(3.0),
            steps: (name == "distilled").then_some(4),
            guidance_scale: (name == "distilled").then_some(1.0),
        })
    }

    fn trained(&self) -> PathBuf {
        PathBuf::new()
    }

    fn mask_fits(&self, mask: &Path, _: &Path) -> Result<(), AssetError> {
        match mask.ends_with("wide.png") {
            true => Err(AssetError { message: "the mask is too wide".to_owned(), help: None }),
            false => Ok(()),
        }
    }

    fn weights(&self, kind: WeightsKind, name: &str) -> Result<FoundFile, AssetError> {
        match name {
            "unknown" => {
                let message = format!("there is no {} `{name}`", kind.as_str());
                Err(AssetError { message, help: None })
            }
            _ => Ok(FoundFile { file: name.into(), digest: Digest::of(name.as_bytes()) }),
        }
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError> {
        match std::fs::read(file) {
            Ok(bytes) => Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) }),
            Err(_) => {
                Err(AssetError { message: format!("there is no picture {}", file.display()), help: None })
            }
        }
    }
}

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Folder(folder)
    }

    pub fn with(&self, file: &str, overrides: &Overrides) -> Result<Planned, PlanError> {
        self.again(file, overrides, None)
    }

    /// Plans; random seeds are 1000, 1001, …
    pub fn again(
        &self,
        file: &str,
        overrides: &Overrides,
        drawn: Option<&BTreeMap<String, Vec<i64>>>,
    ) -> Result<Planned, PlanError> {
        let mut next = 999;
        let mut draw = || {
            next += 1;
            next
        };
        let file = self.0.path().join(file);
        let request = Request {
            file: &file,
            text: None,
            overrides,
            default_dtype: Dtype::F32,
            drawn,
            metrics: NAMES,
            draw: &mut draw,
        };
        plan(request, &Fake)
    }

    pub fn plan(&self, file: &str) -> Planned {
        self.with(file, &Overrides::default()).unwrap_or_else(|error| panic!("{}", self.error_text(&error)))
    }

    /// An error as rendered for a terminal without colours.
    pub fn error_text(&self, error: &PlanError) -> String {
        let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
            .with_width(100)
            .with_links(false);
        let mut text = String::new();
        handler.render_report(&mut text, error).unwrap();
        let text = text.replace(&format!("{}/", self.0.path().display()), "");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
    }
}

/// Plans one text.
pub fn planned(text: &str) -> Planned {
    Folder::new(&[
        ("e.toml", text),
        ("me.png", "me"),
        ("face.png", "face"),
        ("photos/b.jpg", "b"),
        ("photos/a.jpg", "a"),
    ])
    .plan("e.toml")
}

/// The rendered error for one text.
pub fn broken(text: &str) -> String {
    let folder =
        Folder::new(&[("e.toml", text), ("me.png", "me"), ("face.png", "face"), ("wide.png", "wide")]);
    match folder.with("e.toml", &Overrides::default()) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(error) => folder.error_text(&error),
    }
}

/// The first error message for one text.
pub fn message(text: &str) -> String {
    let folder =
        Folder::new(&[("e.toml", text), ("me.png", "me"), ("face.png", "face"), ("wide.png", "wide")]);
    match folder.with("e.toml", &Overrides::default()) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(error) => error.problems[0].to_string(),
    }
}

/// The values of an axis by name, as text.
pub fn values(plan: &Plan, axis: &str) -> String {
    let axis = plan.axes.iter().find(|known| known.name == axis).unwrap();
    let row = |set: &[(String, maquette_core::Value)]| {
        set.iter().map(|(_, value)| value.to_string()).collect::<Vec<_>>().join("/")
    };
    axis.values.iter().map(|value| row(&value.set)).collect::<Vec<_>>().join(" ")
}

/// The labels of an axis by name.
pub fn labels(plan: &Plan, axis: &str) -> Vec<String> {
    let axis = plan.axes.iter().find(|known| known.name == axis).unwrap();
    axis.values.iter().map(|value| value.label.clone()).collect()
}

/// The axes' names in order.
pub fn axes(plan: &Plan) -> Vec<&str> {
    plan.axes.iter().map(|axis| axis.name.as_str()).collect()
}
