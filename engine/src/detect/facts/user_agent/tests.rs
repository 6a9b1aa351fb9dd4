use super::*;

fn lists() -> Lists {
    Lists::shipped().unwrap()
}

#[test]
fn kinds_of_clients() {
    let lists = lists();
    for (user_agent, kind) in [
        (None, Kind::None),
        (Some(""), Kind::None),
        (Some("-"), Kind::None),
        (
            Some(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            ),
            Kind::Browser,
        ),
        (Some("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), Kind::Bot),
        (Some("ExampleSpider/1.0"), Kind::Bot),
        (Some("facebookexternalhit/1.1"), Kind::Bot),
        (Some("Boto3/1.26.0 Python/3.11.6 Linux/6.1 Botocore/1.29.0"), Kind::Sdk),
        (Some("aws-sdk-go-v2/1.30.3 os/linux lang/go#1.21"), Kind::Sdk),
        (Some("MinIO (linux; amd64) minio-go/v7.0.66 restic/0.16"), Kind::Tool),
        (Some("aws-cli/2.15.0 Python/3.11.6 Linux/6.1 botocore/2.4.5"), Kind::Tool),
        (Some("rclone/v1.65.0"), Kind::Tool),
        (Some("VLC/3.0.18 LibVLC/3.0.18"), Kind::Tool),
        (Some("curl/8.4.0"), Kind::Script),
        (Some("python-requests/2.31.0"), Kind::Script),
        (Some("Go-http-client/1.1"), Kind::Script),
        (Some("MyApp/1.0"), Kind::Other),
        (Some("Example/1.0 (+https://example.com/about)"), Kind::Bot),
    ] {
        assert_eq!(UserAgentFacts::of(&lists, user_agent).kind, kind, "{user_agent:?}");
    }
}

#[test]
fn every_family_of_the_table_has_a_kind() {
    for line in include_str!("../../../functions/user_agents.txt").lines() {
        if line.is_empty() || line.starts_with('#') || line.starts_with('(') {
            continue;
        }
        let family = line.split(" = ").next().unwrap();
        assert_ne!(kind(family, ""), Kind::Other, "{family}");
    }
}

#[test]
fn normalised_user_agents() {
    for (user_agent, expected) in [
        ("", ""),
        ("curl/8.4.0", "curl/8"),
        ("  curl/8.4.0   (x)  ", "curl/8 (x)"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
            "Mozilla/5 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121",
        ),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5 (compatible; Googlebot/2; +http://www.google.com/bot.html)",
        ),
        ("aws-cli/1.16.1 Python/2.7.5 Linux/4.14.1 botocore/1.11.1", "aws-cli/1 Python/2 Linux/4 botocore/1"),
        (
            "aws-cli/2.15.0 md/awscrt#0.19.19 ua/2.0 os/linux#6.1.0-kali5 md/arch#x86_64 lang/python#3.11.6 md/pyimpl#CPython \
             m/E,b,D cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#s3.sync",
            "aws-cli/2 os/linux#6 lang/python#3",
        ),
        (
            "aws-cli/2.15.0 md/awscrt#0.19.19 ua/2.0 os/linux#6.1.0-kali5 md/arch#x86_64 lang/python#3.11.6 md/pyimpl#CPython \
             m/b,D,E,Z cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#s3api.head-object",
            "aws-cli/2 os/linux#6 lang/python#3",
        ),
        (
            "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.1 os/linux#5.10 m/D,g,N lang/python#3.12.1 Botocore/1.34.0 Resource",
            "Boto3/1 os/linux#5 lang/python#3 Botocore/1 Resource",
        ),
        (
            "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.21.1 md/GOOS#linux api/s3#1.58.2 m/Z",
            "aws-sdk-go-v2/1 os/linux lang/go#1",
        ),
        ("minio-go/v7.0.66", "minio-go/v7.0.66"),
        ("a/1.2/3.4#5.6x)", "a/1/3#5)"),
        ("m/x plain", "plain"),
        ("pip/23.0 {\"ci\":null}", "pip/23 {\"ci\":null}"),
    ] {
        assert_eq!(normalised(user_agent), expected, "{user_agent}");
    }
    assert_eq!(normalised(&"é".repeat(300)).len(), LONGEST);
}

#[test]
fn hostile_tools() {
    let lists = lists();
    for (user_agent, tool) in [
        ("gobuster/3.6", Some("gobuster")),
        ("Fuzz Faster U Fool v2.1.0", Some("ffuf")),
        ("feroxbuster/2.10.1", Some("feroxbuster")),
        ("Wfuzz/3.1.0", Some("Wfuzz")),
        ("sqlmap/1.7.2#stable (https://sqlmap.org)", Some("sqlmap")),
        ("Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)", Some("Nikto")),
        ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", Some("Nmap")),
        ("httpx - Open-source project (github.com/projectdiscovery/httpx)", Some("ProjectDiscovery")),
        ("Mozilla/5.0 zgrab/0.x", Some("zgrab")),
        ("masscan/1.3 (https://github.com/robertdavidgraham/masscan)", Some("masscan")),
        ("WhatWeb/0.5.5", Some("WhatWeb")),
        ("Pacu/1.5.2", Some("Pacu")),
        ("l9explore/1.2.2", Some("l9explore")),
        ("TruffleHog", Some("TruffleHog")),
        // No tools.
        ("python-httpx/0.27.0", None),
        ("Pacuvox/1.0", None),
        ("Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)", None),
        ("my-nuclei-lab/1.0", None),
        ("aws-cli/2.15.0 Python/3.11.6 Linux/6.6.9-amd64", None),
        ("", None),
    ] {
        let facts = UserAgentFacts::of(&lists, Some(user_agent));
        assert_eq!(facts.hostile_tool.as_deref(), tool, "{user_agent}");
    }
}

#[test]
fn systems_made_for_attacks() {
    let lists = lists();
    for (user_agent, expected) in [
        ("aws-cli/1.27.1 Python/3.11.6 Linux/6.6.9-kali-amd64 botocore/1.29.1", true),
        ("aws-cli/2.15.0 ua/2.0 os/linux#6.1.0-1parrot1-amd64 md/arch#x86_64", true),
        ("Boto3/1.26.0 Python/3.9 Linux/5.4.8-pentoo Botocore/1.29", true),
        ("Mozilla/5.0 (X11; Kali Linux; rv:102.0) Firefox/102.0", true),
        ("aws-cli/1.27.1 Python/3.11.6 Linux/6.6.9-amd64 botocore/1.29.1", false),
        ("ParrotDrone/1.0", false),
        ("Alkali/2.0 Linux/5.4", false),
        ("", false),
    ] {
        assert_eq!(UserAgentFacts::of(&lists, Some(user_agent)).offensive_os, expected, "{user_agent}");
    }
}

#[test]
fn a_crawler_is_a_claim() {
    let facts = UserAgentFacts::of(&lists(), Some("Mozilla/5.0 (compatible; bingbot/2.0)"));
    assert_eq!((facts.crawler_claim.as_deref(), &*facts.family), (Some("Microsoft"), "bingbot"));
}

#[test]
fn errors_name_the_line() {
    let error = HostileAgents::parse("# tools\ngobuster/\nx\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "hostile-agents, line 3: `x` would be found everywhere; write at least three letters"
    );
}
