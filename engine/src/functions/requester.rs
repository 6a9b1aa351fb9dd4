//! Functions of requesters: canonical user ids, IAM and STS ARNs, service names.

use super::text_function::{Row, TextFunction};
use super::{Documented, FunctionDoc};

const GROUP: &str = "Requester";
const REQUESTER: (&str, &str) = ("requester", "The column `requester`.");

const REQUESTER_ACCOUNT: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "requester_account",
    signature: "requester_account(requester) -> text",
    description: "The 12-digit account id in an ARN of IAM or STS, in any partition. NULL for canonical user ids, \
                  services and the ARNs of CloudFront origin access identities, which name no account.",
    arguments: &[REQUESTER],
    example_sql: "SELECT requester_account('arn:aws:sts::123456789012:assumed-role/etl/nightly')",
    example_result: "123456789012",
};

const REQUESTER_ROLE: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "requester_role",
    signature: "requester_role(requester) -> text",
    description: "The name of the role in an ARN of an assumed role (`assumed-role/name/session`) or of a role itself \
                  (`role/path/name`). NULL for all else.",
    arguments: &[REQUESTER],
    example_sql: "SELECT requester_role('arn:aws:sts::123456789012:assumed-role/etl/nightly')",
    example_result: "etl",
};

pub(super) fn functions() -> Vec<Documented> {
    vec![
        TextFunction::documented(&REQUESTER_ACCOUNT, Row::Text(|requester, _| account(requester))),
        TextFunction::documented(&REQUESTER_ROLE, Row::Text(|requester, _| role(requester))),
    ]
}

/// Account and resource of `arn:partition:iam|sts:region:account:resource`.
fn identity(requester: &str) -> Option<(&str, &str)> {
    let mut parts = requester.strip_prefix("arn:")?.splitn(5, ':').skip(1);
    if !matches!(parts.next()?, "iam" | "sts") {
        return None;
    }
    let mut parts = parts.skip(1);
    Some((parts.next()?, parts.next()?))
}

fn account(requester: &str) -> Option<&str> {
    let (account, _) = identity(requester)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

fn role(requester: &str) -> Option<&str> {
    let (_, resource) = identity(requester)?;
    let name = match resource.split_once('/')? {
        ("assumed-role", rest) => rest.split('/').next()?,
        ("role", path) => path.rsplit('/').next()?,
        _ => return None,
    };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accounts_and_roles() {
        const OURS: Option<&str> = Some("123456789012");
        for (requester, expected_account, expected_role) in [
            ("arn:aws:sts::123456789012:assumed-role/etl/nightly", OURS, Some("etl")),
            ("arn:aws:sts::123456789012:assumed-role/etl", OURS, Some("etl")),
            ("arn:aws:sts::123456789012:assumed-role/etl/jo@example.com", OURS, Some("etl")),
            ("arn:aws-cn:sts::123456789012:assumed-role/etl/i-0a1b", OURS, Some("etl")),
            ("arn:aws-us-gov:iam::123456789012:role/etl", OURS, Some("etl")),
            ("arn:aws:iam::123456789012:role/service-role/data/etl", OURS, Some("etl")),
            ("arn:aws:iam::123456789012:user/team/jo+x@example.com", OURS, None),
            ("arn:aws:iam::123456789012:user/role/x", OURS, None),
            ("arn:aws:iam::123456789012:root", OURS, None),
            ("arn:aws:sts::123456789012:federated-user/jo", OURS, None),
            ("arn:aws:sts::123456789012:assumed-role//nightly", OURS, None),
            ("arn:aws:iam::123456789012:role/", OURS, None),
            ("arn:aws:iam::012345678901:user/a:b", Some("012345678901"), None),
            ("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE", None, None),
            ("arn:aws:iam::1234567890123:user/x", None, None),
            ("arn:aws:iam::12345678901é:user/x", None, None),
            ("arn:aws:s3::123456789012:accesspoint/x", None, None),
            ("arn:aws:iam::123456789012", None, None),
            ("123456789012", None, None),
            ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", None, None),
            ("svc:delivery.logs.amazonaws.com", None, None),
            ("AmazonS3", None, None),
            ("arn:::::", None, None),
            ("", None, None),
        ] {
            assert_eq!(account(requester), expected_account, "{requester}");
            assert_eq!(role(requester), expected_role, "{requester}");
        }
    }

    proptest! {
        #[test]
        fn any_text_will_do(text in any::<String>(), tail in "(assumed-role|role)?[/:a-z]{0,9}") {
            account(&text);
            role(&text);
            let arn = format!("arn:aws:sts::123456789012:{tail}");
            prop_assert_eq!(account(&arn), Some("123456789012"));
            prop_assert!(role(&arn).is_none_or(|role| !role.is_empty() && !role.contains('/')));
        }
    }
}
