//! Functions of requesters: canonical user ids, IAM and STS ARNs, service names.

use super::text_function::{Row, TextFunction};
use super::{Documented, FunctionDoc};
use s3log_parser::value::requester::Requester;

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

const REQUESTER_IDENTITY: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "requester_identity",
    signature: "requester_identity(requester) -> text",
    description: "The requester, without the session in an ARN of an assumed role: all sessions of a role are one \
                  identity. NULL when nobody signed, also where the log says `anonymous` then, as those of Ceph and \
                  Huawei OBS do.",
    arguments: &[REQUESTER],
    example_sql: "SELECT requester_identity('arn:aws:sts::123456789012:assumed-role/etl/nightly')",
    example_result: "arn:aws:sts::123456789012:assumed-role/etl",
};

pub(super) fn functions() -> Vec<Documented> {
    vec![
        TextFunction::documented(&REQUESTER_ACCOUNT, Row::Text(|requester, _| Requester::new(requester).account())),
        TextFunction::documented(&REQUESTER_ROLE, Row::Text(|requester, _| Requester::new(requester).role())),
        TextFunction::documented(&REQUESTER_IDENTITY, Row::Text(|requester, _| Requester::new(requester).identity())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use s3log_parser::value::requester::RequesterKind;

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
            let of = Requester::new(requester);
            assert_eq!((of.account(), of.role()), (expected_account, expected_role), "{requester}");
        }
    }

    proptest! {
        #[test]
        fn any_text_will_do(text in any::<String>(), tail in "(assumed-role|role)?[/:a-z]{0,9}") {
            let of = Requester::new(&text);
            prop_assert!(of.identity().is_none_or(|identity| text.starts_with(identity)));
            prop_assert!(of.role().is_none() || of.kind() == RequesterKind::Role);
            let arn = format!("arn:aws:sts::123456789012:{tail}");
            let of = Requester::new(&arn);
            prop_assert_eq!(of.account(), Some("123456789012"));
            prop_assert!(of.role().is_none_or(|role| !role.is_empty() && !role.contains('/')));
        }
    }
}
