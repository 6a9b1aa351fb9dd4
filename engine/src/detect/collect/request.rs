//! Converts a row of `requests` to an [`Event`]: who requested what, and with which outcome.

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
use s3log_parser::value::requester::is_service;
use std::net::IpAddr;

/// Maximum number of distinct user agents, and of referring hosts, since clients can send any number.
const MOST_NAMES: usize = 100_000;
/// Maximum length of a DNS name; anything longer is not a host.
const LONGEST_HOST: usize = 253;
/// Maximum number of addresses tracked per IPv6 network, since one client has more of them than fit in memory.
pub(super) const MOST_ADDRESSES: u16 = 256;
/// Maximum number of distinct methods; HTTP has a dozen.
const MOST_METHODS: usize = 1_000;
/// Name for user agents beyond the limit.
const OTHERS: &str = "(others)";

/// What is known of a client address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    number: u32,
    source: u32,
    /// Hash of the source.
    hash: u64,
    flags: Flags,
}

/// An event with details that only some counts need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) event: Event<'a>,
    /// The result of [`Event::keeping`].
    pub(super) keeping: (u8, u16),
    /// Kind of the user agent.
    pub(super) kind: u8,
    /// The normalised user agent, without versions, and its hash.
    pub(super) norm: (u32, u64),
    /// Host of the referer.
    pub(super) referer: Option<&'a str>,
    /// Scheme, TLS version and authentication type.
    pub(super) transport: (u32, u32, u32),
}

/// Texts of a row that are used more than once.
#[derive(Clone, Copy, Debug)]
struct Said<'a> {
    requester: Option<&'a str>,
    method: Option<&'a str>,
    operation: Option<&'a str>,
    error_code: Option<&'a str>,
    path: Option<&'a str>,
    query: Option<&'a str>,
    authentication: Option<&'a str>,
    key: Option<&'a str>,
}

impl<'a> Said<'a> {
    #[inline]
    fn of(input: &'a Input, row: usize) -> Self {
        Self {
            requester: text(&input.requester, row),
            method: text(&input.method, row),
            operation: text(&input.operation, row),
            error_code: text(&input.error_code, row),
            path: text(&input.path, row),
            query: text(&input.query, row),
            authentication: text(&input.authentication_type, row),
            key: text(&input.object_key, row),
        }
    }
}

