//! Whatever happens to the program and its disk, no finished cell is lost and the same command finishes the job.

#![allow(clippy::print_stderr, reason = "figures, and what was not run")]

mod check;
mod commands;
mod disk;
mod faults;
mod kills;
mod long;
mod power;
mod replay;
mod several;
mod trainings;
