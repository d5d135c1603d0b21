//! The model that makes masks: loaded for the first mask, and kept with what it has seen of its last picture.

use crate::error::Refusal;
use axum::http::StatusCode;
use maquette::{Error, Mask, Masker, Workspace};
use std::sync::Arc;
use tokio::sync::{Mutex, oneshot};

/// The model of masks.
pub(crate) struct MaskModel {
    workspace: Workspace,
    name: Option<String>,
    loaded: Arc<Mutex<Option<Masker>>>,
}

impl MaskModel {
    /// A model by its name, by default [`maquette::MASK_MODEL`], which is not loaded yet.
    pub fn new(workspace: Workspace, name: Option<String>) -> MaskModel {
        MaskModel { workspace, name, loaded: Arc::default() }
    }

    /// Makes a mask; the others wait meanwhile. A model that is missing is looked for again at the next mask.
    pub async fn mask(
        &self,
        make: impl FnOnce(&mut Masker) -> Result<Mask, Error> + Send + 'static,
    ) -> Result<Mask, Refusal> {
        // A request whose page has gone, as after another click, is dropped while it waits here.
        let mut loaded = Arc::clone(&self.loaded).lock_owned().await;
        let (workspace, name) = (self.workspace.clone(), self.name.clone());
        let (done, made) = oneshot::channel();
        // A thread of its own, for which a server that is stopped does not wait: it takes seconds, and writes nothing.
        std::thread::spawn(move || {
            let masker = match &mut *loaded {
                Some(masker) => Ok(masker),
                none => workspace.masker(name.as_deref()).map(|masker| none.insert(masker)),
            };
            // Whoever asked may have gone.
            _ = done.send(masker.and_then(make));
        });
        let failed = "the model failed; its message is in the terminal";
        let made = made.await.map_err(|_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, failed.to_owned()))?;
        Ok(made?)
    }
}
