//! The one pass over the requests: every request becomes an [`Event`], counted here, and kept if rules may ask for it by itself.
//!
//! Every partition of the scan has a [`Collector`] of its own; in the end they are [merged](Collector::merge). Neither the order of
//! requests nor the partitions change what comes out.
//!
//! Memory grows with sources, and with the keys that were used, not with requests: of each source, bucket and day a bounded number
//! of requests is kept ([`Event::keeping`]).

pub(crate) mod days;
pub(crate) mod event;
pub(crate) mod input;
mod kept;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod requesters;
pub(crate) mod sides;
pub(crate) mod sketch;
pub(crate) mod sources;
pub(crate) mod trail;

use self::days::SourceDays;
use self::event::{Event, Flags};
use self::input::{Input, text};
use self::kept::Offer;
use self::keys::Keys;
use self::names::{NONE, Names};
use self::requesters::{Renamed, Requesters};
use self::sides::Sides;
use self::sketch::hash_of;
use self::sources::SourceTotals;
use self::trail::Trail;
use crate::detect::context::{Claim, Context, Entry, Known};
use crate::detect::facts::{
    ErrorFacts, KeyFacts, KeyFlags, KeyKind, Lists, OpClass, OperationFacts, UserAgentFacts, is_abuse,
};
use crate::detect::finding::Source;
use datafusion::common::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The group of ordinary requests that are kept with a requester, to be shown.
const ORDINARY: (u8, u16) = (0, 3);

/// How many user agents, and how many hosts of referers, are told apart: anybody can send new ones.
const MOST_NAMES: usize = 100_000;
/// How many methods are; HTTP has a dozen.
const MOST_METHODS: usize = 1_000;
/// What user agents are called beyond that.
const OTHERS: &str = "(others)";

/// What a client address stands for.
#[derive(Clone, Copy, Debug)]
struct Address {
    number: u32,
    source: u32,
    /// Of the source.
    hash: u64,
    flags: Flags,
}

/// What a user agent says.
#[derive(Debug)]
pub(crate) struct Agent {
    pub facts: UserAgentFacts,
    norm: u32,
    family: u32,
    is_hostile: bool,
    claims_cdn: bool,
}

impl Agent {
    /// The attacker's tool, or system, that it names.
    pub(crate) fn hostile_tool(&self) -> Option<&str> {
        self.facts.hostile_tool.as_deref().or_else(|| self.facts.offensive_os.then_some("offensive system"))
    }
}

/// Texts as numbers, of every kind that a request has.
#[derive(Debug, Default)]
pub(crate) struct AllNames {
    pub sources: Names,
    pub addresses: Names,
    pub requesters: Names,
    pub buckets: Names,
    pub operations: Names,
    pub methods: Names,
    pub errors: Names,
    pub agents: Names,
    pub norms: Names,
    pub families: Names,
    pub referers: Names,
    pub transports: Names,
}

/// Numbers here for the numbers of another collector.
#[derive(Debug)]
pub(crate) struct Renamings {
    pub sources: Vec<u32>,
    pub addresses: Vec<u32>,
    pub requesters: Vec<u32>,
    pub buckets: Vec<u32>,
    pub operations: Vec<u32>,
    pub methods: Vec<u32>,
    pub errors: Vec<u32>,
    pub agents: Vec<u32>,
    pub norms: Vec<u32>,
    pub families: Vec<u32>,
    pub referers: Vec<u32>,
    pub transports: Vec<u32>,
    /// How far rows of the trail move up.
    pub rows: u32,
}

impl AllNames {
    fn merge(&mut self, other: &Self, rows: usize) -> Renamings {
        Renamings {
            sources: self.sources.merge(&other.sources),
            addresses: self.addresses.merge(&other.addresses),
            requesters: self.requesters.merge(&other.requesters),
            buckets: self.buckets.merge(&other.buckets),
            operations: self.operations.merge(&other.operations),
            methods: self.methods.merge(&other.methods),
            errors: self.errors.merge(&other.errors),
            agents: self.agents.merge(&other.agents),
            norms: self.norms.merge(&other.norms),
            families: self.families.merge(&other.families),
            referers: self.referers.merge(&other.referers),
            transports: self.transports.merge(&other.transports),
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
        }
    }
}

