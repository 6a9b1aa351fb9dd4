//! Checks whether log objects can be written to the target bucket.
//!
//! AWS's requirements (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>): same region and account,
//! no default Object Lock retention, no Requester Pays, no default encryption other than SSE-S3, and a permission for
//! the log delivery service. AWS accepts settings that violate these and then silently delivers nothing, so they are
//! checked first. Ceph requires the permission as well.

use super::policy::{Delivery, Verdict};
use super::{Finding, Level, Service, place};
use crate::store::{Control, LockedObjects, Refusal};

/// What is known of a target. Parts may be denied, or not supported by the store.
#[derive(Debug)]
pub(super) struct Target {
    policy: Result<Option<String>, Refusal>,
    /// Permissions that the ACL gives to the log delivery service.
    acl: Result<Vec<String>, Refusal>,
    is_without_acls: Result<bool, Refusal>,
    lock: Result<Option<LockedObjects>, Refusal>,
    encryption: Result<Option<String>, Refusal>,
    requester_pays: Result<bool, Refusal>,
}

/// Whether log objects may be written.
enum Permission {
    Given,
    Missing,
    /// Denied by the statement with this name.
    Denied(String),
    /// Unknown, for this reason.
    Unsure(String),
}

impl Target {
    /// Requests all of it concurrently.
    pub(super) async fn look(control: &Control, bucket: &str) -> Self {
        let (policy, acl, is_without_acls, lock, encryption, requester_pays) = tokio::join!(
            control.policy(bucket),
            control.log_delivery_permissions(bucket),
            control.is_without_acls(bucket),
            control.locked_objects(bucket),
            control.encryption(bucket),
            control.requester_pays(bucket),
        );
        Self { policy, acl, is_without_acls, lock, encryption, requester_pays }
    }

    /// The obstacles to delivery.
    pub(super) fn findings(&self, service: Service, delivery: &Delivery<'_>, forced: bool) -> Vec<Finding> {
        let target = place(delivery.target);
        let mut findings = Vec::new();
        // AWS's documented requirements need not hold for other stores.
        let level = if service == Service::Aws { Level::Blocks } else { Level::Warns };
        match self.lock {
            Ok(Some(_)) if service == Service::Backblaze => findings.push(
                Finding::new(Level::Blocks, format!("{target} has Object Lock: Backblaze delivers no log objects into it"))
                    .with_hint("choose a target without Object Lock")
                    .unless(forced),
            ),
            Ok(Some(LockedObjects { by_default: true })) => findings.push(
                Finding::new(level, format!("{target} locks every new object (Object Lock with a default retention): no log object can be delivered"))
                    .with_hint("choose another target, or remove the default retention")
                    .unless(forced),
            ),
            Ok(Some(LockedObjects { by_default: false })) => findings.push(Finding::new(
                Level::Warns,
                format!("{target} has Object Lock; AWS says in one place that such a bucket is no target, in another that it may have no default retention"),
            )),
            _ => {}
        }
        if let Ok(Some(algorithm)) = &self.encryption
            && algorithm.starts_with("aws:kms")
        {
            findings.push(
                Finding::new(
                    level,
                    format!(
                        "{target} encrypts new objects with keys of KMS ({algorithm}): no log object can be delivered"
                    ),
                )
                .with_hint("make SSE-S3 (AES256) its default encryption, or choose another target")
                .unless(forced),
            );
        }
        if let Ok(true) = self.requester_pays {
            findings.push(
                Finding::new(level, format!("{target} has Requester Pays on: no log object can be delivered"))
                    .with_hint("turn Requester Pays off, or choose another target")
                    .unless(forced),
            );
        }
        if service.wants_permission() {
            findings.extend(self.about_permission(service, delivery).map(|finding| finding.unless(forced)));
        }
        findings
    }

    /// Whether the target does not support grants on log objects.
    pub(super) fn takes_no_grants(&self) -> bool {
        matches!(self.is_without_acls, Ok(true))
    }

    fn about_permission(&self, service: Service, delivery: &Delivery<'_>) -> Option<Finding> {
        let target = place(delivery.target);
        let certain = if service == Service::Aws { Level::Blocks } else { Level::Warns };
        match self.permission(delivery) {
            Permission::Given => None,
            Permission::Missing => Some(
                Finding::new(
                    certain,
                    format!("nothing permits logging.s3.amazonaws.com to write log objects into {target}"),
                )
                .with_hint(permit(delivery)),
            ),
            Permission::Denied(sid) => Some(
                Finding::new(certain, format!("the policy of {target} denies writing log objects (statement {sid})"))
                    .with_hint(format!("exempt logging.s3.amazonaws.com from it; {}", permit(delivery))),
            ),
            // A store without support for such permissions does not require any.
            Permission::Unsure(_) if service != Service::Aws && self.knows_no_permissions() => None,
            Permission::Unsure(why) => Some(
                Finding::new(
                    Level::Warns,
                    format!("cannot determine whether log objects may be written into {target}: {why}"),
                )
                .with_hint(format!("if no log objects arrive, {}", permit(delivery))),
            ),
        }
    }

    fn knows_no_permissions(&self) -> bool {
        matches!(&self.policy, Err(refusal) if refusal.is_unknown_here())
    }

