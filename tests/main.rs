//! End-to-end tests: the real binary, the real experiments, the real files; and the checks of the architecture.

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
