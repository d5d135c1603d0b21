//! Which models a family has, and how they work together.

pub(crate) mod stable_diffusion;
