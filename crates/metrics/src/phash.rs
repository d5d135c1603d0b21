//! The perceptual hash: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010.

use image::RgbImage;
use image_hasher::{HashAlg, Hasher, HasherConfig};
use maquette_core::Image;

/// Computes hashes of 64 bits.
pub(crate) struct PerceptualHash(Hasher<[u8; 8]>);

impl PerceptualHash {
    pub fn new() -> PerceptualHash {
        let config = HasherConfig::with_bytes_type::<[u8; 8]>();
        PerceptualHash(config.hash_alg(HashAlg::Median).preproc_dct().hash_size(8, 8).to_hasher())
    }

    /// The hash; `None` for a picture without pixels.
    pub fn of(&self, image: &Image) -> Option<u64> {
        if image.rgb().is_empty() {
            return None;
        }
        let pixels = RgbImage::from_raw(image.width(), image.height(), image.rgb().to_vec())?;
        Some(u64::from_be_bytes(self.0.hash_image(&pixels).into_inner()))
    }
}
