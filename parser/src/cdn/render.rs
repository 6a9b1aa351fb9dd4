//! Renders records of CDN logs as lines.

use super::field::Field;
use super::record::Record;
use crate::value::time::Civil;

impl Record<'_> {
    /// Appends the record to `out` as a line without a line ending, in the order of the 33 legacy columns, regardless
    /// of the order it was read in and of the requested fields. Missing fields become `-`; milliseconds and fields
    /// beyond the 33 are dropped.
    ///
    /// A line of 33 columns is reproduced byte for byte.
    ///
    /// ```
    /// use s3log_parser::cdn::{Header, Parser};
    ///
    /// let header = Header::parse(b"#Fields: timestamp(ms) sc-status c-ip cs-uri-stem").unwrap();
    /// let record = Parser::new().parse(b"1768472561358\t200\t192.0.2.3\t/a", Some(&header))?;
    /// let mut line = Vec::new();
    /// record.render(&mut line);
    /// assert!(line.starts_with(b"2026-01-15\t10:22:41\t-\t-\t192.0.2.3\t-\t-\t/a\t200\t-"));
    /// assert_eq!(Parser::new().parse(&line, Header::inferred(33))?.status(), Some(200));
    /// # Ok::<(), s3log_parser::cdn::Error>(())
    /// ```
    pub fn render(&self, out: &mut Vec<u8>) {
        const SECOND: i64 = 1_000_000;
        if !self.located.contains(Field::Time) {
            return;
        }
        // Parsed times are always within the supported years.
        if let Some(time) = Civil::of(self.time.div_euclid(SECOND)) {
            let Civil { year, month, day, hour, minute, second } = time;
            let text = format!("{year:04}-{month:02}-{day:02}\t{hour:02}:{minute:02}:{second:02}");
            out.extend_from_slice(text.as_bytes());
        }
        for field in &Field::ALL[1..=Field::ScRangeEnd.index()] {
            out.push(b'\t');
            if self.located.contains(*field) {
                out.extend_from_slice(&self.line[self.spans[field.index()].range()]);
            } else {
                out.push(b'-');
            }
        }
    }
}
