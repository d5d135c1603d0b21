//! Segment Anything: the thing at a point of a picture as a mask (Kirillov et al. 2023), computed by candle-transformers.
//!
//! Reads the three sizes of the original model (ViT-B, L, H) in transformers' naming (facebook/sam-vit-base) and in the
//! authors' own naming as safetensors; sizes are taken from the tensors. MobileSAM is refused, as there is no reference
//! in transformers to check it against.

use super::ModelError;
use super::folder::{ModelFolder, Tensors, builder};
use super::pillow::{Filter, resize};
use super::sam_names::authors_name;
use candle_core::{Device, IndexOp, Tensor};
use candle_transformers::models::segment_anything::sam::{IMAGE_SIZE, Sam};
use maquette_core::Image;

/// A model that finds things in pictures.
pub struct Segmenter {
    model: Sam,
}

/// What is at some points of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its width, that of the picture.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// For each pixel, row by row, whether it belongs to the thing.
    pub inside: Vec<bool>,
    /// The model's own estimate of the mask's quality: intersection over union with the true mask, about 0..1.
    pub quality: f64,
}

/// The pixels of a picture as the model has seen them.
pub struct SeenPicture {
    embeddings: Tensor,
    /// Width and height of the original.
    size: (u32, u32),
    /// Width and height within the model's square.
    inner: (u32, u32),
}

impl Segmenter {
    /// The model in a folder.
    ///
    /// # Errors
    ///
    /// A missing or unreadable file, or another kind of model.
    pub fn open(folder: &ModelFolder) -> Result<Segmenter, ModelError> {
        let mut tensors = Tensors::new();
        for (name, tensor) in folder.tensors(&|_| true)? {
            tensors.insert(authors_name(&name).unwrap_or(name), tensor);
        }
        if tensors.contains_key("image_encoder.patch_embed.seq.0.c.weight") {
            return Err(folder.unsupported(
                "it is MobileSAM; allowed: the original Segment Anything models, such as facebook/sam-vit-base",
            ));
        }
        let shape = Shape::of(&tensors).ok_or_else(|| {
            folder.unsupported(
                "it is not a Segment Anything model; allowed: facebook/sam-vit-base, -large, -huge",
            )
        })?;
        let Shape { width, depth, heads, global } = shape;
        Ok(Segmenter { model: Sam::new(width, depth, heads, &global, builder(tensors))? })
    }

    /// Looks at a picture; takes most of the time, and once per picture.
    ///
    /// # Errors
    ///
    /// A picture that cannot be resized.
    pub fn see(&self, image: &Image) -> Result<SeenPicture, ModelError> {
        let size = (image.width(), image.height());
        let scale = IMAGE_SIZE as f64 / f64::from(size.0.max(size.1));
        let scaled = |length: u32| ((f64::from(length) * scale + 0.5) as u32).max(1);
        let inner = (scaled(size.0), scaled(size.1));
        let image = resize(image, inner.0, inner.1, Filter::Bilinear);
        let pixels = Tensor::from_slice(image.rgb(), (inner.1 as usize, inner.0 as usize, 3), &Device::Cpu)?;
        Ok(SeenPicture { embeddings: self.model.embeddings(&pixels.permute((2, 0, 1))?)?, size, inner })
    }

    /// The thing at points of a picture, each in pixels of the original from its top left. For one point the model makes
    /// three masks, of a thing and its parts, and the one that it rates best is taken; for several points it makes one.
    ///
    /// # Errors
    ///
    /// No point at all.
    pub fn segment(&self, picture: &SeenPicture, points: &[(f64, f64)]) -> Result<Segment, ModelError> {
        let (width, height) = picture.size;
        let (values, quality) = self.values(picture, points)?;
        Ok(Segment { width, height, inside: values.into_iter().map(|value| value > 0.0).collect(), quality })
    }

    /// For each pixel a value above 0 where it belongs to the thing, and the estimated quality.
    pub(super) fn values(
        &self,
        picture: &SeenPicture,
        points: &[(f64, f64)],
    ) -> Result<(Vec<f32>, f64), ModelError> {
        let (width, height) = picture.size;
        if points.is_empty() {
            return Err(ModelError::Picture("no point is given".to_owned()));
        }
        // In shares of the model's square; each axis by its own rounded size, as transformers' processor does.
        let share =
            |at: f64, size: u32, inner: u32| at * f64::from(inner) / f64::from(size) / IMAGE_SIZE as f64;
        let place = |&(x, y): &(f64, f64)| {
            (share(x, width, picture.inner.0), share(y, height, picture.inner.1), true)
        };
        let points: Vec<_> = points.iter().map(place).collect();
        let several = points.len() == 1;
        let (masks, quality) = self.model.forward_for_embeddings(
            &picture.embeddings,
            IMAGE_SIZE,
            IMAGE_SIZE,
            &points,
            several,
        )?;
        let quality = quality.flatten_all()?.to_vec1::<f32>()?;
        let best = (0..quality.len()).rev().max_by(|&a, &b| quality[a].total_cmp(&quality[b])).unwrap_or(0);
        Ok((full_size(&masks.i((0, best))?, picture)?, f64::from(quality[best])))
    }
}

/// The values of a mask, (256, 256), at the size of the picture: enlarged to the model's square, cut to the picture,
/// resized, as transformers' `post_process_masks` does.
fn full_size(mask: &Tensor, picture: &SeenPicture) -> Result<Vec<f32>, ModelError> {
    let (inner, size) = (picture.inner, picture.size);
    let square = mask.unsqueeze(0)?.unsqueeze(0)?.upsample_bilinear2d(IMAGE_SIZE, IMAGE_SIZE, false)?;
    let cut = square.i((.., .., ..inner.1 as usize, ..inner.0 as usize))?.contiguous()?;
    Ok(cut.upsample_bilinear2d(size.1 as usize, size.0 as usize, false)?.flatten_all()?.to_vec1()?)
}

/// The numbers of an image encoder.
struct Shape {
    width: usize,
    depth: usize,
    heads: usize,
    /// The layers that attend to the whole picture; the others attend within windows.
    global: Vec<usize>,
}

impl Shape {
    fn of(tensors: &Tensors) -> Option<Shape> {
        let dims = |name: &str| tensors.get(name).map(|tensor| tensor.dims().to_vec());
        let positions = |k: usize| dims(&format!("image_encoder.blocks.{k}.attn.rel_pos_h"));
        let width = *dims("image_encoder.pos_embed")?.last()?;
        let depth = (0..).take_while(|&k| positions(k).is_some()).count();
        let heads = width / (*positions(0)?.last()?).max(1);
        // A layer that attends to the whole picture has relative positions for all of its patches.
        let patches = dims("image_encoder.pos_embed")?.get(1).copied()?;
        let global =
            (0..depth).filter(|&k| positions(k).is_some_and(|dims| dims[0] == 2 * patches - 1)).collect();
        Some(Shape { width, depth, heads, global })
    }
}
