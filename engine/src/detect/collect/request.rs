//! One row of `requests` as an [`Event`]: what it says of who asked for what, and how that went.

use super::event::{Event, Flags};
use super::input::{Input, text};
use super::names::NONE;
use super::sketch::hash_of;
use super::sources::SourceTotals;
use super::{Agent, Collector, SourceOf, trail};
use crate::decode::address::of_canonical;
use crate::detect::context::Claim;
use crate::detect::facts::{
    ErrorFacts, KeyFacts, KeyFlags, KeyKind, OpClass, OperationFacts, UserAgentFacts, is_abuse,
};
use crate::detect::finding::Source;
use std::net::IpAddr;

/// How many user agents, and how many hosts of referers, are told apart: anybody can send new ones.
const MOST_NAMES: usize = 100_000;
/// How many methods are; HTTP has a dozen.
const MOST_METHODS: usize = 1_000;
/// What user agents are called beyond that.
const OTHERS: &str = "(others)";

/// What a client address stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    number: u32,
    source: u32,
    /// Of the source.
    hash: u64,
    flags: Flags,
}

/// A request with what only some counts ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) event: Event<'a>,
    /// What [`Event::keeping`] says of it.
    pub(super) keeping: (u8, u16),
    /// The kind of its user agent.
    pub(super) kind: u8,
    /// Its user agent without versions.
    pub(super) norm: u32,
    /// The host of its referer.
    pub(super) referer: Option<&'a str>,
    /// Scheme, version of TLS and kind of authentication.
    pub(super) transport: (u32, u32, u32),
}

