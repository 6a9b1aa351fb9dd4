//! Renders records as lines.

use crate::field::{Field, Shape};
use crate::record::{Form, HEAD, Record};

impl Record<'_> {
    /// Appends the record to `out` as a line without a line ending, with single spaces between fields.
    ///
    /// A line with single spaces between its fields and none around them is reproduced byte for byte: every field as
    /// written, quoted if it was, with a tail of the same length. The result does not depend on the requested fields.
    /// For other lines the fields are preserved. However, a line may become [ambiguous](Record::is_ambiguous) only
    /// by rendering, when collapsing doubled spaces in its tail turns text there into a second time.
    ///
    /// ```
    /// let line = b"a1b2 photos [15/Jan/2026:10:22:41 +0000] - AmazonS3 3E57 S3.EXPIRE.OBJECT k \"-\" - - - 12 - - \"-\" \"-\" - hostid - - - - - - -";
    /// let record = s3log_parser::Parser::new().parse(line)?;
    /// let mut rendered = Vec::new();
    /// record.render(&mut rendered);
    /// assert_eq!(rendered, line);
    /// # Ok::<(), s3log_parser::Error>(())
    /// ```
    pub fn render(&self, out: &mut Vec<u8>) {
        if self.located == 0 {
            return;
        }
        for field in Field::ALL.into_iter().take(HEAD).filter(|field| self.form.has(*field)) {
            if field.index() > 0 {
                out.push(b' ');
            }
            let (text, quoted) = self.head(field);
            let (open, close): (&[u8], &[u8]) = match field.info().shape {
                Shape::Bracketed => (b"[", b"]"),
                Shape::Quoted if quoted => (b"\"", b"\""),
                _ => (b"", b""),
            };
            out.extend_from_slice(open);
            out.extend_from_slice(text);
            out.extend_from_slice(close);
        }
        if self.form == Form::VersityGw {
            for span in &self.spans[HEAD..usize::from(self.located)] {
                out.push(b' ');
                out.extend_from_slice(&self.line[span.range()]);
            }
            return;
        }
        for token in self.tail() {
            out.push(b' ');
            out.extend_from_slice(token);
        }
    }
}
