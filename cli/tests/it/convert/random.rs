//! Pseudo-random numbers, reproducible from a seed.

use std::time::Duration;

/// A splitmix64 generator.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeded by `S3LOG_TEST_SEED`, or with a constant. The seed is printed if the test fails.
    pub(super) fn of_environment() -> Self {
        let seed = std::env::var("S3LOG_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        eprintln!("S3LOG_TEST_SEED={seed}");
        Self::new(seed)
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must be positive.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.draw().is_multiple_of(2)
    }

    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.draw() as f64 / u64::MAX as f64)
    }
}
