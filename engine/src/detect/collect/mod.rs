//! The one pass over the requests: every request becomes an [`Event`], counted here, and kept if rules may ask for it by itself.
//!
//! Every partition of the scan has a [`Collector`] of its own; in the end they are [merged](Collector::merge). Neither the order of
//! requests nor the partitions change what comes out.
//!
//! Memory grows with sources, and with the keys that were used, not with requests: of each source, bucket and day a bounded number
//! of requests is kept ([`Event::keeping`]).

mod agents;
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

/// Requests that are counted together.
const GROUP: usize = 32;

/// The group of ordinary requests that are kept with a requester, to be shown.
const ORDINARY: (u8, u16) = (0, 3);

/// What a user agent says.
#[derive(Debug)]
pub(crate) struct Agent {
    pub facts: UserAgentFacts,
    norm: u32,
    family: u32,
    is_hostile: bool,
    /// It is an attack on whoever writes it down.
    carries_payload: bool,
    claims_cdn: bool,
}

impl Agent {
    /// The attacker's tool, or system, that it names.
    pub(crate) fn hostile_tool(&self) -> Option<&str> {
        self.facts.hostile_tool.as_deref().or_else(|| self.facts.offensive_os.then_some("offensive system"))
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
    /// How many addresses of it are told apart, one more if there are others.
    addresses: u16,
}

impl SourceOf {
    /// Whether one more address of it is told apart.
    fn takes_address(&mut self) -> bool {
        self.addresses = (self.addresses + 1).min(MOST_ADDRESSES + 1);
        !self.has_more_addresses()
    }

    /// Whether it has more addresses than are told apart. Which those are depends on what comes first, so none is named then.
    pub(crate) fn has_more_addresses(&self) -> bool {
        self.addresses > MOST_ADDRESSES
    }

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
    /// The source of each address that has a name.
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

    /// Counts the requests of some rows.
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

    /// Counts up to [`GROUP`] requests. Each of these tables is larger than a processor's caches, and one request after the other would wait
    /// for memory some twenty times. So what they will touch is loaded first, side by side: each of the short loops asks for what the
    /// one before it found the way to.
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

    /// Counts a request, of the day in a place.
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

    /// Takes what another partition counted.
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
        // The first is as much as all others together.
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

    /// The requests since the last time, if every one is wanted.
    pub(crate) fn take_every(&mut self) -> Option<Trail> {
        self.every.as_mut().map(std::mem::take)
    }

    /// How many requests wait for [`Self::take_every`].
    pub(crate) fn waiting(&self) -> usize {
        self.every.as_ref().map_or(0, Trail::len)
    }
}
