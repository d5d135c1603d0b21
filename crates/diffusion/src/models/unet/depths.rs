//! How many layers the transformers of a UNet have: in every block, or in every layer of every block.
//!
//! The rules of diffusers' `UNet2DConditionModel`. Not here: the other keys of its configuration.

use crate::error::ModelError;
use crate::weights::config::{ConfigFile, as_count};
use serde_json::{Value, json};

const DOWN: &str = "transformer_layers_per_block";
const UP: &str = "reverse_transformer_layers_per_block";

/// Blocks in the order in which they compute. Each has the depth of the transformer after each of its residual blocks, or
/// nothing if it does not attend to the text.
pub(super) struct Depths {
    pub down: Vec<Vec<usize>>,
    pub up: Vec<Vec<usize>>,
    /// `None` if there is no transformer between down and up.
    pub middle: Option<usize>,
}

impl Depths {
    /// `layers` has the layers of each block on the way down; on the way up there is one more. `down` and `up` are 1 for
    /// blocks that attend to the text.
    ///
    /// A block's entry is one depth for all of its layers, or a list with one for each of them.
    pub(super) fn read(
        file: &ConfigFile,
        layers: &[usize],
        down: &[usize],
        up: &[usize],
    ) -> Result<Depths, ModelError> {
        let of_down = match file.get(DOWN) {
            Some(Value::Array(entries)) => entries.clone(),
            Some(depth) => vec![depth.clone(); layers.len()],
            None => vec![json!(1); layers.len()],
        };
        let of_up = match file.get(UP) {
            Some(Value::Array(entries)) => entries.clone(),
            Some(_) => return Err(refuse(file, UP, layers)),
            // As in diffusers, depths of layers must be given for both directions.
            None if of_down.iter().any(Value::is_array) => return Err(refuse(file, UP, layers)),
            None => of_down.iter().rev().cloned().collect(),
        };
        let up_key = if file.get(UP).is_some() { UP } else { DOWN };
        let down = blocks(&of_down, down, layers.iter().copied());
        let up = blocks(&of_up, up, layers.iter().rev().map(|layers| layers + 1));
        let middle = match file.get("mid_block_type").and_then(Value::as_str) {
            Some("UNetMidBlock2D") => Some(None),
            // It has one transformer, like that of the last block's first layer.
            _ => of_down.last().and_then(|entry| depths(entry, 1)).map(|depths| Some(depths[0])),
        };
        let refuse_down = || refuse(file, DOWN, layers);
        Ok(Depths {
            down: down.ok_or_else(refuse_down)?,
            up: up.ok_or_else(|| refuse(file, up_key, layers))?,
            middle: middle.ok_or_else(refuse_down)?,
        })
    }
}

/// The depths of every block from its entry; `None` if one is not of the right form. Entries of blocks that do not attend
/// are not used.
fn blocks(
    entries: &[Value],
    attends: &[usize],
    layers: impl Iterator<Item = usize>,
) -> Option<Vec<Vec<usize>>> {
    if entries.len() != attends.len() {
        return None;
    }
    let block = |((entry, &attends), layers): ((&Value, &usize), usize)| {
        if attends == 1 { depths(entry, layers) } else { Some(Vec::new()) }
    };
    entries.iter().zip(attends).zip(layers).map(block).collect()
}

/// One depth for all layers, or a list that begins with one for each of them.
fn depths(entry: &Value, layers: usize) -> Option<Vec<usize>> {
    match entry {
        Value::Array(depths) => {
            let depths: Vec<usize> = depths.iter().map(as_count).collect::<Option<_>>()?;
            (depths.len() >= layers).then(|| depths[..layers].to_vec())
        }
        depth => as_count(depth).map(|depth| vec![depth; layers]),
    }
}

fn refuse(file: &ConfigFile, key: &str, layers: &[usize]) -> ModelError {
    let entry = "each a whole number or a list with one for each layer";
    file.refuse(key, format!("a list of {}, {entry}", layers.len()))
}
