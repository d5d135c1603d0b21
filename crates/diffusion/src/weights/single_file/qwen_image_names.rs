//! From the name of a tensor of Qwen-Image's autoencoder in diffusers to that in the code of Wan's authors, whose autoencoder it is.
//!
//! The inverse of the conversion in diffusers' `convert_anima_to_diffusers.py`.

/// The name there; `None` if there is none. Every level of the encoder has `layers` residual blocks, those of the decoder one more.
pub(super) fn name(words: &[&str], layers: usize) -> Option<String> {
    match words {
        ["quant_conv", end] => Some(format!("conv1.{end}")),
        ["post_quant_conv", end] => Some(format!("conv2.{end}")),
        [side, "conv_in", end] => Some(format!("{side}.conv1.{end}")),
        [side, "norm_out", end] => Some(format!("{side}.head.0.{end}")),
        [side, "conv_out", end] => Some(format!("{side}.head.2.{end}")),
        [side, "mid_block", "resnets", j @ ("0" | "1"), rest @ ..] => {
            let place = if *j == "0" { 0 } else { 2 };
            Some(format!("{side}.middle.{place}.{}", inner(rest)))
        }
        [side, "mid_block", "attentions", "0", rest @ ..] => {
            Some(format!("{side}.middle.1.{}", rest.join(".")))
        }
        ["encoder", "down_blocks", i, rest @ ..] => Some(format!("encoder.downsamples.{i}.{}", inner(rest))),
        ["decoder", "up_blocks", b, kind @ ("resnets" | "upsamplers"), j, rest @ ..] => {
            let (block, j) = (b.parse::<usize>().ok()?, j.parse::<usize>().ok()?);
            // The convolution after upsampling follows the last residual block of its level.
            let j = if *kind == "upsamplers" { layers + 1 } else { j };
            Some(format!("decoder.upsamples.{}.{}", block * (layers + 2) + j, inner(rest)))
        }
        _ => None,
    }
}

/// The name within a residual block; others stay as they are.
fn inner(words: &[&str]) -> String {
    let [module, end] = words else { return words.join(".") };
    let module = match *module {
        "norm1" => "residual.0",
        "conv1" => "residual.2",
        "norm2" => "residual.3",
        "conv2" => "residual.6",
        "conv_shortcut" => "shortcut",
        other => other,
    };
    format!("{module}.{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_have_known_names() {
        let check = |own: &str, expected: &str| {
            let words: Vec<&str> = own.split('.').collect();
            assert_eq!(name(&words, 2).as_deref(), Some(expected), "{own}");
        };
        check("quant_conv.weight", "conv1.weight");
        check("encoder.down_blocks.2.resample.1.bias", "encoder.downsamples.2.resample.1.bias");
        check("encoder.down_blocks.3.conv_shortcut.weight", "encoder.downsamples.3.shortcut.weight");
        check("encoder.mid_block.resnets.1.norm2.gamma", "encoder.middle.2.residual.3.gamma");
        check("decoder.mid_block.attentions.0.to_qkv.weight", "decoder.middle.1.to_qkv.weight");
        check("decoder.up_blocks.1.resnets.2.conv2.weight", "decoder.upsamples.6.residual.6.weight");
        check("decoder.up_blocks.1.upsamplers.0.time_conv.weight", "decoder.upsamples.7.time_conv.weight");
        check("decoder.norm_out.gamma", "decoder.head.0.gamma");
    }
}
