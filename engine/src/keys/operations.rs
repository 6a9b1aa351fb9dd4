//! The permissions that operations need: IAM actions, and permissions of DigitalOcean Spaces keys.
//!
//! Actions are taken from AWS's "Required permissions for Amazon S3 API operations"
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>) and from its service
//! authorization reference (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).
//!
//! DigitalOcean documents three permissions, but not which operations each allows
//! (<https://docs.digitalocean.com/products/spaces/how-to/manage-access/>). Here `read` covers listing buckets and
//! reading objects with their tags, `readwrite` also writing and deleting them, and anything about a bucket itself or
//! about access to objects needs `fullaccess`. That is an assumption: try a new key before deleting the old one.

use super::Permission;
use crate::detect::facts::{OperationName, Verb};

/// The kind of an operation, by which an audit aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseKind {
    /// Reads objects or their metadata.
    Read,
    /// Writes objects or their metadata.
    Write,
    /// Deletes objects.
    Delete,
    /// Lists objects, versions, uploads or buckets.
    List,
    /// Reads or changes the configuration of a bucket, or access to it.
    Configuration,
    /// Needs no permission: a preflight request, or an action of the store itself.
    Other,
    /// An operation unknown to this version.
    Unknown,
}

impl UseKind {
    /// The kind in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Configuration => "configuration",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// The resource that a policy must name to allow an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The object.
    Object,
    /// The bucket.
    Bucket,
    /// The account: the operation is not about a bucket.
    Account,
}

/// An IAM action, and its variant for requests that name a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The action, such as `s3:GetObject`.
    pub name: &'static str,
    /// The action for a version, such as `s3:GetObjectVersion`; equal to `name` if there is no separate one.
    pub of_version: &'static str,
}

impl Action {
    /// The action that a request needs.
    #[must_use]
    pub fn name(self, of_version: bool) -> &'static str {
        if of_version { self.of_version } else { self.name }
    }
}

/// An operation of the S3 API, with the permissions it needs.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The name in AWS's API, such as `GetObject`.
    pub api: &'static str,
    /// Verbs and nouns of its names in logs.
    verbs: &'static [Verb],
    nouns: &'static [&'static str],
    /// The kind.
    pub kind: UseKind,
    /// The resource that a policy must name.
    pub resource: Resource,
    /// The permission that a Spaces key needs; never [`Permission::Other`].
    spaces: Spaces,
    /// The actions that a policy must allow, all of them.
    pub actions: &'static [Action],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spaces {
    Read,
    ReadWrite,
    FullAccess,
}

/// What an operation needs, looked up by its name in a log.
#[derive(Clone, Copy, Debug)]
pub enum Needs {
    /// The permissions of this operation.
    Operation(&'static Operation),
    /// No permission: an action of the store itself, or one that needs no authentication.
    Nothing,
    /// Unknown.
    Unknown,
}

impl Operation {
    /// All operations, in the order of AWS's documentation.
    pub const ALL: &[Self] = OPERATIONS;

    /// The permission that a Spaces key needs.
    #[must_use]
    pub fn spaces_permission(&self) -> Permission {
        match self.spaces {
            Spaces::Read => Permission::Read,
            Spaces::ReadWrite => Permission::ReadWrite,
            Spaces::FullAccess => Permission::FullAccess,
        }
    }

