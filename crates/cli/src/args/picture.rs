//! Arguments of the commands on single pictures.

use super::RenderArgs;
use clap::Args;
use maquette::SheetPlace;
use std::path::PathBuf;

/// `maquette describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The photo
    pub photo: PathBuf,
    /// The model: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL", default_value = maquette::CAPTION_MODEL)]
    pub model: String,
}

/// `maquette mask`.
#[derive(Debug, Args)]
pub struct MaskArgs {
    /// The photo
    pub photo: PathBuf,
    /// A point of the thing, in pixels from the top left of the photo; may be repeated
    #[arg(long, value_name = "X,Y", required = true, value_parser = parse_point)]
    pub at: Vec<(f64, f64)>,
    /// Write the mask to this file, a PNG
    #[arg(short, long, value_name = "FILE", default_value = "mask.png")]
    pub output: PathBuf,
    /// Keep the thing and repaint everything else
    #[arg(long)]
    pub invert: bool,
    /// The model: a folder, or a repository on the hub that has been downloaded
    #[arg(long, value_name = "MODEL", default_value = maquette::MASK_MODEL)]
    pub model: String,
}

fn parse_point(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let point = text.split_once(',').and_then(|(x, y)| number(x).zip(number(y)));
    point.ok_or_else(|| "allowed: two numbers, such as 256,200".to_owned())
}

/// `maquette show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A picture or sheet made by Maquette, or a picture made by another tool
    pub image: PathBuf,
    /// One cell of a sheet: its column and row, counted from 1 at the top left
    #[arg(long, value_name = "COLUMN,ROW", value_parser = parse_place)]
    pub at: Option<SheetPlace>,
    /// Print JSON
    #[arg(long, conflicts_with = "toml")]
    pub json: bool,
    /// Print an experiment file that makes the picture or the sheet again
    #[arg(long)]
    pub toml: bool,
}

/// A place on a sheet: `3,2` is the third column, second row.
fn parse_place(text: &str) -> Result<SheetPlace, String> {
    let numbers = text.split_once(',').and_then(|(column, row)| {
        Some(SheetPlace { column: column.trim().parse().ok()?, row: row.trim().parse().ok()? })
    });
    numbers.ok_or_else(|| "allowed: COLUMN,ROW, counted from 1, such as 3,2".to_owned())
}

/// `maquette reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// A picture made by Maquette or another tool: A1111, ComfyUI, SwarmUI, InvokeAI, Fooocus, NovelAI
    pub image: PathBuf,
    /// Override a setting of the picture; a different result is then not a failure
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Write the new picture to this file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Where and how to render.
    #[command(flatten)]
    pub render: RenderArgs,
}
