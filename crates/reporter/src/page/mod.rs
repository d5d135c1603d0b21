//! Pages for a browser: the data of a run's page and of a comparison's, and the files around it.
//!
//! The app that shows them is written in TypeScript, in `crates/reporter/page`. Deliberately not here: reading runs, making
//! files. Everything on a page comes from the caller.

mod columns;
mod data;
mod diff_page;
mod losses;
mod planned;
mod run_page;
mod script;

pub use columns::LoggedColumn;
pub use data::{
    Ancestor, AncestorCell, Axis, AxisValue, Better, Column, ColumnKind, ColumnType, DiffCell, DiffPage,
    DiffPair, FORMAT, Grid, Losses, PageState, PairOutcome, Picks, PictureStatus, Pictures, Reference,
    RunInfo, RunPage, RunState, ThumbnailFolder, Training, TrainingSample,
};
pub use diff_page::diff_page;
pub use losses::{LossRow, losses};
pub use planned::{PlannedPage, TomlLines};
pub use run_page::{AboutRun, PictureFacts, PicturesNow, run_page};
pub use script::{APP_CSS, APP_JS, data_script, index_html, state_script};

use crate::thumbnails::{fitted, resize};
use maquette_core::Image;

/// A thumbnail of a picture, its longest edge at most `edge` pixels; a smaller picture is not enlarged.
pub fn thumbnail(image: &Image, edge: u32) -> Image {
    let size = (image.width(), image.height());
    let target = if size.0.max(size.1) > edge { fitted(size, edge) } else { size };
    resize(image.clone(), target)
}
