//! The single pass over requests: each becomes an [`Event`], which is counted here, and kept if rules may need it
//! individually.
//!
//! Each partition of the scan has its own [`Collector`]; at the end they are [merged](Collector::merge). The result
//! depends neither on the order of requests nor on the partitioning.
//!
//! Memory grows with the number of sources and of keys used, not with requests: a bounded number of requests is kept
//! per source, bucket and day ([`Event::keeping`]).

pub(crate) mod agents;
pub(crate) mod days;
pub(crate) mod event;
pub(crate) mod input;
mod kept;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod open;
mod request;
pub(crate) mod requesters;
pub(crate) mod sides;
pub(crate) mod sketch;
pub(crate) mod sources;
pub(crate) mod trail;

use self::days::SourceDays;
use self::event::{Event, Flags};
use self::input::Input;
use self::kept::Offer;
use self::keys::Keys;
use self::names::NONE;
pub(crate) use self::names::{AllNames, Renamings};
use self::request::{Address, MOST_ADDRESSES, Request};
use self::requesters::Requesters;
use self::sides::Sides;
use self::sources::SourceTotals;
use self::trail::Trail;
use crate::detect::context::{Context, Entry, Known};
use crate::detect::facts::{ErrorFacts, Lists, OperationFacts, UserAgentFacts};
use datafusion::common::HashMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// Number of requests counted together.
const GROUP: usize = 32;

/// Group and capacity for ordinary requests, kept as samples of a requester.
const ORDINARY: (u8, u16) = (0, 3);

/// Facts about a user agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub facts: UserAgentFacts,
    norm: u32,
    /// Hash of the normalised name, equal in all partitions.
    norm_hash: u64,
    family: u32,
    is_hostile: bool,
    /// It contains an attack on software that logs it.
    carries_payload: bool,
    claims_cdn: bool,
}

impl Agent {
    /// The hostile tool or operating system that it names.
    pub(crate) fn hostile_tool(&self) -> Option<&str> {
        self.facts.hostile_tool.as_deref().or_else(|| self.facts.offensive_os.then_some("offensive system"))
    }
}

/// A source: its address, and what is known about it.
#[derive(Debug)]
pub(crate) struct SourceOf {
    /// Its address; for an IPv6 network, the smallest one seen.
    pub address: IpAddr,
    pub known: Known,
    /// Equal in all partitions and runs.
    pub hash: u64,
    /// Number of addresses tracked, plus one if there are more.
    addresses: u16,
}

impl SourceOf {
    /// Counts another address. Returns whether it is tracked.
    fn takes_address(&mut self) -> bool {
        self.addresses = (self.addresses + 1).min(MOST_ADDRESSES + 1);
        !self.has_more_addresses()
    }

    /// Whether there are more addresses than are tracked. Which ones are tracked depends on the order, so none is named
    /// then.
    pub(crate) fn has_more_addresses(&self) -> bool {
        self.addresses > MOST_ADDRESSES
    }

    /// Merges what is known about another address of an IPv6 network. An allowed address protects the whole network,
    /// and the narrower of two entries wins.
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
        // The smallest address is the representative, whatever the order.
        if address < self.address {
            self.address = address;
            self.known.country = known.country;
            self.known.asn = known.asn;
            self.known.as_org = known.as_org;
        }
    }
}