impl Collector {
    /// What a row says; nothing if it has no address.
    pub(super) fn request<'a>(&mut self, input: &'a Input, row: usize) -> Option<Request<'a>> {
        let time = input.time(row);
        self.requests += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let Some((address, who)) = text(&input.client_ip, row).and_then(|address| self.who(address)) else {
            self.without_address += 1;
            return None;
        };
        let requester = text(&input.requester, row);
        let method = text(&input.method, row);
        let (method_number, _) =
            self.names.methods.number_at_most(method.unwrap_or_default(), MOST_METHODS).unwrap_or((NONE, false));
        let operation = self.operation(text(&input.operation, row), method, method_number);
        let (operation_number, operation) = operation;
        let class = operation.class;
        let agent_number = self.agent(trail::beginning(text(&input.user_agent, row).unwrap_or_default()));
        let agent = &self.agents[agent_number as usize];
        let status = input.status(row);
        let error = self.names.errors.optional(text(&input.error_code, row));
        let error_facts = *self
            .errors
            .entry((error, status.unwrap_or_default()))
            .or_insert_with(|| ErrorFacts::of(text(&input.error_code, row), status));
        let (path, query) = (text(&input.path, row), text(&input.query, row));
        let authentication = text(&input.authentication_type, row);
        let mut flags = who.flags;
        flags.set(Flags::OK, status.is_some_and(|status| (200..400).contains(&status)));
        flags.set(Flags::DENIED, error_facts.denied);
        flags.set(Flags::FAIL, error_facts.fail());
        flags.set(Flags::AUTH_ERROR, error_facts.auth.is_some());
        flags.set(Flags::SKEW, error_facts.skew_or_expired);
        // Anybody may write the parameters of a signature into a URL; the log tells whether one was looked at.
        let claims = || query.is_some_and(is_presigned);
        let may_be = error_facts.auth.is_some() || error_facts.denied || text(&input.operation, row).is_none();
        let presigned = authentication == Some("QueryString") || may_be && authentication.is_none() && claims();
        flags.set(Flags::PRESIGNED, presigned);
        let signed = requester.is_some() || authentication.is_some() || presigned || error_facts.auth.is_some();
        flags.set(Flags::ANON, !signed);
        flags.set(Flags::PROTOCOL, is_abuse(method, path, None, error_facts));
        flags.set(Flags::COPY_SOURCE, operation.copy_source);
        flags.set(Flags::VERSION_LIST, operation.version_list);
        flags.set(Flags::BUCKET_HEAD, operation.bucket_head);
        flags.set(Flags::HOSTILE, agent.is_hostile);
        // Crawlers do not sign, and who does needs no false name.
        if let Some(operator) = agent.facts.crawler_claim.as_ref().filter(|_| !signed) {
            let claim = self.shared.context.claim(operator, address);
            flags.set(Flags::CRAWLER, claim == Claim::Proven);
            flags.set(Flags::FALSE_CRAWLER, matches!(claim, Claim::Refuted { .. }));
            flags.set(Flags::STALE_CRAWLERS, matches!(claim, Claim::Refuted { stale: true }));
        }
        flags.set(Flags::CDN_CLAIM, agent.claims_cdn);
        flags.set(Flags::CDN, input.is_cdn_fetch(row) && !agent.claims_cdn);
        flags.set(Flags::SERVICE, requester.is_some_and(is_service));
        let key = text(&input.object_key, row);
        let (bucket, _) = self.names.buckets.number(text(&input.bucket, row).unwrap_or_default());
        let bucket_name = self.names.buckets.get(bucket);
        let mut key_hash = 0;
        let mut prefix_hash = 0;
        // Ordinary reads of somebody who signed are most of many logs, and nothing in their keys matters.
        let matters = flags.has_any(&[Flags::ANON, Flags::FAIL]) || class.writes() || !flags.has(Flags::OK);
        if let Some(key) = key {
            // A whole URL in place of a path, as proxies are tested: the log has it as the key.
            let is_url = key.starts_with("http://") || key.starts_with("https://");
            flags.set(Flags::PROTOCOL, is_url && !flags.has(Flags::OK));
            key_hash = hash_of(&[bucket_name.as_bytes(), key.as_bytes()]).max(1);
            if matters {
                let facts = KeyFacts::of(&self.shared.lists, key);
                let prefix = facts.prefix1();
                if !prefix.is_empty() {
                    prefix_hash = hash_of(&[bucket_name.as_bytes(), prefix.as_bytes()]).max(1);
                }
                set_key_flags(&mut flags, &facts, class);
            }
        }
        if matters && let Some(path) = path {
            self.uri.clear();
            self.uri.push_str(path);
            if let Some(query) = query {
                self.uri.push('?');
                self.uri.push_str(query);
            }
            flags.set(Flags::PAYLOAD, self.shared.lists.payloads.find(self.uri.as_bytes()).is_some());
        }
        let referer = text(&input.referer, row).and_then(host_of);
        let transport = (
            self.names.transports.optional(text(&input.scheme, row)),
            self.names.transports.optional(text(&input.tls_version, row)),
            self.names.transports.optional(authentication),
        );
        let event = Event {
            time,
            source: who.source,
            source_hash: who.hash,
            address: who.number,
            requester: self.names.requesters.optional(requester),
            bucket,
            operation: operation_number,
            class,
            method: method_number,
            error,
            agent: agent_number,
            family: agent.family,
            referer: referer
                .and_then(|host| self.names.referers.number_at_most(host, MOST_NAMES))
                .map_or(NONE, |(number, _)| number),
            scheme: transport.0,
            tls: transport.1,
            status,
            bytes_sent: input.bytes_sent(row),
            object_size: input.object_size(row),
            flags,
            key_hash,
            prefix_hash,
            key,
            path,
            query,
            version_id: text(&input.version_id, row),
        };
        let (kind, norm) = (agent.facts.kind as u8, agent.norm);
        Some(Request { event, keeping: event.keeping(), kind, norm, referer, transport })
    }

    /// An address and what it stands for; nothing if it is none.
    fn who(&mut self, text: &str) -> Option<(IpAddr, Address)> {
        let address = of_canonical(text)?;
        if let Some(known) = self.addresses.get(&address) {
            return Some((address, *known));
        }
        let known = self.new_address(address, text);
        self.addresses.insert(address, known);
        Some((address, known))
    }

    fn new_address(&mut self, address: IpAddr, text: &str) -> Address {
        let known = self.shared.context.of(address);
        let mut flags = Flags::default();
        flags.set(Flags::ALLOW, known.allow.is_some());
        flags.set(Flags::DENY, known.deny.is_some());
        flags.set(Flags::CDN, known.cdn.is_some());
        flags.set(Flags::PRIVATE, known.private);
        let (number, _) = self.names.addresses.number(text);
        let name = Source::of(address).to_string();
        let hash = hash_of(&[name.as_bytes()]);
        let (source, is_new) = self.names.sources.number(&name);
        if is_new {
            self.sources.push(SourceOf { address, known, hash });
            self.totals.push(SourceTotals::default());
        } else {
            self.sources[source as usize].also(address, known);
        }
        Address { number, source, hash, flags }
    }

    fn agent(&mut self, agent: &str) -> u32 {
        let known = self.names.agents.number_at_most(agent, MOST_NAMES);
        if let Some((number, false)) = known {
            return number;
        }
        let facts = UserAgentFacts::of(&self.shared.lists, Some(agent));
        let (number, is_new) = known.unwrap_or_else(|| {
            // What matters of one more: tools and crawlers are few, whatever stands around their names.
            let name = facts.hostile_tool.as_deref().or(facts.crawler_claim.as_deref()).unwrap_or(OTHERS);
            self.names.agents.number(name)
        });
        if is_new {
            self.push_agent(agent, facts);
        }
        number
    }

    fn push_agent(&mut self, agent: &str, facts: UserAgentFacts) {
        self.agents.push(Agent {
            norm: self.names.norms.number(&facts.norm).0,
            family: self.names.families.number(&facts.family).0,
            is_hostile: facts.hostile_tool.is_some() || facts.offensive_os,
            claims_cdn: agent == "Amazon CloudFront",
            facts,
        });
    }

    fn operation(
        &mut self,
        operation: Option<&str>,
        method: Option<&str>,
        method_number: u32,
    ) -> (u32, OperationFacts) {
        let number = self.names.operations.optional(operation);
        let facts =
            self.operations.entry((number, method_number)).or_insert_with(|| OperationFacts::of(operation, method));
        (number, *facts)
    }
}

