//! Prompts and their parsed forms, as data. The expected values are from A1111's own parser.

mod attention;
mod chunks;
mod never_fails;
mod schedule;