    fn permission(&self, delivery: &Delivery<'_>) -> Permission {
        let verdict = match &self.policy {
            Ok(Some(policy)) => Ok(delivery.judge(policy)),
            Ok(None) => Ok(Verdict::Silent),
            Err(refusal) => Err(refusal),
        };
        if let Ok(Verdict::Denies(sid)) = verdict {
            return Permission::Denied(sid);
        }
        let of_acl = match (&self.is_without_acls, &self.acl) {
            (Ok(true), _) => Some(false),
            (_, Ok(permissions)) => {
                let has = |wanted: &str| permissions.iter().any(|one| one == wanted || one == "FULL_CONTROL");
                Some(has("WRITE") && has("READ_ACP"))
            }
            (_, Err(_)) => None,
        };
        match (verdict, of_acl) {
            (Ok(Verdict::Permits), _) | (Ok(Verdict::Silent), Some(true)) => Permission::Given,
            (Ok(Verdict::Silent), Some(false)) => Permission::Missing,
            (Ok(Verdict::Perhaps(sid)), _) => {
                Permission::Unsure(format!("its policy depends on facts that are not known here (statement {sid})"))
            }
            (Err(refusal), _) => Permission::Unsure(format!("its policy cannot be read ({refusal})")),
            (Ok(_), _) => Permission::Unsure("its policy does not allow it, and its ACL cannot be read".to_owned()),
        }
    }
}

/// How to allow delivery.
pub(super) fn permit(delivery: &Delivery<'_>) -> String {
    format!(
        "add this statement to the policy of {}{}:\n{}",
        place(delivery.target),
        // The account id is left blank if unknown.
        if delivery.account.is_none() { ", with the number of the account that the source belongs to" } else { "" },
        delivery.statement()
    )
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::DELIVERY;
    use super::*;

    /// A target without obstacles, but also without permission to write.
    fn target() -> Target {
        Target {
            policy: Ok(None),
            acl: Ok(Vec::new()),
            is_without_acls: Ok(true),
            lock: Ok(None),
            encryption: Ok(Some("AES256".to_owned())),
            requester_pays: Ok(false),
        }
    }

    fn permitted() -> Target {
        Target { policy: Ok(Some(format!(r#"{{"Statement":{}}}"#, DELIVERY.statement()))), ..target() }
    }

    fn told(target: &Target, service: Service, forced: bool) -> String {
        let findings = target.findings(service, &DELIVERY, forced);
        let lines = findings.iter().map(|finding| {
            // The statement has its own test.
            let hint = finding.hint.as_deref().unwrap_or("-").lines().next().unwrap_or_default();
            format!("{:?}: {}\n  {hint}\n", finding.level, finding.message)
        });
        lines.collect()
    }

    #[test]
    fn what_prevents_delivery() {
        let denied = || Refusal::with_code("AccessDenied", 403);
        let unknown = || Refusal::with_code("NotImplemented", 501);
        let acl = |permissions: &[&str]| Ok(permissions.iter().map(|one| (*one).to_owned()).collect());
        let deny = r#"{"Statement":{"Sid":"OnlyUs","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::logs/*"}}"#;
        let mut text = String::new();
        for (what, target, service) in [
            ("nothing", permitted(), Service::Aws),
            ("no permission", target(), Service::Aws),
            ("no permission, elsewhere", target(), Service::Other),
            ("Spaces asks for none", target(), Service::Spaces),
            (
                "a permission of the ACL",
                Target { is_without_acls: Ok(false), acl: acl(&["WRITE", "READ_ACP"]), ..target() },
                Service::Aws,
            ),
            ("half of it", Target { is_without_acls: Ok(false), acl: acl(&["WRITE"]), ..target() }, Service::Aws),
            ("an ACL that does not count", Target { acl: acl(&["FULL_CONTROL"]), ..target() }, Service::Aws),
            ("a denial", Target { policy: Ok(Some(deny.to_owned())), ..target() }, Service::Aws),
            ("a policy that is denied", Target { policy: Err(denied()), ..target() }, Service::Aws),
            (
                "an ACL that is denied",
                Target { is_without_acls: Err(denied()), acl: Err(denied()), ..target() },
                Service::Aws,
            ),
            ("a store without policies", Target { policy: Err(unknown()), ..target() }, Service::Other),
            (
                "Object Lock with retention",
                Target { lock: Ok(Some(LockedObjects { by_default: true })), ..permitted() },
                Service::Aws,
            ),
            (
                "Object Lock",
                Target { lock: Ok(Some(LockedObjects { by_default: false })), ..permitted() },
                Service::Aws,
            ),
            (
                "Object Lock at Backblaze",
                Target { lock: Ok(Some(LockedObjects { by_default: false })), ..target() },
                Service::Backblaze,
            ),
            ("KMS", Target { encryption: Ok(Some("aws:kms".to_owned())), ..permitted() }, Service::Aws),
            ("Requester Pays", Target { requester_pays: Ok(true), ..permitted() }, Service::Aws),
        ] {
            text.push_str(&format!("## {what}\n{}", told(&target, service, false)));
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn forced_it_is_a_warning() {
        let all = Target {
            lock: Ok(Some(LockedObjects { by_default: true })),
            encryption: Ok(Some("aws:kms:dsse".to_owned())),
            requester_pays: Ok(true),
            ..target()
        };
        let levels =
            |forced| all.findings(Service::Aws, &DELIVERY, forced).iter().map(|one| one.level).collect::<Vec<_>>();
        assert_eq!(levels(false), [Level::Blocks; 4]);
        assert_eq!(levels(true), [Level::Warns; 4]);
    }
}
