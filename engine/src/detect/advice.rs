//! Advice on what to do about a finding, by the families of its rules.

use super::finding::{Band, Finding, Severity};

/// Recommendations as sentences, most urgent first.
pub(super) fn advice(finding: &Finding) -> Vec<String> {
    let mut families: Vec<&str> = Vec::new();
    for signal in &finding.detectors {
        if !families.contains(&signal.family.as_str()) {
            families.push(&signal.family);
        }
    }
    // Families that destroy or take data come before those that search for it.
    families.sort_by_key(|family| ORDER.iter().position(|known| known == family).unwrap_or(ORDER.len()));
    let mut advice = Vec::new();
    if finding.severity == Severity::Critical {
        advice.push("Act now: keep the address out and take the credentials away before you find out more.".to_owned());
    }
    advice.extend(families.iter().filter_map(|family| of_family(family)).map(str::to_owned));
    if finding.provisional {
        advice.push("Look again in a few hours: logs of the last requests may still be missing.".to_owned());
    }
    advice.push(how_to_block(finding));
    advice.push(format!(
        "If it is yours or a guest's, put `{}` into the file of `--allow` with a comment and an `until=` date.",
        finding.client_ip
    ));
    advice
}

/// Families in order of urgency.
const ORDER: [&str; 8] = ["impact", "identity", "exfil", "auth", "cost", "recon", "spoof", "intel"];

fn of_family(family: &str) -> Option<&'static str> {
    Some(match family {
        "impact" => {
            "Compare what was deleted or written with versions and backups, suspend lifecycle rules that you did not write, and \
             check the bucket's policy, versioning and logging."
        }
        "identity" => {
            "Ask who uses this requester from there. If nobody does: disable its keys, revoke its sessions, and look at what else \
             they may."
        }
        "exfil" => {
            "Find out whether what was read was meant to be read, and by whom; close public listing; treat what left as known to \
             others."
        }
        "auth" => "See whether one of the requests that followed succeeded; rotate keys that were guessed close to.",
        "cost" => "Put a CDN or a limit of rate before large objects, and watch the bill.",
        "recon" => {
            "See whether a probe succeeded: what answered 200 and should not have is the urgent part. Move keys and backups out of \
             public buckets."
        }
        "spoof" => "Do not let a user agent open anything: check crawlers by their published ranges.",
        "intel" => "The list says who it is, not what it did: judge by the other evidence.",
        _ => return None,
    })
}

fn how_to_block(finding: &Finding) -> String {
    let listed = finding.listed;
    if listed.allow || listed.cdn || listed.crawler || listed.private {
        let reason = match (listed.allow, listed.cdn, listed.crawler) {
            (true, ..) => "it is on the allow list",
            (_, true, _) => "it is a CDN, and its visitors would be blocked with it",
            (.., true) => "it is a crawler in its operator's ranges",
            _ => "it is not an address of the internet",
        };
        return format!("Deny lists leave it out: {reason}.");
    }
    if finding.band == Band::Block {
        return "Deny lists take it. Where clients come through a CDN, block it there.".to_owned();
    }
    format!("Deny lists begin at {} and leave it out: have a look before you block it.", Band::Block.min_score())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::finding::{Listed, Signal};
    use crate::detect::testing::{finding, full};

    #[test]
    fn what_is_urgent_comes_first() {
        let advice = advice(&Finding { severity: Severity::Critical, ..full() });
        let beginnings: Vec<_> =
            advice.iter().map(|sentence| sentence.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            beginnings,
            ["Act now: keep", "Ask who uses", "See whether a", "Look again in", "Deny lists take", "If it is"]
        );
    }

    #[test]
    fn every_family_has_advice_and_an_unknown_one_none() {
        assert!(ORDER.into_iter().all(|family| of_family(family).is_some()));
        let own = Signal { family: "own".to_owned(), ..Signal::default() };
        assert_eq!(advice(&Finding { detectors: vec![own], ..finding("192.0.2.1", 0.7) }).len(), 2);
    }

    #[test]
    fn it_says_why_deny_lists_leave_it_out() {
        let of = |listed| how_to_block(&Finding { listed, ..finding("192.0.2.1", 1.0) });
        assert!(of(Listed { allow: true, cdn: true, ..Listed::default() }).contains("allow list"));
        assert!(of(Listed { cdn: true, ..Listed::default() }).contains("CDN"));
        assert!(of(Listed { crawler: true, ..Listed::default() }).contains("crawler"));
        assert!(of(Listed { private: true, ..Listed::default() }).contains("internet"));
        assert!(of(Listed { deny: true, ..Listed::default() }).starts_with("Deny lists take it"));
    }
}
