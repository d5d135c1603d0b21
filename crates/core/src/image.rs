//! A picture in memory, so that crates above the engine do not need its tensors.

use crate::Digest;

/// An RGB image of eight bits per channel, row by row from the top left.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Image {
    /// An image from its bytes; `None` unless there are `3 * width * height` bytes.
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

    /// The digest of its pixels, independent of the file format: BLAKE3 of the width and the height, each as four
    /// little-endian bytes, followed by [`Image::rgb`].
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[&self.width.to_le_bytes(), &self.height.to_le_bytes(), &self.rgb])
    }

    /// Consumes the image and returns its bytes.
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
