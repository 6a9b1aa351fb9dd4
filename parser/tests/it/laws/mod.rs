//! Properties that hold for every line.
//!
//! Each one is checked with thousands of generated lines; set `PROPTEST_CASES` to check more.

mod agreement;
mod client;
mod dialects;
mod input;
mod projection;
mod rendering;

use proptest::test_runner::Config;

/// A configuration with at least `cases` cases per property, or with `PROPTEST_CASES` if that is more.
pub(crate) fn config(cases: u32) -> Config {
    let asked = Config::default();
    Config { cases: asked.cases.max(cases), failure_persistence: None, ..asked }
}
