//! The fixtures' whole runs, as cells.

use maquette_core::{
    Backend, Cell, CellId, Dialect, Digest, Event, Fit, Image, ModelCard, NamedFile, Remarks, Scheduler,
    Settings, Sigmas, Spacing, test_plans,
};
use maquette_diffusion::{ControlNetFiles, DeviceName, Engine, ImageEncoderFolder, ModelSource};
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// One run of diffusers' pipeline, and its picture.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    pub name: String,
    pub model: String,
    prompt: String,
    negative_prompt: String,
    init_image: Option<String>,
    #[serde(default)]
    mask: Option<String>,
    strength: Option<f64>,
    seed: u64,
    steps: u32,
    guidance_scale: f64,
    #[serde(default)]
    guidance_rescale: f64,
    #[serde(default)]
    guidance_interval: Option<String>,
    #[serde(default)]
    deepcache: Option<KnownDeepCache>,
    pub scheduler: Scheduler,
    width: u32,
    height: u32,
    clip_skip: Option<u32>,
    dialect: Option<String>,
    #[serde(default)]
    eta: Option<f64>,
    #[serde(default)]
    sigmas: Option<Sigmas>,
    #[serde(default)]
    spacing: Option<Spacing>,
    #[serde(default)]
    variation: Option<KnownVariation>,
    #[serde(default)]
    controlnet: Option<String>,
    #[serde(default)]
    control_image: Option<String>,
    #[serde(default)]
    controlnet_conditioning_scale: Option<f64>,
    #[serde(default)]
    control_guidance_start: Option<f64>,
    #[serde(default)]
    control_guidance_end: Option<f64>,
    #[serde(default)]
    ip_adapter: Option<String>,
    #[serde(default)]
    ip_adapter_image: Option<String>,
    #[serde(default)]
    ip_adapter_scale: Option<f64>,
    pub picture: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct KnownVariation {
    seed: u64,
    strength: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct KnownDeepCache {
    interval: u32,
    branch_id: u32,
}

/// The result of a cell.
pub type Rendered = Result<Image, String>;

/// The folder of the fixtures, which lies in a copy of the source tree.
///
/// `MAQUETTE_FIXTURES`, or that of the tree where the tests were built: the test program may run on another machine, such
/// as one with a GPU but without a compiler.
pub fn fixtures() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    std::env::var_os("MAQUETTE_FIXTURES").map_or_else(built, PathBuf::from)
}

/// The runs of Stable Diffusion 1.
pub fn cases() -> Vec<Case> {
    [cases_in("cases.json"), cases_in("dialect.json")].concat()
}

/// All fixtures of one model and size, so that they may share UNet calls: four schedulers, with and without guidance
/// and reference picture, different prompts and step counts.
pub fn crowd() -> Vec<Cell> {
    let mut cells: Vec<Cell> = cases().iter().map(Case::cell).collect();
    let key = |cell: &Cell| (cell.settings.model.clone(), cell.settings.width, cell.settings.height);
    cells.sort_by_key(key);
    let largest = cells.chunk_by(|a, b| key(a) == key(b)).max_by_key(|group| group.len()).unwrap();
    assert!(largest.len() >= 6, "the fixtures no longer have enough cells");
    largest.to_vec()
}

/// The cases of a file among the fixtures.
pub fn cases_in(file: &str) -> Vec<Case> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    let text = std::fs::read_to_string(fixtures().join(file)).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

impl Case {
    pub fn cell(&self) -> Cell {
        let init_image = self.init_image.as_ref().map(|path| named(&fixtures().join(path)));
        let scheduler = self.scheduler;
        let settings = Settings {
            model: self.model.as_str().into(),
            prompt: self.prompt.as_str().into(),
            negative_prompt: self.negative_prompt.as_str().into(),
            fit: init_image.as_ref().map(|_| Fit::Crop),
            dialect: self.dialect.as_deref().map_or(Dialect::Plain, |word| word.parse().unwrap()),
            init_image,
            mask: self.mask.as_ref().map(|path| named(&fixtures().join(path))),
            strength: self.strength,
            controlnet: self.controlnet.as_ref().map(|path| controlnet(&fixtures().join(path))),
            control_image: self.control_image.as_ref().map(|path| named(&fixtures().join(path))),
            controlnet_conditioning_scale: self.controlnet_conditioning_scale,
            control_guidance_start: self.control_guidance_start,
            control_guidance_end: self.control_guidance_end,
            ip_adapter: self.ip_adapter.as_ref().map(|path| named(&fixtures().join(path))),
            ip_adapter_image: self.ip_adapter_image.as_ref().map(|path| named(&fixtures().join(path))),
            ip_adapter_scale: self.ip_adapter_scale,
            ip_adapter_image_encoder: self.ip_adapter.as_ref().map(|path| encoder(&fixtures().join(path))),
            seed: self.seed,
            variation_seed: self.variation.map(|variation| variation.seed),
            variation_strength: self.variation.map(|variation| variation.strength),
            steps: self.steps,
            guidance_scale: self.guidance_scale,
            guidance_interval: self.guidance_interval.as_ref().map(|text| text.parse().unwrap()),
            guidance_rescale: Some(self.guidance_rescale),
            deepcache_interval: Some(self.deepcache.map_or(1, |it| it.interval)),
            deepcache_branch_id: self.deepcache.map(|it| it.branch_id),
            scheduler,
            eta: (scheduler == Scheduler::Ddim).then_some(self.eta.unwrap_or(0.0)),
            sigmas: scheduler.has_sigmas().then_some(self.sigmas.unwrap_or(Sigmas::Normal)),
            spacing: scheduler
                .own_spacing()
                .map(|own| self.spacing.or_else(|| spacing_in(&self.model)).unwrap_or(own)),
            width: self.width,
            height: self.height,
            clip_skip: self.clip_skip.unwrap_or(0),
            ..test_plans::cell().settings
        };
        cell(settings)
    }

