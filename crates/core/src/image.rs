//! A picture in memory, so that nothing above the engine needs its tensors.

use crate::Digest;

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

    /// What its pixels are, whatever file they lie in: BLAKE3 of the width and the height, each as four bytes with the
    /// lowest first, followed by [`Image::rgb`].
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[&self.width.to_le_bytes(), &self.height.to_le_bytes(), &self.rgb])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_size_and_pixels() {
        let image = |width, height| Image::new(width, height, vec![7; 12]).unwrap();
        let bytes = [&[2, 0, 0, 0, 2, 0, 0, 0][..], &[7; 12]].concat();
        assert_eq!(image(2, 2).digest(), Digest::of(&bytes));
        assert_ne!(image(2, 2).digest(), image(4, 1).digest());
        assert_ne!(image(1, 4).digest(), image(4, 1).digest());
    }
}
