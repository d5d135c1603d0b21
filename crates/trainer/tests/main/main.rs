//! Trainings of the tiny models against torch's, and what can go wrong.

mod errors;
mod files;
mod jobs;
mod losses;
mod resume;
