//! Detects buckets that are public on purpose, by their use: several unrelated clients list them and read what they
//! found. Scanners only list, and someone who wants to look like many has several addresses in one network.

use super::Collector;
use std::collections::{BTreeMap, BTreeSet};

/// Clients that only test listing read fewer objects.
const LEAST_READS: u32 = 3;
/// This many networks on one day count as much as a few on several days.
const MANY: usize = 10;

/// Number of networks that used each bucket like that, by bucket number: 0 unless on at least two days, or from at
/// least [`MANY`] networks.
pub(crate) fn open_users(collector: &Collector) -> BTreeMap<u32, u64> {
    let mut by_source: BTreeMap<(u32, u32), (u32, u32, BTreeSet<i32>)> = BTreeMap::new();
    for ((source, bucket, day), counted) in collector.days.iter() {
        if counted.anon_lists_ok > 0 || counted.anon_ok_reads > 0 {
            let used = by_source.entry((*bucket, *source)).or_default();
            used.0 = used.0.saturating_add(counted.anon_lists_ok);
            used.1 = used.1.saturating_add(counted.anon_ok_reads);
            if counted.anon_lists_ok > 0 {
                used.2.insert(*day);
            }
        }
    }
    let mut by_bucket: BTreeMap<u32, (BTreeSet<String>, BTreeSet<i32>)> = BTreeMap::new();
    for ((bucket, source), (lists, reads, days)) in by_source {
        let Some(of) = collector.sources.get(source as usize) else { continue };
        if lists > 0 && reads >= LEAST_READS && !of.known.private {
            let (networks, all_days) = by_bucket.entry(bucket).or_default();
            networks.insert(of.known.net(of.address));
            all_days.extend(days);
        }
    }
    let counted = by_bucket.into_iter().filter(|(_, (networks, days))| days.len() > 1 || networks.len() >= MANY);
    counted.map(|(bucket, (networks, _))| (bucket, networks.len() as u64)).collect()
}
