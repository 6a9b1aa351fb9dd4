//! Detecting the format of a log object from its lines, never from its name.
//!
//! The first line that is unambiguously of one format, if it begins within the first 64 KiB, decides for the whole
//! object. Without one the object is treated as an S3 server access log, and all its lines will be rejects. In a CDN
//! log every `#Fields:` line begins a new [`Part`], so each part can be decoded without what came before.

use super::block::Part;
use memchr::{memchr, memchr_iter, memmem};
#[cfg(feature = "datafusion")]
use s3log_parser::BYTE_ORDER_MARK;
use s3log_parser::{Lines, LogFormat, cdn, sniff};
use std::ops::Range;
use std::sync::Arc;

/// The deciding line must begin within this many bytes.
pub(crate) const DECIDED_WITHIN: u64 = 64 << 10;

/// The format of the lines of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Not decided yet: no line so far is a record.
    #[default]
    Undecided,
    /// S3 server access log records.
    S3,
    /// CloudFront-format records, with the columns of the last header if there was one.
    Cdn(Option<Arc<cdn::Header>>),
    /// JSON objects, one per line.
    Json,
}

impl Content {
    fn of(line: LogFormat) -> Self {
        match line {
            LogFormat::S3 => Self::S3,
            LogFormat::Cdn => Self::Cdn(None),
            LogFormat::Json => Self::Json,
        }
    }

    /// What the first bytes of an object decide; `None` if more bytes are needed. `is_all`: there are no more bytes.
    #[cfg(feature = "datafusion")]
    pub(crate) fn of_head(head: &[u8], is_all: bool) -> Option<Self> {
        let mut at = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        while at < head.len() && (at as u64) < DECIDED_WITHIN {
            let end = memchr(b'\n', &head[at..]).map(|end| at + end);
            let end = end.or_else(|| (is_all || head.len() - at >= SNIFFED).then_some(head.len()))?;
            if let Some(decided) = sniff(&head[at..end.min(at + SNIFFED)]) {
                return Some(Self::of(decided));
            }
            at = end + 1;
        }
        (is_all || at as u64 >= DECIDED_WITHIN).then_some(Self::S3)
    }
}

/// Number of bytes of a line that are enough to decide.
pub(crate) const SNIFFED: usize = 1 << 10;

/// A line end followed by a `#Fields:` line or another directive.
const DIRECTIVE: &[u8] = b"\n#";

/// Decides the content of the parts of a block, and starts a new part where it changes. Lines longer than `max_line`
/// bytes decide nothing.
pub(super) fn settle(parts: &mut Vec<Part>, bytes: &[u8], max_line: usize, counts_lines: bool) {
    // The common case: an object whose format is known, without headers.
    if parts.iter().all(|part| matches!(part.content(), Content::S3 | Content::Json)) {
        return;
    }
    let mut settled = Vec::with_capacity(parts.len() + 1);
    for at in 0..parts.len() {
        let end = parts.get(at + 1).map_or(bytes.len(), Part::start);
        let mut settling = Settling { bytes, end, max_line, counts_lines, settled: &mut settled };
        settling.part(parts[at].clone());
    }
    *parts = settled;
}

struct Settling<'a> {
    bytes: &'a [u8],
    /// End of the part.
    end: usize,
    max_line: usize,
    counts_lines: bool,
    settled: &'a mut Vec<Part>,
}

