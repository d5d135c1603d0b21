//! Reads files within limits, and follows paths that files name without leaving their folder.
//!
//! Files come from other people: a run folder in an archive, a model from a site, a picture from a chat. Whatever their
//! size, reading them takes no more memory than the limit of their kind. Every file that is read whole is read here; weight
//! files are mapped instead.
//!
//! - [`limits`]: how large a file of each kind may be, and why.
//! - [`read`], [`read_text`]: a whole file.
//! - [`inside`]: the path that a file names, in the folder that it may not leave; [`Folder`] for many of them.

#![forbid(unsafe_code)]

mod inside;
pub mod limits;
mod read;

pub use inside::{Folder, OutsideError, inside, is_plain_path};
pub use limits::Limit;
pub use read::{check_size, read, read_stream, read_text};