/// A source: its address, and who it is.
#[derive(Debug)]
pub(crate) struct SourceOf {
    /// An address of it; of an IPv6 network the smallest that was seen.
    pub address: IpAddr,
    pub known: Known,
    /// The same in every partition and run.
    pub hash: u64,
}

impl SourceOf {
    /// Takes another address of an IPv6 network. Who is allowed shields the network, and of two entries the narrower one counts.
    fn also(&mut self, address: IpAddr, known: Known) {
        let narrower = |mine: &mut Option<Arc<Entry>>, theirs: Option<Arc<Entry>>| {
            let length = |entry: &Option<Arc<Entry>>| entry.as_ref().map(|entry| entry.network.prefix_len());
            if length(&theirs) > length(mine) {
                *mine = theirs;
            }
        };
        narrower(&mut self.known.allow, known.allow);
        narrower(&mut self.known.deny, known.deny);
        narrower(&mut self.known.cdn, known.cdn);
        narrower(&mut self.known.crawler, known.crawler);
        narrower(&mut self.known.intel, known.intel);
        if self.known.allow.is_some() {
            self.known.deny = None;
            self.known.intel = None;
        }
        // The smallest address stands for all, in whatever order they come.
        if address < self.address {
            self.address = address;
            self.known.country = known.country;
            self.known.asn = known.asn;
            self.known.as_org = known.as_org;
        }
    }
}

