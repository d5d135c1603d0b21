//! A workspace: the runs folder, the assets and the device.

use crate::Environment;
use crate::assets::{FakeAssets, LocalAssets, sha256};
use crate::error::Error;
use maquette_core::Plan;
use maquette_diffusion::DeviceName;
use maquette_interop::FileHashes;
use maquette_planner::AssetResolver;
use maquette_store::Runs;
use std::path::Path;

/// A runs folder and a device. Every operation of the library is a method of it.
#[derive(Clone)]
pub struct Workspace {
    pub(crate) runs: Runs,
    /// None: the best device that this build can use.
    devices: Vec<DeviceName>,
    /// Whether weights that do not fit are read for each call.
    pub(crate) offload: bool,
    pub(crate) renderer: Renderer,
    pub(crate) environment: Environment,
}

/// The rendering backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// The engine.
    Engine,
    /// A fake for tests, which draws stripes from a cell's name and accepts every model.
    Fake,
}

impl Workspace {
    /// The workspace with its results in the folder `runs`, on the best device that this build can use. The folder need
    /// not exist: the first run creates it. The environment is that of this process.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if `runs` is not a folder or cannot be opened.
    pub fn open(runs: impl AsRef<Path>) -> Result<Workspace, Error> {
        Ok(Workspace {
            runs: Runs::open(runs.as_ref())?,
            devices: Vec::new(),
            offload: false,
            renderer: Renderer::Engine,
            environment: Environment::read(),
        })
    }

    /// The same, also with the address of a bucket, such as `s3://bucket/runs`, in place of a folder. In a bucket, runs can be worked
    /// on by workers ([`Workspace::work`]), listed ([`Workspace::list_runs`], [`Workspace::status`]) and pulled
    /// ([`Workspace::pull`]); everything else needs a folder.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], likewise.
    pub fn open_shared(runs: impl AsRef<Path>) -> Result<Workspace, Error> {
        let (path, environment) = (runs.as_ref(), Environment::read());
        if !Runs::is_address(path) {
            return Workspace::open(path);
        }
        let (address, patience) = (path.to_string_lossy(), environment.bucket_patience);
        let runs = Runs::open_bucket(&address, &environment.aws, patience)?;
        Ok(Workspace { runs, devices: Vec::new(), offload: false, renderer: Renderer::Engine, environment })
    }

    /// The same workspace on that device.
    pub fn with_device(self, device: DeviceName) -> Workspace {
        self.with_devices(vec![device])
    }

    /// The same workspace on those devices, of one kind as [`DeviceName::list`] checks: they share the cells of a run. Trainings and
    /// single pictures are done on the first.
    pub fn with_devices(self, devices: Vec<DeviceName>) -> Workspace {
        Workspace { devices, ..self }
    }

    /// The same workspace, which keeps only those weights of models in memory that fit, and reads the others from their files for
    /// each call. Pictures are the same. Training keeps all weights in memory.
    pub fn with_offload(self, offload: bool) -> Workspace {
        Workspace { offload, ..self }
    }

    /// The same workspace with another renderer. The fake runs on the CPU.
    pub fn with_renderer(self, renderer: Renderer) -> Workspace {
        Workspace { renderer, ..self }
    }

    /// The same in another environment than that of this process: another hub and cache, another current folder.
    pub fn with_environment(self, environment: Environment) -> Workspace {
        Workspace { environment, ..self }
    }

    /// The runs folder.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// The device, the first of several.
    pub fn device(&self) -> DeviceName {
        self.devices()[0]
    }

    /// The devices that share the cells of a run, at least one.
    pub fn devices(&self) -> Vec<DeviceName> {
        match (self.renderer, &self.devices[..]) {
            (Renderer::Engine, []) => vec![DeviceName::auto()],
            (Renderer::Engine, devices) => devices.to_vec(),
            (Renderer::Fake, devices) => vec![DeviceName::Cpu; devices.len().max(1)],
        }
    }

    /// The models and files that an experiment in the folder `base` may name.
    pub(crate) fn assets(&self, base: &Path) -> Box<dyn AssetResolver> {
        match self.renderer {
            Renderer::Engine => Box::new(self.local_assets(base)),
            Renderer::Fake => Box::new(FakeAssets),
        }
    }

    /// The hashes by which other tools know the files of a plan; the fake renderer's models are no files.
    pub(crate) fn hashes(&self, plan: &Plan, base: &Path) -> FileHashes {
        match self.renderer {
            Renderer::Engine => sha256::of_plan(plan, base, &self.environment.hub, &self.runs),
            Renderer::Fake => FileHashes::default(),
        }
    }

    /// The models and files of this machine, whatever the renderer.
    pub(crate) fn local_assets(&self, base: &Path) -> LocalAssets {
        LocalAssets::new(base, &self.runs, &self.environment.hub)
    }
}
