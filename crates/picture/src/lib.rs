//! Picture files: decoding within limits, encoding as PNG, and the texts inside them.
//!
//! Every picture that Maquette opens is opened here: reference pictures, masks, cells, pictures of other tools. The
//! texts are interpreted by `maquette-interop`; the engine resizes pictures.

mod decode;
mod encode;
mod error;
mod texts;

pub use decode::{decode, decode_bytes};
pub use encode::encode_png;
pub use error::PictureError;
pub use texts::{Texts, read_png_texts, read_texts};
