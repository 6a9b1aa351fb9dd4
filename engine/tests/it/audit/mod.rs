//! Audits of keys through the public API: logs with known keys, grants and use, and the expected results.

use std::collections::BTreeSet;

use proptest::prelude::*;
use s3log_engine::keys::audit::{Audit, AuditOptions, Form, PrincipalUse, RemarkKind, audit, write};
use s3log_engine::keys::{Grant, Key, Permission};
use s3log_engine::session::{Session, SessionOptions};

mod attribution;

/// A request, and the principal expected for it.
#[derive(Clone, Debug)]
struct Request {
    bucket: String,
    operation: &'static str,
    /// `-` for bucket requests.
    key: String,
    status: u16,
    error: &'static str,
    requester: String,
    /// The key id in a presigned URL.
    presigned: Option<String>,
    version: bool,
    acl: bool,
    address: &'static str,
}

impl Request {
    fn new(requester: &str, bucket: &str, operation: &'static str, key: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            operation,
            key: key.to_owned(),
            status: 200,
            error: "-",
            requester: requester.to_owned(),
            presigned: None,
            version: false,
            acl: false,
            address: "192.0.2.7",
        }
    }

    fn line(&self, second: usize) -> String {
        let method = self.operation.split('.').nth(1).unwrap_or("GET");
        let method = if method == "COPY" { "PUT" } else { method };
        let mut query: Vec<String> = Vec::new();
        if let Some(key) = &self.presigned {
            query.push(format!(
                "X-Amz-Credential={key}%2F20260302%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=00ff"
            ));
        }
        if self.version {
            query.push("versionId=3HL4kqtJvjVBH40Nrjfkd".to_owned());
        }
        let path = if self.key == "-" { "" } else { &self.key };
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        // Batches, and the read halves of copies, have no URI.
        let bare = self.operation.starts_with("BATCH.") || self.operation.ends_with("_GET");
        let uri = if bare { "\"-\"".to_owned() } else { format!("\"{method} /{path}{query} HTTP/1.1\"") };
        let version = if self.version { "3HL4kqtJvjVBH40Nrjfkd" } else { "-" };
        let (signature, authentication) = match (&self.presigned, self.requester.as_str()) {
            (Some(_), _) => ("SigV4", "QueryString"),
            (None, "-") => ("-", "-"),
            (None, _) => ("SigV4", "AuthHeader"),
        };
        format!(
            "79a5 {} [02/Mar/2026:{:02}:{:02}:{:02} +0000] {} {} 3E57427F33A59F07 {} {} {uri} {} {} 243 - 7 5 \"-\" \"tool/1\" {version} \
             aWQ= {signature} ECDHE-RSA-AES128-GCM-SHA256 {authentication} s3.example.com TLSv1.2 - {}",
            self.bucket,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            self.address,
            self.requester,
            self.operation,
            self.key,
            self.status,
            self.error,
            if self.acl { "Yes" } else { "-" },
        )
    }
}

async fn audited(requests: &[Request], options: &AuditOptions) -> Audit {
    let folder = tempfile::tempdir().unwrap();
    // Several objects, so that partial counts are merged.
    for (at, part) in requests.chunks(requests.len().div_ceil(3).max(1)).enumerate() {
        let text: String = part.iter().enumerate().map(|(second, one)| one.line(second) + "\n").collect();
        std::fs::write(folder.path().join(format!("2026-03-02-00-00-00-{at:016X}")), text).unwrap();
    }
    let sources = [folder.path().display().to_string()];
    let session = Session::open(&sources, SessionOptions::new().with_threads(2)).await.unwrap();
    audit(&session, options).await.unwrap()
}

fn grant(bucket: &str, permission: Permission) -> Grant {
    Grant { bucket: bucket.to_owned(), permission }
}

fn key(id: &str, grants: &[Grant]) -> Key {
    Key { name: format!("name of {id}"), access_key: id.to_owned(), grants: grants.to_vec(), created_at: None }
}

fn of<'a>(audit: &'a Audit, id: &str) -> &'a PrincipalUse {
    audit.principals.iter().find(|one| one.principal.id == id).unwrap_or_else(|| panic!("{id} is there"))
}

