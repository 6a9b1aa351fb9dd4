//! Strategies that generate lines: well-formed ones of all eras, hostile ones, broken ones, and soup.
//!
//! Start at [`any_line`].

mod broken;
mod hostile;
mod soup;
mod well_formed;

pub(crate) use broken::mutated_line;
pub(crate) use hostile::{client_bytes, hostile_line};
pub(crate) use soup::{byte_soup, number_text, time_text, token_soup};
pub(crate) use well_formed::{AwsLine, aws_line, dialect_line};

use proptest::prelude::*;

/// A line from any of the strategies.
pub(crate) fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => aws_line().prop_map(|line| line.bytes()),
        1 => dialect_line(),
        2 => hostile_line(),
        2 => mutated_line(),
        3 => token_soup(),
        2 => byte_soup(),
    ]
}
