//! Masks of a run's pictures: `masks/` in its folder.
//!
//! Experiments name them by their paths, so that a mask is never replaced by another one, and stays when its run is removed.

use crate::page_files::entries;
use crate::{Run, StoreError, names, write_atomic};
use maquette_core::Digest;
use std::path::PathBuf;

const FOLDER: &str = "masks";

impl Run {
    /// Writes a mask under `masks/` and returns its path. The file is called after `name`, as far as files may be, and after
    /// its content: the same mask has the same file, and another one never replaces it.
    pub fn write_mask(&self, name: &str, png: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.dir().join(FOLDER).join(names::mask_name(name, &Digest::of(png)));
        write_atomic(&path, png)?;
        Ok(path)
    }

    /// The paths of the masks, sorted; none if there is no such folder. Other people's PNG files count as well.
    pub fn masks(&self) -> Result<Vec<PathBuf>, StoreError> {
        let files = entries(&self.dir().join(FOLDER))?;
        let is_mask = |name: &str| name.ends_with(".png") && !name.starts_with('.');
        let mut masks: Vec<PathBuf> =
            files.into_iter().filter(|(_, name)| is_mask(name)).map(|(path, _)| path).collect();
        masks.sort();
        Ok(masks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_tests::{Folder, artists};

    #[test]
    fn masks_are_named_by_their_name_and_content() {
        let folder = Folder::new();
        let run = folder.start(&artists()).run().clone();
        assert_eq!(run.masks().unwrap(), Vec::<PathBuf>::new());
        let check = |name: &str, png: &[u8], expected: &str| {
            let path = run.write_mask(name, png).unwrap();
            assert_eq!(path, run.dir().join("masks").join(expected));
            assert_eq!(std::fs::read(path).unwrap(), png);
        };
        let other = format!("the-face-{}.png", Digest::of(b"other").short());
        check("The face", b"", "the-face-af1349b9.png");
        check("The face", b"", "the-face-af1349b9.png");
        check("The face", b"other", &other);
        check("../../log.csv", b"", "log-csv-af1349b9.png");
        check("", b"", "mask-af1349b9.png");
        check("…", b"", "mask-af1349b9.png");
        std::fs::write(run.dir().join("masks/notes.txt"), "").unwrap();
        std::fs::write(run.dir().join("masks/.hidden.png"), "").unwrap();
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let found: Vec<String> = run.masks().unwrap().into_iter().map(name).collect();
        let mut names = vec!["log-csv-af1349b9.png", "mask-af1349b9.png", "the-face-af1349b9.png", &other];
        names.sort_unstable();
        assert_eq!(found, names);
    }

    #[test]
    fn masks_stay_when_their_run_is_removed() {
        let folder = Folder::new();
        let writer = folder.start(&artists());
        let run = writer.run().clone();
        drop(writer);
        let mask = run.write_mask("face", b"png").unwrap();
        folder.runs.remove_run(&run, false, 0).unwrap();
        assert!(mask.is_file() && !run.dir().join("plan.json").exists());
        assert!(folder.runs.find("test").is_err());
    }
}
