//! Prints the verdict.

use std::collections::BTreeMap;
use std::fmt;

use super::{ALERT, BLOCK, FIRED, Judged, Verdict, share};

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary(out)?;
        self.by_loudness(out)?;
        self.by_campaign(out)?;
        self.by_population(out)?;
        self.by_detector(out)?;
        self.shared(out)?;
        self.never(out)
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * share(part, whole, 0.0)
}

impl Verdict {
    fn summary(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = || self.sources.iter().filter(|source| source.counts());
        let attacks = counted().filter(|source| source.attack).count();
        let all = counted().count();
        writeln!(out, "Sources: {all}, of which {attacks} attackers ({:.1} %)", percent(attacks, all))?;
        writeln!(out, "PR-AUC {:.3}\n", self.average_precision)?;
        writeln!(
            out,
            "{:>9} {:>9} {:>7} {:>8} {:>10} {:>9}",
            "score >=", "precision", "recall", "attacks", "innocents", "innoc. %"
        )?;
        for at in &self.at {
            writeln!(
                out,
                "{:>9.1} {:>9.3} {:>7.3} {:>8} {:>10} {:>9.2}",
                at.threshold,
                at.precision,
                at.recall,
                at.attacks,
                at.innocents,
                100.0 * at.false_positive_rate
            )?;
        }
        Ok(())
    }

    fn by_loudness(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nCampaigns found (a source at {ALERT} or more), and their sources\n")?;
        writeln!(out, "{:<12} {:>9} {:>4} {:>6}   {:>9} {:>4}", "loudness", "campaigns", "of", "%", "sources", "of")?;
        let (mut found, mut all) = (0, 0);
        for (loudness, &(part, whole)) in &self.campaigns {
            let of: Vec<&Judged> = self.attackers().filter(|source| source.loudness == *loudness).collect();
            let flagged = of.iter().filter(|source| source.score >= ALERT).count();
            writeln!(
                out,
                "{loudness:<12} {part:>9} {whole:>4} {:>6.1}   {flagged:>9} {:>4}",
                percent(part, whole),
                of.len()
            )?;
            if matches!(loudness.as_str(), "loud" | "medium") {
                found += part;
                all += whole;
            }
        }
        writeln!(out, "{:<12} {found:>9} {all:>4} {:>6.1}", "loud+medium", percent(found, all))
    }

    fn attackers(&self) -> impl Iterator<Item = &Judged> {
        self.sources.iter().filter(|source| source.attack && source.counts())
    }

    fn by_campaign(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nEach campaign: sources flagged, best and mean score, detectors of its sources\n")?;
        let mut groups: BTreeMap<(&str, &str), Vec<&Judged>> = BTreeMap::new();
        for source in self.attackers() {
            groups.entry((&source.name, &source.campaign)).or_default().push(source);
        }
        for ((name, campaign), sources) in groups {
            let flagged = sources.iter().filter(|source| source.score >= ALERT).count();
            let best = sources.iter().map(|source| source.score).fold(0.0, f64::max);
            let mean = sources.iter().map(|source| source.score).sum::<f64>() / sources.len() as f64;
            let mark = if flagged > 0 { ' ' } else { '!' };
            writeln!(
                out,
                "{mark} {name:<24} {campaign:<5} {:<11} {flagged:>3} of {:<3} {best:.2} {mean:.2}  {}",
                sources[0].loudness,
                sources.len(),
                fired(&sources)
            )?;
        }
        Ok(())
    }

    fn by_population(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\nInnocents: at {ALERT} and {BLOCK} or more, of all, by population, and what blamed those at 0.3 or more\n"
        )?;
        let mut groups: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
        for source in self.sources.iter().filter(|source| !source.attack) {
            groups.entry(&source.name).or_default().push(source);
        }
        for (name, sources) in groups {
            let at = |least: f64| sources.iter().filter(|source| source.score >= least).count();
            let (alert, block) = (at(ALERT), at(BLOCK));
            let suspects: Vec<&Judged> = sources.iter().copied().filter(|source| source.score >= 0.3).collect();
            let mark = if alert > 0 { '!' } else { ' ' };
            writeln!(
                out,
                "{mark} {name:<20} {alert:>4} {block:>4} of {:<5} {:>6.2} %  {}",
                sources.len(),
                percent(alert, sources.len()),
                fired(&suspects)
            )?;
        }
        Ok(())
    }

    fn by_detector(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nDetectors: sources with confidence {FIRED} or more\n")?;
        writeln!(
            out,
            "{:<12} {:>8} {:>9} {:>9}   innocents by population",
            "detector", "attacks", "innocents", "precision"
        )?;
        let mut counts: BTreeMap<&str, (usize, usize, BTreeMap<&str, usize>)> = BTreeMap::new();
        for source in self.sources.iter().filter(|source| source.counts()) {
            for (id, confidence) in &source.detectors {
                let entry = counts.entry(id).or_default();
                if *confidence < FIRED {
                    continue;
                }
                if source.attack {
                    entry.0 += 1;
                } else {
                    entry.1 += 1;
                    *entry.2.entry(&source.name).or_default() += 1;
                }
            }
        }
        for (id, (attacks, innocents, names)) in counts {
            let names: Vec<String> = names.iter().map(|(name, number)| format!("{name} {number}")).collect();
            let precision = share(attacks, attacks + innocents, 1.0);
            writeln!(out, "{id:<12} {attacks:>8} {innocents:>9} {precision:>9.3}   {}", names.join(", "))?;
        }
        Ok(())
    }

    fn shared(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\nSources with visitors and an attack (not counted above, but for the CDN, which is innocent)\n"
        )?;
        for source in self.sources.iter().filter(|source| source.shared) {
            writeln!(out, "  {:<40} {:<16} {:.2}  {}", source.src, source.name, source.score, fired(&[source]))?;
        }
        Ok(())
    }

    fn never(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nFlagged though on a list of CDN, crawlers or allowed addresses: {}", self.listed.len())?;
        for (src, list, score) in &self.listed {
            writeln!(out, "  {src} ({list}) {score:.2}")?;
        }
        writeln!(out, "Findings for addresses without a label: {}", self.unknown.len())?;
        for src in self.unknown.iter().take(20) {
            writeln!(out, "  {src}")?;
        }
        Ok(())
    }
}

/// The detectors that fired for some sources, with counts, most confident first.
fn fired(sources: &[&Judged]) -> String {
    let mut counts: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (id, confidence) in sources.iter().flat_map(|source| &source.detectors) {
        let entry = counts.entry(id).or_default();
        entry.0 += 1;
        entry.1 = entry.1.max(*confidence);
    }
    let mut all: Vec<(&str, (usize, f64))> = counts.into_iter().collect();
    all.sort_by(|one, other| other.1.1.total_cmp(&one.1.1));
    let texts: Vec<String> =
        all.iter().take(5).map(|(id, (number, most))| format!("{id} {most:.2} ({number})")).collect();
    texts.join(", ")
}
