//! How suspicious sources are found: what users say, and what stands where they say nothing.

use super::baseline::Baseline;
use super::collect::SharedParts;
use super::context::Context;
use super::facts::Lists;
use super::rules::RuleSet;
use super::tables::EVENTS;
use crate::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How suspicious sources are found.
///
/// What is not given here is what comes with the program. To load that takes a moment, at every run: whoever runs often gives it.
#[derive(Clone, Debug)]
pub struct DetectOptions {
    rules: Option<Arc<RuleSet>>,
    lists: Option<Lists>,
    context: Option<Arc<Context>>,
    baseline: Arc<Baseline>,
    judging: Judging,
}

impl DetectOptions {
    /// The shipped rules and lists, nothing known of addresses but the ranges of crawlers in these lists, no baseline; `now`, in
    /// microseconds since 1970, is when results become final.
    #[must_use]
    pub fn new(now: i64) -> Self {
        Self {
            rules: None,
            lists: None,
            context: None,
            baseline: Arc::default(),
            judging: Judging { now, half_life: None, min_score: 0.0 },
        }
    }

    /// These rules.
    #[must_use]
    pub fn with_rules(mut self, rules: RuleSet) -> Self {
        self.rules = Some(Arc::new(rules));
        self
    }

    /// These lists. A context that is given has its ranges of crawlers from where it was made.
    #[must_use]
    pub fn with_lists(mut self, lists: Lists) -> Self {
        self.lists = Some(lists);
        self
    }

    /// What is known of addresses, at the same `now`. Ranges of crawlers have to be in it: see [`Context::with_crawlers_of`].
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Some(Arc::new(context));
        self
    }

    /// What is normal.
    #[must_use]
    pub fn with_baseline(mut self, baseline: Baseline) -> Self {
        self.baseline = Arc::new(baseline);
        self
    }

    /// Evidence counts half when it is so old; for a running watch, not for a report about a fixed time.
    #[must_use]
    pub fn with_half_life(mut self, half_life: Duration) -> Self {
        self.judging.half_life = Some(half_life);
        self
    }

    /// Leaves out sources of a lower score, which makes a report of many sources smaller and faster.
    #[must_use]
    pub fn with_min_score(mut self, min_score: f64) -> Self {
        self.judging.min_score = min_score;
        self
    }

    /// The rules that were given.
    #[must_use]
    pub fn rules(&self) -> Option<&RuleSet> {
        self.rules.as_deref()
    }

    /// The context that was given, else what is shipped.
    ///
    /// # Errors
    ///
    /// Those of lists of crawlers that were given.
    pub fn context(&self) -> Result<Arc<Context>, Error> {
        Ok(self.shared()?.context)
    }

    /// What counting asks, with what is shipped where nothing is given.
    pub(super) fn shared(&self) -> Result<SharedParts, Error> {
        let lists = self.lists.clone().map_or_else(Lists::shipped, Ok)?;
        let context = match &self.context {
            Some(context) => Arc::clone(context),
            None => Arc::new(Context::new(self.judging.now).with_crawlers_of(&lists)?),
        };
        Ok(SharedParts { lists, context })
    }

    /// The same, for a run with rules.
    pub(super) fn prepared(&self) -> Result<Prepared, Error> {
        let rules = match &self.rules {
            Some(rules) => Arc::clone(rules),
            None => Arc::new(RuleSet::shipped()?),
        };
        Ok(Prepared { shared: self.shared()?, rules, baseline: Arc::clone(&self.baseline), judging: self.judging })
    }
}

/// Options with nothing left open.
pub(super) struct Prepared {
    pub(super) shared: SharedParts,
    pub(super) rules: Arc<RuleSet>,
    pub(super) baseline: Arc<Baseline>,
    pub(super) judging: Judging,
}

impl Prepared {
    /// Whether a rule asks for every request by itself.
    pub(super) fn needs_events(&self) -> bool {
        self.rules.tables().contains(EVENTS)
    }
}

/// How hits become findings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judging {
    /// When results become final, and from when on age counts, in microseconds since 1970.
    pub(super) now: i64,
    /// How long it takes until evidence counts half.
    pub(super) half_life: Option<Duration>,
    /// Sources of a lower score are left out.
    pub(super) min_score: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::context::CidrList;

    const NOW: i64 = 1_772_600_000_000_000;
    const OF_GOOGLE: &str = "66.249.64.1";

    #[test]
    fn what_is_not_given_is_what_is_shipped() {
        let prepared = DetectOptions::new(NOW).prepared().unwrap();
        assert_eq!(prepared.rules.len(), RuleSet::shipped().unwrap().len());
        assert_eq!(prepared.shared.lists.len_of("crawlers"), Lists::shipped().unwrap().len_of("crawlers"));
        assert!(prepared.shared.context.of(OF_GOOGLE.parse().unwrap()).crawler.is_some());
        assert!(!prepared.needs_events());
    }

    #[test]
    fn what_is_given_counts() {
        let lists = "[Example]\ndate = 2026-01-31\ntokens = ExampleBot\n192.0.2.0/24\n";
        let lists = Lists::with(&[("crawlers", lists)]).unwrap();
        let options = DetectOptions::new(NOW).with_rules(RuleSet::default()).with_lists(lists);
        let prepared = options.prepared().unwrap();
        assert_eq!((prepared.rules.len(), prepared.shared.lists.len_of("crawlers")), (0, Some(1)));
        assert!(prepared.shared.context.of(OF_GOOGLE.parse().unwrap()).crawler.is_none());
        assert!(prepared.shared.context.of("192.0.2.7".parse().unwrap()).crawler.is_some());

        let office = CidrList::parse("office", "192.0.2.0/24", NOW).unwrap();
        let options = options.with_context(Context::new(NOW).with_allow(&office));
        let known = options.shared().unwrap().context.of("192.0.2.7".parse().unwrap());
        assert!(known.allow.is_some() && known.crawler.is_none());
    }
}
