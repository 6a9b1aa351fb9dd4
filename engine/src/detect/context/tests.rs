//! Precedence between lists.

use super::*;

/// 15 January 2026.
const NOW: i64 = 1_768_435_200_000_000;

fn list(name: &str, text: &str) -> CidrList {
    CidrList::parse(name, text, NOW).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/context/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn fixture_list(name: &str) -> CidrList {
    list(name, &String::from_utf8(fixture(name)).unwrap())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The labels of the effective entries, by kind.
fn summary(known: &Known) -> String {
    let entries = [
        ("allow", &known.allow),
        ("deny", &known.deny),
        ("cdn", &known.cdn),
        ("crawler", &known.crawler),
        ("intel", &known.intel),
    ];
    let shown =
        entries.iter().filter_map(|(kind, entry)| entry.as_ref().map(|entry| format!("{kind}={}", entry.label())));
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn nothing_is_known_of_anybody() {
    let context = Context::new(NOW);
    assert_eq!(context.of(address("192.0.2.1")), Known::default());
    assert_eq!(context.of(address("10.0.0.1")), Known { private: true, ..Known::default() });
    assert!(context.of(address("::ffff:10.0.0.1")).private);
}

#[test]
fn who_wins() {
    let context = Context::new(NOW)
        .with_allow(&list("a", "192.0.2.0/24\n198.51.100.7\n203.0.113.5\n2001:db8:1::/48"))
        .with_deny(&list("d", "192.0.2.66\n198.51.100.0/24\n203.0.113.5\n2001:db8:1:2::/64"))
        .with_cdn(&list("c", "203.0.113.128/25"))
        .with_crawlers(&list("r", "203.0.113.64/26;name=Googlebot"))
        .with_intel(&list("i", "0.0.0.0/0\n::/0"));
    for (ip, expected) in [
        ("192.0.2.1", "allow=a"),
        ("::ffff:192.0.2.1", "allow=a"),
        ("192.0.2.66", "allow=a"),
        ("198.51.100.1", "deny=d intel=i"),
        ("198.51.100.7", "allow=a"),
        ("203.0.113.5", "allow=a"),
        ("203.0.113.200", "cdn=c intel=i"),
        ("203.0.113.64", "crawler=Googlebot intel=i"),
        ("2001:db8:1:1::1", "allow=a"),
        ("2001:db8:1:2::1", "allow=a"),
        ("2001:db8:2::1", "intel=i"),
    ] {
        assert_eq!(summary(&context.of(address(ip))), expected, "{ip}");
    }
    let all = context.entries(address("192.0.2.66"));
    assert_eq!(
        all.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [ListKind::Allow, ListKind::Deny, ListKind::Intel]
    );
}

#[test]
fn what_attackers_lists_are_worth() {
    for (name, text, confidence, stale) in [
        ("feed", "192.0.2.1", 0.5, false),
        ("feed", "192.0.2.1;confidence=0.9", 0.9, false),
        ("feed", "# confidence: 0.8\n192.0.2.1", 0.8, false),
        ("feed", "# date: 2025-12-17\n192.0.2.1", 0.5, false),
        ("feed", "# date: 2025-12-15\n192.0.2.1", 0.3, true),
        ("feed", "# date: 2025-12-15\n192.0.2.1;confidence=0.9", 0.3, true),
        ("feed", "# date: 2025-12-15\n192.0.2.1;confidence=0.1", 0.1, true),
        ("feed", "# date: 2027-01-01\n192.0.2.1", 0.5, false),
        ("torbulkexitlist", "192.0.2.1", 0.3, false),
        ("dm_tor.ipset", "192.0.2.1", 0.3, false),
        ("Tor-Exits.txt", "192.0.2.1;confidence=0.6", 0.6, false),
        ("storage", "192.0.2.1", 0.5, false),
        ("toronto", "192.0.2.1", 0.5, false),
    ] {
        let known = Context::new(NOW).with_intel(&list(name, text)).of(address("192.0.2.1"));
        let found = known.intel.map(|entry| (entry.confidence, entry.stale));
        assert_eq!(found, Some((confidence, stale)), "{name} {text}");
    }
}

#[test]
fn claims_of_crawlers() {
    let context = Context::new(NOW)
        .with_crawlers(&list("google", "# date: 2026-01-01\n# name: Googlebot\n192.0.2.0/24"))
        .with_crawlers(&list("google-2024", "# date: 2024-01-01\n# name: googlebot\n192.0.3.0/24"))
        .with_crawlers(&list("bing", "# date: 2024-01-01\n192.0.2.128/25;name=bingbot"))
        .with_crawlers(&list("own", "198.51.100.7"));
    for (operator, ip, expected) in [
        ("Googlebot", "192.0.2.1", Claim::Proven),
        ("Googlebot", "192.0.2.200", Claim::Proven),
        ("google-bot", "::ffff:192.0.3.1", Claim::Proven),
        ("bingbot", "192.0.2.200", Claim::Proven),
        ("Googlebot", "198.51.100.7", Claim::Proven),
        ("Googlebot", "198.51.100.8", Claim::Refuted { stale: false }),
        ("bingbot", "192.0.2.1", Claim::Refuted { stale: true }),
        ("Applebot", "192.0.2.1", Claim::Unknown),
        ("Applebot", "198.51.100.7", Claim::Proven),
    ] {
        assert_eq!(context.claim(operator, address(ip)), expected, "{operator} {ip}");
    }
}

#[test]
fn networks_that_no_deny_list_may_hold() {
    let context = Context::new(NOW)
        .with_allow(&list("a", "192.0.2.7\n198.51.100.0/24\n2001:db8:1::5"))
        .with_deny(&list("d", "198.51.100.66"))
        .with_cdn(&list("c", "203.0.113.128/25"))
        .with_crawlers(&list("r", "2001:db8:2::/64"));
    for (network, expected) in [
        ("192.0.2.7/32", Some(ListKind::Allow)),
        ("192.0.2.8/32", None),
        ("192.0.2.0/24", Some(ListKind::Allow)),
        ("198.51.100.1/32", Some(ListKind::Allow)),
        ("198.51.100.66/32", Some(ListKind::Allow)),
        ("203.0.113.0/25", None),
        ("203.0.113.0/24", Some(ListKind::Cdn)),
        ("203.0.113.200/32", Some(ListKind::Cdn)),
        ("2001:db8:1::/64", Some(ListKind::Allow)),
        ("2001:db8:1:1::/64", None),
        ("2001:db8:2::/48", Some(ListKind::Crawlers)),
    ] {
        assert_eq!(context.protects(network.parse().unwrap()), expected, "{network}");
    }
}

#[test]
fn where_customers_run_programs_a_claim_is_neither_proven_nor_refuted() {
    let context = Context::new(NOW).with_crawlers_of(&Lists::shipped().unwrap()).unwrap();
    for (ip, claim) in [
        ("66.249.66.1", Claim::Proven),
        ("107.178.194.20", Claim::Unknown),
        ("2600:1900:0:10::1", Claim::Unknown),
        ("192.0.2.1", Claim::Refuted { stale: false }),
    ] {
        assert_eq!(context.claim("Google", address(ip)), claim, "{ip}");
    }
    assert_eq!(context.of(address("107.178.194.20")).crawler, None);
    assert_eq!(context.of(address("172.64.1.1")).edge.as_ref().map(|entry| entry.label()), Some("Cloudflare"));
    assert_eq!(context.of(address("104.28.1.1")).edge, None);
}

#[test]
fn example_files() {
    let context = Context::new(NOW)
        .with_allow(&fixture_list("allow.txt"))
        .with_deny(&fixture_list("deny.txt"))
        .with_cdn(&fixture_list("cdn.txt"))
        .with_crawlers(&fixture_list("crawlers.txt"))
        .with_intel(&fixture_list("attackers.netset"))
        .with_intel(&fixture_list("drop.txt"))
        .with_intel(&fixture_list("tor-exits.txt"))
        .with_geoip("geolite2-country.mmdb", fixture("geolite2-country.mmdb"))
        .and_then(|context| context.with_asn("geolite2-asn.mmdb", fixture("geolite2-asn.mmdb")))
        .unwrap();
    let shown: Vec<String> = [
        "192.0.2.1",
        "192.0.2.66",
        "192.0.2.130",
        "192.0.2.200",
        "198.51.100.1",
        "198.51.100.23",
        "198.51.100.200",
        "203.0.113.1",
        "203.0.113.77",
        "203.0.113.200",
        "2001:db8:1::1",
        "2001:db8:bad:c0de::1",
        "10.0.0.1",
    ]
    .into_iter()
    .map(|ip| {
        let known = context.of(address(ip));
        let intel = known
            .intel
            .as_ref()
            .map(|entry| format!(" {}{}", entry.confidence, if entry.stale { " stale" } else { "" }));
        let place = format!("{} {}", known.country.as_deref().unwrap_or("-"), known.net(address(ip)));
        format!("{ip}: {place} {}{}", summary(&known), intel.unwrap_or_default())
    })
    .collect();
    insta::assert_snapshot!(shown.join("\n"));
    assert!(context.geo_fault().is_none());
}

#[test]
fn systems_come_from_either_database() {
    let both = || fixture("country-and-asn.mmdb");
    let context = Context::new(NOW).with_geoip("both", both()).unwrap();
    let known = context.of(address("192.0.2.1"));
    assert_eq!((known.country.as_deref(), known.asn), (Some("DE"), Some(64500)));
    assert_eq!(known.as_org.as_deref(), Some("Example Networks"));
    let context = Context::new(NOW).with_asn("both", both()).unwrap();
    let known = context.of(address("192.0.2.1"));
    assert_eq!((known.country, known.asn), (None, Some(64500)));
}
