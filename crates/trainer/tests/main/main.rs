//! Trainings of the tiny models against torch's, and what can go wrong.

mod jobs;
mod losses;
mod resume;
