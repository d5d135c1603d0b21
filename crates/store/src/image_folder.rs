//! A run as an ImageFolder of Hugging Face's `datasets`: its pictures, and `metadata.csv` with a row for each.
//!
//! `load_dataset("imagefolder", data_dir=…)` finds a picture by the column `file_name`; the other columns are the cell's name,
//! the settings and the placeholders under their own names, and the model's fingerprint. A value that a spreadsheet would
//! run as a formula has an apostrophe in front, as in the log.

use crate::formulas::defuse;
use crate::log_columns::{Status, placeholders};
use crate::spread::is_subfolder;
use crate::{LogRow, Run, StoreError, write_atomic};
use maquette_core::SETTINGS;
use maquette_files::limits;
use std::path::Path;

/// The column that names the picture of a row, as `datasets` requires it.
const FILE_NAME: &str = "file_name";

impl Run {
    /// Copies the pictures of the finished cells into a new or empty folder, and writes their settings into its
    /// `metadata.csv`. Returns their number.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotEmpty`] if the folder has anything in it; [`StoreError::Io`] if a picture is missing or the folder
    /// cannot be written.
    pub fn export_image_folder(&self, folder: &Path) -> Result<usize, StoreError> {
        let occupied = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            entries => entries.map_err(StoreError::io("read", folder))?.next().is_some(),
        };
        if occupied {
            return Err(StoreError::NotEmpty { folder: folder.to_owned() });
        }
        let (plan, log) = (self.plan()?, self.log()?);
        let placeholders: Vec<String> =
            placeholders(&plan).into_iter().filter(|name| name != FILE_NAME).collect();
        let columns: Vec<&str> = SETTINGS
            .iter()
            .map(|setting| setting.name)
            .chain(placeholders.iter().map(String::as_str))
            .collect();
        let mut table = csv::Writer::from_writer(Vec::new());
        let mut add = |row: Vec<&str>| {
            // Writing to memory cannot fail, and all rows have the same length.
            let _ = table.write_record(row.into_iter().map(|field| defuse(field).into_owned()));
        };
        add([&[FILE_NAME, "cell"], &columns[..], &["fingerprint"]].concat());
        let done: Vec<(&LogRow, &str)> = log
            .iter()
            .filter(|row| row.status() == Status::Done)
            .filter_map(|row| Some((row, row.image()?)))
            .collect();
        for (row, image) in &done {
            let name = name_in_export(image);
            let (from, cell) = (self.picture(image)?, row.cell().to_string());
            // A copy: pictures of the run must not change with those of a data set.
            let bytes =
                maquette_files::read(&from, limits::PICTURE).map_err(StoreError::io("read", &from))?;
            write_atomic(&folder.join(name), &bytes)?;
            let values = columns.iter().map(|column| row.get(column).unwrap_or_default());
            add([name, &cell]
                .into_iter()
                .chain(values)
                .chain([row.fingerprint().unwrap_or_default()])
                .collect());
        }
        // Last: a folder with this file is complete.
        write_atomic(&folder.join("metadata.csv"), &table.into_inner().unwrap_or_default())?;
        Ok(done.len())
    }
}

/// The path of a picture in the export: its name, in the subfolder that it has in a run of very many cells.
fn name_in_export(image: &str) -> &str {
    let start = image.rfind('/').map_or(0, |slash| slash + 1);
    let before = image[..start].trim_end_matches('/');
    match before.rsplit_once('/') {
        Some((_, subfolder)) if is_subfolder(subfolder) => &image[before.len() - subfolder.len()..],
        _ => &image[start..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_tests::{Folder, finish};
    use maquette_core::test_plans::plan;

    #[test]
    fn pictures_keep_the_subfolders_of_very_large_runs() {
        for (image, name) in [
            ("images/a.png", "a.png"),
            ("images/1a/a.png", "1a/a.png"),
            ("images/notes/a.png", "a.png"),
            ("../../../images/a.png", "a.png"),
            ("1a/a.png", "a.png"),
            ("a.png", "a.png"),
        ] {
            assert_eq!(name_in_export(image), name);
        }
    }

    #[test]
    fn finished_cells_become_rows_that_name_their_pictures() {
        let runs = Folder::new();
        let mut writer = runs.start(&plan(&[("artist", vec!["Mucha"]), ("seed", vec!["1", "2", "3"])]));
        finish(&mut writer, 0);
        finish(&mut writer, 2);
        let failed = writer.plan().cell(1).unwrap();
        writer.fail(&failed, "no memory", "cpu").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new");
        assert_eq!(writer.run().export_image_folder(&to).unwrap(), 2);

        let mut table = csv::Reader::from_path(to.join("metadata.csv")).unwrap();
        let header = table.headers().unwrap().clone();
        assert_eq!(&header[0], "file_name");
        let column = |name: &str| header.iter().position(|column| column == name).unwrap();
        let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
        let found: Vec<(&str, &str)> =
            rows.iter().map(|row| (&row[column("artist")], &row[column("seed")])).collect();
        assert_eq!(found, [("Mucha", "1"), ("Mucha", "3")]);
        for (row, index) in rows.iter().zip([0, 2]) {
            let cell = writer.plan().cell(index).unwrap();
            assert_eq!(row[column("cell")], cell.id.to_string());
            assert_eq!(row[column("prompt")], *cell.settings.prompt);
            let image = writer.run().dir().join("images").join(&row[0]);
            assert_eq!(std::fs::read(to.join(&row[0])).unwrap(), std::fs::read(image).unwrap());
        }
        assert_eq!(to.read_dir().unwrap().count(), 3);
        let error = writer.run().export_image_folder(&to).unwrap_err();
        assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
    }
}
