//! To whom an audit attributes a record.

use std::collections::BTreeMap;

use s3log_engine::detect::Severity;
use s3log_engine::keys::audit::{PrincipalKind, PrincipalMap};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn users_of_refused_links_do_not_hold_the_key() {
    let link = || Request {
        presigned: Some("DO00ONE".to_owned()),
        ..Request::new("DO00ONE", "photos", "REST.GET.OBJECT", "a")
    };
    let requests = [
        Request::new("DO00ONE", "photos", "REST.GET.OBJECT", "a"),
        Request { address: "198.51.100.1", ..link() },
        Request { address: "198.51.100.2", status: 403, error: "AccessDenied", ..link() },
    ];
    let audit = audited(&requests, &AuditOptions::new()).await;
    let one = of(&audit, "DO00ONE");
    assert_eq!((one.address_count, one.guest_count), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_from_a_record_to_a_key() {
    let owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let mut requests = vec![
        // The requester is the key id.
        Request::new("DO00ONE", "photos", "REST.GET.OBJECT", "a"),
        // A presigned URL names the key, whoever is logged as the requester.
        Request { presigned: Some("DO00TWO".to_owned()), ..Request::new(owner, "photos", "REST.GET.OBJECT", "b") },
        Request { presigned: Some("DO00TWO".to_owned()), ..Request::new("-", "photos", "REST.GET.OBJECT", "c") },
        // Mapped.
        Request::new("user:carol", "photos", "REST.PUT.OBJECT", "d"),
        // AWS.
        Request::new("arn:aws:iam::123456789012:user/dave", "photos", "REST.GET.OBJECT", "e"),
        Request::new("arn:aws:sts::123456789012:assumed-role/etl/i-1", "photos", "REST.GET.OBJECT", "f"),
        Request::new("arn:aws:sts::123456789012:assumed-role/etl/i-2", "photos", "REST.GET.OBJECT", "g"),
        // None of these rules applies.
        Request::new(owner, "photos", "REST.GET.OBJECT", "h"),
        Request::new("-", "photos", "REST.GET.OBJECT", "i"),
    ];
    // Anyone can put a key id into a URL: if the store rejected it, it proves nothing.
    requests.push(Request {
        presigned: Some("DO00TWO".to_owned()),
        status: 403,
        error: "SignatureDoesNotMatch",
        ..Request::new("-", "photos", "REST.GET.OBJECT", "j")
    });
    let map = PrincipalMap::parse("p.toml", "\"user:carol\" = \"DO00THREE\"").unwrap();
    let keys = ["DO00ONE", "DO00TWO", "DO00THREE"].map(|id| key(id, &[grant("photos", Permission::ReadWrite)]));
    let options = AuditOptions::new().with_keys(keys.to_vec()).with_principals(map);
    let audit = audited(&requests, &options).await;
    let found: BTreeMap<_, _> =
        audit.principals.iter().map(|one| (one.principal.id.as_str(), (one.principal.kind, one.requests))).collect();
    assert_eq!(
        found,
        BTreeMap::from([
            ("", (PrincipalKind::Anonymous, 2)),
            ("DO00ONE", (PrincipalKind::AccessKey, 1)),
            ("DO00TWO", (PrincipalKind::AccessKey, 2)),
            ("DO00THREE", (PrincipalKind::AccessKey, 1)),
            (owner, (PrincipalKind::CanonicalId, 1)),
            ("arn:aws:iam::123456789012:user/dave", (PrincipalKind::IamUser, 1)),
            ("arn:aws:sts::123456789012:assumed-role/etl", (PrincipalKind::IamRole, 2)),
        ])
    );
    assert_eq!((audit.requests, audit.untold), (10, 1));
    assert!((audit.untold_share - 1.0 / 8.0).abs() < 1e-9, "{}", audit.untold_share);
    // Without the account's keys, an id that signed a URL is known to be a key.
    let seen = [
        Request::new("DO00ONE", "photos", "REST.GET.OBJECT", "a"),
        Request { presigned: Some("DO00ONE".to_owned()), ..Request::new("-", "photos", "REST.GET.OBJECT", "b") },
        Request::new("DO00TWO", "photos", "REST.GET.OBJECT", "c"),
    ];
    let unknown = audited(&seen, &AuditOptions::new()).await;
    let kinds: Vec<_> = unknown.principals.iter().map(|one| (one.principal.kind, one.requests)).collect();
    assert_eq!(kinds, [(PrincipalKind::AccessKey, 2), (PrincipalKind::Other, 1)]);
    assert_eq!(of(&audit, "DO00TWO").requesters, BTreeSet::from([owner.to_owned()]));
}

/// A key id in a URL proves nothing if the store did not check a signature.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_a_key() {
    let forged = |operation, second: usize| {
        let request = Request { presigned: Some("DO00ONE".to_owned()), ..Request::new("-", "photos", operation, "a") };
        request.line(second)
    };
    let unsigned = |line: String| line.replace("SigV4", "-").replace("QueryString", "-");
    let lines = [
        unsigned(forged("REST.OPTIONS.PREFLIGHT", 1)),
        unsigned(forged("WEBSITE.GET.OBJECT", 2)),
        // A public object: no signature was logged.
        unsigned(forged("REST.GET.OBJECT", 3)),
        // No signature in the URL, and an invalid id.
        forged("REST.GET.OBJECT", 4).replace("&X-Amz-Signature=00ff", ""),
        forged("REST.GET.OBJECT", 5).replace("DO00ONE%2F", "%24(id)%2F"),
        // Signed, but the log does not say by whom.
        Request::new("-", "photos", "REST.PUT.OBJECT", "b")
            .line(6)
            .replace("aWQ= - ", "aWQ= SigV4 ")
            .replace(" - s3.", " AuthHeader s3."),
    ];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), lines.join("\n")).unwrap();
    let session = Session::open(&[folder.path().display().to_string()], SessionOptions::new()).await.unwrap();
    let keys = vec![key("DO00ONE", &[grant("photos", Permission::ReadWrite)])];
    let audit = audit(&session, &AuditOptions::new().with_keys(keys)).await.unwrap();
    let kinds: BTreeMap<_, _> = audit.principals.iter().map(|one| (one.principal.kind, one.requests)).collect();
    assert_eq!(
        kinds,
        BTreeMap::from([(PrincipalKind::AccessKey, 0), (PrincipalKind::Anonymous, 3), (PrincipalKind::Unnamed, 3),])
    );
    assert_eq!(audit.untold, 3);
    assert!(remarks(&audit).contains(&(RemarkKind::UnusedKey, "DO00ONE", None)));
    let public: Vec<_> = audit.remarks.iter().filter(|one| one.kind == RemarkKind::PublicAccess).collect();
    assert!(public.iter().all(|one| !one.explanation.contains("write")), "{public:?}");
}

