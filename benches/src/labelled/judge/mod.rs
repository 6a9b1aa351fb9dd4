//! Compares findings with labels: attackers found, benign sources blamed, and the detectors involved.
//!
//! Findings are NDJSON, one source per line:
//! `{"client_ip":"192.0.2.7","score":0.93,"detectors":[{"id":"S3D-101","confidence":0.9}]}`. A source without a
//! finding has score 0. Sources with both visitors and an attack are reported separately; servers of the CDN always
//! count as benign.

mod report;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use serde_json::Value;

/// Score from which a source counts as flagged.
pub const ALERT: f64 = 0.6;
/// Score from which a source counts as blocked.
pub const BLOCK: f64 = 0.9;
/// The scores that are reported.
pub const THRESHOLDS: [f64; 3] = [0.3, ALERT, BLOCK];
/// Confidence from which a detector counts as fired.
const FIRED: f64 = 0.5;

/// One row of `labels.tsv` with its findings.
#[derive(Clone, Debug)]
struct Judged {
    src: String,
    attack: bool,
    name: String,
    campaign: String,
    loudness: String,
    shared: bool,
    score: f64,
    detectors: Vec<(String, f64)>,
}

impl Judged {
    fn is_cdn(&self) -> bool {
        self.name == "cdn_egress"
    }

    /// Whether the source is included in the overall figures.
    fn counts(&self) -> bool {
        !self.shared || self.is_cdn()
    }
}

/// Counts and rates of the sources at or above a score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AtThreshold {
    /// The score.
    pub threshold: f64,
    /// Number of attackers at or above it.
    pub attacks: usize,
    /// Number of benign sources at or above it.
    pub innocents: usize,
    /// Fraction of attackers among all sources at or above it; 1 if there are none.
    pub precision: f64,
    /// Fraction of all attackers that are at or above it; 1 if there are none.
    pub recall: f64,
    /// Fraction of all benign sources that are at or above it.
    pub false_positive_rate: f64,
}

/// The result of a comparison.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Average precision over all sources that are counted.
    pub average_precision: f64,
    /// The figures at each of [`THRESHOLDS`].
    pub at: Vec<AtThreshold>,
    /// By loudness: number of campaigns with at least one flagged source, and number of all campaigns.
    pub campaigns: BTreeMap<String, (usize, usize)>,
    /// Sources of findings that have no label.
    pub unknown: Vec<String>,
    /// Flagged sources that are on a list (`cdn`, `crawlers`, `allow`): source, list and score.
    pub listed: Vec<(String, &'static str, f64)>,
    sources: Vec<Judged>,
}

