//! Which user agents of a source persist with successful requests: a single client can send any number of others.

use crate::time_units::MICROS_PER_HOUR;

/// Maximum number of user agents tracked; beyond it, only an average is known.
const MOST: usize = 64;
/// A user agent is steady with this many successful requests,
const STEADY_USES: u32 = 5;
/// or with successful requests at least this many hours apart.
const STEADY_HOURS: i32 = 2;

#[derive(Clone, Copy, Debug)]
struct AgentUse {
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
    /// Sorted by number; empty once there are too many.
    each: Vec<AgentUse>,
    /// Whether there are too many.
    many: bool,
    uses: u64,
}

impl AgentUses {
    pub(super) fn add(&mut self, agent: u32, time: i64) {
        self.uses += 1;
        let hour = i32::try_from(time.div_euclid(MICROS_PER_HOUR)).unwrap_or_default();
        self.add_use(AgentUse { agent, uses: 1, first: hour, last: hour });
    }

    fn add_use(&mut self, more: AgentUse) {
        if self.many {
            return;
        }
        match self.each.binary_search_by_key(&more.agent, |known| known.agent) {
            Ok(at) => {
                let known = &mut self.each[at];
                known.uses = known.uses.saturating_add(more.uses);
                known.first = known.first.min(more.first);
                known.last = known.last.max(more.last);
            }
            Err(_) if self.each.len() == MOST => {
                self.many = true;
                self.each = Vec::new();
            }
            Err(at) => self.each.insert(at, more),
        }
    }

    pub(super) fn merge(&mut self, other: &Self, renamed: impl Fn(u32) -> u32) {
        self.uses += other.uses;
        if other.many {
            (self.many, self.each) = (true, Vec::new());
        }
        other.each.iter().for_each(|use_| self.add_use(AgentUse { agent: renamed(use_.agent), ..*use_ }));
    }

    /// Number of steady user agents. If there are too many to track, estimated from the number of requests.
    pub(crate) fn steady(&self) -> usize {
        if self.many {
            let steady = self.uses / u64::from(STEADY_USES);
            return usize::try_from(steady).unwrap_or(MOST).min(MOST);
        }
        self.each.iter().filter(|known| known.is_steady()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn of_many_the_average_counts_in_whatever_order() {
        let filled = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut uses = AgentUses::default();
            numbers.for_each(|agent| uses.add(agent, 0));
            uses
        };
        assert_eq!(filled(&mut (0..65)).steady(), 13);
        let mut parts = filled(&mut (0..40));
        parts.merge(&filled(&mut (0..40)), |agent| agent + 30);
        assert_eq!((parts.steady(), parts.many), (16, true));
        let mut few = filled(&mut (0..40));
        few.merge(&filled(&mut (0..40)), |agent| agent);
        assert!(!few.many);
    }
}
