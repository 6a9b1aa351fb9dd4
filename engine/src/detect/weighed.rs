//! Combines all hits of a rule about one source.

use super::finding::{Severity, Signal};
use super::hits::{Hit, round};
use super::rules::Rule;
use super::samples::Samples;
use super::score::{Evidence, of_hits};

/// All hits of a rule about one source.
pub(super) struct Weighed<'a> {
    pub(super) rule: &'a Rule,
    hits: &'a [&'a Hit],
    strongest: &'a Hit,
    pub(super) confidence: f64,
}

impl<'a> Weighed<'a> {
    /// `None` if there are no hits.
    pub(super) fn of(rule: &'a Rule, hits: &'a [&'a Hit]) -> Option<Self> {
        let strongest = hits.iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
        let confidence = round(of_hits(strongest.confidence, hits.len() as u64));
        Some(Self { rule, hits, strongest, confidence })
    }

    fn severity(&self) -> Severity {
        self.hits.iter().filter_map(|hit| hit.severity).max().unwrap_or(self.rule.severity)
    }

    fn last(&self) -> Option<i64> {
        self.hits.iter().filter_map(|hit| hit.last).max()
    }

    /// The part needed for scoring.
    pub(super) fn evidence(&self) -> Evidence<'a> {
        Evidence {
            family: &self.rule.family,
            confidence: self.confidence,
            severity: self.severity(),
            last: self.last(),
        }
    }

    /// The signal for outputs.
    pub(super) fn signal(&self, source: &str, samples: &Samples) -> Signal {
        let (rule, strongest) = (self.rule, self.strongest);
        Signal {
            id: rule.id.clone(),
            name: rule.name.clone(),
            family: rule.family.clone(),
            severity: self.severity(),
            confidence: self.confidence,
            explanation: strongest.explanation(rule),
            measured: strongest.measured(rule),
            mitre: rule.mitre.clone(),
            bucket: strongest.bucket.clone(),
            requester: strongest.requester.clone(),
            first: self.hits.iter().filter_map(|hit| hit.first).min(),
            last: self.last(),
            hits: self.hits.len() as u64,
            samples: samples.for_hit(source, rule, strongest),
        }
    }
}
