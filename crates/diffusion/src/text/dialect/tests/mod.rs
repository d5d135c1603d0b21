//! Prompts and what they mean, as data. The expected values are A1111's own, read off its parser.

mod attention;
mod chunks;
mod never_fails;
mod schedule;
