//! A UNet's `config.json`, with diffusers' defaults; unsupported values are refused with the name of the key.

use super::depths::Depths;
use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use serde_json::{Value, json};

/// The number of a picture's sizes: the original's height and width, the crop's top and left, the target's height and
/// width.
pub(crate) const SIZES: usize = 6;

/// The shape of a UNet.
pub(super) struct UnetConfig {
    pub in_channels: usize,
    pub out_channels: usize,
    pub sample_size: usize,
    pub conv_in_kernel: usize,
    pub conv_out_kernel: usize,
    pub downsample_padding: usize,
    pub groups: usize,
    pub eps: f64,
    pub text_width: usize,
    pub time_width: usize,
    pub flip_sin_to_cos: bool,
    pub freq_shift: f64,
    /// The embeddings added to the time embedding, in SDXL.
    pub added: Option<AddedShape>,
    /// Whether there is a block between down and up: distilled models such as BK-SDM have none.
    pub has_middle: bool,
    /// The width of the guidance scale's embedding, in latent consistency models.
    pub guidance_width: Option<usize>,
    /// The depth of the transformer between down and up; `None` if there is only one residual block.
    pub middle_depth: Option<usize>,
    /// From the finest to the coarsest.
    pub blocks: Vec<BlockShape>,
}

/// The pooled text and six sizes, embedded like timesteps.
pub(super) struct AddedShape {
    /// The width of one embedded size.
    pub size_width: usize,
    /// The total width: text and sizes.
    pub width: usize,
}

/// One resolution, down and up.
pub(super) struct BlockShape {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    /// The depth of each layer's transformer on the way down; empty if the layers have none.
    pub down_depths: Vec<usize>,
    /// The same on the way up, where there is one layer more.
    pub up_depths: Vec<usize>,
}

impl UnetConfig {
    pub(super) fn read(file: &ConfigFile) -> Result<UnetConfig, ModelError> {
        refuse_unsupported(file)?;
        let widths = file.widths("block_out_channels")?;
        let len = widths.len();
        let down = file.kinds("down_block_types", &["DownBlock2D", "CrossAttnDownBlock2D"], len)?;
        let up = file.kinds("up_block_types", &["UpBlock2D", "CrossAttnUpBlock2D"], len)?;
        let layers = file.counts("layers_per_block", 2, len)?;
        // In such configurations `attention_head_dim` means the number of heads (diffusers, unet_2d_condition.py).
        let heads_key = if file.get("num_attention_heads").is_some() {
            "num_attention_heads"
        } else {
            "attention_head_dim"
        };
        let heads = file.counts(heads_key, 8, len)?;
        let depths = Depths::read(file, &layers, &down, &up)?;
        let blocks: Vec<BlockShape> = (0..len)
            .map(|i| BlockShape {
                width: widths[i],
                layers: layers[i],
                heads: heads[i],
                down_depths: depths.down[i].clone(),
                up_depths: depths.up[len - 1 - i].clone(),
            })
            .collect();

        for (i, block) in blocks.iter().enumerate() {
            let middle = i + 1 == len && depths.middle.is_some();
            let attends = !block.down_depths.is_empty() || !block.up_depths.is_empty() || middle;
            if attends && !block.width.is_multiple_of(block.heads) {
                return Err(file.refuse(heads_key, format!("a divisor of the blocks' widths {widths:?}")));
            }
        }
        let groups = file.count("norm_num_groups", Some(32))?;
        if widths.iter().any(|width| !width.is_multiple_of(groups)) {
            return Err(file.refuse("norm_num_groups", format!("a divisor of every width in {widths:?}")));
        }
        if !widths[0].is_multiple_of(2) {
            return Err(file.refuse("block_out_channels", "an even first width"));
        }
        let downsample_padding = match file.get("downsample_padding").map(Value::as_u64) {
            None | Some(Some(1)) => 1,
            Some(Some(0)) => 0,
            Some(_) => return Err(file.refuse("downsample_padding", "0 or 1")),
        };
        let kernel = |key: &str| match file.count(key, Some(3))? {
            odd @ (1 | 3 | 5 | 7) => Ok(odd),
            _ => Err(file.refuse(key, "1, 3, 5 or 7")),
        };
        Ok(UnetConfig {
            in_channels: in_channels(file)?,
            out_channels: file.count("out_channels", Some(4))?,
            sample_size: sample_size(file)?,
            conv_in_kernel: kernel("conv_in_kernel")?,
            conv_out_kernel: kernel("conv_out_kernel")?,
            downsample_padding,
            groups,
            eps: file.number("norm_eps", 1e-5)?,
            text_width: file.count("cross_attention_dim", Some(1280))?,
            time_width: match file.get("time_embedding_dim") {
                Some(_) => file.count("time_embedding_dim", None)?,
                None => 4 * widths[0],
            },
            flip_sin_to_cos: file.flag("flip_sin_to_cos", true)?,
            freq_shift: file.number("freq_shift", 0.0)?,
            added: added(file)?,
            has_middle: !file.is_null("mid_block_type"),
            guidance_width: guidance_width(file)?,
            middle_depth: depths.middle,
            blocks,
        })
    }
}

