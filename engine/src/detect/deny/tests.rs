//! The output of every format, and what each rejects.

use super::*;
use crate::ErrorKind;
use crate::detect::context::Context;
use crate::detect::testing::{NOON, finding};
use crate::detect::{Finding, Listed};

fn list(findings: &[Finding]) -> DenyList {
    DenyList::select(findings, &Context::new(NOON), &Selection::new(NOON)).unwrap()
}

fn some() -> DenyList {
    let allowed = Finding { listed: Listed { allow: true, ..Listed::default() }, ..finding("192.0.2.77", 1.0) };
    let addresses = ["198.51.100.7", "192.0.2.1", "192.0.2.0", "192.0.2.9", "2001:db8:0:1::9", "2001:db8:0:2::"];
    let mut findings: Vec<_> = addresses.into_iter().map(|address| finding(address, 0.95)).collect();
    findings.push(allowed);
    DenyList::select(&findings, &Context::new(NOON), &Selection { aggregate: true, ..Selection::new(NOON) }).unwrap()
}

fn many(number: u32) -> Vec<Finding> {
    // Every second address, so that none are adjacent.
    (0..number).map(|n| finding(&std::net::Ipv4Addr::from_bits(0xC633_0000 + 2 * n).to_string(), 0.95)).collect()
}

fn options() -> DenyOptions {
    DenyOptions {
        bucket: Some("photos".to_owned()),
        exempt: vec!["arn:aws:iam::111122223333:role/admin".to_owned()],
        ..DenyOptions::default()
    }
}

fn spaces_options() -> DenyOptions {
    DenyOptions { exempt: Vec::new(), full_access_keys: true, ..options() }
}

fn all(list: &DenyList) -> String {
    let mut text = String::new();
    for format in DenyFormat::ALL {
        let options = if format == DenyFormat::SpacesBucketPolicy { spaces_options() } else { options() };
        text += &format!("--- {format}\n");
        match list.print(format, &options) {
            Ok(printed) => {
                text += &printed.text;
                printed.warnings.iter().for_each(|warning| text += &format!("warning: {warning}\n"));
            }
            Err(error) => text += &format!("error: {error}\nhint: {}\n", error.hint().unwrap_or_default()),
        }
    }
    text
}

#[test]
fn every_format() {
    insta::assert_snapshot!(all(&some()));
}

#[test]
fn every_format_of_nobody() {
    insta::assert_snapshot!(all(&list(&[])));
}

#[test]
fn names_are_read_back() {
    for format in DenyFormat::ALL {
        assert_eq!(format.name().parse::<DenyFormat>().ok(), Some(format));
    }
    assert!("iptables".parse::<DenyFormat>().unwrap_err().hint().unwrap().contains("ipset"));
}

#[test]
fn a_set_of_the_waf_holds_one_version() {
    let options = DenyOptions { ip_version: IpVersion::V6, waf_scope: WafScope::CloudFront, ..DenyOptions::default() };
    let printed = some().print(DenyFormat::AwsWaf, &options).unwrap();
    let set: serde_json::Value = serde_json::from_str(&printed.text).unwrap();
    assert_eq!(set["Addresses"], serde_json::json!(["2001:db8:0:1::/64", "2001:db8:0:2::/64"]));
    assert_eq!((&set["IPAddressVersion"], &set["Scope"]), (&"IPV6".into(), &"CLOUDFRONT".into()));
    assert!(printed.warnings.iter().any(|warning| warning.starts_with("3 IPv4 networks")), "{:?}", printed.warnings);
}

#[test]
fn what_does_not_fit_is_counted() {
    let error = list(&many(10_001)).print(DenyFormat::AwsWaf, &options()).unwrap_err();
    assert_eq!(error.to_string(), "an IP set of AWS WAF takes 10000 networks, and these are 10001, 1 too many");
    assert!(list(&many(10_000)).print(DenyFormat::AwsWaf, &options()).is_ok());
    for (format, options) in
        [(DenyFormat::AwsBucketPolicy, options()), (DenyFormat::SpacesBucketPolicy, spaces_options())]
    {
        let findings = many(2_000);
        let error = list(&findings).print(format, &options).unwrap_err();
        let hint = error.hint().unwrap().to_owned();
        let most: usize = hint.split(['`', ' ']).find_map(|word| word.parse().ok()).unwrap();
        assert!(error.to_string().ends_with(&format!("{} of 2000 networks do not fit", 2_000 - most)), "{error}");
        // The number that is reported to fit does fit, whichever addresses have the highest scores, and is not much
        // less than possible.
        let print = |findings: &[Finding], most| {
            let selection = Selection { max_entries: Some(most), ..Selection::new(NOON) };
            DenyList::select(findings, &Context::new(NOON), &selection).unwrap().print(format, &options)
        };
        let longest_first: Vec<_> = (0_u32..)
            .zip(&findings)
            .map(|(n, finding)| Finding { score: 0.9 + f64::from(n) / 20_000.0, ..finding.clone() })
            .collect();
        for findings in [&findings, &longest_first] {
            let text = print(findings, most).unwrap().text;
            assert!((19_000..=20_481).contains(&text.len()), "{}", text.len());
        }
        assert!(print(&longest_first, most + 20).is_err());
    }
}

