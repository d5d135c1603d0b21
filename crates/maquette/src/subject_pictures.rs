//! The pictures of the subjects that an experiment trains, which pictures of a run are compared with.

use crate::recreate::NearbyFiles;
use maquette_core::{NO_SUBJECT, Plan, SUBJECT, TrainingImage};
use maquette_store::Run;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Where the pictures of each subject are now.
#[derive(Default)]
pub(crate) struct SubjectPictures {
    files: BTreeMap<String, Vec<Arc<Path>>>,
    /// Those that were not found, each as a sentence without its full stop.
    pub missing: Vec<String>,
}

impl SubjectPictures {
    /// Finds them by their content, where the experiment would look, then around the run.
    pub fn find(run: &Run, plan: &Plan) -> SubjectPictures {
        let mut found = SubjectPictures::default();
        let nearby = NearbyFiles::around(&run.dir().join("plan.json"), None);
        for training in &plan.trainings {
            let subject = &training.subject;
            if found.files.contains_key(subject) {
                continue; // trained with several models
            }
            let mut files = Vec::new();
            for TrainingImage { path, image, .. } in &training.images {
                match nearby.file(path, Some(&image.digest)) {
                    Some(file) => files.push(Path::new(&file).into()),
                    None => found.missing.push(format!(
                        "the picture `{path}` of the subject `{subject}` was not found; it was moved, removed or changed"
                    )),
                }
            }
            found.files.insert(subject.clone(), files);
        }
        found
    }

    /// The pictures of the subject at a position of the grid. A position without a subject is compared with the experiment's
    /// only one, so that pictures before and after the training have the same measure.
    pub fn at(&self, plan: &Plan, coordinates: &[usize]) -> &[Arc<Path>] {
        let name = plan.value(SUBJECT, coordinates).map(|value| value.to_string());
        let files = match name.filter(|name| name != NO_SUBJECT) {
            Some(name) => self.files.get(&name),
            None if self.files.len() == 1 => self.files.values().next(),
            None => None,
        };
        files.map_or(&[], Vec::as_slice)
    }
}
