//! From files to named tensors: folders in diffusers' layout, single files, LoRAs, textual inversions.
//!
//! Not here: computing with the tensors.

pub(crate) mod blocks;
pub(crate) mod config;
pub(crate) mod content;
pub(crate) mod dtypes;
pub(crate) mod float8;
pub(crate) mod found;
mod gguf;
pub(crate) mod header;
mod llama_names;
pub(crate) mod load_options;
pub(crate) mod lora;
pub(crate) mod original_names;
pub(crate) mod part_folder;
pub(crate) mod separate_vae;
mod shards;
pub(crate) mod single_file;
pub(crate) mod small_file;
pub(crate) mod source;
pub(crate) mod tally;
pub(crate) mod tensors;
pub(crate) mod textual_inversion;
pub(crate) mod tiny_vae;
pub(crate) mod transformer_file;
pub(crate) mod trigger_words;
pub(crate) mod weight_files;
