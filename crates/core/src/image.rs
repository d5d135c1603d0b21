//! A picture in memory, so that nobody above the engine needs its tensors.

/// Red, green and blue, eight bits each, row by row from the top left.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Image {
    /// A picture from its bytes; `None` unless there are `3 * width * height` of them.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Option<Image> {
        let size = 3 * width as usize * height as usize;
        (rgb.len() == size).then_some(Image { width, height, rgb })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes: red, green, blue of each pixel, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The bytes, given away.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{})", self.width, self.height)
    }
}
