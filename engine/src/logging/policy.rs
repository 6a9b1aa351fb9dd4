//! Checks whether a bucket policy allows AWS to deliver log objects, and generates the statement that does.
//!
//! Principal and statement:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html#grant-log-delivery-permissions-general>.
//! Policy language: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>. Only what
//! matters for this question is interpreted; anything else makes the verdict "perhaps".

use crate::policy_pattern::{beginning, has_variable, literal, matches};
use serde::Serialize;
use serde_json::Value;

/// The principal that delivers log objects.
const PRINCIPAL: &str = "logging.s3.amazonaws.com";
/// The action it needs.
const ACTION: &str = "s3:PutObject";
/// Placeholder for an unknown account id.
const PLACEHOLDER: &str = "ACCOUNT-ID-OF-THE-SOURCE";

/// A delivery of log objects, to be checked against policies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery<'a> {
    /// The bucket being logged.
    pub(super) source: &'a str,
    /// The bucket that receives log objects.
    pub(super) target: &'a str,
    /// Prefix of their names.
    pub(super) prefix: &'a str,
    /// The account id of the source, if known.
    pub(super) account: Option<&'a str>,
    /// The region of both buckets.
    pub(super) region: &'a str,
}

/// What a policy says about a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It allows all of the delivery.
    Permits,
    /// It does not mention it.
    Silent,
    /// A statement denies it; its `Sid` if it has one.
    Denies(String),
    /// A statement depends on something unknown here; its `Sid`.
    Perhaps(String),
}

impl Delivery<'_> {
    /// `aws`, or the partition of separate regions.
    fn partition(&self) -> &'static str {
        match self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            region if region.starts_with("eusc-") => "aws-eusc",
            region if region.starts_with("us-isob-") => "aws-iso-b",
            region if region.starts_with("us-isof-") => "aws-iso-f",
            region if region.starts_with("eu-isoe-") => "aws-iso-e",
            region if region.starts_with("us-iso-") => "aws-iso",
            _ => "aws",
        }
    }

    fn source_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition(), self.source)
    }

    /// The common prefix of the log objects as an ARN.
    fn beginning(&self) -> String {
        format!("arn:{}:s3:::{}/{}", self.partition(), self.target, self.prefix)
    }

    /// The statement that the target's policy needs, as JSON.
    pub(super) fn statement(&self) -> String {
        let statement = Statement {
            sid: "S3ServerAccessLogsOf",
            source: self.source,
            resource: format!("{}*", literal(&self.beginning())),
            arn: self.source_arn(),
            account: self.account.unwrap_or(PLACEHOLDER),
        };
        // Serializing a struct of strings cannot fail.
        serde_json::to_string_pretty(&statement.wire()).unwrap_or_default()
    }

    /// Evaluates a policy.
    pub(super) fn judge(&self, policy: &str) -> Verdict {
        let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Verdict::Perhaps("all of it".to_owned()) };
        let (mut permits, mut permits_perhaps, mut denies_perhaps) = (false, None, None);
        for statement in several(policy.get("Statement")) {
            let Some(is_sure) = self.concerns(statement) else { continue };
            let sid = statement.get("Sid").and_then(Value::as_str).unwrap_or("without a Sid").to_owned();
            match (is_deny(statement), is_sure) {
                (true, true) => return Verdict::Denies(sid),
                (true, false) => _ = denies_perhaps.get_or_insert(sid),
                (false, true) => permits = true,
                (false, false) => _ = permits_perhaps.get_or_insert(sid),
            }
        }
        match (permits, denies_perhaps, permits_perhaps) {
            (true, None, _) => Verdict::Permits,
            (true, Some(sid), _) | (false, Some(sid), Some(_)) | (false, None, Some(sid)) => Verdict::Perhaps(sid),
            // Without an allow, a possible deny does not matter.
            (false, _, None) => Verdict::Silent,
        }
    }

    /// Whether a statement applies to log objects: `None` if not, `Some(false)` if it may.
    fn concerns(&self, statement: &Value) -> Option<bool> {
        let mut sure = true;
        // `Not…` elements match everything but their values.
        match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (Some(principal), _) if is_principal(principal) => {}
            (None, Some(_)) => sure = false,
            _ => return None,
        }
        match (statement.get("Action"), statement.get("NotAction")) {
            (Some(action), _)
                if texts(action).any(|pattern| matches(&pattern.to_lowercase(), &ACTION.to_lowercase())) => {}
            (None, Some(_)) => sure = false,
            _ => return None,
        }
        let beginning = self.beginning();
        match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(resource), _) if texts(resource).any(|pattern| covers(pattern, &beginning)) => {}
            // A deny of part of the names denies some log objects.
            (Some(resource), _) if is_deny(statement) && texts(resource).any(|pattern| meets(pattern, &beginning)) => {
                sure = false
            }
            // An allow of part of them may allow all: partitioned names have the account behind the prefix.
            (Some(resource), _)
                if self.account.is_some_and(|account| {
                    texts(resource).any(|pattern| meets(pattern, &format!("{beginning}{account}/")))
                }) =>
            {
                sure = false
            }
            (Some(resource), _)
                if texts(resource).any(|pattern| has_variable(pattern) && meets(pattern, &beginning)) =>
            {
                sure = false
            }
            (None, Some(_)) => sure = false,
            _ => return None,
        }
        match statement.get("Condition").and_then(Value::as_object) {
            None => Some(sure),
            Some(conditions) => {
                for (operator, keys) in conditions {
                    for (key, wanted) in keys.as_object().into_iter().flatten() {
                        match self.condition(operator, key, wanted) {
                            Some(true) => {}
                            Some(false) => return None,
                            None => sure = false,
                        }
                    }
                }
                Some(sure)
            }
        }
    }

    /// Whether a condition holds for the delivery of log objects, if known.
    fn condition(&self, operator: &str, key: &str, wanted: &Value) -> Option<bool> {
        let operator = operator.to_lowercase();
        let operator = operator.strip_suffix("ifexists").unwrap_or(&operator);
        let arn = self.source_arn();
        let found = match key.to_lowercase().as_str() {
            "aws:sourcearn" => arn.as_str(),
            // Account unknown: trust the value in the policy.
            "aws:sourceaccount" => match self.account {
                Some(account) => account,
                None => {
                    let is_literal = !texts(wanted).any(has_variable);
                    return (is_literal && !operator.contains("not")).then_some(true);
                }
            },
            // Log objects are delivered over TLS, by a service of AWS.
            "aws:securetransport" | "aws:principalisawsservice" => "true",
            _ => return None,
        };
        // What a variable stands for is not known here.
        let any = |fits: fn(&str, &str) -> bool| {
            let is_one = texts(wanted).any(|pattern| !has_variable(pattern) && fits(pattern, found));
            (is_one || !texts(wanted).any(has_variable)).then_some(is_one)
        };
        match operator {
            "arnlike" | "arnequals" | "stringlike" => any(matches),
            "stringequals" => any(|one, other| one == other),
            "arnnotlike" | "arnnotequals" | "stringnotlike" => any(matches).map(|is_one| !is_one),
            "stringnotequals" => any(|one, other| one == other).map(|is_one| !is_one),
            "bool" => match wanted.as_bool() {
                Some(wanted) => Some(wanted.to_string() == found),
                None => any(|one, other| one.eq_ignore_ascii_case(other)),
            },
            _ => None,
        }
    }
}