/// Refuses configurations that are not supported.
pub(crate) fn check(file: &ConfigFile) -> Result<(), ModelError> {
    UnetConfig::read(file).map(|_| ())
}

/// Whether the guidance scale is an input.
pub(crate) fn embeds_guidance(file: &ConfigFile) -> Result<bool, ModelError> {
    guidance_width(file).map(|width| width.is_some())
}

fn guidance_width(file: &ConfigFile) -> Result<Option<usize>, ModelError> {
    const KEY: &str = "time_cond_proj_dim";
    match file.get(KEY) {
        None => Ok(None),
        Some(_) => match file.count(KEY, None)? {
            // The frequencies are divided by the number of pairs less one.
            width @ 4.. => Ok(Some(width)),
            _ => Err(file.refuse(KEY, "4 or more")),
        },
    }
}

/// Input channels: those of latents, or more for inpainting.
pub(crate) fn in_channels(file: &ConfigFile) -> Result<usize, ModelError> {
    file.count("in_channels", Some(4))
}

/// The size that it was trained on, in latent pixels. It is required, as the defaults of `width` and `height` follow
/// from it.
pub(crate) fn sample_size(file: &ConfigFile) -> Result<usize, ModelError> {
    file.count("sample_size", None)
}

fn added(file: &ConfigFile) -> Result<Option<AddedShape>, ModelError> {
    if file.get("addition_embed_type").is_none() {
        return Ok(None);
    }
    let size_width = file.count("addition_time_embed_dim", None)?;
    if !size_width.is_multiple_of(2) {
        return Err(file.refuse("addition_time_embed_dim", "an even number"));
    }
    let width = file.count("projection_class_embeddings_input_dim", None)?;
    if width <= SIZES * size_width {
        let key = "projection_class_embeddings_input_dim";
        return Err(
            file.refuse(key, format!("more than six times addition_time_embed_dim, {}", SIZES * size_width))
        );
    }
    Ok(Some(AddedShape { size_width, width }))
}

fn refuse_unsupported(file: &ConfigFile) -> Result<(), ModelError> {
    let only: [(&str, &[Value]); 22] = [
        ("_class_name", &[json!("UNet2DConditionModel")]),
        ("act_fn", &[json!("silu"), json!("swish")]),
        ("addition_embed_type", &[json!("text_time")]),
        ("attention_type", &[json!("default")]),
        ("center_input_sample", &[json!(false)]),
        ("class_embed_type", &[]),
        ("class_embeddings_concat", &[json!(false)]),
        ("cross_attention_norm", &[]),
        ("dual_cross_attention", &[json!(false)]),
        ("encoder_hid_dim", &[]),
        ("encoder_hid_dim_type", &[]),
        ("mid_block_only_cross_attention", &[json!(false)]),
        ("mid_block_scale_factor", &[json!(1)]),
        ("mid_block_type", &[json!("UNetMidBlock2DCrossAttn"), json!("UNetMidBlock2D")]),
        ("num_class_embeds", &[]),
        ("only_cross_attention", &[json!(false)]),
        ("resnet_out_scale_factor", &[json!(1)]),
        ("resnet_skip_time_act", &[json!(false)]),
        ("resnet_time_scale_shift", &[json!("default")]),
        ("time_embedding_act_fn", &[]),
        ("time_embedding_type", &[json!("positional")]),
        ("timestep_post_act", &[]),
    ];
    only.iter().try_for_each(|(key, allowed)| file.only(key, allowed))
}
