//! The preloaded library `disk.c` and its variables.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `DISK_ROOT` | the folder whose files are watched |
//! | `DISK_RECORD` | a file for the record: a line for each operation, bytes after those of `write` and `say` (standard error) |
//! | `DISK_FAIL_AT`, `DISK_FAIL_WITH` | the number of the operation that fails, from 1, and its error number |
//! | `DISK_FAIL_ON` | every later operation fails, too |
//! | `DISK_NO_RENAME_NEW` | there is no rename that does not replace, which the record would not show |
//! | `DISK_NO_LINKS` | the same, and there are no hard links |
//! | `DISK_LOCK_ERROR` | the error number of every lock |
//! | `DISK_CLOCK_STEP` | seconds that the clock jumps whenever it is read |

use super::replay::Recording;
use crate::support::{Ended, Workspace, repository};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where a process that is watched is run, and with which variables.
pub struct Disk(PathBuf);

impl Disk {
    /// `None`, with a note, where programs cannot be preloaded or there is no C compiler.
    pub fn find() -> Option<Disk> {
        static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
        let found = BUILT.get_or_init(build).clone();
        if found.is_none() {
            eprintln!("not run: this test needs Linux and a C compiler (`cc`)");
        }
        found.map(Disk)
    }

    /// The command `maquette` with those arguments and variables.
    pub fn command(&self, workspace: &Workspace, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = workspace.command(arguments);
        let folder = std::fs::canonicalize(workspace.path()).unwrap();
        command.env("LD_PRELOAD", &self.0).env("DISK_ROOT", folder.join("runs"));
        command.envs(variables.iter().copied());
        command
    }

    /// Runs `maquette` with those arguments and variables, and adds what it does to the runs folder to the workspace's record.
    pub fn record(&self, workspace: &Workspace, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let record = workspace.path().join("record");
        let mut command = self.command(workspace, arguments, variables);
        Ended::of(command.env("DISK_RECORD", record).env("DISK_NO_RENAME_NEW", "1"))
    }

    /// What was recorded in a workspace.
    pub fn recording(&self, workspace: &Workspace) -> Recording {
        Recording::parse(&std::fs::read(workspace.path().join("record")).unwrap())
    }
}

fn build() -> Option<PathBuf> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&to);
    compile.arg(repository().join("tests/crash/disk.c")).args(["-ldl", "-lpthread"]);
    let output = compile.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(to)
}
