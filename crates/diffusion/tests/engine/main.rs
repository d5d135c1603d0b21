//! The engine's public interface: whole pictures against diffusers, rows that do not affect each other, cells that fail
//! alone. The fixtures are in `tests/fixtures`, with the script that generated them.

mod added;
mod added_cases;
mod anima;
mod cases;
mod checked_cases;
#[path = "../copies/checkpoint.rs"]
mod checkpoint;
mod chroma;
mod composed;
mod controlnet;
#[path = "../copies/mod.rs"]
mod copies;
mod effects;
mod failures;
#[path = "../copies/float8.rs"]
mod float8;
mod flow;
mod flow_cases;
mod flow_checks;
mod flux1;
mod flux2;
mod ip_adapter;
mod masks;
mod neighbours;
mod offload;
mod parts;
mod pictures;
mod precision;
mod qwen_image;
mod readings;
mod safety;
mod single_files;
mod single_model;
mod sizes;
mod stable_diffusion_3;
mod stored;
mod z_image;