/// Kind, principal and bucket of all remarks.
fn remarks(audit: &Audit) -> Vec<(RemarkKind, &str, Option<&str>)> {
    audit.remarks.iter().map(|one| (one.kind, one.principal.id.as_str(), one.bucket.as_deref())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_attributed_may_be_a_keys_own() {
    let owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let requests = [
        Request::new("DO00ONE", "photos", "REST.GET.OBJECT", "a"),
        Request::new("DO00FULL", "photos", "REST.GET.OBJECT", "a"),
        Request::new(owner, "photos", "REST.GET.OBJECT", "a"),
        Request::new(owner, "photos", "REST.PUT.OBJECT", "b"),
        Request::new(owner, "films", "REST.PUT.OBJECT", "c"),
    ];
    let keys = [
        key("DO00ONE", &[grant("photos", Permission::ReadWrite), grant("films", Permission::Read)]),
        key("DO00IDLE", &[grant("photos", Permission::Read), grant("films", Permission::Read)]),
        key("DO00FULL", &[grant("", Permission::FullAccess)]),
    ];
    let audit = audited(&requests, &AuditOptions::new().with_keys(keys.to_vec())).await;
    let explanation = |kind: RemarkKind| {
        let remark = audit.remarks.iter().find(|remark| remark.kind == kind).unwrap();
        remark.explanation.split_once("; ").map(|(_, clause)| clause)
    };
    let perhaps = |requests: &str| format!("{requests} that cannot be attributed to a key may be its own");
    assert_eq!(explanation(RemarkKind::WriteNotUsed), Some(perhaps("1 request").as_str()));
    assert_eq!(explanation(RemarkKind::UnusedGrant), Some(perhaps("1 request").as_str()));
    assert_eq!(explanation(RemarkKind::UnusedKey), Some(perhaps("3 requests").as_str()));
    // None of them needs full access.
    let full = explanation(RemarkKind::FullAccessNotNeeded);
    assert_eq!(full, Some("nothing in these logs needs that: read on photos would do"));
}

/// A Spaces bucket with a bucket policy refuses the keys that are proposed for it.
#[tokio::test(flavor = "multi_thread")]
async fn bucket_policies_speak_against_limited_keys() {
    let get = |who: &str, bucket: &str| Request::new(who, bucket, "REST.GET.OBJECT", "a");
    let policy = |bucket: &str| Request::new("DO00ADMIN", bucket, "REST.GET.BUCKETPOLICY", "-");
    let requests = [
        get("DO00FULL", "photos"),
        get("DO00FULL", "films"),
        get("DO00READER", "photos"),
        policy("photos"),
        Request { status: 404, error: "NoSuchBucketPolicy", ..policy("films") },
    ];
    let full = [grant("", Permission::FullAccess)];
    let keys = vec![
        key("DO00FULL", &full),
        key("DO00ADMIN", &full),
        key("DO00READER", &[grant("photos", Permission::ReadWrite)]),
    ];
    let audit = audited(&requests, &AuditOptions::new().with_keys(keys)).await;
    let caveat = |id: &str| of(&audit, id).caveats().into_iter().find(|caveat| caveat.contains("bucket policy"));
    let expected =
        "a Spaces bucket with a bucket policy accepts no key with limited access, and these logs show one of photos";
    assert_eq!(caveat("DO00FULL").as_deref(), Some(expected));
    assert_eq!((caveat("DO00READER"), caveat("DO00ADMIN")), (None, None));
}

/// Output for use gives a key no more than it has, keeps what could not be judged, and reports what is not covered.
#[tokio::test(flavor = "multi_thread")]
async fn forms_say_what_they_leave_out() {
    let get = |who: &str, bucket: &str| Request::new(who, bucket, "REST.GET.OBJECT", "a");
    let requests = [
        get("DO00READER", "photos"),
        // Public: the key has no grant for it.
        get("DO00READER", "site"),
        Request::new("DO00LIMITS", "photos", "REST.PUT.RATELIMIT", "-"),
        get("DO00FULL", "photos"),
        Request::new("DO00FULL", "photos", "REST.COPY.OBJECT", "b"),
        get("--api-url=https://example.net/\u{1b}[2J", "photos"),
        get("DO00ODD", "*"),
        get("DO00QUOTES", "photos"),
    ];
    let mut quotes = key("DO00QUOTES", &[grant("", Permission::FullAccess)]);
    quotes.name = "--context \u{202e}'$(id)".to_owned();
    let keys = vec![
        key("DO00READER", &[grant("photos", Permission::ReadWrite), grant("elsewhere", Permission::Read)]),
        key("DO00LIMITS", &[grant("", Permission::FullAccess)]),
        key("DO00FULL", &[grant("", Permission::FullAccess)]),
        key("DO00ODD", &[grant("", Permission::FullAccess)]),
        quotes,
    ];
    let audit = audited(&requests, &AuditOptions::new().with_keys(keys)).await;
    let mut text = Vec::new();
    write(&audit, Form::Doctl, &mut text).unwrap();
    insta::assert_snapshot!(String::from_utf8(text).unwrap());
    let about_full: Vec<_> =
        remarks(&audit).into_iter().filter(|one| one.0 == RemarkKind::FullAccessNotNeeded).collect();
    assert_eq!(
        about_full,
        [(RemarkKind::FullAccessNotNeeded, "DO00FULL", None), (RemarkKind::FullAccessNotNeeded, "DO00QUOTES", None),]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_too_much_is_told() {
    use Permission::{FullAccess, Read, ReadWrite};
    let get = |who: &str, bucket: &str| Request::new(who, bucket, "REST.GET.OBJECT", "a");
    let requests = [
        // Only reads although it may write; has an unused grant, and one for a bucket without logs.
        get("DO00READER", "photos"),
        // Full access, but only reads two buckets.
        get("DO00FULL", "photos"),
        get("DO00FULL", "films"),
        // Full access, needed by one request in five.
        Request::new("DO00ADMIN", "photos", "REST.PUT.CORS", "-"),
        get("DO00ADMIN", "photos"),
        get("DO00ADMIN", "photos"),
        get("DO00ADMIN", "photos"),
        Request::new("DO00ADMIN", "films", "REST.PUT.OBJECT", "a"),
        // Always denied.
        Request { status: 403, error: "AccessDenied", ..get("DO00IDLE", "photos") },
        // Access without a grant.
        get("DO00BEYOND", "films"),
        Request { acl: true, ..get("DO00BEYOND", "photos") },
        Request { presigned: Some("DO00GONE".to_owned()), ..get("-", "photos") },
        get("-", "photos"),
        Request::new("-", "films", "REST.GET.BUCKET", "-"),
    ];
    let keys = vec![
        key("DO00READER", &[grant("photos", ReadWrite), grant("films", Read), grant("elsewhere", ReadWrite)]),
        key("DO00FULL", &[grant("", FullAccess)]),
        key("DO00ADMIN", &[grant("", FullAccess)]),
        key("DO00IDLE", &[grant("photos", Read)]),
        key("DO00BLIND", &[grant("elsewhere", Read)]),
        key("DO00BEYOND", &[grant("photos", Read)]),
    ];
    let audit = audited(&requests, &AuditOptions::new().with_keys(keys)).await;
    assert_eq!(
        remarks(&audit),
        [
            (RemarkKind::PublicAccess, "", Some("films")),
            (RemarkKind::UnknownKey, "DO00GONE", None),
            (RemarkKind::FullAccessNotNeeded, "DO00FULL", None),
            (RemarkKind::UnusedKey, "DO00IDLE", None),
            (RemarkKind::FullAccessForFew, "DO00ADMIN", None),
            (RemarkKind::UnusedGrant, "DO00READER", Some("films")),
            (RemarkKind::WriteNotUsed, "DO00READER", Some("photos")),
            (RemarkKind::BeyondGrants, "DO00BEYOND", Some("films")),
            (RemarkKind::AclAccess, "DO00BEYOND", Some("photos")),
            (RemarkKind::PublicAccess, "", Some("photos")),
        ]
    );
    assert_eq!(of(&audit, "DO00READER").not_judged, [grant("elsewhere", ReadWrite)]);
    assert_eq!(of(&audit, "DO00BLIND").not_judged, [grant("elsewhere", Read)]);
    let proposal = |id: &str| of(&audit, id).proposal.clone().unwrap();
    assert_eq!(proposal("DO00READER").grants, [grant("photos", Read)]);
    assert_eq!(proposal("DO00FULL").grants, [grant("films", Read), grant("photos", Read)]);
    assert_eq!(proposal("DO00ADMIN").grants, [grant("", FullAccess)]);
    assert_eq!(proposal("DO00ADMIN").without_full, Some(vec![grant("films", ReadWrite), grant("photos", Read)]));
    assert_eq!(proposal("DO00IDLE").grants, []);
    let text: String = audit.remarks.iter().fold(String::new(), |text, one| {
        let bucket = one.bucket.as_ref().map(|bucket| format!(" {bucket}")).unwrap_or_default();
        text + &format!("{} {}{bucket}: {}\n", one.kind.as_str(), one.name, one.explanation)
    });
    insta::assert_snapshot!(text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_more_than_it_seems() {
    let arn = "arn:aws:iam::123456789012:user/dave";
    let requests = [
        // Only principals that may list get 404 for a missing object.
        Request { status: 404, error: "NoSuchKey", ..Request::new(arn, "photos", "REST.HEAD.OBJECT", "x") },
        // Archived objects are refused even with permission to read.
        Request { status: 403, error: "InvalidObjectState", ..Request::new(arn, "old", "REST.GET.OBJECT", "x") },
        Request { status: 403, error: "AccessDenied", ..Request::new(arn, "closed", "REST.GET.OBJECT", "x") },
        Request { status: 503, error: "SlowDown", ..Request::new(arn, "busy", "REST.GET.OBJECT", "x") },
        Request { status: 301, error: "PermanentRedirect", ..Request::new(arn, "moved", "REST.GET.OBJECT", "x") },
        Request { status: 404, error: "NoSuchBucket", ..Request::new(arn, "gone", "REST.GET.OBJECT", "x") },
        // A batch: all its deletions have records, so the request itself needs nothing.
        Request::new(arn, "photos", "REST.POST.MULTI_OBJECT_DELETE", "-"),
        Request { status: 204, version: true, ..Request::new(arn, "photos", "BATCH.DELETE.OBJECT", "x") },
        // Without such records, the request stands for all deletions.
        Request::new(arn, "films", "REST.POST.MULTI_OBJECT_DELETE", "-"),
        // A copy whose source has no log here.
        Request::new(arn, "films", "REST.COPY.OBJECT", "x"),
        Request { version: true, ..Request::new(arn, "films", "REST.GET.OBJECT_TAGGING", "x") },
        Request::new(arn, "films", "REST.PUT.RATELIMIT", "-"),
        Request::new(arn, "films", "REST.OPTIONS.PREFLIGHT", "x"),
    ];
    let audit = audited(&requests, &AuditOptions::new()).await;
    let proposal = of(&audit, arn).proposal.clone().unwrap();
    assert_eq!((proposal.tried, proposal.policy_refuses, proposal.copies), (6, 0, 1));
    let mut text = Vec::new();
    write(&audit, Form::Iam, &mut text).unwrap();
    let caveats = of(&audit, arn).caveats().join("\n");
    insta::assert_snapshot!(format!("{}\n{caveats}", String::from_utf8(text).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_of_keys_narrow_a_policy() {
    let arn = "arn:aws-cn:iam::123456789012:user/dave";
    let requests = [
        Request::new(arn, "photos", "REST.GET.OBJECT", "2026/01/a.jpg"),
        Request::new(arn, "photos", "REST.HEAD.OBJECT", "2026/02/b.jpg"),
        Request::new(arn, "photos", "REST.PUT.OBJECT", "2026/in*/c.jpg"),
        Request::new(arn, "photos", "REST.PUT.OBJECT", "2026/in*/d.jpg"),
    ];
    let audit = audited(&requests, &AuditOptions::new().with_folders(true)).await;
    let mut text = Vec::new();
    write(&audit, Form::Iam, &mut text).unwrap();
    insta::assert_snapshot!(String::from_utf8(text).unwrap());
}

/// The test's own knowledge of operations, independent of the engine's table: the permission of a Spaces key, and IAM
/// actions.
const KNOWN: &[(&str, bool, &str, &[&str])] = &[
    ("REST.GET.OBJECT", true, "read", &["s3:GetObject"]),
    ("REST.HEAD.OBJECT", true, "read", &["s3:GetObject"]),
    ("REST.GET.BUCKET", false, "read", &["s3:ListBucket"]),
    ("REST.GET.BUCKETVERSIONS", false, "read", &["s3:ListBucketVersions"]),
    ("REST.GET.LOCATION", false, "read", &["s3:GetBucketLocation"]),
    ("REST.PUT.OBJECT", true, "readwrite", &["s3:PutObject"]),
    ("REST.PUT.PART", true, "readwrite", &["s3:PutObject"]),
    ("REST.DELETE.OBJECT", true, "readwrite", &["s3:DeleteObject"]),
    ("REST.DELETE.UPLOAD", true, "readwrite", &["s3:AbortMultipartUpload"]),
    ("REST.GET.OBJECT_ATTRIBUTES", true, "read", &["s3:GetObject", "s3:GetObjectAttributes"]),
    ("REST.PUT.CORS", false, "fullaccess", &["s3:PutBucketCORS"]),
    ("REST.GET.ACL", false, "fullaccess", &["s3:GetBucketAcl"]),
    ("REST.PUT.ACL", true, "fullaccess", &["s3:PutObjectAcl"]),
];

/// Whether grants allow a request, implemented independently of the engine.
fn allowed(grants: &[Grant], bucket: &str, needed: &str) -> bool {
    let levels = ["read", "readwrite", "fullaccess"];
    let level = |name: &str| levels.iter().position(|known| *known == name).unwrap();
    grants.iter().any(|grant| {
        (grant.permission.as_str() == "fullaccess" && grant.bucket.is_empty())
            || (grant.bucket == bucket && level(grant.permission.as_str()) >= level(needed))
    })
}

#[derive(Clone, Debug)]
struct Seen {
    who: usize,
    bucket: usize,
    operation: usize,
    key: String,
    refused: bool,
}

fn seen() -> impl Strategy<Value = Vec<Seen>> {
    let one = (0..3usize, 0..3usize, 0..KNOWN.len(), "[ab]/[ab]?/?[a-c*$]", prop::bool::weighted(0.2));
    prop::collection::vec(one, 1..24).prop_map(|all| {
        let seen = |(who, bucket, operation, key, refused)| Seen { who, bucket, operation, key, refused };
        all.into_iter().map(seen).collect()
    })
}

const BUCKETS: [&str; 3] = ["photos", "films", "logs-2026"];

/// `requesters` are ids of keys, or ARNs.
fn requests(seen: &[Seen], requesters: &[&str]) -> Vec<Request> {
    let request = |one: &Seen| {
        let (operation, has_key, ..) = KNOWN[one.operation];
        let key = if has_key { &one.key } else { "-" };
        let mut request = Request::new(requesters[one.who], BUCKETS[one.bucket], operation, key);
        if one.refused {
            (request.status, request.error) = (403, "AccessDenied");
        }
        request
    };
    seen.iter().map(request).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Proposed grants allow everything that was allowed, and removing anything from them denies some of it.
    #[test]
    fn grants_are_sufficient_and_minimal(seen in seen()) {
        let ids = ["DO00ONE", "DO00TWO", "DO00THREE"];
        let keys = ids.iter().map(|id| key(id, &[grant("", Permission::FullAccess)])).collect();
        let audit = block_on(audited(&requests(&seen, &ids), &AuditOptions::new().with_keys(keys)));
        for (who, id) in ids.iter().enumerate() {
            let proposal = of(&audit, id).proposal.clone().unwrap();
            prop_assert_eq!(proposal.grants_refuse, 0);
            let used: Vec<_> = seen.iter().filter(|one| one.who == who && !one.refused).collect();
            let fits = |grants: &[Grant]| {
                used.iter().all(|one| allowed(grants, BUCKETS[one.bucket], KNOWN[one.operation].2))
            };
            prop_assert!(fits(&proposal.grants), "{:?}", proposal.grants);
            for at in 0..proposal.grants.len() {
                let mut fewer = proposal.grants.clone();
                fewer.remove(at);
                prop_assert!(!fits(&fewer), "{fewer:?} would do");
                let lower = match proposal.grants[at].permission {
                    Permission::ReadWrite => vec![grant(&proposal.grants[at].bucket, Permission::Read)],
                    // The most that can be granted without full access.
                    Permission::FullAccess => BUCKETS.map(|bucket| grant(bucket, Permission::ReadWrite)).to_vec(),
                    _ => continue,
                };
                fewer.extend(lower);
                prop_assert!(!fits(&fewer), "{fewer:?} would do");
            }
        }
    }

    /// A policy has exactly the actions and buckets that were needed.
    #[test]
    fn policies_are_exact(seen in seen()) {
        let arns = ["one", "two", "three"].map(|name| format!("arn:aws:iam::123456789012:user/{name}"));
        let requests = requests(&seen, &arns.each_ref().map(String::as_str));
        let audit = block_on(audited(&requests, &AuditOptions::new()));
        for (who, arn) in arns.iter().enumerate() {
            let used = seen.iter().filter(|one| one.who == who && !one.refused);
            let expected: BTreeSet<(String, String)> = used
                .flat_map(|one| {
                    let (_, has_key, _, actions) = KNOWN[one.operation];
                    let behind = if has_key { "/*" } else { "" };
                    let resource = format!("arn:aws:s3:::{}{behind}", BUCKETS[one.bucket]);
                    actions.iter().map(move |action| ((*action).to_owned(), resource.clone()))
                })
                .collect();
            let proposal = audit.principals.iter().find(|one| one.principal.id == *arn).map(|one| one.proposal.clone().unwrap());
            let named: BTreeSet<(String, String)> = proposal
                .iter()
                .flat_map(|proposal| &proposal.policy.statements)
                .flat_map(|statement| {
                    let resources = &statement.resources;
                    statement.actions.iter().flat_map(move |action| resources.iter().map(move |one| (action.clone(), one.clone())))
                })
                .collect();
            prop_assert_eq!(named, expected);
        }
    }

    /// With folders, a policy still allows every key seen, and nothing can be left out of it.
    #[test]
    fn policies_of_folders_are_sufficient_and_minimal(seen in seen()) {
        let arn = "arn:aws:iam::123456789012:user/one";
        let requests = requests(&seen, &[arn, arn, arn]);
        let audit = block_on(audited(&requests, &AuditOptions::new().with_folders(true)));
        let proposal = of(&audit, arn).proposal.clone().unwrap();
        prop_assert_eq!(proposal.policy_refuses, 0);
        let asked: Vec<(&str, String)> = seen
            .iter()
            .filter(|one| !one.refused)
            .flat_map(|one| {
                let (_, has_key, _, actions) = KNOWN[one.operation];
                let behind = if has_key { format!("/{}", one.key) } else { String::new() };
                let resource = format!("arn:aws:s3:::{}{behind}", BUCKETS[one.bucket]);
                actions.iter().map(move |action| (*action, resource.clone()))
            })
            .collect();
        let policy = proposal.policy;
        prop_assert!(asked.iter().all(|(action, resource)| policy.allows(action, resource)));
        for (at, statement) in policy.statements.iter().enumerate() {
            let without_action = statement.actions.iter().map(|action| (Some(action), None));
            let without_resource = statement.resources.iter().map(|resource| (None, Some(resource)));
            for (action, resource) in without_action.chain(without_resource) {
                let mut fewer = policy.clone();
                action.map(|action| fewer.statements[at].actions.remove(action));
                resource.map(|resource| fewer.statements[at].resources.remove(resource));
                let fits = asked.iter().all(|(action, resource)| fewer.allows(action, resource));
                prop_assert!(!fits, "without {action:?} {resource:?} it would do");
            }
        }
    }
}

/// A batch of deletions is answered 200 even if all of them are denied.
#[tokio::test]
async fn a_batch_whose_deletions_were_denied_proves_nothing() {
    let batch = |requester: &str, status: u16, error: &'static str| {
        let one = Request { status, error, ..Request::new(requester, "photos", "BATCH.DELETE.OBJECT", "a") };
        [Request::new(requester, "photos", "REST.POST.MULTI_OBJECT_DELETE", "-"), one]
    };
    let bo = "arn:aws:iam::111122223333:user/bo";
    let requests: Vec<_> = batch("-", 403, "AccessDenied").into_iter().chain(batch(bo, 403, "AccessDenied")).collect();
    let audit = audited(&requests, &AuditOptions::default()).await;
    assert!(!audit.remarks.iter().any(|remark| remark.kind == RemarkKind::PublicAccess), "{:?}", audit.remarks);
    let policy = format!("{:?}", of(&audit, bo).proposal.as_ref().map(|proposal| &proposal.policy));
    assert!(!policy.contains("DeleteObject"), "{policy}");
    let audit = audited(&batch(bo, 204, "-"), &AuditOptions::default()).await;
    let policy = format!("{:?}", of(&audit, bo).proposal.as_ref().map(|proposal| &proposal.policy));
    assert!(policy.contains("s3:DeleteObject"), "{policy}");
}

/// A key that wrote where it may only read, by other means, still reads there with its replacement.
#[tokio::test]
async fn a_replacement_keeps_what_is_granted_in_part() {
    const ONE: &str = "DO00EXAMPLEONE000000";
    let grants = [grant("b", Permission::Read), grant("c", Permission::ReadWrite)];
    let options = AuditOptions::default().with_keys(vec![key(ONE, &grants)]);
    let requests = [
        Request::new(ONE, "b", "REST.GET.OBJECT", "x"),
        Request::new(ONE, "b", "REST.PUT.OBJECT", "x"),
        Request::new(ONE, "c", "REST.GET.OBJECT", "x"),
    ];
    let audit = audited(&requests, &options).await;
    let one = of(&audit, ONE);
    let replacement = one.replacement().unwrap();
    assert_eq!(replacement, [grant("b", Permission::Read), grant("c", Permission::Read)]);
    assert_eq!(one.proposal.as_ref().unwrap().refused_by(&replacement), 1);
}
