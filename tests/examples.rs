//! The main experiment that comes with the program, as `maquette plan` prints it, and the schema for editors.

use crate::support::{Workspace, repository};
use std::fs;

#[test]
fn the_main_job_is_planned_as_the_readme_promises() {
    let workspace = Workspace::new();
    let mucha = repository().join("experiments/mucha.toml");
    let plan = workspace.maquette(&["plan", mucha.to_str().unwrap(), "--cells", "2"]).code(0).stdout;
    let row = |name: &str| {
        let line = plan.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {plan}")).trim()
    };
    let counts =
        ["cells", "distinct", "done", "model loads", "text encodes", "image encodes", "denoising steps"];
    assert_eq!(counts.map(row), ["48", "48", "0", "1", "5", "1", "624"]);
    assert_eq!(["time", "memory"].map(row), ["unknown until the first run on this machine"; 2]);
    assert!(plan.contains("… and 46 more"), "{plan}");
}

#[test]
fn the_schema_is_printed_as_it_is_kept() {
    let schema = fs::read_to_string(repository().join("experiments/experiment.schema.json")).unwrap();
    assert!(schema == Workspace::new().maquette(&["schema"]).code(0).stdout, "`just bless` writes it again");
}