impl Settling<'_> {
    fn part(&mut self, mut part: Part) {
        if *part.content() == Content::Undecided {
            match self.decide(&part) {
                None => return self.settled.push(part),
                Some((start, content)) => part = self.cut(part, start, content),
            }
        }
        if let Content::Cdn(_) = part.content() {
            part = self.headers(part);
        }
        self.settled.push(part);
    }

    /// Offset and content of the first line that decides. A line beyond [`DECIDED_WITHIN`] decides for S3.
    fn decide(&self, part: &Part) -> Option<(usize, Content)> {
        let mut start = part.start();
        while start < self.end {
            if part.offset() + (start - part.start()) as u64 >= DECIDED_WITHIN {
                return Some((start, Content::S3));
            }
            let end = memchr(b'\n', &self.bytes[start..self.end]).map_or(self.end, |end| start + end);
            let line = &self.bytes[start..end];
            if line.len() <= self.max_line
                && let Some(decided) = sniff(&line[..line.len().min(SNIFFED)])
            {
                return Some((start, Content::of(decided)));
            }
            start = end + 1;
        }
        None
    }

    /// Starts a new part after each header.
    fn headers(&mut self, mut part: Part) -> Part {
        let range: Range<usize> = part.start()..self.end;
        let first = range.start;
        let bytes = &self.bytes[range];
        let at_start = bytes.first().filter(|byte| **byte == b'#').map(|_| 0);
        for line in at_start.into_iter().chain(memmem::find_iter(bytes, DIRECTIVE).map(|at| at + 1)) {
            let end = memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |end| line + end);
            if let Some(header) = cdn::Header::parse(&bytes[line..end]) {
                part = self.cut(part, first + line, Content::Cdn(Some(Arc::new(header))));
            }
        }
        part
    }

    /// Ends a part at `start`, where a line begins; returns the part from there on. If only blank lines precede it, no
    /// part is added.
    fn cut(&mut self, part: Part, start: usize, content: Content) -> Part {
        let before = &self.bytes[part.start()..start];
        let lines = if self.counts_lines { memchr_iter(b'\n', before).count() as u64 } else { 0 };
        let rest = part.behind(before.len(), lines).with_content(content.clone());
        // Blank lines are the same in any format.
        if Lines::of_part(before).all(|line| line.is_blank()) {
            return part.with_content(content);
        }
        self.settled.push(part);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Block;

    const S3: &str = "owner bucket [15/Jan/2026:10:00:00 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 5 5 1 1 \"-\" \"-\" -\n";
    const CDN: &str = "2026-01-15\t10:00:00\tAMS1\t5\t192.0.2.3\tGET\td.cloudfront.net\t/k\t200\t-\t-\t-\n";
    const FIELDS: &str = "#Fields: date time c-ip cs-uri-stem sc-status\n";

    fn parts(text: &str) -> Vec<(usize, u64, u64, &'static str)> {
        let block = Block::new("log", bytes::Bytes::copy_from_slice(text.as_bytes()));
        let name = |content: &Content| match content {
            Content::Undecided => "undecided",
            Content::S3 => "s3",
            Content::Cdn(None) => "cdn",
            Content::Cdn(Some(_)) => "cdn with header",
            Content::Json => "json",
        };
        block.parts().iter().map(|it| (it.start(), it.offset(), it.line_number(), name(it.content()))).collect()
    }

    #[test]
    fn the_first_line_that_decides_does_so() {
        assert_eq!(parts(S3), [(0, 0, 1, "s3")]);
        assert_eq!(parts(&format!("\n \n{S3}{CDN}")), [(0, 0, 1, "s3")]);
        assert_eq!(parts(&format!("garbage\n{CDN}{S3}")), [(0, 0, 1, "undecided"), (8, 8, 2, "cdn")]);
        assert_eq!(parts(&format!("# a remark\n{S3}")), [(0, 0, 1, "undecided"), (11, 11, 2, "s3")]);
        assert_eq!(parts("{\"a\":1}\n"), [(0, 0, 1, "json")]);
        assert_eq!(parts("garbage\n"), [(0, 0, 1, "undecided")]);
        let late = format!("{}{CDN}", "garbage\n".repeat(8 << 10));
        assert_eq!(parts(&late), [(0, 0, 1, "undecided"), (64 << 10, 64 << 10, (8 << 10) + 1, "s3")]);
    }

    #[test]
    fn every_header_begins_a_part() {
        let version = "#Version: 1.0\n";
        let (v, f, c) = (version.len(), FIELDS.len(), CDN.len());
        let text = format!("{version}{FIELDS}{CDN}{FIELDS}{CDN}# no header\n{CDN}");
        let expected = [
            (0, 0, 1, "cdn"),
            (v, v as u64, 2, "cdn with header"),
            (v + f + c, (v + f + c) as u64, 4, "cdn with header"),
        ];
        assert_eq!(parts(&text), expected);
        assert_eq!(parts(&format!("{FIELDS}{CDN}")), [(0, 0, 1, "cdn with header")]);
    }

    #[test]
    fn a_head_decides_as_the_whole_object_would() {
        let head = |text: &str, is_all| Content::of_head(text.as_bytes(), is_all);
        assert_eq!(head(S3, false), Some(Content::S3));
        assert_eq!(head(&S3[..100], false), None, "more of the line may come");
        assert_eq!(head(&S3[..100], true), Some(Content::S3));
        assert_eq!(head(&format!("garbage\n{CDN}"), false), Some(Content::Cdn(None)));
        assert_eq!(head("garbage\n", false), None);
        assert_eq!(head("garbage\n", true), Some(Content::S3));
        assert_eq!(head(&"garbage\n".repeat(8 << 10), false), Some(Content::S3));
    }
}
