//! Rules: what is looked for, as files that people can read, change and add to.
//!
//! A rule is a TOML file with a query over the [tables of detection](TABLES), or with a `[match]` that becomes one, the sentence
//! that a finding is told with, parameters, and tests. Start at [`RuleSet`]: the shipped rules, with a user's own above them. A
//! [`Rule`] has its query, a [`Case`] the log that tests it; running them is others' work.
//!
//! [`file`](self::load) reads a file, `check` looks at its SQL, `parameters` puts values into it, `shorthand` compiles `[match]`,
//! `bounds` estimates how high a confidence can get, `lint` says what could be better.

mod bounds;
mod case;
mod catalogue;
mod check;
mod explain;
mod file;
mod lint;
mod parameters;
mod problem;
mod set;
mod shorthand;

pub use self::case::{Bounds, Case, Expected, Found, Place};
pub use self::check::tables_of;
pub use self::explain::{Template, Value};
pub use self::file::{Entity, FAMILIES, Overlay, Rule, RuleFile, RuleSource, load};
pub use self::lint::{Level, Lint};
pub use self::parameters::{ParamValue, Parameters};
pub use self::set::RuleSet;

/// Tables that rules may read.
pub const TABLES: &[&str] = &[
    "s3_trail",
    "s3_trail_1h",
    "s3_trail_6h",
    "s3_trail_24h",
    "s3_trail_48h",
    "s3_trail_7d",
    "sources",
    "src_bucket_day",
    "walks",
    "requester_src_day",
    "requester_day",
    "deletes_hour",
    "overwrites",
    "heavy_reads",
    "good",
    "asks",
    "buckets",
    "referers",
    "posture",
    "s3_events",
];
