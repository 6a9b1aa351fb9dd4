//! Which user agents of a source persist with successful requests: a single client can send any number of others.

use super::sides::hour_of;
use super::sketch::Smallest;

/// Maximum number of user agents tracked, those with the smallest hashes: which ones do not depend on the order, and a
/// client cannot hide the others behind one that it uses often.
pub(crate) const MOST: usize = 64;
/// A user agent is steady with this many successful requests,
const STEADY_USES: u32 = 5;
/// or with successful requests at least this many hours apart.
const STEADY_HOURS: i32 = 2;

/// Successful requests with one user agent.
#[derive(Clone, Copy, Debug, Default)]
struct AgentUse {
    uses: u32,
    /// Hours since the Unix epoch.
    first: i32,
    last: i32,
}

impl AgentUse {
    fn is_steady(&self) -> bool {
        self.uses >= STEADY_USES || self.last - self.first >= STEADY_HOURS
    }

    fn absorb(&mut self, other: Self) {
        if self.uses == 0 {
            *self = other;
            return;
        }
        self.uses = self.uses.saturating_add(other.uses);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Successful requests by normalised user agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentUses(Smallest<AgentUse, MOST>);

impl AgentUses {
    /// Counts a request; `agent` is the hash of its user agent.
    pub(super) fn add(&mut self, agent: u64, time: i64) {
        let hour = hour_of(time);
        self.add_use(agent, AgentUse { uses: 1, first: hour, last: hour });
    }

    fn add_use(&mut self, agent: u64, more: AgentUse) {
        if let Some(known) = self.0.entry(agent) {
            known.absorb(more);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(agent, uses)| self.add_use(agent, *uses));
    }

    /// Number of steady user agents; if there are too many to track, estimated from those that are.
    pub(crate) fn steady(&self) -> usize {
        self.0.estimate(AgentUse::is_steady) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::collect::sketch::hash_of;
    use crate::time_units::MICROS_PER_HOUR;

    #[test]
    fn one_request_is_no_visitor() {
        let mut uses = AgentUses::default();
        (0..4).for_each(|agent| uses.add(agent, 0));
        assert_eq!(uses.steady(), 0);
        // One comes back later, another has more requests.
        uses.add(0, 3 * MICROS_PER_HOUR);
        (0..4).for_each(|_| uses.add(1, 0));
        assert_eq!(uses.steady(), 2);
    }

    /// Hashes that are spread evenly.
    fn hash(number: u32) -> u64 {
        hash_of(&[&number.to_le_bytes()])
    }

    #[test]
    fn of_many_a_sample_counts_in_whatever_order() {
        // Every third one is used steadily.
        let uses = |number: u32| if number.is_multiple_of(3) { 5 } else { 1 };
        let filled = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut filled = AgentUses::default();
            numbers.for_each(|number| (0..uses(number)).for_each(|_| filled.add(hash(number), 0)));
            filled
        };
        let expected = filled(&mut (0..3000)).steady();
        assert!((700..1300).contains(&expected), "{expected}");
        assert_eq!(filled(&mut (0..3000).rev()).steady(), expected);
        let mut parts = filled(&mut (0..2000));
        parts.merge(&filled(&mut (2000..3000)));
        assert_eq!(parts.steady(), expected);
    }

    #[test]
    fn one_that_is_used_often_does_not_stand_for_the_others() {
        let mut uses = AgentUses::default();
        (0..100).for_each(|number| uses.add(hash(number), 0));
        (0..500).for_each(|_| uses.add(hash(7), 0));
        assert!(uses.steady() <= 2, "{}", uses.steady());
    }
}