    /// What the operation of a record needs. `has_key`: whether the record names an object, which distinguishes object
    /// ACLs from bucket ACLs.
    #[must_use]
    pub fn needs(operation: &str, has_key: bool) -> Needs {
        let (verb, noun) = match OperationName::of(operation) {
            OperationName::Store => return Needs::Nothing,
            OperationName::Is(Verb::Options, _) => return Needs::Nothing,
            OperationName::Is(verb, noun) => (verb, noun),
            OperationName::Invalid | OperationName::Other => return Needs::Unknown,
        };
        // Some dialects log reading a configuration as a list operation.
        let verb = if verb == Verb::List && !noun.starts_with("object") { Verb::Get } else { verb };
        let bare = noun.strip_prefix("bucket").filter(|rest| !rest.is_empty());
        let of_bucket = bare.is_some();
        let short = |noun: &str| noun.strip_suffix("configuration").filter(|rest| !rest.is_empty()).map(str::to_owned);
        let names = [Some(noun.to_string()), bare.map(str::to_owned), short(&noun), bare.and_then(short)];
        names
            .iter()
            .flatten()
            .find_map(|noun| {
                let named =
                    |row: &&Self| row.verbs.contains(&verb) && row.nouns.iter().any(|known| is_noun(known, noun));
                let wanted = if has_key && !of_bucket { Resource::Object } else { Resource::Bucket };
                let mut rows = OPERATIONS.iter().filter(named);
                let first = rows.next()?;
                Some(if first.resource == wanted {
                    first
                } else {
                    rows.find(|row| row.resource == wanted).unwrap_or(first)
                })
            })
            .map_or(Needs::Unknown, Needs::Operation)
    }