fn is_deny(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Deny")
}

/// A single value, or a list of values.
fn several(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

/// A single string, or a list of strings.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    several(Some(value)).into_iter().filter_map(Value::as_str)
}

fn is_principal(principal: &Value) -> bool {
    match principal {
        Value::String(everybody) => everybody == "*",
        _ => {
            let of = |kind: &str| principal.get(kind).into_iter().flat_map(texts);
            of("Service").any(|service| service == PRINCIPAL || service == "*") || of("AWS").any(|who| who == "*")
        }
    }
}

/// Whether a pattern matches every text with this prefix.
fn covers(pattern: &str, beginning: &str) -> bool {
    let Some(head) = pattern.strip_suffix('*').filter(|head| !has_variable(head)) else { return false };
    let head = head.trim_end_matches('*');
    (0..=beginning.len()).any(|end| beginning.get(..end).is_some_and(|begins| matches(head, begins)))
}

/// Whether a pattern may match any text with this prefix.
fn meets(pattern: &str, prefix: &str) -> bool {
    // Up to the first wildcard or variable, pattern and prefix must agree.
    let (plain, more) = beginning(pattern);
    plain.starts_with(prefix) || (more && prefix.starts_with(&plain))
}

/// The variable parts of the statement.
struct Statement<'a> {
    sid: &'a str,
    source: &'a str,
    resource: String,
    arn: String,
    account: &'a str,
}

impl Statement<'_> {
    fn wire(&self) -> WireStatement<'_> {
        // A Sid may only have letters and digits. It includes the source, so that statements for several buckets fit
        // into one policy.
        let letters: String = self.source.chars().filter(char::is_ascii_alphanumeric).collect();
        WireStatement {
            sid: format!("{}{letters}", self.sid),
            effect: "Allow",
            principal: WirePrincipal { service: PRINCIPAL },
            action: [ACTION],
            resource: &self.resource,
            condition: WireCondition {
                arn_like: SourceArn { arn: &self.arn },
                string_equals: SourceAccount { account: self.account },
            },
        }
    }
}

/// Fields in the order in which policies are usually written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireStatement<'a> {
    sid: String,
    effect: &'a str,
    principal: WirePrincipal<'a>,
    action: [&'a str; 1],
    resource: &'a str,
    condition: WireCondition<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WirePrincipal<'a> {
    service: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireCondition<'a> {
    arn_like: SourceArn<'a>,
    string_equals: SourceAccount<'a>,
}

#[derive(Serialize)]
struct SourceArn<'a> {
    #[serde(rename = "aws:SourceArn")]
    arn: &'a str,
}

#[derive(Serialize)]
struct SourceAccount<'a> {
    #[serde(rename = "aws:SourceAccount")]
    account: &'a str,
}

#[cfg(test)]
pub(super) mod tests;