/// Judges findings against the labels and context files of a folder written by [`super::write()`].
///
/// # Errors
///
/// Fails if a file cannot be read or is malformed.
pub fn judge(folder: &Path, findings: &Path) -> io::Result<Verdict> {
    let labels = read(&folder.join("labels.tsv"))?;
    let findings = read(findings)?;
    let mut lists = Vec::new();
    for name in ["cdn", "crawlers", "allow"] {
        let path = folder.join("context").join(format!("{name}.txt"));
        lists.push((name, networks(&read(&path)?)));
    }
    judge_texts(&labels, &findings, &lists)
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

type Lists = [(&'static str, Vec<(IpAddr, u8)>)];

fn judge_texts(labels: &str, findings: &str, lists: &Lists) -> io::Result<Verdict> {
    let mut found = scores(findings)?;
    let mut sources = Vec::new();
    for line in labels.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[src, label, name, campaign, loudness, shared] = cells.as_slice() else {
            return Err(invalid(format!("labels.tsv: six columns are needed, not: {line}")));
        };
        let (score, detectors) = found.remove(src).unwrap_or_default();
        sources.push(Judged {
            src: src.into(),
            attack: label == "attack",
            name: name.into(),
            campaign: campaign.into(),
            loudness: loudness.into(),
            shared: shared == "true",
            score,
            detectors,
        });
    }
    let mut unknown: Vec<String> = found.into_keys().collect();
    unknown.sort();
    let counted: Vec<(f64, bool)> =
        sources.iter().filter(|source| source.counts()).map(|source| (source.score, source.attack)).collect();
    let mut listed = Vec::new();
    for source in sources.iter().filter(|source| source.score >= ALERT) {
        for (name, networks) in lists {
            if address(&source.src).is_some_and(|address| networks.iter().any(|&network| contains(network, address))) {
                listed.push((source.src.clone(), *name, source.score));
            }
        }
    }
    Ok(Verdict {
        average_precision: average_precision(&counted),
        at: THRESHOLDS.iter().map(|&threshold| at_threshold(&counted, threshold)).collect(),
        campaigns: campaigns(&sources),
        unknown,
        listed,
        sources,
    })
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

type Scores = HashMap<String, (f64, Vec<(String, f64)>)>;

/// Score and detectors by source, keyed as in the labels.
fn scores(findings: &str) -> io::Result<Scores> {
    let mut out = Scores::new();
    for (index, line) in findings.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| invalid(format!("findings, line {}: {what}", index + 1));
        let value: Value = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
        let ip = value.get("client_ip").and_then(Value::as_str).ok_or_else(|| wrong("`client_ip` is missing"))?;
        let score = value.get("score").and_then(Value::as_f64).ok_or_else(|| wrong("`score` is missing"))?;
        let detectors = value.get("detectors").and_then(Value::as_array).into_iter().flatten();
        let detectors = detectors
            .filter_map(|detector| {
                let id = detector.get("id")?.as_str()?;
                Some((id.to_owned(), detector.get("confidence").and_then(Value::as_f64).unwrap_or(0.0)))
            })
            .collect();
        let entry = out.entry(canonical(ip)).or_default();
        // If a source has two findings, the higher score counts.
        if score >= entry.0 {
            *entry = (score, detectors);
        }
    }
    Ok(out)
}

/// A source as written in labels: IPv6 by its /64.
fn canonical(ip: &str) -> String {
    match address(ip) {
        Some(IpAddr::V6(address)) => format!("{}/64", Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        Some(address) => address.to_string(),
        None => ip.to_owned(),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}

fn networks(text: &str) -> Vec<(IpAddr, u8)> {
    let lines = text.lines().map(|line| line.split(['#', ';']).next().unwrap_or_default().trim());
    lines
        .filter_map(|line| {
            let (first, bits) = line.split_once('/')?;
            Some((first.parse().ok()?, bits.parse().ok()?))
        })
        .collect()
}

fn contains((first, bits): (IpAddr, u8), address: IpAddr) -> bool {
    match (first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(bits.into());
            u64::from(u32::from(first)) >> shift == u64::from(u32::from(address)) >> shift
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            u128::from(first) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

fn at_threshold(counted: &[(f64, bool)], threshold: f64) -> AtThreshold {
    let count = |of_attacks: bool, least: f64| {
        counted.iter().filter(|&&(score, attack)| attack == of_attacks && score >= least).count()
    };
    let (attacks, innocents) = (count(true, threshold), count(false, threshold));
    let (all_attacks, all_innocents) = (count(true, f64::MIN), count(false, f64::MIN));
    AtThreshold {
        threshold,
        attacks,
        innocents,
        precision: share(attacks, attacks + innocents, 1.0),
        recall: share(attacks, all_attacks, 1.0),
        false_positive_rate: share(innocents, all_innocents, 0.0),
    }
}

fn share(part: usize, whole: usize, of_none: f64) -> f64 {
    if whole == 0 { of_none } else { part as f64 / whole as f64 }
}

/// The mean precision at each attacker in order of score; sources with equal scores are taken together.
fn average_precision(counted: &[(f64, bool)]) -> f64 {
    let mut sorted = counted.to_vec();
    sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
    let all = sorted.iter().filter(|(_, attack)| *attack).count();
    let (mut seen, mut found, mut sum) = (0, 0, 0.0);
    for group in sorted.chunk_by(|one, other| one.0 == other.0) {
        let attacks = group.iter().filter(|(_, attack)| *attack).count();
        seen += group.len();
        found += attacks;
        sum += attacks as f64 * share(found, seen, 0.0);
    }
    if all == 0 { 1.0 } else { sum / all as f64 }
}

fn campaigns(sources: &[Judged]) -> BTreeMap<String, (usize, usize)> {
    let mut flagged: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.attack && source.counts()) {
        *flagged.entry((&source.loudness, &source.campaign)).or_default() |= source.score >= ALERT;
    }
    let mut out: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for ((loudness, _), found) in flagged {
        let counts = out.entry(loudness.to_owned()).or_default();
        counts.0 += usize::from(found);
        counts.1 += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &str = "src\tlabel\tname\tcampaign\tloudness\tshared\n\
        192.0.2.1\tattack\tscan\tC001\tloud\tfalse\n\
        192.0.2.2\tattack\tscan\tC001\tloud\tfalse\n\
        192.0.2.3\tbenign\tbrowser\t-\t-\tfalse\n\
        2001:db8:1:2::/64\tattack\tprobe\tC002\tslow\tfalse\n\
        198.51.100.1\tbenign\tcdn_egress\tC003\t-\ttrue\n\
        198.51.100.2\tattack\tbehind_office\tC004\tloud\ttrue\n\
        192.0.2.4\tbenign\tbrowser\t-\t-\tfalse\n";
    const FINDINGS: &str = r#"{"client_ip":"192.0.2.1","score":0.95,"detectors":[{"id":"S3D-101","confidence":0.9}]}
        {"client_ip":"2001:db8:1:2::77","score":0.7,"detectors":[]}
        {"client_ip":"198.51.100.1","score":0.8,"detectors":[{"id":"S3D-101","confidence":0.6}]}
        {"client_ip":"203.0.113.1","score":0.2}
    "#;

    fn verdict() -> Verdict {
        let lists = [("cdn", networks("# comment\n198.51.100.0/31\n"))];
        judge_texts(LABELS, FINDINGS, &lists).unwrap()
    }

    #[test]
    fn figures_are_those_that_were_counted_by_hand() {
        let verdict = verdict();
        // In order: attack 0.95, CDN 0.8, attack 0.7, then three sources with score 0, one of them an attack.
        let expected = (1.0 + 2.0 / 3.0 + 3.0 / 6.0) / 3.0;
        assert!((verdict.average_precision - expected).abs() < 1e-12, "{}", verdict.average_precision);
        let at = |index: usize| (verdict.at[index].attacks, verdict.at[index].innocents, verdict.at[index].precision);
        assert_eq!((at(0), at(2)), ((2, 1, 2.0 / 3.0), (1, 0, 1.0)));
        assert_eq!((verdict.at[1].recall, verdict.at[1].false_positive_rate), (2.0 / 3.0, 1.0 / 3.0));
        assert_eq!(verdict.campaigns, BTreeMap::from([("loud".into(), (1, 1)), ("slow".into(), (1, 1))]));
        assert_eq!(verdict.unknown, ["203.0.113.1"]);
        assert_eq!(verdict.listed, [("198.51.100.1".into(), "cdn", 0.8)]);
    }

    #[test]
    fn the_report_names_what_it_counted() {
        let text = verdict().to_string();
        for part in ["PR-AUC 0.722", "S3D-101", "cdn_egress", "C001", "behind_office"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }

    #[test]
    fn wrong_findings_say_where() {
        let error = judge_texts(LABELS, "\n{\"score\":1}\n", &[]).unwrap_err().to_string();
        assert_eq!(error, "findings, line 2: `client_ip` is missing");
    }

    #[test]
    fn networks_contain_their_addresses() {
        let all = networks("0.0.0.0/0\n2001:db8::/32 # ours\n192.0.2.128/25\n");
        let holds = |index: usize, text: &str| contains(all[index], text.parse().unwrap());
        assert!(holds(0, "203.0.113.9") && holds(1, "2001:db8::1") && holds(2, "192.0.2.200"));
        assert!(!holds(0, "2001:db8::1") && !holds(1, "2001:db9::1") && !holds(2, "192.0.2.1"));
    }
}
