//! Totals of each source of requests.

use super::agents::AgentUses;
use super::event::{Event, Flags, Times};
use super::names::renamed;

/// Maximum number of distinct user agents, buckets or requesters counted per source.
const MOST: usize = 1024;

/// Totals of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceTotals {
    pub times: Times,
    pub requests: u64,
    pub ok: u64,
    pub fails: u64,
    pub anon_requests: u64,
    pub bytes_sent: u64,
    /// Requests that claim to come from a CDN.
    pub cdn_claims: u64,
    /// Requests of a crawler, proven by user agent and address.
    pub crawls: u64,
    /// Union of the flags of all requests.
    pub some: u64,
    /// Kinds of user agents, as a bit set.
    pub kinds: u16,
    /// User agents without versions.
    pub agents: Numbers,
    /// User agents with successful requests.
    pub ok_agents: AgentUses,
    pub buckets: Numbers,
    pub requesters: Numbers,
}

/// A small set of numbers: the first 64 as bits, because most sources have no others, the rest in a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    bits: u64,
    others: Vec<u32>,
}

impl Numbers {
    fn add(&mut self, number: u32) {
        if number < u64::BITS {
            self.bits |= 1 << number;
        } else if let Err(at) = self.others.binary_search(&number)
            && self.others.len() < MOST
        {
            self.others.insert(at, number);
        }
    }

    /// Size of the set, up to [`MOST`]: beyond it, the size would depend on the order.
    pub(crate) fn len(&self) -> usize {
        (self.bits.count_ones() as usize + self.others.len()).min(MOST)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let bits = self.bits;
        (0..u64::BITS).filter(move |number| bits >> number & 1 == 1).chain(self.others.iter().copied())
    }
}

impl SourceTotals {
    pub(crate) fn add(&mut self, event: &Event<'_>, kind: u8, (agent, agent_hash): (u32, u64)) {
        self.times.add(event.time);
        self.requests += 1;
        self.ok += u64::from(event.flags.has(Flags::OK));
        self.fails += u64::from(event.flags.has(Flags::FAIL));
        self.anon_requests += u64::from(event.flags.has(Flags::ANON));
        self.cdn_claims += u64::from(event.flags.has(Flags::CDN_CLAIM));
        self.crawls += u64::from(event.flags.has(Flags::CRAWLER));
        self.bytes_sent += event.bytes_sent.unwrap_or_default();
        self.some |= event.flags.bits();
        self.kinds |= 1 << kind;
        self.agents.add(agent);
        if event.flags.has(Flags::OK) {
            self.ok_agents.add(agent_hash, event.time);
        }
        self.buckets.add(event.bucket);
        if event.requester != super::names::NONE {
            self.requesters.add(event.requester);
        }
    }

    /// Prefetches what [`Self::add`] needs.
    pub(crate) fn touch(&self) -> u64 {
        self.requests ^ self.some ^ self.agents.bits ^ self.requesters.bits
    }

    pub(crate) fn merge(&mut self, other: &Self, names: &super::Renamings) {
        if other.requests == 0 {
            return;
        }
        self.times.merge(other.times);
        self.requests += other.requests;
        self.ok += other.ok;
        self.fails += other.fails;
        self.anon_requests += other.anon_requests;
        self.cdn_claims += other.cdn_claims;
        self.crawls += other.crawls;
        self.bytes_sent += other.bytes_sent;
        self.some |= other.some;
        self.kinds |= other.kinds;
        other.agents.iter().for_each(|agent| self.agents.add(renamed(&names.norms, agent)));
        self.ok_agents.merge(&other.ok_agents);
        other.buckets.iter().for_each(|bucket| self.buckets.add(renamed(&names.buckets, bucket)));
        other.requesters.iter().for_each(|one| self.requesters.add(renamed(&names.requesters, one)));
    }

    /// Whether it seems to be a CDN's address: there are many requests, and most claim it. Not all need to, because
    /// some CDNs forward the user agent of the client.
    pub(crate) fn seems_cdn(&self) -> bool {
        self.requests >= 20 && self.cdn_claims * 4 >= self.requests * 3
    }

    /// Whether nearly all requests are a crawler's.
    pub(crate) fn is_crawler(&self) -> bool {
        self.crawls > 0 && self.crawls * 10 >= self.requests * 9
    }

    /// Number of user agents with successful requests over some time.
    pub(crate) fn steady_agents(&self) -> usize {
        self.ok_agents.steady()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_there_are_does_not_depend_on_which_came_first() {
        for (numbers, count) in [(0..70, 70), (0..2 * MOST as u32, MOST)] {
            let (mut up, mut down) = (Numbers::default(), Numbers::default());
            numbers.clone().for_each(|number| up.add(number));
            numbers.rev().for_each(|number| down.add(number));
            assert_eq!((up.len(), down.len()), (count, count));
        }
    }
}
