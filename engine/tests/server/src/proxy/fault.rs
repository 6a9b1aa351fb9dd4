//! Faults, and the requests they apply to.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::hold::Gate;
use crate::request::{Kind, Request};

/// A fault in handling a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An S3 error instead of the response, with a matching code: 503 is SlowDown.
    Status(u16),
    /// The connection is reset instead of a response. The server never sees the request.
    ResetBeforeResponse,
    /// The connection is reset after half of the body.
    ResetInBody,
    /// The connection is closed properly after half of the body; the headers announce the full length.
    TruncatedBody,
    /// Half of the body is sent, and the headers announce its length: the response looks complete.
    ShortContentLength,
    /// The headers announce slightly more than the body; the connection is closed after it.
    LongContentLength,
    /// The second half of the body is delayed by this duration.
    SlowBody(Duration),
    /// There is no response, and the server never sees the request. The connection stays open until the client closes
    /// it.
    Stall,
    /// The server handles the request, but the client gets an S3 error.
    DoneThenStatus(u16),
    /// The server handles the request, but the connection is reset.
    DoneThenReset,
    /// The server handles the request, but there is no response.
    DoneThenStall,
    /// The response says that the bucket is in this region, without an address.
    RegionRedirect(&'static str),
}

/// Selects the requests to which a fault applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Kind of the request; `None` matches any.
    pub kind: Option<Kind>,
    /// A substring of `BUCKET/KEY`, or of `BUCKET/PREFIX` for listings.
    pub key_contains: String,
    /// Only requests that modify the server's contents.
    pub only_writes: bool,
    /// Only conditional requests.
    pub only_conditional: bool,
    /// Number of matching requests that pass before the fault applies.
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

    /// All requests that modify the server's contents.
    #[must_use]
    pub fn writes() -> Self {
        Self { only_writes: true, ..Self::default() }
    }

    /// Restricts to conditional requests: `If-None-Match` or `If-Match`.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.only_conditional = true;
        self
    }

    /// Restricts to requests with a substring of `BUCKET/KEY`, or of `BUCKET/PREFIX` for listings.
    #[must_use]
    pub fn key_contains(mut self, part: &str) -> Self {
        part.clone_into(&mut self.key_contains);
        self
    }

    /// Skips the first matching requests.
    #[must_use]
    pub fn skip(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    fn matches(&self, request: &Request) -> bool {
        self.kind.is_none_or(|kind| kind == request.kind)
            && (!self.only_writes || request.kind.is_write())
            && (!self.only_conditional || request.condition.is_some())
            && format!("{}/{}", request.bucket, request.key).contains(&self.key_contains)
    }
}

/// Faults not applied yet.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

/// What happens to a request.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Fault(Fault),
    /// It waits at this gate.
    Held(Arc<Gate>),
}

#[derive(Debug)]
struct Rule {
    effect: Effect,
    matching: Matching,
    times: usize,
}

impl Rules {
    pub(super) fn add(&mut self, effect: Effect, matching: Matching, times: usize) {
        self.0.push(Rule { effect, matching, times });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The effect of the first rule that applies to a request.
    pub(super) fn befalling(&mut self, request: &Request) -> Option<Effect> {
        for rule in self.0.iter_mut().filter(|rule| rule.matching.matches(request)) {
            if rule.matching.skip > 0 {
                rule.matching.skip -= 1;
            } else if rule.times > 0 {
                // `usize::MAX` means always.
                rule.times -= usize::from(rule.times != usize::MAX);
                return Some(rule.effect.clone());
            }
        }
        None
    }
}
