//! Zero-copy parser for S3 server access logs and for CDN logs in CloudFront's format.
//!
//! A *log object* consists of *lines*; a line parses to a [`Record`] with up to 27 documented [`Field`]s. AWS, Ceph,
//! Backblaze B2, OVHcloud, Scality and others write the format. It has gained fields over the years, and no writer
//! escapes what clients put between the quotes. This crate reads them all, and it is robust against hostile input:
//! nothing that a client sends can make its record disappear, shift the fields after it, or imitate another record
//! without the record being marked as [ambiguous](Record::is_ambiguous).
//!
//! Parsing borrows from the input; it does no I/O and does not allocate per record. `unsafe` is confined to one
//! module, which uses vector instructions where the processor supports them. Start at [`Parser`]:
//!
//! ```
//! use s3log_parser::{Field, Lines, Parser};
//!
//! let log = br#"a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT cat.jpg "GET /cat.jpg HTTP/1.1" 200 - 2326 2326 34 33 "-" "curl/8.4.0" - hostid
//! this is no record
//! "#;
//! let mut parser = Parser::new();
//! for line in Lines::new(log).filter(|line| !line.is_blank()) {
//!     match parser.parse(line.bytes) {
//!         Ok(record) => println!("{} {:?}", record.text(Field::RemoteIp).unwrap(), record.http_status()),
//!         Err(error) => println!("line {}: {error}", line.number),
//!     }
//! }
//! ```
//!
//! CDN logs have another format, which is handled by [`cdn`]. [`sniff`] detects the format of a line;
//! [`LogObjectKey`] and [`CdnObjectKey`] parse the names of log objects.
//!
//! ```
//! use s3log_parser::{LogFormat, cdn, sniff};
//!
//! let line = b"2026-01-15\t10:22:41\tFRA56-P4\t2390\t192.0.2.3\tGET\td111111abcdef8.cloudfront.net\t/cat.jpg\t200\t-\tcurl/8.5.0\t-";
//! assert_eq!(sniff(line), Some(LogFormat::Cdn));
//! let record = cdn::Parser::new().parse(line, None)?;
//! assert_eq!((record.text(cdn::Field::CsUriStem), record.status()), (Some("/cat.jpg".into()), Some(200)));
//! # Ok::<(), cdn::Error>(())
//! ```
//!
//! The S3 format is documented on AWS's page "Amazon S3 server access log format". What other systems write, and what
//! clients do to it, was taken from their sources and from public log lines.

#![deny(unsafe_code)]

mod ambiguity;
mod careful;
pub mod cdn;
mod cdn_object_key;
mod dialect;
mod error;
mod field;
mod field_set;
mod formats;
mod line;
mod log_object_key;
mod outline;
#[cfg(feature = "parallel")]
pub mod parallel;
mod parser;
mod record;
mod render;
mod sniff;
mod tail;
mod token;
pub mod value;

pub use cdn_object_key::CdnObjectKey;
pub use dialect::Dialect;
pub use error::{Error, ErrorKind, Reason};
pub use field::{Distinct, FIELDS, Field, FieldInfo, Kind, Shape};
pub use field_set::FieldSet;
pub use line::{BYTE_ORDER_MARK, Line, Lines, is_blank};
pub use log_object_key::LogObjectKey;
pub use parser::Parser;
pub use record::Record;
pub use sniff::{LogFormat, sniff};
