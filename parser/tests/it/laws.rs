//! What must hold for every line.
//!
//! Each law runs over thousands of generated lines; `PROPTEST_CASES` raises the number.

mod agreement;
mod client;
mod dialects;
mod input;
mod projection;
mod rendering;

use proptest::test_runner::Config;

/// At least this many cases a law, more if `PROPTEST_CASES` says so.
pub(crate) fn config(cases: u32) -> Config {
    let asked = Config::default();
    Config { cases: asked.cases.max(cases), failure_persistence: None, ..asked }
}
