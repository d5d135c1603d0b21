//! What the planner asks of the world: models and pictures, as they are on this machine.

use crate::models;
use crate::output::with_causes;
use maquette_core::{Digest, FoundFile, ModelCard, WeightsKind};
use maquette_diffusion::{card, init_image};
use maquette_executor::FakeBackend;
use maquette_planner::{World, WorldError};
use std::path::{Path, PathBuf};

/// The models and pictures of this machine.
pub struct Machine {
    /// Where the names of model folders begin: the experiment file's folder.
    pub base: PathBuf,
}

/// The fake backend's models, and the pictures of this machine.
pub struct FakeMachine;

impl World for Machine {
    fn model(&self, name: &str) -> Result<ModelCard, WorldError> {
        let source = models::find(name, &self.base).map_err(|error| WorldError {
            message: error.to_string(),
            help: miette::Diagnostic::help(&error).map(|help| help.to_string()),
        })?;
        card(&source).map_err(|error| WorldError { message: with_causes(&error), help: None })
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, WorldError> {
        picture(file)
    }

    fn weights(&self, _: WeightsKind, name: &str) -> Result<FoundFile, WorldError> {
        weights(&self.base.join(name))
    }
}

impl World for FakeMachine {
    fn weights(&self, _: WeightsKind, name: &str) -> Result<FoundFile, WorldError> {
        weights(Path::new(name))
    }

    fn model(&self, name: &str) -> Result<ModelCard, WorldError> {
        Ok(FakeBackend::card(name))
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, WorldError> {
        picture(file)
    }
}

/// A picture that is there and can be read, so that nothing is rendered before a bad one is found.
fn picture(file: &Path) -> Result<FoundFile, WorldError> {
    let wrong = |error: &dyn std::error::Error| WorldError { message: with_causes(error), help: None };
    init_image::read(file).map_err(|error| wrong(&error))?;
    let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
    Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) })
}

/// A weight file that is there.
fn weights(file: &Path) -> Result<FoundFile, WorldError> {
    let bytes = std::fs::read(file)
        .map_err(|error| WorldError { message: format!("{}: {error}", file.display()), help: None })?;
    Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) })
}