// The helpers of `request` run once per row, which is why they are inlined.
impl Collector {
    /// The request in a row; `None` if it has no address.
    pub(super) fn request<'a>(&mut self, input: &'a Input, row: usize) -> Option<Request<'a>> {
        let time = input.time(row);
        self.requests += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let Some((address, who)) = text(&input.client_ip, row).and_then(|address| self.who(address)) else {
            self.without_address += 1;
            return None;
        };
        let said = Said::of(input, row);
        let status = input.status(row);
        let method = said.method.unwrap_or_default();
        let (method, _) = self.names.methods.number_at_most(method, MOST_METHODS).unwrap_or((NONE, false));
        let (operation_number, mut operation) = self.operation(said.operation, said.method, method);
        let (agent_number, agent_payload) =
            self.agent(trail::beginning(text(&input.user_agent, row).unwrap_or_default()));
        let (error, error_facts) = self.error(said.error_code, status);
        let (bucket, _) = self.names.buckets.number(text(&input.bucket, row).unwrap_or_default());
        let agent = &self.agents[agent_number as usize];

        let mut flags = who.flags;
        set_outcome_flags(&mut flags, status, error_facts);
        set_signature_flags(&mut flags, &said, error_facts);
        if said.operation.is_none() && operation.class.writes() && flags.has(Flags::OK) {
            // What a CDN passes on and is answered does not change a bucket, which takes no unsigned writes.
            operation.class = OpClass::Other;
        }
        set_operation_flags(&mut flags, &said, operation, error_facts);
        self.set_agent_flags(&mut flags, agent, address);
        flags.set(Flags::CDN, input.is_cdn_fetch(row) && !agent.claims_cdn);
        flags.set(Flags::SERVICE, said.requester.is_some_and(is_service));
        // Successful signed reads are the bulk of many logs, and nothing about their keys matters.
        let matters = flags.has_any(&[Flags::ANON, Flags::FAIL]) || operation.class.writes() || !flags.has(Flags::OK);
        let (key_hash, prefix_hash) =
            said.key.map_or((0, 0), |key| self.look_at_key(&mut flags, key, bucket, operation.class, matters));
        if matters && let Some(path) = said.path {
            let uri = joined(&mut self.uri, path, said.query);
            flags.set(Flags::PAYLOAD, self.shared.lists.payloads.find(uri.as_bytes()).is_some());
        }
        let referer = text(&input.referer, row);
        let in_referer = || referer.is_some_and(|referer| self.shared.lists.payloads.is_in_header(referer.as_bytes()));
        flags.set(Flags::PAYLOAD, agent_payload || in_referer());
        let referer = referer.and_then(host_of);
        let transport = (
            self.names.transports.optional(text(&input.scheme, row)),
            self.names.transports.optional(text(&input.tls_version, row)),
            self.names.transports.optional(said.authentication),
        );
        let event = Event {
            time,
            source: who.source,
            source_hash: who.hash,
            address: who.number,
            requester: self.names.requesters.optional(said.requester),
            bucket,
            operation: operation_number,
            class: operation.class,
            method,
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
            key: said.key,
            path: said.path,
            query: said.query,
            version_id: text(&input.version_id, row),
        };
        let (kind, norm) = (agent.facts.kind as u8, (agent.norm, agent.norm_hash));
        Some(Request { event, keeping: event.keeping(), kind, norm, referer, transport })
    }

    /// The number of an error code, and its meaning with this status.
    #[inline]
    fn error(&mut self, code: Option<&str>, status: Option<i32>) -> (u32, ErrorFacts) {
        let number = self.names.errors.optional(code);
        let facts = self.errors.entry((number, status.unwrap_or_default()));
        (number, *facts.or_insert_with(|| ErrorFacts::of(code, status)))
    }

    /// Sets flags from the claims of a user agent, and whether its address proves them. Signature flags must already be
    /// set.
    #[inline]
    fn set_agent_flags(&self, flags: &mut Flags, agent: &Agent, address: IpAddr) {
        flags.set(Flags::HOSTILE, agent.is_hostile);
        flags.set(Flags::CDN_CLAIM, agent.claims_cdn);
        // Crawlers do not sign requests, and someone with credentials needs no disguise.
        if let Some(operator) = agent.facts.crawler_claim.as_ref().filter(|_| flags.has(Flags::ANON)) {
            let claim = self.shared.context.claim(operator, address);
            flags.set(Flags::CRAWLER, claim == Claim::Proven);
            flags.set(Flags::FALSE_CRAWLER, matches!(claim, Claim::Refuted { .. }));
            flags.set(Flags::STALE_CRAWLERS, matches!(claim, Claim::Refuted { stale: true }));
        }
    }

    /// Sets flags from a key, if that matters; returns the hashes of key and prefix, 0 if there is none.
    #[inline]
    fn look_at_key(&self, flags: &mut Flags, key: &str, bucket: u32, class: OpClass, matters: bool) -> (u64, u64) {
        // A complete URL instead of a path, as sent to test for open proxies: logged as the key.
        let is_url = key.starts_with("http://") || key.starts_with("https://");
        flags.set(Flags::PROTOCOL, is_url && !flags.has(Flags::OK));
        let bucket = self.names.buckets.get(bucket).as_bytes();
        let hash = |text: &str| hash_of(&[bucket, text.as_bytes()]).max(1);
        let mut prefix_hash = 0;
        if matters {
            let facts = KeyFacts::of(&self.shared.lists, key);
            let prefix = facts.prefix1();
            if !prefix.is_empty() {
                prefix_hash = hash(prefix);
            }
            set_key_flags(flags, &facts, class);
        }
        (hash(key), prefix_hash)
    }

    /// Parses and interns an address; `None` if it is invalid.
    fn who(&mut self, text: &str) -> Option<(IpAddr, Address)> {
        let address = of_canonical(text)?;
        if let Some(known) = self.addresses.get(&address) {
            return Some((address, *known));
        }
        let known = self.new_address(address, text);
        if known.number != NONE {
            self.addresses.insert(address, known);
        }
        Some((address, known))
    }

    fn new_address(&mut self, address: IpAddr, text: &str) -> Address {
        let known = self.shared.context.of(address);
        let mut flags = Flags::default();
        flags.set(Flags::ALLOW, known.allow.is_some());
        flags.set(Flags::DENY, known.deny.is_some());
        flags.set(Flags::CDN, known.cdn.is_some());
        flags.set(Flags::PRIVATE, known.private);
        let name = Source::of(address).to_string();
        let hash = hash_of(&[name.as_bytes()]);
        let (source, is_new) = self.names.sources.number(&name);
        if is_new {
            self.sources.push(SourceOf { address, known, hash, addresses: 0 });
            self.totals.push(SourceTotals::default());
        } else {
            self.sources[source as usize].also(address, known);
        }
        let number = match self.sources[source as usize].takes_address() {
            true => self.names.addresses.number(text).0,
            false => NONE,
        };
        if number as usize == self.address_sources.len() {
            self.address_sources.push(source);
        }
        Address { number, source, hash, flags }
    }

    /// The number of a user agent, and whether it contains an attack.
    fn agent(&mut self, agent: &str) -> (u32, bool) {
        let Some((number, is_new)) = self.names.agents.number_at_most(agent, MOST_NAMES) else {
            return self.agent_beyond(agent);
        };
        if is_new {
            self.push_agent(agent);
        }
        (number, self.agents[number as usize].carries_payload)
    }

    /// Beyond the limit, only the names of tools and crawlers are kept: they are few. What is known of the name that all
    /// others share is nothing that one of them says.
    #[cold]
    fn agent_beyond(&mut self, agent: &str) -> (u32, bool) {
        let facts = UserAgentFacts::of(&self.shared.lists, Some(agent));
        let name = facts.hostile_tool.as_deref().or(facts.crawler_claim.as_deref()).unwrap_or(OTHERS);
        let (number, is_new) = self.names.agents.number(name);
        if is_new {
            self.push_agent(name);
        }
        (number, self.shared.lists.payloads.is_in_header(agent.as_bytes()))
    }

    fn push_agent(&mut self, agent: &str) {
        let facts = UserAgentFacts::of(&self.shared.lists, Some(agent));
        self.agents.push(Agent {
            norm: self.names.norms.number(&facts.norm).0,
            norm_hash: hash_of(&[facts.norm.as_bytes()]),
            family: self.names.families.number(&facts.family).0,
            is_hostile: facts.hostile_tool.is_some() || facts.offensive_os,
            carries_payload: self.shared.lists.payloads.is_in_header(agent.as_bytes()),
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

/// Sets flags from the outcome.
#[inline]
fn set_outcome_flags(flags: &mut Flags, status: Option<i32>, error: ErrorFacts) {
    flags.set(Flags::OK, status.is_some_and(|status| (200..400).contains(&status)));
    flags.set(Flags::DENIED, error.denied);
    flags.set(Flags::FAIL, error.fail());
    flags.set(Flags::AUTH_ERROR, error.auth.is_some());
    flags.set(Flags::SKEW, error.skew_or_expired);
}

/// Sets flags from the signature.
#[inline]
fn set_signature_flags(flags: &mut Flags, said: &Said<'_>, error: ErrorFacts) {
    let presigned = match said.authentication {
        Some(authentication) => authentication == "QueryString",
        None => error.may_be_of_a_signature(said.operation) && said.query.is_some_and(is_presigned),
    };
    flags.set(Flags::PRESIGNED, presigned);
    let signed = said.requester.is_some() || said.authentication.is_some() || presigned || error.auth.is_some();
    flags.set(Flags::ANON, !signed);
}

/// Sets flags from the operation.
#[inline]
fn set_operation_flags(flags: &mut Flags, said: &Said<'_>, operation: OperationFacts, error: ErrorFacts) {
    // Behind a CDN there may be more than buckets, such as an API.
    let method = said.method.filter(|method| said.operation.is_some() || *method != "PATCH");
    flags.set(Flags::PROTOCOL, is_abuse(method, said.path, error));
    flags.set(Flags::COPY_SOURCE, operation.copy_source);
    flags.set(Flags::VERSION_LIST, operation.version_list);
    flags.set(Flags::HEAD, operation.head);
    flags.set(Flags::BUCKET_HEAD, operation.bucket_head);
    flags.set(Flags::DELETE_REQUEST, operation.delete_request);
    flags.set(Flags::BATCH_LINE, operation.batch_line);
    flags.set(Flags::UPLOAD_BEGUN, operation.upload_begun);
    let given_up = operation.upload_step && !operation.upload_begun && operation.class == OpClass::ObjectWrite;
    flags.set(Flags::UPLOAD_ENDED, operation.upload_completion || given_up);
}

/// Joins a path and its query in a reusable buffer.
#[inline]
fn joined<'a>(uri: &'a mut String, path: &str, query: Option<&str>) -> &'a str {
    uri.clear();
    uri.push_str(path);
    if let Some(query) = query {
        uri.push('?');
        uri.push_str(query);
    }
    uri
}

/// Flags from a key, whatever the operation.
const OF_KEYS: [(Flags, KeyFlags); 5] = [
    (Flags::SENSITIVE, KeyFlags::SENSITIVE),
    (Flags::WEB_PROBE, KeyFlags::WEB_PROBE),
    (Flags::BENIGN_MISS, KeyFlags::BENIGN_MISS),
    (Flags::RISKY_CONTENT, KeyFlags::RISKY_CONTENT),
    (Flags::PART, KeyFlags::NUMBERED_PART),
];

/// Flags from a key that is written.
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

/// Whether a query has all parameters of a signature of either version: stores ignore incomplete ones, which anyone can
/// send.
fn is_presigned(query: &str) -> bool {
    let has = |name: &&str| query.split('&').any(|pair| pair.split('=').next() == Some(*name));
    let version_4 = [
        "X-Amz-Signature",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
    ];
    let version_2 = ["Signature", "AWSAccessKeyId", "Expires"];
    query.contains("Signature=") && (version_4.iter().all(has) || version_2.iter().all(has))
}

/// The host of a referer.
fn host_of(referer: &str) -> Option<&str> {
    let (scheme, rest) = referer.split_once("://")?;
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let host = rest.split(['/', '?', '#', ':']).next()?;
    let host = &host[..host.floor_char_boundary(LONGEST_HOST)];
    (is_scheme && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_queries_carry_signatures() {
        let version_4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&X-Amz-Date=20261001T000000Z&X-Amz-Expires=60\
                         &X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        for (query, expected) in [
            (version_4, true),
            ("AWSAccessKeyId=a&Expires=1790812800&Signature=b%3D", true),
            ("response-content-type=a&Signature=b&AWSAccessKeyId=a&Expires=1", true),
            ("X-Amz-Signature=1", false),
            ("Signature=1&Expires=1", false),
            ("xX-Amz-Signature=1", false),
            ("", false),
        ] {
            assert_eq!(is_presigned(query), expected, "{query}");
        }
    }

    #[test]
    fn hosts_of_referers() {
        for (referer, expected) in [
            ("https://www.example.com/a?b", Some("www.example.com")),
            ("http://www.example.com:8080", Some("www.example.com")),
            ("android-app://com.example.reader/", Some("com.example.reader")),
            ("${jndi:ldap://198.51.100.9/a}", None),
            ("www.example.com", None),
            ("https:///a", None),
        ] {
            assert_eq!(host_of(referer), expected, "{referer}");
        }
    }
}
