//! `docs/cli.md` is the output of `--help` for every command.

use crate::support::{Workspace, repository};

/// The commands in the order of the manual.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["plan"],
    &["run"],
    &["train"],
    &["submit"],
    &["status"],
    &["pull"],
    &["report"],
    &["diff"],
    &["show"],
    &["reproduce"],
    &["verify"],
    &["review"],
    &["votes"],
    &["next"],
    &["measure"],
    &["effects"],
    &["export"],
    &["describe"],
    &["mask"],
    &["animate"],
    &["runs"],
    &["clean"],
    &["rename"],
    &["models"],
    &["models", "fetch"],
    &["schema"],
    &["completions"],
];

#[test]
fn the_manual_is_the_help_of_every_command() {
    let workspace = Workspace::new();
    let mut manual =
        "# The command line\n\nWritten by `just bless` from `--help`; a test compares them.\n".to_owned();
    for command in COMMANDS {
        let help = workspace.maquette(&[*command, &["--help"]].concat()).code(0).stdout;
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let name = ["maquette"].iter().chain(*command).copied().collect::<Vec<_>>().join(" ");
        manual += &format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    }
    let listed = manual.split("## maquette plan").next().unwrap();
    let commands = listed.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    for line in commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        assert!(COMMANDS.iter().any(|command| *command == [name]), "`{name}` is not in the manual");
    }

    let path = repository().join("docs/cli.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &manual).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == manual, "docs/cli.md differs from `--help`; `just bless` updates it");
}