/// What all collectors of a run ask.
#[derive(Clone, Debug)]
pub(crate) struct SharedParts {
    /// With scratch memory of its own in every clone.
    pub lists: Lists,
    pub context: Arc<Context>,
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Collector {
    shared: SharedParts,
    pub names: AllNames,
    addresses: HashMap<IpAddr, Address>,
    pub sources: Vec<SourceOf>,
    pub totals: Vec<SourceTotals>,
    pub agents: Vec<Agent>,
    operations: HashMap<(u32, u32), OperationFacts>,
    errors: HashMap<(u32, i32), ErrorFacts>,
    pub days: SourceDays,
    pub requesters: Requesters,
    pub keys: Keys,
    pub sides: Sides,
    pub trail: Trail,
    /// Every request, when somebody asked for that.
    every: Option<Trail>,
    /// Requests without an address: of the provider's own services.
    pub without_address: u64,
    /// Room for a path and its query.
    uri: String,
    pub requests: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl Collector {
    /// An empty one; `every` keeps all requests, for [`Self::take_every`].
    pub(crate) fn new(shared: SharedParts, every: bool) -> Self {
        Self {
            shared,
            names: AllNames::default(),
            addresses: HashMap::default(),
            sources: Vec::new(),
            totals: Vec::new(),
            agents: Vec::new(),
            operations: HashMap::default(),
            errors: HashMap::default(),
            days: SourceDays::default(),
            requesters: Requesters::default(),
            keys: Keys::default(),
            sides: Sides::default(),
            trail: Trail::default(),
            every: every.then(Trail::default),
            without_address: 0,
            uri: String::new(),
            requests: 0,
            first: None,
            last: None,
        }
    }

    /// The lists that say what a key is.
    pub(crate) fn lists(&self) -> &Lists {
        &self.shared.lists
    }

    /// Counts a request.
    pub(crate) fn add_row(&mut self, input: &Input, row: usize) {
        let time = input.time(row);
        self.requests += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let address = text(&input.client_ip, row).and_then(|address| Some((address, address.parse::<IpAddr>().ok()?)));
        let Some((address_text, address)) = address else {
            self.without_address += 1;
            return;
        };
        let who = self.who(address, address_text);
        let requester = text(&input.requester, row);
        let method = text(&input.method, row);
        let (method_number, _) =
            self.names.methods.number_at_most(method.unwrap_or_default(), MOST_METHODS).unwrap_or((NONE, false));
        let operation = self.operation(text(&input.operation, row), method, method_number);
        let (operation_number, operation) = operation;
        let class = operation.class;
        let (agent_number, _) = self.agent(trail::beginning(text(&input.user_agent, row).unwrap_or_default()));
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
        let transport = (
            self.names.transports.optional(text(&input.scheme, row)),
            self.names.transports.optional(text(&input.tls_version, row)),
            self.names.transports.optional(authentication),
        );
        self.count(&event, kind, norm, referer, transport);
    }

    fn count(&mut self, event: &Event<'_>, kind: u8, norm: u32, referer: Option<&str>, transport: (u32, u32, u32)) {
        if let Some(every) = &mut self.every {
            every.push(event);
        }
        self.totals[event.source as usize].add(event, kind, norm);
        self.sides.add(event, referer, transport);
        if event.flags.has(Flags::SERVICE) {
            return;
        }
        self.keys.add(event);
        let row = self.trail.next_row();
        let (group, capacity) = event.keeping();
        let tie = event.tie();
        let day = self.days.add(event).kept.offer(group, capacity, event.time, tie, row);
        let pair = match event.requester {
            NONE => Offer::Refused,
            _ => self
                .requesters
                .add(event)
                .map_or(Offer::Refused, |kept| kept.offer(ORDINARY.0, ORDINARY.1, event.time, tie, row)),
        };
        let uses = u8::from(day.is_kept()) + u8::from(pair.is_kept());
        if uses > 0 {
            self.trail.put(row, event, uses);
        }
        for pushed_out in [day, pair].into_iter().filter_map(Offer::pushed_out) {
            self.trail.release(pushed_out);
        }
    }

    /// What an address stands for, as the log has it.
    fn who(&mut self, address: IpAddr, text: &str) -> Address {
        if let Some(known) = self.addresses.get(&address) {
            return *known;
        }
        let known = self.new_address(address, text);
        self.addresses.insert(address, known);
        known
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

    fn agent(&mut self, agent: &str) -> (u32, bool) {
        let (number, is_new) = match self.names.agents.number_at_most(agent, MOST_NAMES) {
            Some(numbered) => numbered,
            None => {
                // What matters of one more: tools and crawlers are few, whatever stands around their names.
                let facts = UserAgentFacts::of(&self.shared.lists, Some(agent));
                let name =
                    facts.hostile_tool.as_deref().or(facts.crawler_claim.as_deref()).unwrap_or(OTHERS).to_owned();
                let (number, is_new) = self.names.agents.number(&name);
                if is_new {
                    self.push_agent(agent, facts);
                }
                return (number, is_new);
            }
        };
        if is_new {
            let facts = UserAgentFacts::of(&self.shared.lists, Some(agent));
            self.push_agent(agent, facts);
        }
        (number, is_new)
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

    /// Takes what another partition counted.
    pub(crate) fn merge(&mut self, other: Self) {
        let renamings = self.names.merge(&other.names, self.trail.len());
        for (number, source) in other.sources.into_iter().enumerate() {
            // New ones come in the order of their numbers.
            let here = renamings.sources[number] as usize;
            if here == self.sources.len() {
                self.sources.push(source);
                self.totals.push(SourceTotals::default());
            } else {
                self.sources[here].also(source.address, source.known);
            }
        }
        for (number, totals) in other.totals.iter().enumerate() {
            self.totals[renamings.sources[number] as usize].merge(totals, &renamings);
        }
        for (number, mut agent) in other.agents.into_iter().enumerate() {
            if renamings.agents[number] as usize == self.agents.len() {
                agent.norm = names::renamed(&renamings.norms, agent.norm);
                agent.family = names::renamed(&renamings.families, agent.family);
                self.agents.push(agent);
            }
        }
        self.days.merge(other.days, &renamings);
        self.requesters.merge(
            other.requesters,
            &Renamed {
                sources: &renamings.sources,
                buckets: &renamings.buckets,
                requesters: &renamings.requesters,
                operations: &renamings.operations,
                families: &renamings.families,
                rows: renamings.rows,
            },
        );
        self.keys.merge(other.keys);
        self.sides.merge(other.sides, &renamings);
        self.trail.merge(other.trail, &renamings);
        self.without_address += other.without_address;
        self.requests += other.requests;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    /// Forgets what tables were made of; what is left says who the sources are.
    pub(crate) fn forget(&mut self) {
        self.days = SourceDays::default();
        self.requesters = Requesters::default();
        self.keys = Keys::default();
        self.sides = Sides::default();
        self.trail = Trail::default();
    }

    /// The requests since the last time, if every one is wanted.
    pub(crate) fn take_every(&mut self) -> Option<Trail> {
        self.every.as_mut().map(std::mem::take)
    }

    /// How many requests wait for [`Self::take_every`].
    pub(crate) fn waiting(&self) -> usize {
        self.every.as_ref().map_or(0, Trail::len)
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