/// State shared by all collectors of a run.
#[derive(Clone, Debug)]
pub(crate) struct SharedParts {
    /// Each clone has its own scratch memory.
    pub lists: Lists,
    pub context: Arc<Context>,
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Collector {
    shared: SharedParts,
    pub names: AllNames,
    addresses: HashMap<IpAddr, Address>,
    /// Source number by address number.
    address_sources: Vec<u32>,
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
    /// All requests, if they were asked for.
    every: Option<Trail>,
    /// Number of requests without an address, made by services of the provider.
    pub without_address: u64,
    /// Scratch space for a path and its query.
    uri: String,
    pub requests: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl Collector {
    /// Creates an empty collector. With `every`, all requests are kept for [`Self::take_every`].
    pub(crate) fn new(shared: SharedParts, every: bool) -> Self {
        Self {
            shared,
            names: AllNames::default(),
            addresses: HashMap::default(),
            address_sources: Vec::new(),
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

    /// Counts the requests in a range of rows.
    pub(crate) fn add(&mut self, input: &Input, rows: Range<usize>) {
        let mut group = Vec::with_capacity(GROUP);
        for row in rows {
            group.extend(self.request(input, row));
            if group.len() == GROUP {
                self.count_group(&group);
                group.clear();
            }
        }
        self.count_group(&group);
    }

    /// Counts up to [`GROUP`] requests. The tables are larger than the caches, so handling requests one by one would
    /// incur some twenty cache misses each. Instead, everything they need is prefetched in parallel: each of the short
    /// loops follows the pointers that the one before it has loaded.
    fn count_group(&mut self, group: &[Request<'_>]) {
        let event = |at: usize| group.get(at).map(|request| &request.event);
        let is_counted = |event: &&Event<'_>| !event.flags.has(Flags::SERVICE);
        let keys = std::array::from_fn(|at| event(at).filter(is_counted).map(Event::day_key));
        let days: [u32; GROUP] = self.days.places(keys);
        let mut touched = 0;
        for Request { event, .. } in group {
            touched ^= self.totals[event.source as usize].touch() ^ self.keys.touch(event) ^ self.sides.touch(event);
        }
        for day in &days {
            touched ^= self.days.touch(*day);
        }
        for day in &days {
            touched ^= self.days.touch_parts(*day);
        }
        for (day, request) in days.iter().zip(group) {
            touched ^= self.days.touch_kept(*day, request.keeping.0);
        }
        black_box(touched);
        for (request, day) in group.iter().zip(days) {
            self.count(request, day);
        }
    }

    /// Counts a request; `day` is the index of its day.
    fn count(&mut self, request: &Request<'_>, day: u32) {
        let event = &request.event;
        if let Some(every) = &mut self.every {
            every.push(event);
        }
        self.totals[event.source as usize].add(event, request.kind, request.norm);
        self.sides.add(event, request.referer, request.transport);
        if event.flags.has(Flags::SERVICE) {
            return;
        }
        self.keys.add(event);
        let row = self.trail.next_row();
        let (group, capacity) = request.keeping;
        let asked = (event.tie(), event.asked());
        let day = self.days.at_mut(day);
        day.add(event);
        let day = day.kept.offer(group, capacity, event.time, asked, row);
        let pair = match event.requester {
            NONE => Offer::Refused,
            _ => self
                .requesters
                .add(event)
                .map_or(Offer::Refused, |kept| kept.offer(ORDINARY.0, ORDINARY.1, event.time, asked, row)),
        };
        let uses = u8::from(day.is_kept()) + u8::from(pair.is_kept());
        if uses > 0 {
            self.trail.put(row, event, uses);
        }
        for pushed_out in [day, pair].into_iter().flat_map(Offer::pushed_out) {
            self.trail.release(pushed_out);
        }
    }

    /// Merges the counts of another partition.
    pub(crate) fn merge(&mut self, other: Self) {
        let renamings = self.names.merge(&other.names, self.trail.len());
        for (number, source) in other.sources.into_iter().enumerate() {
            // New ones come in the order of their numbers.
            let here = renamings.sources[number] as usize;
            let has_more = source.has_more_addresses();
            if here == self.sources.len() {
                self.sources.push(SourceOf { addresses: 0, ..source });
                self.totals.push(SourceTotals::default());
            } else {
                self.sources[here].also(source.address, source.known);
            }
            if has_more {
                self.sources[here].addresses = MOST_ADDRESSES + 1;
            }
        }
        for (number, source) in other.address_sources.into_iter().enumerate() {
            if renamings.addresses[number] as usize == self.address_sources.len() {
                let source = names::renamed(&renamings.sources, source);
                self.address_sources.push(source);
                self.sources[source as usize].takes_address();
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
        let Self { days, requesters, keys, sides, trail, .. } = self;
        // Days take as long as everything else together.
        rayon::join(
            || days.merge(other.days, &renamings),
            || {
                requesters.merge(other.requesters, &renamings);
                keys.merge(other.keys);
                sides.merge(other.sides, &renamings);
                trail.merge(other.trail, &renamings);
            },
        );
        self.without_address += other.without_address;
        self.requests += other.requests;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    /// The requests since the last call, if all of them are kept.
    pub(crate) fn take_every(&mut self) -> Option<Trail> {
        self.every.as_mut().map(std::mem::take)
    }

    /// Number of requests that [`Self::take_every`] would return.
    pub(crate) fn waiting(&self) -> usize {
        self.every.as_ref().map_or(0, Trail::len)
    }
}
