//! Picture files: decoding within limits, encoding as PNG and WebP, and the texts inside them.
//!
//! Every picture that Maquette opens is opened here: reference pictures, masks, cells, pictures of other tools. The
//! texts are interpreted by `maquette-interop`; the engine resizes pictures.

#![forbid(unsafe_code)]

mod animation;
mod containers;
mod decode;
mod encode;
mod error;
mod exif;
mod hidden;
mod read_texts;
mod texts;

pub use animation::{encode_animated_webp, encode_gif};
pub use decode::{decode, decode_bytes, size};
pub use encode::{encode_png, encode_png_fast, encode_webp};
pub use error::PictureError;
pub use hidden::read_hidden_text;
pub use read_texts::{read_png_texts, read_texts};
pub use texts::Texts;
