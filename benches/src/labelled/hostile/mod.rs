//! Attacks: campaigns of a kind and a loudness, with their own sources or hidden behind shared addresses.

mod abuse;
mod credentials;
mod exfiltration;
mod impact;
pub(super) mod operations;
mod probes;
mod recon;
mod words;

use super::agents;
use super::benign::{Crowds, visit};
use super::cast::{Campaign, Loudness, Net};
use super::scene::{Scene, Who};
use Loudness::{Distributed, Loud, Medium, Slow};

/// A kind of attack: its name, its implementation, and the degrees of loudness that make sense for it.
struct Kind {
    name: &'static str,
    run: fn(&mut Scene, &Campaign),
    degrees: &'static [Loudness],
}

const KINDS: [Kind; 32] = [
    Kind { name: "key_enumeration_tool", run: recon::by_tool, degrees: &[Loud, Medium] },
    Kind { name: "key_enumeration_browser", run: recon::as_browser, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "single_request_scan", run: recon::single_requests, degrees: &[Distributed] },
    Kind { name: "bucket_recon", run: recon::buckets, degrees: &[Loud, Medium, Slow] },
    Kind { name: "sensitive_probe", run: probes::sensitive, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "web_exploit", run: probes::exploits, degrees: &[Loud, Medium, Slow] },
    Kind { name: "cms_probe", run: probes::cms, degrees: &[Loud, Medium, Distributed] },
    Kind { name: "hostile_tool", run: probes::tools, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "fake_crawler", run: probes::fake_crawlers, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "protocol_abuse", run: probes::protocol, degrees: &[Medium, Slow] },
    Kind { name: "credential_bruteforce", run: credentials::brute_force, degrees: &[Loud, Medium, Slow] },
    Kind { name: "presigned_tampering", run: credentials::presigned, degrees: &[Loud, Medium, Slow] },
    Kind { name: "stolen_credential", run: credentials::stolen, degrees: &[Loud, Medium, Slow] },
    Kind { name: "signed_config_recon", run: credentials::configuration_recon, degrees: &[Loud, Medium, Slow] },
    Kind { name: "bulk_exfiltration", run: exfiltration::bulk, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "insider_exfiltration", run: exfiltration::insider, degrees: &[Loud, Medium, Slow] },
    Kind { name: "list_then_get", run: exfiltration::list_then_get, degrees: &[Loud, Medium, Slow] },
    Kind { name: "version_harvest", run: exfiltration::versions, degrees: &[Medium, Slow] },
    Kind { name: "sequential_ids", run: exfiltration::sequential, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "sequential_ids_denied", run: exfiltration::sequential_denied, degrees: &[Loud, Medium, Slow] },
    Kind { name: "scrape", run: exfiltration::scrape, degrees: &[Loud, Medium, Slow] },
    Kind { name: "ransom_copy", run: impact::ransom_copy, degrees: &[Loud, Medium] },
    Kind { name: "ransom_rewrite", run: impact::ransom_rewrite, degrees: &[Loud, Medium, Slow] },
    Kind { name: "ransom_delete", run: impact::ransom_delete, degrees: &[Loud, Medium] },
    Kind { name: "destruction", run: impact::destruction, degrees: &[Loud, Medium, Slow] },
    Kind { name: "config_tampering", run: impact::tampering, degrees: &[Loud, Medium, Slow] },
    Kind { name: "anonymous_upload", run: impact::uploads, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "defacement", run: impact::defacement, degrees: &[Medium] },
    Kind { name: "denial_of_wallet", run: abuse::wallet, degrees: &[Loud, Medium, Slow, Distributed] },
    Kind { name: "cache_buster", run: abuse::cache_buster, degrees: &[Loud, Medium] },
    Kind { name: "request_flood", run: abuse::flood, degrees: &[Loud, Medium, Distributed] },
    Kind { name: "intel_listed", run: abuse::listed, degrees: &[Slow, Distributed] },
];

/// Runs all campaigns, as often as the scale requires, and some behind shared addresses.
pub(super) fn all(scene: &mut Scene, crowds: &Crowds) {
    let mut number = 0;
    for kind in &KINDS {
        for &loudness in kind.degrees {
            let whole = scene.scale.floor() as u64;
            let rest = (scene.scale.fract() * 1000.0) as u64;
            for _ in 0..whole + u64::from(scene.random.chance(rest)) {
                number += 1;
                (kind.run)(scene, &Campaign { name: kind.name, id: format!("C{number:03}"), loudness });
            }
        }
    }
    behind_crowds(scene, crowds, number);
}

/// Attacks from addresses that also have benign visitors.
fn behind_crowds(scene: &mut Scene, crowds: &Crowds, mut number: u64) {
    let mut hide = |scene: &mut Scene, who: &Who, name: &'static str, loudness: Loudness| {
        number += 1;
        let campaign = Campaign { name, id: format!("C{number:03}"), loudness };
        scene.cast.infiltrate(who.address, &campaign);
    };
    for who in crowds.cdn.iter().take(6) {
        hide(scene, who, "behind_cdn", Medium);
        recon::words_from(scene, who, 60);
        let agent = agents::desktop(&mut scene.random);
        probes::payloads_from(scene, &who.with_agent(agent), 8);
    }
    for who in crowds.mobile.iter().take(2) {
        hide(scene, who, "behind_carrier", Medium);
        probes::secrets_from(scene, who, 5);
    }
    for who in crowds.offices.iter().rev().take(2) {
        hide(scene, who, "behind_office", Loud);
        recon::words_from(scene, who, 120);
    }
}

/// Creates `number` sources, on rented servers, on compromised home machines, or all in one small network. Some first
/// behave like visitors.
fn sources(scene: &mut Scene, campaign: &Campaign, number: u64) -> Vec<Who> {
    let [a, b, c] =
        [scene.random.between(248, 251), scene.random.below(64), scene.random.below(256)].map(|part| part as u8);
    let neighbours = number > 1 && scene.random.chance(300);
    let mut all = Vec::new();
    for _ in 0..number {
        let net = match scene.random.below(100) {
            _ if neighbours => Net::Block([a, b, c]),
            0..=49 => Net::Hosting,
            50..=59 => Net::Cloud,
            _ => Net::Home,
        };
        let who = scene.hostile(net, campaign);
        if scene.random.chance(120) {
            let agent = agents::desktop(&mut scene.random);
            let time = scene.by_day();
            visit(scene, &who.with_agent(agent).at_website(), time, 1);
        }
        all.push(who);
    }
    all
}
