//! The core types of Maquette: settings, cells, plans, records and events, and the interface of a backend.
//!
//! Deliberately not here: files, clocks, TOML, tensors. Functions in this crate depend only on their arguments, and every
//! other crate may depend on this one.

#![forbid(unsafe_code)]

// In reading order.
mod axis;
mod backend;
mod canonical;
mod cell;
pub mod composition;
mod control;
mod deepcache;
mod digest;
mod draft;
mod event;
mod field;
mod image;
mod interval;
mod kind;
mod limits;
mod lookup;
mod lora_tags;
mod model;
mod named_file;
mod names;
mod numerics;
mod options;
mod plan;
mod record;
mod resolve;
mod restrict;
mod review;
mod setting;
mod settings;
mod steps;
mod table;
mod template;
#[cfg(feature = "test-plans")]
pub mod test_plans;
mod training;
mod training_settings;
mod value;
mod weights;

pub use axis::{Axis, AxisValue};
pub use backend::{Backend, BackendError};
pub use canonical::NAMING;
pub use cell::{Cell, CellId};
pub use deepcache::DeepCache;
pub use digest::{Digest, DigestError};
pub use draft::DraftSettings;
pub use event::{Event, Remarks};
pub use image::Image;
pub use interval::{GuidanceInterval, IntervalError};
pub use kind::{Applies, Effect, Fallback, Kind, Literal, SettingError};
pub use limits::{MAX_AXES, MAX_NAMES, MAX_POSITIONS, MAX_TEXT, MAX_VALUES, shortened};
pub use lora_tags::{LoraTag, has_loras, take_loras};
pub use model::{FoundFile, ModelCard};
pub use named_file::{Embedding, Lora, NamedFile};
pub use numerics::NUMERICS;
pub use options::{
    Dialect, Dtype, Fit, ModelFamily, Noise, OptionError, PredictionType, Scheduler, Sigmas, Spacing,
};
pub use plan::{DerivedFrom, MetricsSpec, Plan, Selection, SheetSpec};
pub use record::{Outcome, Record};
pub use review::{Choice, Mark, Pick, Vote};
pub use setting::with_defaults;
pub use settings::Variation;
pub use steps::{steps_left, steps_left_with, unet_calls};
pub use table::{SETTINGS, Setting, Settings};
pub use template::{Template, TemplateError};
pub use training::{
    LrScheduler, MixedPrecision, NO_SUBJECT, SUBJECT, Training, TrainingCrop, TrainingImage, TrainingLayers,
    TrainingMethod,
};
pub use training_settings::TRAINING_SETTINGS;
pub use value::Value;
pub use weights::{WeightRef, WeightsKind, parse_weights};
