//! Which user agents of a source persist with successful requests: a single client can send any number of others.

use crate::time_units::MICROS_PER_HOUR;

/// Maximum number of user agents tracked, those with the smallest hashes: which ones do not depend on the order, and a
/// client cannot hide the others behind one that it uses often.
pub(crate) const MOST: usize = 64;
/// A user agent is steady with this many successful requests,
const STEADY_USES: u32 = 5;
/// or with successful requests at least this many hours apart.
const STEADY_HOURS: i32 = 2;

#[derive(Clone, Copy, Debug)]
struct AgentUse {
    /// Hash of the user agent.
    agent: u32,
    uses: u32,
    first: i32,
    last: i32,
}

impl AgentUse {
    fn is_steady(&self) -> bool {
        self.uses >= STEADY_USES || self.last - self.first >= STEADY_HOURS
    }
}

/// Successful requests by normalised user agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentUses {
    /// Sorted by hash.
    each: Vec<AgentUse>,
    /// Whether there are others.
    more: bool,
}

impl AgentUses {
    pub(super) fn add(&mut self, agent: u32, time: i64) {
        let hour = i32::try_from(time.div_euclid(MICROS_PER_HOUR)).unwrap_or_default();
        self.add_use(AgentUse { agent, uses: 1, first: hour, last: hour });
    }

    fn add_use(&mut self, more: AgentUse) {
        match self.each.binary_search_by_key(&more.agent, |known| known.agent) {
            Ok(at) => {
                let known = &mut self.each[at];
                known.uses = known.uses.saturating_add(more.uses);
                known.first = known.first.min(more.first);
                known.last = known.last.max(more.last);
            }
            Err(at) => {
                self.each.insert(at, more);
                self.more |= self.each.len() > MOST;
                self.each.truncate(MOST);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.more |= other.more;
        other.each.iter().for_each(|agent| self.add_use(*agent));
    }

    /// Number of steady user agents; if there are too many to track, estimated from those that are.
    pub(crate) fn steady(&self) -> usize {
        let steady = self.each.iter().filter(|known| known.is_steady()).count();
        match self.each.last() {
            // The hashes are spread evenly, so the largest of the smallest ones tells how many there are.
            Some(last) if self.more => (steady as f64 * f64::from(u32::MAX) / f64::from(last.agent.max(1))) as usize,
            _ => steady,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::collect::sketch::hash_of;

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
    fn hash(number: u32) -> u32 {
        hash_of(&[&number.to_le_bytes()]) as u32
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
