//! The names of transformers' modules in the code of their authors, which ComfyUI keeps, by their names in diffusers.
//!
//! Queries, keys and values are one module there. The inverse of the conversions in diffusers' `single_file_utils.py`. Not
//! here: Stable Diffusion's UNet, autoencoders, text encoders.

/// The authors' code of a transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Original {
    ZImage,
    /// With its number of blocks.
    StableDiffusion3(usize),
    Flux1,
    Flux2,
    Chroma,
    /// Cosmos-Predict2.
    Anima,
    /// Whose authors published it under diffusers' names.
    QwenImage,
}

/// Which rows of the original's weight are those of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    All,
    /// As many as the module has, of a weight with several modules: how many are before them, and all, in quarters of the
    /// module's.
    Part {
        before: usize,
        all: usize,
    },
    /// Both halves, in the other order: scale and shift of a modulation.
    Swapped,
}

impl Rows {
    /// A third: queries, keys or values.
    pub(crate) const fn third(number: usize) -> Rows {
        Rows::Part { before: 4 * number, all: 12 }
    }
}

type Table = &'static [(&'static str, &'static str)];

const THIRDS: [&str; 3] = ["to_q", "to_k", "to_v"];
const ADDED_THIRDS: [&str; 3] = ["add_q_proj", "add_k_proj", "add_v_proj"];