    /// The operation's names in AWS logs, such as `REST.GET.OBJECT`.
    #[must_use]
    pub fn log_names(&self) -> String {
        let noun = self.nouns.first().copied().unwrap_or_default();
        // AWS logs listing as GET.
        let verbs = self.verbs.iter().filter(|verb| **verb != Verb::List);
        let names = verbs.map(|verb| format!("REST.{}.{noun}", format!("{verb:?}").to_uppercase()));
        names.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a noun of the table equals a normalised noun: without separators, in lower case.
fn is_noun(known: &str, noun: &str) -> bool {
    let letters = known.bytes().filter(|letter| *letter != b'_').map(|letter| letter.to_ascii_lowercase());
    letters.eq(noun.bytes())
}

macro_rules! operations {
    ($($api:literal [$($verb:ident)+] [$($noun:literal)+] $kind:ident $resource:ident $spaces:ident
        [$($action:literal $(/ $version:literal)?),+];)*) => {
        const OPERATIONS: &[Operation] = &[$(Operation {
            api: $api,
            verbs: &[$(Verb::$verb),+],
            nouns: &[$($noun),+],
            kind: UseKind::$kind,
            resource: Resource::$resource,
            spaces: Spaces::$spaces,
            actions: &[$(operations!(@action $action $($version)?)),+],
        },)*];
    };
    (@action $action:literal) => { Action { name: concat!("s3:", $action), of_version: concat!("s3:", $action) } };
    (@action $action:literal $version:literal) => {
        Action { name: concat!("s3:", $action), of_version: concat!("s3:", $version) }
    };
}

// The first noun is the one in AWS logs. The others are normalised variants: in lower case, without separators, a
// `bucket` prefix or a `configuration` suffix.
operations! {
    "GetObject" [Get] ["OBJECT" "part" "obj" "objectpart" "objlayout"] Read Object Read ["GetObject" / "GetObjectVersion"];
    "HeadObject" [Head] ["OBJECT" "part" "obj"] Read Object Read ["GetObject" / "GetObjectVersion"];
    "SelectObjectContent" [Post] ["SELECT"] Read Object Read ["GetObject" / "GetObjectVersion"];
    "CopyObject (source)" [Copy] ["OBJECT_GET" "objget"] Read Object Read ["GetObject" / "GetObjectVersion"];
    "UploadPartCopy (source)" [Copy] ["PART_GET"] Read Object Read ["GetObject" / "GetObjectVersion"];
    "GetObjectAttributes" [Get] ["OBJECT_ATTRIBUTES" "objattrs"] Read Object Read
        ["GetObject" / "GetObjectVersion", "GetObjectAttributes" / "GetObjectVersionAttributes"];
    "GetObjectTagging" [Get Head] ["OBJECT_TAGGING" "objecttags" "objtags"] Read Object Read ["GetObjectTagging" / "GetObjectVersionTagging"];
    "GetObjectAcl" [Get Head] ["ACL" "objectacl" "acls"] Read Object FullAccess ["GetObjectAcl" / "GetObjectVersionAcl"];
    "GetObjectLegalHold" [Get] ["LEGAL_HOLD" "objectlegalhold" "objlegalhold" "objectlocklegalhold"] Read Object FullAccess ["GetObjectLegalHold"];
    "GetObjectRetention" [Get] ["RETENTION" "objectretention" "objretention" "objectlockretention"] Read Object FullAccess ["GetObjectRetention"];
    "GetObjectTorrent" [Get Head] ["TORRENT" "objecttorrent"] Read Object FullAccess ["GetObjectTorrent" / "GetObjectVersionTorrent"];
    "ListParts" [Get] ["UPLOAD"] Read Object ReadWrite ["ListMultipartUploadParts"];

    "PutObject" [Put] ["OBJECT" "obj"] Write Object ReadWrite ["PutObject"];
    "PostObject (form)" [Post] ["OBJECT" "bucket" "obj"] Write Object ReadWrite ["PutObject"];
    "CopyObject (destination)" [Copy] ["OBJECT" "obj"] Write Object ReadWrite ["PutObject"];
    "CreateMultipartUpload" [Post] ["UPLOADS"] Write Object ReadWrite ["PutObject"];
    "UploadPart" [Put] ["PART" "objectpart"] Write Object ReadWrite ["PutObject"];
    "UploadPartCopy (destination)" [Copy] ["PART" "objectpart"] Write Object ReadWrite ["PutObject"];
    "CompleteMultipartUpload" [Post] ["UPLOAD"] Write Object ReadWrite ["PutObject"];
    "AbortMultipartUpload" [Delete] ["UPLOAD"] Write Object ReadWrite ["AbortMultipartUpload"];
    "PutObjectTagging" [Put] ["OBJECT_TAGGING" "objecttags" "objtags"] Write Object ReadWrite ["PutObjectTagging" / "PutObjectVersionTagging"];
    "DeleteObjectTagging" [Delete] ["OBJECT_TAGGING" "objecttags" "objtags"] Write Object ReadWrite
        ["DeleteObjectTagging" / "DeleteObjectVersionTagging"];
    "PutObjectAcl" [Put] ["ACL" "objectacl" "acls"] Write Object FullAccess ["PutObjectAcl" / "PutObjectVersionAcl"];
    "PutObjectLegalHold" [Put] ["LEGAL_HOLD" "objectlegalhold" "objlegalhold" "objectlocklegalhold"] Write Object FullAccess ["PutObjectLegalHold"];
    "PutObjectRetention" [Put] ["RETENTION" "objectretention" "objretention" "objectlockretention"] Write Object FullAccess ["PutObjectRetention"];
    "RestoreObject" [Post] ["RESTORE"] Write Object FullAccess ["RestoreObject"];

    "DeleteObject" [Delete] ["OBJECT" "obj"] Delete Object ReadWrite ["DeleteObject" / "DeleteObjectVersion"];
    "DeleteObjects" [Post] ["MULTI_OBJECT_DELETE" "deletemultiobject" "multideleteobject" "deleteobjects"] Delete Object ReadWrite
        ["DeleteObject"];

    "ListObjects" [Get] ["BUCKET" "objects" "objectsv2" "v2"] List Bucket Read ["ListBucket"];
    "ListObjects" [List] ["OBJECTS" "objectsv2" "objectsv1" "object" "obj"] List Bucket Read ["ListBucket"];
    "HeadBucket" [Head] ["BUCKET"] List Bucket Read ["ListBucket"];
    "ListObjectVersions" [Get Head List] ["BUCKETVERSIONS" "versions" "objectversions"] List Bucket Read ["ListBucketVersions"];
    "ListMultipartUploads" [Get Head] ["UPLOADS" "multiparts"] List Bucket Read ["ListBucketMultipartUploads"];
    "GetBucketLocation" [Get] ["LOCATION"] Configuration Bucket Read ["GetBucketLocation"];
    "ListBuckets" [Get] ["SERVICE" "buckets"] List Account FullAccess ["ListAllMyBuckets"];

    "CreateBucket" [Put] ["BUCKET"] Configuration Bucket FullAccess ["CreateBucket"];
    "DeleteBucket" [Delete] ["BUCKET"] Configuration Bucket FullAccess ["DeleteBucket"];
    "GetBucketAcl" [Get Head] ["ACL" "acls"] Configuration Bucket FullAccess ["GetBucketAcl"];
    "PutBucketAcl" [Put] ["ACL" "acls"] Configuration Bucket FullAccess ["PutBucketAcl"];
    "GetBucketPolicy" [Get] ["BUCKETPOLICY" "policy"] Configuration Bucket FullAccess ["GetBucketPolicy"];
    "PutBucketPolicy" [Put] ["BUCKETPOLICY" "policy"] Configuration Bucket FullAccess ["PutBucketPolicy"];
    "DeleteBucketPolicy" [Delete] ["BUCKETPOLICY" "policy"] Configuration Bucket FullAccess ["DeleteBucketPolicy"];
    "GetBucketPolicyStatus" [Get] ["POLICY_STATUS"] Configuration Bucket FullAccess ["GetBucketPolicyStatus"];
    "GetBucketCors" [Get] ["CORS"] Configuration Bucket FullAccess ["GetBucketCORS"];
    "PutBucketCors" [Put Delete] ["CORS"] Configuration Bucket FullAccess ["PutBucketCORS"];
    "GetBucketLifecycleConfiguration" [Get] ["LIFECYCLE"] Configuration Bucket FullAccess ["GetLifecycleConfiguration"];
    "PutBucketLifecycleConfiguration" [Put Delete] ["LIFECYCLE"] Configuration Bucket FullAccess ["PutLifecycleConfiguration"];
    "GetBucketEncryption" [Get] ["ENCRYPTION"] Configuration Bucket FullAccess ["GetEncryptionConfiguration"];
    "PutBucketEncryption" [Put Delete] ["ENCRYPTION"] Configuration Bucket FullAccess ["PutEncryptionConfiguration"];
    "GetBucketVersioning" [Get] ["VERSIONING"] Configuration Bucket FullAccess ["GetBucketVersioning"];
    "PutBucketVersioning" [Put] ["VERSIONING"] Configuration Bucket FullAccess ["PutBucketVersioning"];
    "GetBucketLogging" [Get] ["LOGGING_STATUS" "logging"] Configuration Bucket FullAccess ["GetBucketLogging"];
    "PutBucketLogging" [Put] ["LOGGING_STATUS" "logging"] Configuration Bucket FullAccess ["PutBucketLogging"];
    "GetBucketNotificationConfiguration" [Get] ["NOTIFICATION"] Configuration Bucket FullAccess ["GetBucketNotification"];
    "PutBucketNotificationConfiguration" [Put] ["NOTIFICATION"] Configuration Bucket FullAccess ["PutBucketNotification"];
    "GetBucketReplication" [Get] ["REPLICATION"] Configuration Bucket FullAccess ["GetReplicationConfiguration"];
    "PutBucketReplication" [Put Delete] ["REPLICATION"] Configuration Bucket FullAccess ["PutReplicationConfiguration"];
    "GetBucketRequestPayment" [Get] ["REQUEST_PAYMENT"] Configuration Bucket FullAccess ["GetBucketRequestPayment"];
    "PutBucketRequestPayment" [Put] ["REQUEST_PAYMENT"] Configuration Bucket FullAccess ["PutBucketRequestPayment"];
    "GetBucketTagging" [Get] ["TAGGING"] Configuration Bucket FullAccess ["GetBucketTagging"];
    "PutBucketTagging" [Put Delete] ["TAGGING"] Configuration Bucket FullAccess ["PutBucketTagging"];
    "GetBucketWebsite" [Get] ["WEBSITE"] Configuration Bucket FullAccess ["GetBucketWebsite"];
    "PutBucketWebsite" [Put] ["WEBSITE"] Configuration Bucket FullAccess ["PutBucketWebsite"];
    "DeleteBucketWebsite" [Delete] ["WEBSITE"] Configuration Bucket FullAccess ["DeleteBucketWebsite"];
    "GetBucketAccelerateConfiguration" [Get] ["ACCELERATE"] Configuration Bucket FullAccess ["GetAccelerateConfiguration"];
    "PutBucketAccelerateConfiguration" [Put] ["ACCELERATE"] Configuration Bucket FullAccess ["PutAccelerateConfiguration"];
    "GetBucketAnalyticsConfiguration" [Get] ["ANALYTICS"] Configuration Bucket FullAccess ["GetAnalyticsConfiguration"];
    "PutBucketAnalyticsConfiguration" [Put Delete] ["ANALYTICS"] Configuration Bucket FullAccess ["PutAnalyticsConfiguration"];
    "GetBucketInventoryConfiguration" [Get] ["INVENTORY"] Configuration Bucket FullAccess ["GetInventoryConfiguration"];
    "PutBucketInventoryConfiguration" [Put Delete] ["INVENTORY"] Configuration Bucket FullAccess ["PutInventoryConfiguration"];
    "GetBucketMetricsConfiguration" [Get] ["METRICS"] Configuration Bucket FullAccess ["GetMetricsConfiguration"];
    "PutBucketMetricsConfiguration" [Put Delete] ["METRICS"] Configuration Bucket FullAccess ["PutMetricsConfiguration"];
    "GetBucketIntelligentTieringConfiguration" [Get] ["INTELLIGENT_TIERING"] Configuration Bucket FullAccess
        ["GetIntelligentTieringConfiguration"];
    "PutBucketIntelligentTieringConfiguration" [Put Delete] ["INTELLIGENT_TIERING"] Configuration Bucket FullAccess
        ["PutIntelligentTieringConfiguration"];
    "GetBucketOwnershipControls" [Get] ["OWNERSHIP_CONTROLS"] Configuration Bucket FullAccess ["GetBucketOwnershipControls"];
    "PutBucketOwnershipControls" [Put Delete] ["OWNERSHIP_CONTROLS"] Configuration Bucket FullAccess ["PutBucketOwnershipControls"];
    "GetPublicAccessBlock" [Get] ["PUBLIC_ACCESS_BLOCK"] Configuration Bucket FullAccess ["GetBucketPublicAccessBlock"];
    "PutPublicAccessBlock" [Put Delete] ["PUBLIC_ACCESS_BLOCK"] Configuration Bucket FullAccess ["PutBucketPublicAccessBlock"];
    "GetObjectLockConfiguration" [Get] ["OBJECT_LOCK_CONFIGURATION" "objectlock"] Configuration Bucket FullAccess
        ["GetBucketObjectLockConfiguration"];
    "PutObjectLockConfiguration" [Put] ["OBJECT_LOCK_CONFIGURATION" "objectlock"] Configuration Bucket FullAccess
        ["PutBucketObjectLockConfiguration"];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(operation: &str, has_key: bool) -> String {
        match Operation::needs(operation, has_key) {
            Needs::Operation(row) => row.api.to_owned(),
            Needs::Nothing => "nothing".to_owned(),
            Needs::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn operations_of_logs() {
        for (operation, has_key, expected) in [
            ("REST.GET.OBJECT", true, "GetObject"),
            ("REST.HEAD.OBJECT", true, "HeadObject"),
            ("WEBSITE.GET.OBJECT", true, "GetObject"),
            ("REST.GET.PART", true, "GetObject"),
            ("REST.S3_GET_OBJECT", true, "GetObject"),
            ("SOAP.GetObject", true, "GetObject"),
            ("get_obj", true, "GetObject"),
            ("REST.COPY.OBJECT_GET", true, "CopyObject (source)"),
            ("REST.COPY.OBJECT", true, "CopyObject (destination)"),
            ("REST.COPY.PART_GET", true, "UploadPartCopy (source)"),
            ("REST.GET.ACL", true, "GetObjectAcl"),
            ("REST.GET.ACL", false, "GetBucketAcl"),
            ("GetBucketAcl", true, "GetBucketAcl"),
            ("REST.PUT.ACL", true, "PutObjectAcl"),
            ("REST.PUT.ACL", false, "PutBucketAcl"),
            ("REST.PUT.OBJECT", true, "PutObject"),
            ("REST.PUT.PART", true, "UploadPart"),
            ("REST.POST.UPLOADS", true, "CreateMultipartUpload"),
            ("REST.POST.UPLOAD", true, "CompleteMultipartUpload"),
            ("REST.DELETE.UPLOAD", true, "AbortMultipartUpload"),
            ("REST.GET.UPLOAD", true, "ListParts"),
            ("REST.GET.UPLOADS", false, "ListMultipartUploads"),
            ("REST.POST.BUCKET", false, "PostObject (form)"),
            ("BATCH.DELETE.OBJECT", true, "DeleteObject"),
            ("REST.POST.MULTI_OBJECT_DELETE", false, "DeleteObjects"),
            ("REST.POST.DELETE_MULTI_OBJECT", false, "DeleteObjects"),
            ("REST.GET.BUCKET", false, "ListObjects"),
            ("ListObjectsV2", false, "ListObjects"),
            ("list_bucket", false, "ListObjects"),
            ("REST.HEAD.BUCKET", false, "HeadBucket"),
            ("REST.GET.BUCKETVERSIONS", false, "ListObjectVersions"),
            ("ListObjectVersions", false, "ListObjectVersions"),
            ("REST.GET.BUCKET.LOCATION", false, "GetBucketLocation"),
            ("REST.GET.LOCATION", false, "GetBucketLocation"),
            ("get_bucket_location", false, "GetBucketLocation"),
            ("REST.GET.BUCKETPOLICY", false, "GetBucketPolicy"),
            ("PutBucketPolicy", false, "PutBucketPolicy"),
            ("REST.DELETE.LIFECYCLE", false, "PutBucketLifecycleConfiguration"),
            ("GetBucketLifecycleConfiguration", false, "GetBucketLifecycleConfiguration"),
            ("REST.PUT.LOGGING_STATUS", false, "PutBucketLogging"),
            ("PutBucketLogging", false, "PutBucketLogging"),
            ("REST.GET.OBJECT_LOCK_CONFIGURATION", false, "GetObjectLockConfiguration"),
            ("REST.GET.OBJECT_TAGGING", true, "GetObjectTagging"),
            ("REST.GET.TAGGING", false, "GetBucketTagging"),
            ("REST.GET.SERVICE", false, "ListBuckets"),
            ("ListBuckets", false, "ListBuckets"),
            ("REST.PUT.BUCKET", false, "CreateBucket"),
            ("create_bucket", false, "CreateBucket"),
            ("REST.OPTIONS.PREFLIGHT", true, "nothing"),
            ("S3.EXPIRE.OBJECT", true, "nothing"),
            ("REST.PUT.RATELIMIT", false, "unknown"),
            ("WEBSITE.INVALIDOPERATION", false, "unknown"),
            ("REST.PATCH.BUCKET", false, "unknown"),
            ("", false, "unknown"),
        ] {
            assert_eq!(api(operation, has_key), expected, "{operation} {has_key}");
        }
    }

    #[test]
    fn every_row_can_be_found_by_its_names() {
        for row in Operation::ALL {
            for verb in row.verbs.iter().filter(|verb| **verb != Verb::List) {
                for noun in row.nouns {
                    let name = format!("REST.{verb:?}.{noun}").to_uppercase();
                    let found = api(&name, row.resource == Resource::Object);
                    assert_eq!(found, row.api, "{name}");
                }
            }
        }
    }

    #[test]
    fn labels_of_versions_have_actions_of_their_own() {
        let names = |operation, version| match Operation::needs(operation, true) {
            Needs::Operation(row) => row.actions.iter().map(|action| action.name(version)).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        assert_eq!(names("REST.GET.OBJECT", false), ["s3:GetObject"]);
        assert_eq!(names("REST.GET.OBJECT", true), ["s3:GetObjectVersion"]);
        assert_eq!(names("REST.GET.OBJECT_ATTRIBUTES", true), ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"]);
        assert_eq!(names("REST.PUT.OBJECT", true), ["s3:PutObject"]);
    }
}
