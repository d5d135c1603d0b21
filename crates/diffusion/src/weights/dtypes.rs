//! Refuses weights of dtypes that are not supported, by the headers of their files.

use crate::error::ModelError;
use crate::weights::float8;
use crate::weights::header::{Header, Stored};
use crate::weights::source::ModelSource;

/// Refuses the weights of the part whose file in full precision is `stem.safetensors` if they have a dtype that is not
/// supported. Integers that are not weights, such as old text encoders' position_ids, and tensors that `is_spare` accepts
/// are left out.
pub(crate) fn check_dtypes(
    source: &ModelSource,
    stem: &str,
    is_spare: impl Fn(&str) -> bool,
) -> Result<(), ModelError> {
    for name in source.weight_files(stem)?.files {
        let (content, file, part) = (source.open(&name)?, source.file_name(&name), source.part(&name));
        // A damaged file is reported when it is loaded.
        let Ok(header) = Header::read(&content) else { continue };
        let spare = |key: &str| {
            let in_part = part.as_ref().map_or_else(|| is_spare(key), |part| part.is_spare(key, &is_spare));
            in_part || float8::is_mark(key)
        };
        for (key, entry) in header.iter().filter(|(_, entry)| !entry.stored.is_index()) {
            if let Some(dtype) = entry.stored.unsupported().filter(|_| !spare(key)) {
                let (key, supported) = (key.clone(), Stored::SUPPORTED);
                return Err(ModelError::Dtype { file, key, dtype, supported });
            }
        }
    }
    Ok(())
}
