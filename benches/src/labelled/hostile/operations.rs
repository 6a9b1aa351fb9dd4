//! Bucket configuration: operations that read and change it, and S3's responses.

use std::rc::Rc;

use crate::labelled::scene::{Ask, Scene, Who};

/// Operation, query, and the error if nothing is configured.
pub(crate) const CONFIGURATION: [(&str, &str, Option<&str>); 19] = [
    ("REST.GET.LOCATION", "location", None),
    ("REST.GET.BUCKETPOLICY", "policy", Some("NoSuchBucketPolicy")),
    ("REST.GET.ACL", "acl", None),
    ("REST.GET.VERSIONING", "versioning", None),
    ("REST.GET.LOGGING_STATUS", "logging", None),
    ("REST.GET.CORS", "cors", Some("NoSuchCORSConfiguration")),
    ("REST.GET.ENCRYPTION", "encryption", None),
    ("REST.GET.LIFECYCLE", "lifecycle", Some("NoSuchLifecycleConfiguration")),
    ("REST.GET.REPLICATION", "replication", Some("ReplicationConfigurationNotFoundError")),
    ("REST.GET.WEBSITE", "website", Some("NoSuchWebsiteConfiguration")),
    ("REST.GET.TAGGING", "tagging", Some("NoSuchTagSet")),
    ("REST.GET.NOTIFICATION", "notification", None),
    ("REST.GET.POLICY_STATUS", "policyStatus", Some("NoSuchBucketPolicy")),
    ("REST.GET.PUBLIC_ACCESS_BLOCK", "publicAccessBlock", Some("NoSuchPublicAccessBlockConfiguration")),
    ("REST.GET.OWNERSHIP_CONTROLS", "ownershipControls", Some("OwnershipControlsNotFoundError")),
    ("REST.GET.ACCELERATE", "accelerate", None),
    ("REST.GET.REQUEST_PAYMENT", "requestPayment", None),
    ("REST.GET.OBJECT_LOCK_CONFIGURATION", "object-lock", Some("ObjectLockConfigurationNotFoundError")),
    ("REST.GET.INTELLIGENT_TIERING", "intelligent-tiering", None),
];

/// Operation and query of a change.
pub(crate) const WRITES: [(&str, &str); 10] = [
    ("REST.PUT.BUCKETPOLICY", "policy"),
    ("REST.PUT.ACL", "acl"),
    ("REST.PUT.PUBLIC_ACCESS_BLOCK", "publicAccessBlock"),
    ("REST.PUT.VERSIONING", "versioning"),
    ("REST.PUT.LOGGING_STATUS", "logging"),
    ("REST.PUT.LIFECYCLE", "lifecycle"),
    ("REST.PUT.REPLICATION", "replication"),
    ("REST.PUT.ENCRYPTION", "encryption"),
    ("REST.PUT.CORS", "cors"),
    ("REST.PUT.WEBSITE", "website"),
];

/// Reads a bucket's configuration. Signed requests are allowed.
pub(crate) fn configuration(scene: &mut Scene, who: &Who, time: i64, bucket: usize, operation: usize) {
    let (name, query, unset) = CONFIGURATION[operation];
    let ask = Ask { query, ..Ask::new(bucket, name) };
    let is_unset = Rc::clone(&scene.world).buckets[bucket].unset >> operation & 1 == 1;
    if who.requester.is_none() {
        scene.ask(who, time, &ask.refused(403, "AccessDenied"));
    } else if let Some(error) = unset.filter(|_| is_unset) {
        scene.ask(who, time, &ask.refused(404, error));
    } else {
        let sent = scene.random.between(120, 2_400);
        scene.ask(who, time, &Ask { sent, ..ask });
    }
}

/// Changes a bucket's configuration, or is refused unless `allowed`.
pub(crate) fn write_configuration(
    scene: &mut Scene,
    who: &Who,
    time: i64,
    bucket: usize,
    operation: usize,
    allowed: bool,
) {
    let (name, query) = WRITES[operation];
    let ask = Ask { query, ..Ask::new(bucket, name) };
    let ask = if allowed {
        Ask { status: if operation == 0 { 204 } else { 200 }, ..ask }
    } else {
        ask.refused(403, "AccessDenied")
    };
    scene.ask(who, time, &ask);
}

/// Reads a bucket's configuration and is refused.
pub(crate) fn denied_configuration(scene: &mut Scene, who: &Who, time: i64, bucket: usize, operation: usize) {
    let (name, query, _) = CONFIGURATION[operation];
    scene.ask(who, time, &Ask { query, ..Ask::new(bucket, name) }.refused(403, "AccessDenied"));
}