    /// Diffusers' picture.
    pub fn expected(&self) -> Image {
        let picture = image::open(fixtures().join(&self.picture)).unwrap().into_rgb8();
        Image::new(picture.width(), picture.height(), picture.into_raw()).unwrap()
    }
}

/// A file under its own name.
pub fn named(file: &Path) -> NamedFile {
    let digest = Digest::of(&std::fs::read(file).unwrap());
    NamedFile { path: file.to_string_lossy().into(), file: file.into(), digest }
}

/// An image encoder, or the one near an IP-Adapter.
pub fn encoder(file: &Path) -> NamedFile {
    let folder = ImageEncoderFolder::at(file).unwrap();
    NamedFile { path: "".into(), file: folder.path().into(), digest: folder.digest().unwrap() }
}

/// A ControlNet, by its content.
pub fn controlnet(file: &Path) -> NamedFile {
    let digest = ControlNetFiles::digest(file).unwrap();
    NamedFile { path: file.to_string_lossy().into(), file: file.into(), digest }
}

pub fn cell(settings: Settings) -> Cell {
    let fingerprint = Digest::of(settings.model.as_bytes());
    let card = ModelCard { fingerprint, ..test_plans::card() };
    Cell { id: CellId::of(&settings, &card), coordinates: Vec::new(), settings, vars: Vec::new() }
}

/// The timestep spacing in a model's configuration, which is the default of every scheduler with a choice.
fn spacing_in(model: &str) -> Option<Spacing> {
    let file = fixtures().join(model).join("scheduler/scheduler_config.json");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).unwrap();
    config.get("timestep_spacing")?.as_str()?.parse().ok()
}

/// An engine that finds its models among the fixtures.
pub fn engine(device: DeviceName, rows: Option<usize>) -> Engine {
    let find = |name: &str| Ok(ModelSource::Folder(fixtures().join(name)));
    Engine::new(device, Box::new(find), rows).unwrap()
}

/// Renders cells in one call; returns the results by cell.
pub fn render(engine: &mut Engine, cells: &[Cell]) -> HashMap<CellId, Rendered> {
    render_with_remarks(engine, cells).into_iter().map(|(cell, (rendered, _))| (cell, rendered)).collect()
}

/// The same with the remarks of finished cells.
pub fn render_with_remarks(engine: &mut Engine, cells: &[Cell]) -> HashMap<CellId, (Rendered, Remarks)> {
    let mut rendered = HashMap::new();
    let mut ended = |cell, outcome| assert!(rendered.insert(cell, outcome).is_none(), "a cell ended twice");
    engine
        .render(&mut cells.iter().cloned(), &mut |event| {
            match event {
                Event::Finished { cell, image, remarks, seconds } => {
                    assert!(seconds >= 0.0);
                    ended(cell, (Ok(image), remarks));
                }
                Event::Failed { cell, error } => ended(cell, (Err(error), Remarks::default())),
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    rendered
}

/// The difference of two pictures of the same size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Largest difference of a level.
    pub largest: u8,
    /// How many levels differ.
    pub count: usize,
    /// Mean absolute difference, in levels.
    pub mean: f64,
}

pub fn difference(left: &Image, right: &Image) -> Difference {
    assert_eq!((left.width(), left.height()), (right.width(), right.height()));
    let differences: Vec<u8> = left.rgb().iter().zip(right.rgb()).map(|(a, b)| a.abs_diff(*b)).collect();
    Difference {
        largest: differences.iter().copied().max().unwrap_or(0),
        count: differences.iter().filter(|&&difference| difference > 0).count(),
        mean: differences.iter().map(|&difference| f64::from(difference)).sum::<f64>()
            / differences.len() as f64,
    }
}
