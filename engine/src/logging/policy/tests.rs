//! Realistic policies, and their verdicts for log delivery.

use super::*;
use proptest::prelude::*;

pub(in crate::logging) const DELIVERY: Delivery<'_> = Delivery {
    source: "photos",
    target: "logs",
    prefix: "photos/",
    account: Some("111122223333"),
    region: "eu-west-1",
};

fn policy(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn allow(what: &str) -> String {
    format!(r#"{{"Sid":"A","Effect":"Allow",{what}}}"#)
}

fn deny(what: &str) -> String {
    format!(r#"{{"Sid":"D","Effect":"Deny",{what}}}"#)
}

const SERVICE: &str = r#""Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject""#;
const ALL: &str = r#""Resource":"arn:aws:s3:::logs/*""#;
const EVERYBODY: &str = r#""Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]"#;

#[test]
fn what_policies_say() {
    let of = |deny_or_allow: fn(&str) -> String, condition: &str, resource: &str| {
        deny_or_allow(&format!(r#"{SERVICE},"Resource":"{resource}","Condition":{condition}"#))
    };
    let all = "arn:aws:s3:::logs/*";
    let arn = |arn: &str| of(allow, &format!(r#"{{"ArnLike":{{"aws:SourceArn":"{arn}"}}}}"#), all);
    let account = |account: &str| of(allow, &format!(r#"{{"StringEquals":{{"aws:SourceAccount":"{account}"}}}}"#), all);
    let permitted = allow(&format!("{SERVICE},{ALL}"));
    let perhaps = |sid: &str| Verdict::Perhaps(sid.to_owned());
    for (statements, verdict) in [
        (String::new(), Verdict::Silent),
        (permitted.clone(), Verdict::Permits),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/photos/*""#)), Verdict::Permits),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/photos*""#)), Verdict::Permits),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::log?/pho*/*""#)), Verdict::Permits),
        // Allowing part of the names, or other names, is not enough.
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/photos/2026*""#)), Verdict::Silent),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/videos/*""#)), Verdict::Silent),
        // Partitioned names have the account behind the prefix.
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/photos/111122223333/*""#)), perhaps("A")),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs""#)), Verdict::Silent),
        (
            allow(&format!(
                r#""Principal":{{"Service":["x","logging.s3.amazonaws.com"]}},"Action":["s3:Get*","s3:put*"],{ALL}"#
            )),
            Verdict::Permits,
        ),
        (
            allow(&format!(r#""Principal":{{"Service":"cloudtrail.amazonaws.com"}},"Action":"s3:PutObject",{ALL}"#)),
            Verdict::Silent,
        ),
        (
            allow(&format!(r#""Principal":{{"Service":"logging.s3.amazonaws.com"}},"Action":"s3:GetObject",{ALL}"#)),
            Verdict::Silent,
        ),
        (arn("arn:aws:s3:::photos"), Verdict::Permits),
        (arn("arn:aws:s3:::*"), Verdict::Permits),
        (arn("arn:aws:s3:::videos"), Verdict::Silent),
        (account("111122223333"), Verdict::Permits),
        (account("444455556666"), Verdict::Silent),
        (of(allow, r#"{"StringEquals":{"aws:SourceOrgID":"o-example"}}"#, all), perhaps("A")),
        // Denied over plain HTTP, which delivery does not use.
        (
            format!(
                "{permitted},{}",
                deny(&format!(r#"{EVERYBODY},"Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}"#))
            ),
            Verdict::Permits,
        ),
        (format!("{permitted},{}", deny(EVERYBODY)), Verdict::Denies("D".to_owned())),
        (format!("{},{permitted}", deny(EVERYBODY)), Verdict::Denies("D".to_owned())),
        (
            format!(
                "{permitted},{}",
                deny(&format!(r#"{EVERYBODY},"Condition":{{"StringNotEquals":{{"aws:SourceVpce":"vpce-1"}}}}"#))
            ),
            perhaps("D"),
        ),
        (
            format!(
                "{},{permitted}",
                deny(&format!(r#"{EVERYBODY},"Condition":{{"StringNotEquals":{{"aws:SourceVpce":"vpce-1"}}}}"#))
            ),
            perhaps("D"),
        ),
        (
            format!("{permitted},{}", deny(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/photos/2026*""#))),
            perhaps("D"),
        ),
        (
            format!("{permitted},{}", deny(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/videos/*""#))),
            Verdict::Permits,
        ),
        (
            format!("{},{permitted}", of(allow, r#"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, all)),
            Verdict::Permits,
        ),
        // The values of variables are not known.
        (account("${aws:ResourceAccount}"), perhaps("A")),
        (
            of(allow, r#"{"StringEquals":{"aws:SourceAccount":["${aws:ResourceAccount}","111122223333"]}}"#, all),
            Verdict::Permits,
        ),
        (
            format!(
                "{permitted},{}",
                of(deny, r#"{"StringNotEquals":{"aws:SourceAccount":"${aws:ResourceAccount}"}}"#, all)
            ),
            perhaps("D"),
        ),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/${{aws:SourceAccount}}/*""#)), perhaps("A")),
        (allow(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::videos/${{aws:SourceAccount}}/*""#)), Verdict::Silent),
        (
            format!(
                "{permitted},{}",
                deny(&format!(r#"{SERVICE},"Resource":"arn:aws:s3:::logs/${{aws:SourceAccount}}/*""#))
            ),
            perhaps("D"),
        ),
        (allow(&format!(r#""NotPrincipal":{{"AWS":"x"}},"Action":"s3:PutObject",{ALL}"#)), perhaps("A")),
    ] {
        assert_eq!(DELIVERY.judge(&policy(&statements)), verdict, "{statements}");
    }
    let of_nobody = Delivery { account: None, ..DELIVERY };
    assert_eq!(of_nobody.judge(&policy(&account("444455556666"))), Verdict::Permits);
    let of_others = of(deny, r#"{"StringNotEquals":{"aws:SourceAccount":"444455556666"}}"#, all);
    assert_eq!(of_nobody.judge(&policy(&format!("{permitted},{of_others}"))), perhaps("D"));
    assert_eq!(of_nobody.judge(&policy(&account("${aws:ResourceAccount}"))), perhaps("A"));
    assert_eq!(DELIVERY.judge("no JSON"), perhaps("all of it"));
    assert_eq!(DELIVERY.judge(r#"{"Statement":{}}"#), Verdict::Silent);
}

#[test]
fn the_statement() {
    insta::assert_snapshot!(DELIVERY.statement());
    let elsewhere = Delivery { account: None, region: "cn-north-1", ..DELIVERY };
    let statement = elsewhere.statement();
    assert!(statement.contains("arn:aws-cn:s3:::logs/photos/*") && statement.contains(PLACEHOLDER), "{statement}");
}

proptest! {
    /// The generated statement is sufficient.
    #[test]
    fn the_statement_permits(source in "[a-z][a-z0-9.-]{2,20}", prefix in "[a-zA-Z0-9/_ ü*?$-]{0,20}", account in "[0-9]{12}") {
        let delivery = Delivery { source: &source, prefix: &prefix, account: Some(&account), ..DELIVERY };
        prop_assert_eq!(delivery.judge(&policy(&delivery.statement())), Verdict::Permits);
        let of_another = Delivery { source: "another-bucket-of-a-longer-name", ..delivery };
        prop_assert_eq!(of_another.judge(&policy(&delivery.statement())), Verdict::Silent);
    }

    /// A pattern that covers a prefix matches any continuation.
    #[test]
    fn covered(pattern in "[ab*?]{0,6}", beginning in "[ab]{0,4}", rest in "[ab]{0,4}") {
        if covers(&pattern, &beginning) {
            let whole = format!("{beginning}{rest}");
            prop_assert!(matches(&pattern, &whole));
        }
        if matches(&pattern, &format!("{beginning}{rest}")) {
            prop_assert!(meets(&pattern, &beginning));
        }
    }

    #[test]
    fn no_policy_makes_it_panic(policy in "\\PC{0,60}") {
        let _ = DELIVERY.judge(&policy);
    }
}