const SD3_BLOCK: Table = &[
    ("norm1.linear", "x_block.adaLN_modulation.1"),
    ("norm1_context.linear", "context_block.adaLN_modulation.1"),
    ("attn.norm_q", "x_block.attn.ln_q"),
    ("attn.norm_k", "x_block.attn.ln_k"),
    ("attn.norm_added_q", "context_block.attn.ln_q"),
    ("attn.norm_added_k", "context_block.attn.ln_k"),
    ("attn.to_out.0", "x_block.attn.proj"),
    ("attn.to_add_out", "context_block.attn.proj"),
    ("attn2.norm_q", "x_block.attn2.ln_q"),
    ("attn2.norm_k", "x_block.attn2.ln_k"),
    ("attn2.to_out.0", "x_block.attn2.proj"),
    ("ff.net.0.proj", "x_block.mlp.fc1"),
    ("ff.net.2", "x_block.mlp.fc2"),
    ("ff_context.net.0.proj", "context_block.mlp.fc1"),
    ("ff_context.net.2", "context_block.mlp.fc2"),
];
const SD3_OUTSIDE: Table = &[
    ("pos_embed.proj", "x_embedder.proj"),
    ("context_embedder", "context_embedder"),
    ("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
    ("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"),
    ("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"),
    ("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"),
    ("proj_out", "final_layer.linear"),
];
const FLUX2_BLOCK: Table = &[
    ("attn.norm_q", "img_attn.norm.query_norm"),
    ("attn.norm_k", "img_attn.norm.key_norm"),
    ("attn.norm_added_q", "txt_attn.norm.query_norm"),
    ("attn.norm_added_k", "txt_attn.norm.key_norm"),
    ("attn.to_out.0", "img_attn.proj"),
    ("attn.to_add_out", "txt_attn.proj"),
    ("ff.linear_in", "img_mlp.0"),
    ("ff.linear_out", "img_mlp.2"),
    ("ff_context.linear_in", "txt_mlp.0"),
    ("ff_context.linear_out", "txt_mlp.2"),
];
const FLUX2_SINGLE: Table = &[
    ("attn.to_qkv_mlp_proj", "linear1"),
    ("attn.to_out", "linear2"),
    ("attn.norm_q", "norm.query_norm"),
    ("attn.norm_k", "norm.key_norm"),
];
const FLUX2_OUTSIDE: Table = &[
    ("x_embedder", "img_in"),
    ("context_embedder", "txt_in"),
    ("time_guidance_embed.timestep_embedder.linear_1", "time_in.in_layer"),
    ("time_guidance_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("double_stream_modulation_img.linear", "double_stream_modulation_img.lin"),
    ("double_stream_modulation_txt.linear", "double_stream_modulation_txt.lin"),
    ("single_stream_modulation.linear", "single_stream_modulation.lin"),
    ("proj_out", "final_layer.linear"),
];
const FLUX1_BLOCK: Table = &[
    ("norm1.linear", "img_mod.lin"),
    ("norm1_context.linear", "txt_mod.lin"),
    ("attn.norm_q", "img_attn.norm.query_norm"),
    ("attn.norm_k", "img_attn.norm.key_norm"),
    ("attn.norm_added_q", "txt_attn.norm.query_norm"),
    ("attn.norm_added_k", "txt_attn.norm.key_norm"),
    ("attn.to_out.0", "img_attn.proj"),
    ("attn.to_add_out", "txt_attn.proj"),
    ("ff.net.0.proj", "img_mlp.0"),
    ("ff.net.2", "img_mlp.2"),
    ("ff_context.net.0.proj", "txt_mlp.0"),
    ("ff_context.net.2", "txt_mlp.2"),
];
const FLUX1_SINGLE: Table = &[
    ("norm.linear", "modulation.lin"),
    ("attn.norm_q", "norm.query_norm"),
    ("attn.norm_k", "norm.key_norm"),
    ("proj_out", "linear2"),
];
/// Queries, keys, values and the first layer of the feed-forward, which has four times as many rows, are one module.
const FLUX1_LINEAR1: [(&str, Rows); 4] = [
    ("attn.to_q", Rows::Part { before: 0, all: 28 }),
    ("attn.to_k", Rows::Part { before: 4, all: 28 }),
    ("attn.to_v", Rows::Part { before: 8, all: 28 }),
    ("proj_mlp", Rows::Part { before: 3, all: 7 }),
];
const FLUX1_OUTSIDE: Table = &[
    ("x_embedder", "img_in"),
    ("context_embedder", "txt_in"),
    ("time_text_embed.timestep_embedder.linear_1", "time_in.in_layer"),
    ("time_text_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer"),
    ("time_text_embed.guidance_embedder.linear_2", "guidance_in.out_layer"),
    ("time_text_embed.text_embedder.linear_1", "vector_in.in_layer"),
    ("time_text_embed.text_embedder.linear_2", "vector_in.out_layer"),
    ("proj_out", "final_layer.linear"),
];
const ANIMA_BLOCK: Table = &[
    ("norm1.linear_1", "adaln_modulation_self_attn.1"),
    ("norm1.linear_2", "adaln_modulation_self_attn.2"),
    ("norm2.linear_1", "adaln_modulation_cross_attn.1"),
    ("norm2.linear_2", "adaln_modulation_cross_attn.2"),
    ("norm3.linear_1", "adaln_modulation_mlp.1"),
    ("norm3.linear_2", "adaln_modulation_mlp.2"),
    ("attn1.to_q", "self_attn.q_proj"),
    ("attn1.to_k", "self_attn.k_proj"),
    ("attn1.to_v", "self_attn.v_proj"),
    ("attn1.to_out.0", "self_attn.output_proj"),
    ("attn1.norm_q", "self_attn.q_norm"),
    ("attn1.norm_k", "self_attn.k_norm"),
    ("attn2.to_q", "cross_attn.q_proj"),
    ("attn2.to_k", "cross_attn.k_proj"),
    ("attn2.to_v", "cross_attn.v_proj"),
    ("attn2.to_out.0", "cross_attn.output_proj"),
    ("attn2.norm_q", "cross_attn.q_norm"),
    ("attn2.norm_k", "cross_attn.k_norm"),
    ("ff.net.0.proj", "mlp.layer1"),
    ("ff.net.2", "mlp.layer2"),
];
const ANIMA_OUTSIDE: Table = &[
    ("patch_embed.proj", "x_embedder.proj.1"),
    ("time_embed.t_embedder.linear_1", "t_embedder.1.linear_1"),
    ("time_embed.t_embedder.linear_2", "t_embedder.1.linear_2"),
    ("time_embed.norm", "t_embedding_norm"),
    ("norm_out.linear_1", "final_layer.adaln_modulation.1"),
    ("norm_out.linear_2", "final_layer.adaln_modulation.2"),
    ("proj_out", "final_layer.linear"),
];
/// The last modulation, whose halves are in the other order.
const LAST: (&str, &str) = ("norm_out.linear", "final_layer.adaLN_modulation.1");

impl Original {
    /// The code whose transformer has these modules, named as in diffusers; `None` for others.
    pub(crate) fn of<'a>(modules: impl Iterator<Item = &'a str> + Clone) -> Option<Original> {
        let mut all = modules.clone();
        if all.clone().any(|name| name.starts_with("noise_refiner.")) {
            return Some(Original::ZImage);
        }
        if all.clone().any(|name| name.starts_with("distilled_guidance_layer.")) {
            return Some(Original::Chroma);
        }
        if all.clone().any(|name| name == "patch_embed.proj") {
            return Some(Original::Anima);
        }
        if all.clone().any(|name| name.starts_with("double_stream_modulation_img.")) {
            return Some(Original::Flux2);
        }
        if all.clone().any(|name| name.starts_with("single_transformer_blocks.")) {
            return Some(Original::Flux1);
        }
        let block = |name: &str| name.strip_prefix("transformer_blocks.")?.split('.').next()?.parse().ok();
        let last: Option<usize> = modules.filter_map(block).max();
        // Flux and Chroma have it, too, and other blocks.
        let is_sd3 = all.any(|name| name == "context_embedder");
        last.filter(|_| is_sd3).map(|last| Original::StableDiffusion3(last + 1))
    }

    /// The original name of a module, and its rows there; `None` if there is none.
    pub(crate) fn name(self, module: &str) -> Option<(String, Rows)> {
        let in_table =
            |table: Table, name: &str| table.iter().find(|(own, _)| *own == name).map(|(_, it)| *it);
        if module == LAST.0 && !matches!(self, Original::ZImage | Original::Chroma | Original::QwenImage) {
            return Some((LAST.1.to_owned(), Rows::Swapped));
        }
        match self {
            Original::ZImage => z_image(module),
            Original::QwenImage => Some((module.to_owned(), Rows::All)),
            Original::Anima => {
                let Some((number, inner)) = numbered(module, "transformer_blocks.") else {
                    return in_table(ANIMA_OUTSIDE, module).map(|name| (name.to_owned(), Rows::All));
                };
                let name = in_table(ANIMA_BLOCK, inner)?;
                Some((format!("blocks.{number}.{name}"), Rows::All))
            }
            Original::StableDiffusion3(blocks) => {
                let Some((number, inner)) = numbered(module, "transformer_blocks.") else {
                    return in_table(SD3_OUTSIDE, module).map(|name| (name.to_owned(), Rows::All));
                };
                let rows = match inner == "norm1_context.linear" && number + 1 == blocks {
                    true => Rows::Swapped,
                    false => Rows::All,
                };
                let fused =
                    [("attn", &THIRDS, "x_block.attn"), ("attn", &ADDED_THIRDS, "context_block.attn")];
                let fused = fused.into_iter().chain([("attn2", &THIRDS, "x_block.attn2")]);
                let (name, rows) = fused_in(inner, fused)
                    .or_else(|| Some((in_table(SD3_BLOCK, inner)?.to_owned(), rows)))?;
                Some((format!("joint_blocks.{number}.{name}"), rows))
            }
            Original::Chroma if module.starts_with("distilled_guidance_layer.") => {
                let layer = module.strip_suffix("linear_1").map(|stem| format!("{stem}in_layer"));
                let layer =
                    layer.or_else(|| module.strip_suffix("linear_2").map(|stem| format!("{stem}out_layer")));
                Some((layer.unwrap_or_else(|| module.to_owned()), Rows::All))
            }
            // Its blocks are those of FLUX.1 without their modulations.
            Original::Flux1 | Original::Chroma => {
                if let Some((number, inner)) = numbered(module, "single_transformer_blocks.") {
                    let of_linear1 = FLUX1_LINEAR1.iter().find(|(own, _)| *own == inner);
                    let (name, rows) = match of_linear1 {
                        Some((_, rows)) => ("linear1", *rows),
                        None => (in_table(FLUX1_SINGLE, inner)?, Rows::All),
                    };
                    return Some((format!("single_blocks.{number}.{name}"), rows));
                }
                let Some((number, inner)) = numbered(module, "transformer_blocks.") else {
                    return in_table(FLUX1_OUTSIDE, module).map(|name| (name.to_owned(), Rows::All));
                };
                let fused = [("attn", &THIRDS, "img_attn"), ("attn", &ADDED_THIRDS, "txt_attn")];
                let (name, rows) = fused_in(inner, fused.into_iter())
                    .or_else(|| Some((in_table(FLUX1_BLOCK, inner)?.to_owned(), Rows::All)))?;
                Some((format!("double_blocks.{number}.{name}"), rows))
            }
            Original::Flux2 => {
                if let Some((number, inner)) = numbered(module, "single_transformer_blocks.") {
                    let name = in_table(FLUX2_SINGLE, inner)?;
                    return Some((format!("single_blocks.{number}.{name}"), Rows::All));
                }
                let Some((number, inner)) = numbered(module, "transformer_blocks.") else {
                    return in_table(FLUX2_OUTSIDE, module).map(|name| (name.to_owned(), Rows::All));
                };
                let fused = [("attn", &THIRDS, "img_attn"), ("attn", &ADDED_THIRDS, "txt_attn")];
                let (name, rows) = fused_in(inner, fused.into_iter())
                    .or_else(|| Some((in_table(FLUX2_BLOCK, inner)?.to_owned(), Rows::All)))?;
                Some((format!("double_blocks.{number}.{name}"), rows))
            }
        }
    }
}

/// `{prefix}{number}.{inner}`.
fn numbered<'a>(module: &'a str, prefix: &str) -> Option<(usize, &'a str)> {
    let (number, inner) = module.strip_prefix(prefix)?.split_once('.')?;
    Some((number.parse().ok()?, inner))
}

