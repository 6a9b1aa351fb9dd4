//! CDN logs: CloudFront standard access logs, and the logs that DigitalOcean Spaces CDN writes in the same format.
//!
//! A log object holds lines. A line that begins with `#` is a directive; the `#Fields:` directive is the [`Header`]
//! of the lines after it. Any other line parses to a [`Record`]. Start at [`Parser`].
//!
//! - Tabs, and only tabs, separate cells. There are no quotes.
//! - `-` and the empty cell mean "no value".
//! - The header determines what the cells hold; unknown names are ignored. Without a header the number of columns
//!   determines it, for the column counts of legacy logs.
//! - A record has a time and every cell up to the status. A header must name a time, `c-ip`, `cs-uri-stem` and
//!   `sc-status`. Cells after the status may be missing; cells beyond the last name are ignored.
//! - An invalid time, status or number makes the line a reject, whichever fields are requested.
//! - Text is percent-encoded and is returned as written; see [`value`] for decoding.
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
