//! Faults, and the requests they befall.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::hold::Gate;
use crate::request::{Kind, Request};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error of S3, instead of the answer. The code fits: 503 is SlowDown.
    Status(u16),
    /// The connection is reset instead of the answer. The server never sees the request.
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
    /// No answer ever comes, and the server never sees the request. The connection stays open until the client closes it.
    Stall,
    /// The server does as it is asked; instead of its answer comes an error of S3.
    DoneThenStatus(u16),
    /// The server does as it is asked; instead of its answer the connection is reset.
    DoneThenReset,
    /// The server does as it is asked, and no answer ever comes.
    DoneThenStall,
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
    /// Only those that change what the server holds.
    pub only_writes: bool,
    /// Only those that are done on a condition.
    pub only_conditional: bool,
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

    /// All requests that change what the server holds.
    #[must_use]
    pub fn writes() -> Self {
        Self { only_writes: true, ..Self::default() }
    }

    /// Of these, those that are done on a condition: `If-None-Match` or `If-Match`.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.only_conditional = true;
        self
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
            && (!self.only_writes || request.kind.is_write())
            && (!self.only_conditional || request.condition.is_some())
            && format!("{}/{}", request.bucket, request.key).contains(&self.key_contains)
    }
}

/// Faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

/// What befalls a request.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Fault(Fault),
    /// It waits there.
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

    /// What befalls this request by the first rule that has something for it.
    pub(super) fn befalling(&mut self, request: &Request) -> Option<Effect> {
        for rule in self.0.iter_mut().filter(|rule| rule.matching.matches(request)) {
            if rule.matching.skip > 0 {
                rule.matching.skip -= 1;
            } else if rule.times > 0 {
                // `usize::MAX` is always.
                rule.times -= usize::from(rule.times != usize::MAX);
                return Some(rule.effect.clone());
            }
        }
        None
    }
}
