//! End-to-end tests with the real binary, experiments and files, and checks of the architecture.

mod added;
mod again;
mod architecture;
mod bad_input;
mod diff;
mod examples;
mod hub;
mod hub_server;
mod line;
mod manual;
mod masks;
mod moved;
mod old_runs;
mod prompts;
mod sampling;
mod support;
