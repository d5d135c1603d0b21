//! End-to-end tests of the library: real experiments and files through a [`maquette::Workspace`], and the data that
//! comes back.
//!
//! What belongs to the binary (arguments, text, exit codes, signals) is tested in `tests/` at the top of the repository.

mod adapters;
mod animations;
mod bad_input;
mod diff;
mod drafts;
mod examples;
mod finished;
mod housekeeping;
mod hub;
#[path = "../../../../tests/hub_server.rs"]
mod hub_server;
#[path = "../../../../tests/huge_picture.rs"]
mod huge_picture;
mod masks;
mod metric_models;
mod metrics;
mod moved;
mod newer;
mod next;
mod next_any;
mod notes;
mod old_runs;
mod other_tools;
mod page;
mod page_links;
mod page_trainings;
mod pictures;
mod prompts;
mod reproduce;
mod runs;
mod sampling;
mod support;
mod teach_a_face;
mod training;
mod verify;
mod vision;
#[path = "../../../../tests/fixtures/vision_model.rs"]
mod vision_model;
mod weights;
