//! The engine as its callers see it: whole pictures against diffusers' own, rows that do not disturb each other, cells
//! that fail alone. The fixtures lie in `tests/fixtures`, with the script that made them.

mod added;
mod cases;
mod composed;
#[path = "../copies/mod.rs"]
mod copies;
mod effects;
mod failures;
mod masks;
mod neighbours;
mod pictures;
mod precision;
mod safety;