#[test]
fn a_policy_says_what_it_needs() {
    let with = |change: fn(&mut DenyOptions)| {
        let mut options = options();
        change(&mut options);
        options
    };
    let cases: [(DenyFormat, DenyOptions, &str); 12] = [
        (DenyFormat::AwsBucketPolicy, with(|o| o.bucket = None), "is for one bucket"),
        (DenyFormat::AwsBucketPolicy, with(|o| o.bucket = Some("a/*".into())), "not a bucket name"),
        (DenyFormat::AwsBucketPolicy, with(|o| o.bucket = Some("ab\"".into())), "not a bucket name"),
        (DenyFormat::AwsBucketPolicy, with(|o| o.exempt.clear()), "must exempt somebody"),
        (DenyFormat::AwsBucketPolicy, with(|o| o.exempt.push("*".into())), "no role or user"),
        (
            DenyFormat::AwsBucketPolicy,
            with(|o| o.exempt[0] = "arn:aws:iam::111122223333:role/*".into()),
            "no role or user",
        ),
        (DenyFormat::AwsBucketPolicy, with(|o| o.exempt[0] = "arn:aws:iam::*:role/admin".into()), "no role or user"),
        (DenyFormat::AwsBucketPolicy, with(|o| o.exempt[0] = "arn:aws:s3:::photos".into()), "no role or user"),
        (DenyFormat::AwsBucketPolicy, with(|o| o.exempt.push("arn:aws-cn:iam::111122223333:root".into())), "partition"),
        (DenyFormat::SpacesBucketPolicy, with(|_| ()), "limited access"),
        (DenyFormat::SpacesBucketPolicy, with(|o| o.full_access_keys = true), "cannot exempt"),
        (DenyFormat::SpacesBucketPolicy, DenyOptions { bucket: None, ..spaces_options() }, "is for one bucket"),
    ];
    for (format, options, said) in cases {
        let error = some().print(format, &options).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        // Also reported before there is a list.
        let before = options.check(format, Duration::from_secs(60)).unwrap_err();
        assert_eq!((before.to_string(), before.kind()), (error.to_string(), ErrorKind::Argument));
    }
    for format in DenyFormat::ALL {
        let options = if format == DenyFormat::SpacesBucketPolicy { spaces_options() } else { options() };
        assert!(options.check(format, Duration::from_secs(60)).is_ok(), "{format}");
        let expires = matches!(format, DenyFormat::Ipset | DenyFormat::Nftables);
        assert_eq!(options.check(format, Duration::ZERO).is_err(), expires, "{format}");
    }
    let china = with(|o| o.exempt[0] = "arn:aws-cn:iam::111122223333:role/team/ops-*".into());
    let text = some().print(DenyFormat::AwsBucketPolicy, &china).unwrap().text;
    assert!(text.contains(r#""arn:aws-cn:s3:::photos/*""#), "{text}");
}

#[test]
fn names_cannot_bring_anything_along() {
    for name in ["", "1st", "a b", "a;b", "a\nb", "$(id)", "-x", "ä", &"a".repeat(200)] {
        let options = DenyOptions { set_name: name.to_owned(), jail: name.to_owned(), ..options() };
        for format in [DenyFormat::Ipset, DenyFormat::Nftables, DenyFormat::Fail2ban, DenyFormat::AwsWaf] {
            assert!(some().print(format, &options).is_err(), "{format}: {name:?}");
            assert!(options.check(format, Duration::from_secs(60)).is_err(), "{format}: {name:?}");
        }
    }
}

#[test]
fn low_scores_are_warned_of_and_lists_that_never_were_good_refused() {
    let select = |min_score, good_for| {
        let selection = Selection { min_score, good_for: Duration::from_secs(good_for), ..Selection::new(NOON) };
        DenyList::select(&[finding("192.0.2.1", 0.7)], &Context::new(NOON), &selection).unwrap()
    };
    let printed = select(0.6, 60).print(DenyFormat::Cidr, &options()).unwrap();
    assert_eq!(printed.warnings.len(), 1);
    assert!(printed.text.ends_with("\n192.0.2.1/32\n"));
    assert!(select(0.6, 0).print(DenyFormat::Nftables, &options()).is_err());
    assert!(select(0.6, 0).print(DenyFormat::Ipset, &options()).is_err());
    assert!(select(0.6, 2_147_484).print(DenyFormat::Ipset, &options()).is_err());
}