/// What a key says of a request, beside what was asked.
const OF_KEYS: [(Flags, KeyFlags); 5] = [
    (Flags::SENSITIVE, KeyFlags::SENSITIVE),
    (Flags::WEB_PROBE, KeyFlags::WEB_PROBE),
    (Flags::BENIGN_MISS, KeyFlags::BENIGN_MISS),
    (Flags::RISKY_CONTENT, KeyFlags::RISKY_CONTENT),
    (Flags::PART, KeyFlags::NUMBERED_PART),
];

/// What it says of a request that writes it.
const OF_WRITTEN_KEYS: [(Flags, KeyFlags); 3] = [
    (Flags::RANSOM_NOTE, KeyFlags::RANSOM_NOTE),
    (Flags::SUSPICIOUS_UPLOAD, KeyFlags::SUSPICIOUS_UPLOAD),
    (Flags::ENCRYPTED, KeyFlags::ENCRYPTED),
];

fn set_key_flags(flags: &mut Flags, facts: &KeyFacts<'_>, class: OpClass) {
    let written: &[_] = if class.writes() { &OF_WRITTEN_KEYS } else { &[] };
    for (flag, of_key) in OF_KEYS.iter().chain(written) {
        flags.set(*flag, facts.is(*of_key));
    }
    flags.set(Flags::PAGE, facts.kind == KeyKind::Page);
    flags.set(Flags::ASSET, facts.kind == KeyKind::Asset);
    flags.set(Flags::MEDIA, facts.kind == KeyKind::Media);
}

/// Whether a query carries a signature of either version.
fn is_presigned(query: &str) -> bool {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    query.contains("Signature=")
        && (has("X-Amz-Signature") || has("Signature") && has("AWSAccessKeyId") && has("Expires"))
}

/// Whether a requester is a service of the provider, which no client can be.
fn is_service(requester: &str) -> bool {
    // What has a `:` or a `/` else is an ARN, the end of which its owner chooses.
    let is_name = !requester.contains([':', '/']) && requester.ends_with(".amazonaws.com");
    requester.starts_with("svc:") || is_name || requester == "AmazonS3"
}

/// The host of a referer.
fn host_of(referer: &str) -> Option<&str> {
    let (_, rest) = referer.split_once("://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    (!host.is_empty()).then_some(host)
}
