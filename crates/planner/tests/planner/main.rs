//! Tests of the planner's public interface: files in, plans and errors out. One binary, so that it links once.

mod axes;
mod broken;
mod derived_from;
mod examples;
mod extends;
mod families;
mod folder;
mod grid;
mod hints;
mod merged;
mod metrics;
mod needs;
mod options;
mod prompts;
mod rules;
mod schema;
mod seeds;
mod subjects;
mod text_files;
mod weights;
mod work;