/// Ceph and Huawei OBS name nobody, and OBS has the storage class in the place of the signature version.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_nobody_under_any_name() {
    let put = |who: &str| Request::new(who, "photos", "REST.PUT.OBJECT", "a");
    let lines = [
        put("anonymous").line(1),
        Request { presigned: Some("DO00ONE".to_owned()), ..put("media$anonymous") }.line(2),
        put("Anonymous").line(3).replace("SigV4", "STANDARD").replace("AuthHeader", "-"),
        put("-").line(4).replace("aWQ= - ", "aWQ= STANDARD "),
    ];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), lines.join("\n")).unwrap();
    let session = Session::open(&[folder.path().display().to_string()], SessionOptions::new()).await.unwrap();
    let audit = audit(&session, &AuditOptions::new()).await.unwrap();
    let found: Vec<_> =
        audit.principals.iter().map(|one| (one.principal.kind, one.requests, one.address_count)).collect();
    assert_eq!(found, [(PrincipalKind::Anonymous, 4, 0)]);
    let remarks: Vec<_> = audit.remarks.iter().map(|one| (one.kind, one.severity)).collect();
    assert_eq!(remarks, [(RemarkKind::PublicAccess, Severity::Critical)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_for_others_is_a_key() {
    let owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let get = |who: &str| Request::new(who, "photos", "REST.GET.OBJECT", "a");
    let requests = [get("DO00ONE"), Request { presigned: Some("DO00ONE".to_owned()), ..get(owner) }];
    let audit = audited(&requests, &AuditOptions::new()).await;
    assert_eq!(of(&audit, "DO00ONE").principal.kind, PrincipalKind::AccessKey);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_do_not_count_as_signers() {
    let owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let get = |who: &str| Request::new(who, "photos", "REST.GET.OBJECT", "a");
    let expired = Request::new("AmazonS3", "photos", "S3.EXPIRE.OBJECT", "a");
    let user = get("arn:aws:iam::123456789012:user/dave");
    let audit = audited(&[expired.clone(), expired, get(owner), user], &AuditOptions::new()).await;
    assert!((audit.untold_share - 0.5).abs() < 1e-9, "{}", audit.untold_share);
}
