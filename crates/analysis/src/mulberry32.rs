//! Mulberry32 (Tommy Ettinger, 2017, public domain): a generator of 32 bits that the page's scripts have as well, so that
//! both draw the same resamples.

/// The state of the generator.
pub(crate) struct Mulberry32(pub u32);

impl Mulberry32 {
    /// The next number, uniform in [0, 1).
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let mut mixed = (self.0 ^ (self.0 >> 15)).wrapping_mul(self.0 | 1);
        mixed ^= mixed.wrapping_add((mixed ^ (mixed >> 7)).wrapping_mul(mixed | 61));
        f64::from(mixed ^ (mixed >> 14)) / 4_294_967_296.0
    }

    /// A whole number from 0 to `below - 1`.
    pub fn index(&mut self, below: usize) -> usize {
        (self.next() * below as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_draws_the_numbers_of_the_reference_implementation() {
        let mut draw = Mulberry32(1);
        assert_eq!([draw.next(), draw.next()], [0.627_073_940_588_161_3, 0.002_735_721_180_215_478]);
    }
}
