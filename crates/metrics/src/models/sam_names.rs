//! The names of Segment Anything's tensors: transformers' to the authors', which candle reads.

/// The authors' name of a tensor that transformers calls `name`; `None` if it is not one of transformers' names, or if the
/// authors have it elsewhere.
pub(super) fn authors_name(name: &str) -> Option<String> {
    const SHARED: &str = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";
    if name == "shared_image_embedding.positional_embedding" {
        return Some(SHARED.to_owned());
    }
    if let Some(rest) = name.strip_prefix("vision_encoder.") {
        return Some(format!("image_encoder.{}", vision(rest)));
    }
    if let Some(rest) = name.strip_prefix("prompt_encoder.") {
        return prompt(rest).map(|rest| format!("prompt_encoder.{rest}"));
    }
    name.strip_prefix("mask_decoder.").and_then(mask).map(|rest| format!("mask_decoder.{rest}"))
}

fn vision(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("neck.") {
        return format!(
            "neck.{}",
            replaced(rest, &[("conv1", "0"), ("layer_norm1", "1"), ("conv2", "2"), ("layer_norm2", "3")])
        );
    }
    let name = replaced(name, &[("layers.", "blocks."), ("patch_embed.projection", "patch_embed.proj")]);
    name.replace(".layer_norm1.", ".norm1.").replace(".layer_norm2.", ".norm2.")
}

fn prompt(name: &str) -> Option<String> {
    const MASK: [(&str, &str); 5] =
        [("conv1", "0"), ("layer_norm1", "1"), ("conv2", "3"), ("layer_norm2", "4"), ("conv3", "6")];
    match name.split_once('.')? {
        ("point_embed", rest) => Some(format!("point_embeddings.{rest}")),
        ("mask_embed", rest) => Some(format!("mask_downscaling.{}", replaced(rest, &MASK))),
        ("shared_embedding", _) => Some("pe_layer.positional_encoding_gaussian_matrix".to_owned()),
        _ => None,
    }
}

fn mask(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("transformer.") {
        let rest = replaced(rest, &[("layer_norm_final_attn", "norm_final_attn")]);
        return Some(format!("transformer.{}", rest.replace(".layer_norm", ".norm")));
    }
    let upscaling = [
        ("upscale_conv1", "output_upscaling.0"),
        ("upscale_layer_norm", "output_upscaling.1"),
        ("upscale_conv2", "output_upscaling.3"),
    ];
    if upscaling.iter().any(|(from, _)| name.starts_with(from)) {
        return Some(replaced(name, &upscaling));
    }
    // transformers has the first and the last layer of a network under names of their own.
    let mut layers = [".proj_in.", ".layers.0.", ".proj_out."].into_iter().enumerate();
    layers.find_map(|(layer, part)| {
        let (network, rest) = name.split_once(part)?;
        Some(format!("{network}.layers.{layer}.{rest}"))
    })
}

/// The name with the first matching beginning replaced.
fn replaced(name: &str, beginnings: &[(&str, &str)]) -> String {
    let found = beginnings.iter().find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)));
    found.unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_transformers_are_translated_and_others_are_left() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(authors_name(name).as_deref(), expected, "{name}");
        };
        check("vision_encoder.layers.3.layer_norm1.bias", Some("image_encoder.blocks.3.norm1.bias"));
        check("vision_encoder.layers.3.attn.rel_pos_h", Some("image_encoder.blocks.3.attn.rel_pos_h"));
        check("vision_encoder.patch_embed.projection.weight", Some("image_encoder.patch_embed.proj.weight"));
        check("vision_encoder.neck.layer_norm2.weight", Some("image_encoder.neck.3.weight"));
        check("vision_encoder.pos_embed", Some("image_encoder.pos_embed"));
        check("prompt_encoder.point_embed.2.weight", Some("prompt_encoder.point_embeddings.2.weight"));
        check("prompt_encoder.mask_embed.conv3.bias", Some("prompt_encoder.mask_downscaling.6.bias"));
        check("prompt_encoder.no_mask_embed.weight", None);
        check(
            "mask_decoder.transformer.layers.1.layer_norm4.weight",
            Some("mask_decoder.transformer.layers.1.norm4.weight"),
        );
        check(
            "mask_decoder.transformer.layer_norm_final_attn.bias",
            Some("mask_decoder.transformer.norm_final_attn.bias"),
        );
        check("mask_decoder.upscale_conv2.bias", Some("mask_decoder.output_upscaling.3.bias"));
        let head = "mask_decoder.output_hypernetworks_mlps.3";
        check(&format!("{head}.proj_in.bias"), Some(&format!("{head}.layers.0.bias")));
        check(&format!("{head}.layers.0.bias"), Some(&format!("{head}.layers.1.bias")));
        check(
            "mask_decoder.iou_prediction_head.proj_out.weight",
            Some("mask_decoder.iou_prediction_head.layers.2.weight"),
        );
        check("mask_decoder.iou_token.weight", None);
        check("image_encoder.neck.0.weight", None);
    }
}