/// The module with queries, keys and values that `inner` is a third of.
fn fused_in<'a>(
    inner: &str,
    mut attentions: impl Iterator<Item = (&'a str, &'a [&'a str; 3], &'a str)>,
) -> Option<(String, Rows)> {
    attentions.find_map(|(own, thirds, name)| {
        let third = inner.strip_prefix(own)?.strip_prefix('.')?;
        let third = thirds.iter().position(|it| *it == third)?;
        Some((format!("{name}.qkv"), Rows::third(third)))
    })
}

/// The inverse of `convert_z_image_transformer_checkpoint_to_diffusers`.
fn z_image(module: &str) -> Option<(String, Rows)> {
    for (now, then) in [("all_x_embedder.2-1", "x_embedder"), ("all_final_layer.2-1", "final_layer")] {
        if let Some(rest) = module.strip_prefix(now) {
            return Some((format!("{then}{rest}"), Rows::All));
        }
    }
    let Some((block, inner)) = module.split_once(".attention.") else {
        return Some((module.to_owned(), Rows::All));
    };
    let (name, rows) = match inner {
        "to_out.0" => ("out", Rows::All),
        "norm_q" => ("q_norm", Rows::All),
        "norm_k" => ("k_norm", Rows::All),
        _ => ("qkv", Rows::third(THIRDS.iter().position(|third| *third == inner)?)),
    };
    Some((format!("{block}.attention.{name}"), rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_their_original_names() {
        let check = |of: Original, module: &str, name: &str, rows: Rows| {
            assert_eq!(of.name(module), Some((name.to_owned(), rows)), "{module}");
        };
        use Original::{Anima, Chroma, Flux1, Flux2, StableDiffusion3, ZImage};
        use Rows::{All, Part, Swapped};
        let third = Rows::third;
        check(ZImage, "layers.3.attention.to_k", "layers.3.attention.qkv", third(1));
        check(ZImage, "layers.3.attention.to_out.0", "layers.3.attention.out", All);
        check(ZImage, "layers.3.feed_forward.w1", "layers.3.feed_forward.w1", All);
        check(ZImage, "all_final_layer.2-1.linear", "final_layer.linear", All);
        let sd3 = StableDiffusion3(24);
        check(sd3, "transformer_blocks.2.attn.to_v", "joint_blocks.2.x_block.attn.qkv", third(2));
        check(sd3, "transformer_blocks.2.attn2.to_q", "joint_blocks.2.x_block.attn2.qkv", third(0));
        check(sd3, "transformer_blocks.2.attn.add_k_proj", "joint_blocks.2.context_block.attn.qkv", third(1));
        let context = "joint_blocks.22.context_block.adaLN_modulation.1";
        check(sd3, "transformer_blocks.22.norm1_context.linear", context, All);
        let context = "joint_blocks.23.context_block.adaLN_modulation.1";
        check(sd3, "transformer_blocks.23.norm1_context.linear", context, Swapped);
        check(sd3, "norm_out.linear", "final_layer.adaLN_modulation.1", Swapped);
        check(Flux2, "transformer_blocks.1.attn.add_v_proj", "double_blocks.1.txt_attn.qkv", third(2));
        check(Flux2, "transformer_blocks.1.ff.linear_in", "double_blocks.1.img_mlp.0", All);
        check(Flux2, "single_transformer_blocks.9.attn.to_qkv_mlp_proj", "single_blocks.9.linear1", All);
        check(Flux1, "transformer_blocks.1.norm1_context.linear", "double_blocks.1.txt_mod.lin", All);
        check(Flux1, "transformer_blocks.1.attn.to_k", "double_blocks.1.img_attn.qkv", third(1));
        let all = [("attn.to_v", Part { before: 8, all: 28 }), ("proj_mlp", Part { before: 3, all: 7 })];
        for (module, rows) in all {
            let module = format!("single_transformer_blocks.9.{module}");
            check(Flux1, &module, "single_blocks.9.linear1", rows);
        }
        check(Flux1, "time_text_embed.text_embedder.linear_1", "vector_in.in_layer", All);
        check(Flux1, "norm_out.linear", "final_layer.adaLN_modulation.1", Swapped);
        let approximator = "distilled_guidance_layer";
        for (module, name) in [("in_proj", "in_proj"), ("layers.2.linear_2", "layers.2.out_layer")] {
            check(Chroma, &format!("{approximator}.{module}"), &format!("{approximator}.{name}"), All);
        }
        check(Chroma, "transformer_blocks.1.attn.to_k", "double_blocks.1.img_attn.qkv", third(1));
        check(Chroma, "proj_out", "final_layer.linear", All);
        check(Anima, "transformer_blocks.27.attn2.to_out.0", "blocks.27.cross_attn.output_proj", All);
        check(Anima, "transformer_blocks.0.norm3.linear_2", "blocks.0.adaln_modulation_mlp.2", All);
        check(Anima, "norm_out.linear_1", "final_layer.adaln_modulation.1", All);
        assert_eq!(sd3.name("transformer_blocks.2.attn.to_x"), None);
    }
}
