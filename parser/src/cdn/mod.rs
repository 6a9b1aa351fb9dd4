//! CDN logs: standard access logs of CloudFront, and what DigitalOcean Spaces CDN writes in their format.
//!
//! A log object holds lines; a line that begins with `#` is a directive, and of those the `#Fields:` line is the
//! [`Header`] of the lines behind it. Any other line parses to a [`Record`]. Start at [`Parser`].
//!
//! - Cells end at tabs, and at nothing else. There are no quotes.
//! - `-` and the empty cell say nothing.
//! - A header says what the cells are; names that are not known here are passed over. Without a header the number of
//!   columns says it, for numbers that logs had before their fields could be chosen.
//! - A record has a time, and every cell up to the status. A header must name a time, `c-ip`, `cs-uri-stem` and
//!   `sc-status`. What stands behind the status may be missing; cells behind the last name are passed over.
//! - A time, a status or a number that is none makes a line a reject, whatever fields are wanted.
//! - Text is percent-encoded, and stays so: see [`value`].
//!
//! ```
//! use s3log_parser::cdn::{Field, Header, Parser};
//!
//! let header = Header::parse(b"#Fields: date time c-ip cs-uri-stem sc-status time-taken").unwrap();
//! let record = Parser::new().parse(b"2026-01-15\t10:22:41\t192.0.2.3\t/cat.jpg\t200\t0.358", Some(&header))?;
//! assert_eq!(record.text(Field::CIp).unwrap(), "192.0.2.3");
//! assert_eq!(record.millis(Field::TimeTaken), Some(358));
//! # Ok::<(), s3log_parser::cdn::Error>(())
//! ```

mod error;
mod field;
mod field_set;
mod header;
mod parser;
mod record;
mod render;
pub mod value;

pub use error::{Error, ErrorKind, Reason};
pub use field::{FIELDS, Field, FieldInfo, Kind};
pub use field_set::FieldSet;
pub use header::{Cell, Header, field_of_name, is_directive};
pub use parser::Parser;
pub use record::Record;
