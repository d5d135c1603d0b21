//! The hub client against a small test server: what is downloaded, resumed, refused, and what the cache then contains.

#[path = "../../../../tests/hub_server.rs"]
mod hub_server;

mod faults;
mod fetching;

use hub_server::{HubServer, REPOSITORY};
use maquette_core::Dtype;
use maquette_hub::{Environment, Hub, HubError, Wanted};
use std::path::{Path, PathBuf};
use std::time::Duration;

const MODEL: Wanted = Wanted::Pipeline { dtype: Dtype::F32, safety_checker: false };
const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// A server with a tiny model, and an empty cache.
struct Scene {
    server: HubServer,
    folder: tempfile::TempDir,
    token: Option<String>,
    offline: bool,
    no_links: bool,
}

impl Scene {
    fn new() -> Scene {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-a");
        let server = HubServer::of(&model);
        // Files that are not read must not be downloaded.
        for name in ["README.md", "unet/diffusion_pytorch_model.bin", "safety_checker/model.safetensors"] {
            server.put(name, b"nothing");
        }
        Scene { server, folder: tempfile::tempdir().unwrap(), token: None, offline: false, no_links: false }
    }

    fn hub(&self) -> Hub {
        let environment = Environment {
            endpoint: self.server.endpoint(),
            token: self.token.clone(),
            cache: self.folder.path().to_owned(),
            offline: self.offline,
            no_links: self.no_links,
            certificates: None,
        };
        Hub::new(&environment, Duration::ZERO).unwrap()
    }

    fn fetch(&self) -> Result<PathBuf, HubError> {
        self.fetch_of(REPOSITORY)
    }

    fn fetch_of(&self, repository: &str) -> Result<PathBuf, HubError> {
        let hub = self.hub();
        hub.fetch(&hub.offer(&repository.parse().unwrap(), &MODEL)?, &mut |_| {})
    }

    /// Asserts that fetching fails with these texts, and that the model is not found in the cache.
    #[track_caller]
    fn fails(&self, expected: &[&str]) -> HubError {
        let error = self.fetch().unwrap_err();
        let message = format!("{error}: {}", error.hint().unwrap_or_default());
        for part in expected {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert_eq!(self.hub().cache().find(&REPOSITORY.parse().unwrap(), &MODEL), None);
        error
    }

    /// Every file of the cache, by path within it.
    fn files(&self) -> Vec<String> {
        fn below(root: &Path, folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    below(root, &path, found);
                } else {
                    found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = Vec::new();
        below(self.folder.path(), self.folder.path(), &mut found);
        found.sort();
        found
    }

    /// The incomplete downloads.
    fn parts(&self) -> Vec<PathBuf> {
        let names = self.files().into_iter().filter(|name| name.ends_with(".incomplete"));
        names.map(|name| self.folder.path().join(name)).collect()
    }
}
