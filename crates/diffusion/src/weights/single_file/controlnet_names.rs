//! The names of a ControlNet's tensors in its authors' files, where a UNet has none.

/// The place of what a UNet does not have; `None` for the names that both have.
pub(super) fn name(words: &[&str], hints: usize) -> Option<String> {
    let hint = |number: usize, end: &str| format!("input_hint_block.{}.{end}", 2 * number);
    match words {
        ["controlnet_cond_embedding", "conv_in", end] => Some(hint(0, end)),
        ["controlnet_cond_embedding", "blocks", i, end] => Some(hint(i.parse::<usize>().ok()? + 1, end)),
        ["controlnet_cond_embedding", "conv_out", end] => Some(hint(hints + 1, end)),
        ["controlnet_down_blocks", i, end] => Some(format!("zero_convs.{i}.0.{end}")),
        ["controlnet_mid_block", end] => Some(format!("middle_block_out.0.{end}")),
        _ => None,
    }
}
