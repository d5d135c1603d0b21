//! The widths of a UNet's parts, with which networks that were made for it must agree.

/// The widths of a UNet's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnetWidths {
    /// Of a text embedding.
    pub text: usize,
    /// Of the pooled text embedding, if it has one.
    pub pooled: Option<usize>,
    /// Of its skip connections, in order.
    pub skips: Vec<usize>,
    /// Of its cross-attentions, in the order of their numbers.
    pub cross: Vec<usize>,
}

/// Which models have text embeddings of this width, for messages; `pooled`: whether they have a pooled one.
pub(super) fn kind(text: usize, pooled: bool) -> String {
    match (text, pooled) {
        (768, false) => "Stable Diffusion 1".to_owned(),
        (1024, false) => "Stable Diffusion 2".to_owned(),
        (2048, true) => "Stable Diffusion XL".to_owned(),
        (text, _) => format!("text embeddings of width {text}"),
    }
}
