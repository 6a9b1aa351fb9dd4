//! Faults, and the requests they befall.

use std::time::Duration;

use crate::request::{Kind, Request};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error of S3, instead of the answer. The code fits: 503 is SlowDown.
    Status(u16),
    /// The connection is reset instead of the answer.
    ResetBeforeResponse,
    /// The connection is reset when half of the body was sent.
    ResetInBody,
    /// The connection is closed in order when half of the body was sent, of which the headers give the whole length.
    TruncatedBody,
    /// Half of the body is sent, and the headers give its length: the answer looks complete.
    ShortContentLength,
    /// The headers give a length a little greater than the body's, behind which the connection is closed.
    LongContentLength,
    /// The second half of the body comes that much later.
    SlowBody(Duration),
    /// No answer ever comes. The connection stays open until the client closes it.
    Stall,
    /// The bucket is in that region, the answer says, without an address to go to.
    RegionRedirect(&'static str),
}

/// Which requests a fault befalls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// What they are for; `None`: anything.
    pub kind: Option<Kind>,
    /// A part of `BUCKET/KEY`, or for a list of `BUCKET/PREFIX`.
    pub key_contains: String,
    /// As many pass before the first is befallen.
    pub skip: usize,
}

impl Matching {
    /// All requests.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests of one kind.
    #[must_use]
    pub fn kind(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    /// Of these, those with a part of `BUCKET/KEY`, or for a list of `BUCKET/PREFIX`.
    #[must_use]
    pub fn key_contains(mut self, part: &str) -> Self {
        part.clone_into(&mut self.key_contains);
        self
    }

    /// Of these, not the first few.
    #[must_use]
    pub fn skip(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    fn matches(&self, request: &Request) -> bool {
        self.kind.is_none_or(|kind| kind == request.kind)
            && format!("{}/{}", request.bucket, request.key).contains(&self.key_contains)
    }
}

/// Faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    fault: Fault,
    matching: Matching,
    times: usize,
}

impl Rules {
    pub(super) fn add(&mut self, fault: Fault, matching: Matching, times: usize) {
        self.0.push(Rule { fault, matching, times });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of the first rule that has one for this request.
    pub(super) fn befalling(&mut self, request: &Request) -> Option<Fault> {
        for rule in self.0.iter_mut().filter(|rule| rule.matching.matches(request)) {
            if rule.matching.skip > 0 {
                rule.matching.skip -= 1;
            } else if rule.times > 0 {
                // `usize::MAX` is always.
                rule.times -= usize::from(rule.times != usize::MAX);
                return Some(rule.fault);
            }
        }
        None
    }
}
