//! Detection rules, as files that users can read, change and add to.
//!
//! A rule is a TOML file with a query over the tables of detection (`tables`), or a `[match]` that is compiled to one; a
//! template for the explanation; parameters; and tests. Start at [`RuleSet`]: the shipped rules, overridden by a user's
//! own. A [`Rule`] has its query, a [`Case`] the log that tests it; both are run elsewhere.
//!
//! [`file`](self::load) loads a file, `check` validates its SQL, `parameters` substitutes values, `shorthand` compiles
//! `[match]`, `bounds` estimates the highest possible confidence, `lint` suggests improvements.

mod bounds;
mod case;
mod catalogue;
mod check;
mod explain;
mod file;
mod lint;
mod parameters;
mod problem;
mod rule;
mod set;
mod shorthand;

pub use self::case::{Case, Expectation, Expected, Found, Place};
pub use self::check::tables_of;
pub use self::explain::{Template, Value};
pub use self::file::{RuleFile, load};
pub use self::lint::{Level, Lint};
pub use self::parameters::{ParamValue, Parameters};
pub use self::rule::{Entity, FAMILIES, Overlay, Rule, RuleSource};
pub use self::set::RuleSet;
