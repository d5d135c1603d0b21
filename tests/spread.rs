//! A run of so many cells that its files lie in subfolders, of which a few are rendered: every command finds them.

use crate::support::Workspace;

const RUN: &str = "runs/many/1";

/// A run of 10,001 cells of which a shard has rendered some.
fn many() -> Workspace {
    let workspace = Workspace::new();
    let experiment = "prompt = \"a {animal}\"\nsteps = 2\nwidth = 192\nheight = 192\n[sweep]\nanimal = [\"cat\"]\n\
                      seed = { count = 10001 }\n[sheet]\ncell = 16\n";
    workspace.write("many.toml", experiment);
    let run = ["run", "many.toml", "--backend", "fake", "--progress", "none", "--shard", "1/4000"];
    workspace.maquette(&run).code(0);
    workspace
}

#[test]
fn every_command_finds_the_files_of_a_very_large_run() {
    let workspace = many();
    let log = workspace.files(RUN).into_iter().find(|file| file == "log.1-of-4000.csv").unwrap();
    let mut rows = csv::Reader::from_path(workspace.path().join(RUN).join(log)).unwrap();
    let rows: Vec<(String, String)> =
        rows.records().map(Result::unwrap).map(|row| (row[0].to_owned(), row[2].to_owned())).collect();
    assert_eq!(rows.len(), 3);
    for (cell, image) in &rows {
        let subfolder = &cell[..2];
        assert!(image.starts_with(&format!("images/{subfolder}/cat_seed-")), "{image}");
        let thumbnail = format!("{RUN}/page/thumbnails/160/{subfolder}/{}.webp", &cell[..16]);
        assert!(workspace.path().join(&thumbnail).is_file(), "{thumbnail}");
    }
    let pictures =
        |folder: &str| workspace.files(folder).iter().filter(|file| file.ends_with(".png")).count();

    workspace.maquette(&["verify", "many", "--backend", "fake", "--sample", "2"]).code(0);
    let first = format!("{RUN}/{}", rows[0].1);
    assert!(workspace.maquette(&["show", &first]).code(0).stdout.contains("a cat"));
    workspace.maquette(&["reproduce", &first, "--backend", "fake"]).code(0);
    workspace.maquette(&["export", "many", "--imagefolder", "exported"]).code(0);
    assert_eq!(pictures("exported"), 3);
    let table = workspace.read("exported/metadata.csv");
    for (_, image) in &rows {
        let name = image.strip_prefix("images/").unwrap();
        assert!(table.contains(name) && workspace.path().join("exported").join(name).is_file(), "{table}");
    }
    assert_eq!(workspace.maquette(&["clean"]).code(0).stdout, "nothing to remove\n");

    workspace.maquette(&["rename", "many", "lots"]).code(0);
    workspace.maquette(&["verify", "many", "--backend", "fake", "--sample", "2"]).code(0);
    workspace.maquette(&["report", "lots"]).code(0);
    workspace.maquette(&["clean", "--run", "lots@1", "--yes"]).code(0);
    assert_eq!(pictures("runs"), 0);
    assert!(!workspace.path().join("runs/lots/1").exists());
}
