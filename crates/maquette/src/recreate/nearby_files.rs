//! Looks for the files that a picture names: around the picture, around its run, and in the current folder.

use crate::assets::{models, weights};
use maquette_core::Digest;
use maquette_store::{Run, trained_beside};
use std::path::{Path, PathBuf};

/// How many folders above a picture are searched: its subfolder in a very large run, `images`, the run, its name, `runs`, the
/// project.
const ABOVE: usize = 6;

/// The most files of a folder that are compared by content, and the most bytes of such a file.
const FILES: usize = 500;
const BYTES: u64 = 64 << 20;

/// Where the files that a picture names may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct NearbyFiles {
    /// The folders that paths may be relative to, most likely first.
    bases: Vec<PathBuf>,
    /// Folders in which files are compared by content, whatever their names.
    searched: Vec<PathBuf>,
    /// The run that the picture is in.
    pub run: Option<Run>,
}

impl NearbyFiles {
    /// The places around a picture; `current` is the current folder.
    pub fn around(image: &Path, current: Option<&Path>) -> NearbyFiles {
        let run = Run::around(image);
        let mut bases: Vec<PathBuf> = Vec::new();
        let mut searched = Vec::new();
        if let Some(run) = &run {
            bases.extend(base_of(run));
            searched.push(run.dir().join("references"));
        }
        bases.extend(current.map(Path::to_owned));
        let image = std::path::absolute(image).unwrap_or_else(|_| image.to_owned());
        bases.extend(image.ancestors().skip(1).take(ABOVE).map(Path::to_owned));
        searched.extend(image.parent().map(Path::to_owned));
        // Reference pictures are often in a folder of this name, beside the picture or in the current folder.
        searched.extend(
            image
                .parent()
                .map(Path::to_owned)
                .into_iter()
                .chain(current.map(Path::to_owned))
                .map(|folder| folder.join("references")),
        );
        NearbyFiles { bases, searched, run }
    }

    /// The folders that paths may be relative to, most likely first.
    pub fn bases(&self) -> &[PathBuf] {
        &self.bases
    }

    /// An absolute path to the file that was written as `path` and has that digest; without a digest, by its path alone.
    pub fn file(&self, path: &str, digest: Option<&Digest>) -> Option<String> {
        let is_it = |file: &PathBuf| match digest {
            Some(digest) => weights::has_digest(file, digest),
            None => file.is_file(),
        };
        let written = self.bases.iter().map(|base| base.join(path)).find(is_it);
        written
            .or_else(|| self.similar_files(path).into_iter().find(|file| digest.is_some() && is_it(file)))
            .or_else(|| self.trained(digest?))
            .map(text)
    }

    /// The weights of a training with that name, in the runs folder that the picture is in: their name is that of their training,
    /// not of their bytes.
    fn trained(&self, digest: &Digest) -> Option<PathBuf> {
        let file = trained_beside(self.run.as_ref()?).join(format!("{digest}.safetensors"));
        Some(file).filter(|file| file.is_file())
    }

    /// An absolute path to the folder that was written as `path`.
    pub fn folder(&self, path: &str) -> Option<String> {
        self.bases.iter().map(|base| base.join(path)).find(|folder| folder.is_dir()).map(text)
    }

    /// The name of a model, or its absolute path if it is a file or a folder near the picture.
    pub fn model(&self, name: &str) -> String {
        let plain = name == maquette_sketchbook::NAME || name.is_empty();
        let mut places = self
            .bases
            .iter()
            .filter(|_| !plain)
            .flat_map(|base| [base.join(name), base.join(format!("{name}.safetensors"))]);
        places.find(|place| place.is_file() || models::is_model(place)).map_or_else(|| name.to_owned(), text)
    }

    /// Files with the same extension in the searched folders.
    fn similar_files(&self, path: &str) -> Vec<PathBuf> {
        let ending = Path::new(path).extension();
        let mut files = Vec::new();
        for folder in &self.searched {
            let Ok(entries) = folder.read_dir() else { continue };
            let entries = entries.flatten().map(|entry| entry.path());
            let small =
                |file: &PathBuf| std::fs::metadata(file).is_ok_and(|it| it.is_file() && it.len() <= BYTES);
            files.extend(entries.filter(|file| file.extension() == ending).filter(small).take(FILES));
        }
        files.sort();
        files
    }
}

/// The folder of the experiment file that a run was made from, if the run records it.
pub(crate) fn base_of(run: &Run) -> Option<PathBuf> {
    maquette_planner::folder(&run.experiment().ok()?).map(PathBuf::from)
}

fn text(path: PathBuf) -> String {
    let path = std::path::absolute(&path).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}
