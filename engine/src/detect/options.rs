//! Options of detection, with defaults.

use super::baseline::Baseline;
use super::collect::SharedParts;
use super::context::Context;
use super::facts::Lists;
use super::rules::RuleSet;
use super::tables::EVENTS;
use crate::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Options of detection.
///
/// Whatever is not set uses the data shipped with the program. Loading it takes a moment on every run, so set it
/// explicitly for frequent runs.
#[derive(Clone, Debug)]
pub struct DetectOptions {
    rules: Option<Arc<RuleSet>>,
    lists: Option<Lists>,
    context: Option<Arc<Context>>,
    baseline: Arc<Baseline>,
    judging: Judging,
}

impl DetectOptions {
    /// The shipped rules and lists, no context except the ranges of crawlers in these lists, and no baseline. `now`, in
    /// microseconds since the Unix epoch (UTC), determines which results are final.
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

    /// Sets the rules.
    #[must_use]
    pub fn with_rules(mut self, rules: RuleSet) -> Self {
        self.rules = Some(Arc::new(rules));
        self
    }

    /// Sets the lists. They do not change the crawler ranges of a context that is set explicitly.
    #[must_use]
    pub fn with_lists(mut self, lists: Lists) -> Self {
        self.lists = Some(lists);
        self
    }

    /// Sets the context, which should have the same `now`. It must include the ranges of crawlers: see
    /// [`Context::with_crawlers_of`].
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Some(Arc::new(context));
        self
    }

    /// Sets the baseline.
    #[must_use]
    pub fn with_baseline(mut self, baseline: Baseline) -> Self {
        self.baseline = Arc::new(baseline);
        self
    }

    /// Sets the age at which evidence counts half. For continuous monitoring, not for a report about a fixed period.
    #[must_use]
    pub fn with_half_life(mut self, half_life: Duration) -> Self {
        self.judging.half_life = Some(half_life);
        self
    }

    /// Omits sources with a lower score, which makes large reports smaller and faster.
    #[must_use]
    pub fn with_min_score(mut self, min_score: f64) -> Self {
        self.judging.min_score = min_score;
        self
    }

    /// The rules, if set.
    #[must_use]
    pub fn rules(&self) -> Option<&RuleSet> {
        self.rules.as_deref()
    }

    /// The context, or the default one.
    ///
    /// # Errors
    ///
    /// Fails if the crawler lists are invalid.
    pub fn context(&self) -> Result<Arc<Context>, Error> {
        Ok(self.shared()?.context)
    }

    /// The parts needed for counting, with defaults filled in.
    pub(super) fn shared(&self) -> Result<SharedParts, Error> {
        let lists = self.lists.clone().map_or_else(Lists::shipped, Ok)?;
        let context = match &self.context {
            Some(context) => Arc::clone(context),
            None => Arc::new(Context::new(self.judging.now).with_crawlers_of(&lists)?),
        };
        Ok(SharedParts { lists, context })
    }

    /// All parts for a run with rules, with defaults filled in.
    pub(super) fn prepared(&self) -> Result<Prepared, Error> {
        let rules = match &self.rules {
            Some(rules) => Arc::clone(rules),
            None => Arc::new(RuleSet::shipped()?),
        };
        Ok(Prepared { shared: self.shared()?, rules, baseline: Arc::clone(&self.baseline), judging: self.judging })
    }
}

/// Options with defaults filled in.
pub(super) struct Prepared {
    pub(super) shared: SharedParts,
    pub(super) rules: Arc<RuleSet>,
    pub(super) baseline: Arc<Baseline>,
    pub(super) judging: Judging,
}

impl Prepared {
    /// Whether a rule needs every single request.
    pub(super) fn needs_events(&self) -> bool {
        self.rules.tables().contains(EVENTS)
    }
}

/// How hits are converted to findings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judging {
    /// Reference time in microseconds since the Unix epoch (UTC): determines which results are final, and the age of
    /// evidence.
    pub(super) now: i64,
    /// Age at which evidence counts half.
    pub(super) half_life: Option<Duration>,
    /// Sources with a lower score are omitted.
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
