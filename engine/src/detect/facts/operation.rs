//! Effects of operations: `REST.GET.OBJECT` reads an object, `REST.PUT.BUCKETPOLICY` writes configuration.

use super::operation_name::{OperationName, Verb};

/// Class of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum OpClass {
    /// Reads an object or its metadata.
    ObjectRead,
    /// Writes an object, a part of it or its metadata.
    ObjectWrite,
    /// Deletes an object.
    ObjectDelete,
    /// Either half of a copy.
    Copy,
    /// Lists objects, versions, uploads or buckets.
    List,
    /// Reads the configuration of a bucket, or an ACL.
    ConfigRead,
    /// Writes or deletes configuration or an ACL; creates or deletes a bucket.
    ConfigWrite,
    /// A browser's CORS preflight request.
    Preflight,
    /// An action of the store itself: lifecycle, checksums.
    Service,
    /// None of these.
    Other,
}

impl OpClass {
    /// All classes, each at the index of its number.
    pub(crate) const ALL: [Self; 10] = [
        Self::ObjectRead,
        Self::ObjectWrite,
        Self::ObjectDelete,
        Self::Copy,
        Self::List,
        Self::ConfigRead,
        Self::ConfigWrite,
        Self::Preflight,
        Self::Service,
        Self::Other,
    ];

    /// Whether it changes objects.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::ObjectWrite | Self::ObjectDelete | Self::Copy)
    }

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ObjectRead => "obj_read",
            Self::ObjectWrite => "obj_write",
            Self::ObjectDelete => "obj_delete",
            Self::Copy => "copy",
            Self::List => "list",
            Self::ConfigRead => "cfg_read",
            Self::ConfigWrite => "cfg_write",
            Self::Preflight => "preflight",
            Self::Service => "service",
            Self::Other => "other",
        }
    }

    /// The class of an operation, or of a method if there is no operation.
    #[cfg(test)]
    fn of(operation: Option<&str>, method: Option<&str>) -> Self {
        OperationFacts::of(operation, method).class
    }

    /// Whether it concerns a single object: read, written, deleted or copied.
    pub(crate) fn is_object(self) -> bool {
        matches!(self, Self::ObjectRead | Self::ObjectWrite | Self::ObjectDelete | Self::Copy)
    }
}

/// Everything that rules use of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperationFacts {
    /// The class.
    pub(crate) class: OpClass,
    /// Lists versions.
    pub(crate) version_list: bool,
    /// Asks for headers only.
    pub(crate) head: bool,
    /// Only checks whether a bucket exists.
    pub(crate) bucket_head: bool,
    /// Concerns metadata of an object (tags, retention, attributes, restore) instead of its content.
    pub(crate) object_label: bool,
    /// Starts, lists or aborts a multipart upload: the object does not exist yet.
    pub(crate) upload_step: bool,
    /// Starts a multipart upload.
    pub(crate) upload_begun: bool,
    /// Completes a multipart upload.
    pub(crate) upload_completion: bool,
    /// A batch delete request. On AWS each of its deletions has its own record.
    pub(crate) delete_request: bool,
    /// A single deletion of a batch, with its own record.
    pub(crate) batch_line: bool,
    /// The half of a copy that reads the source.
    pub(crate) copy_source: bool,
    /// Turns access logging on or off.
    pub(crate) logging: bool,
    /// The store did not recognise the operation.
    pub(crate) invalid: bool,
}

impl OperationFacts {
    /// From an operation, or from a method if there is no operation.
    pub(crate) fn of(operation: Option<&str>, method: Option<&str>) -> Self {
        match operation {
            Some(operation) if !operation.is_empty() && operation != "-" => Self::of_operation(operation),
            _ => {
                let verb = Verb::of(method.unwrap_or_default());
                let class = match verb {
                    Verb::Get | Verb::Head => OpClass::ObjectRead,
                    Verb::Put | Verb::Post => OpClass::ObjectWrite,
                    Verb::Delete => OpClass::ObjectDelete,
                    Verb::Options => OpClass::Preflight,
                    Verb::Copy | Verb::List | Verb::Other => OpClass::Other,
                };
                Self { head: verb == Verb::Head, ..Self::plain(class) }
            }
        }
    }

    fn plain(class: OpClass) -> Self {
        Self {
            class,
            version_list: false,
            head: false,
            bucket_head: false,
            object_label: false,
            upload_step: false,
            upload_begun: false,
            upload_completion: false,
            delete_request: false,
            batch_line: false,
            copy_source: false,
            logging: false,
            invalid: false,
        }
    }

    fn of_operation(operation: &str) -> Self {
        match OperationName::of(operation) {
            OperationName::Store => Self::plain(OpClass::Service),
            OperationName::Invalid => Self { invalid: true, ..Self::plain(OpClass::Other) },
            OperationName::Is(verb, noun) => {
                let batch_line = operation.starts_with("BATCH.");
                Self { batch_line, head: verb == Verb::Head, ..Self::of_parts(verb, &noun) }
            }
            OperationName::Other => Self::plain(OpClass::Other),
        }
    }

    /// From a verb and a noun, which is in lower case without separators.
    fn of_parts(verb: Verb, noun: &str) -> Self {
        if verb == Verb::Options {
            return Self::plain(OpClass::Preflight);
        }
        let reads = matches!(verb, Verb::Get | Verb::Head | Verb::List);
        // The class for objects; nouns other than objects are handled below.
        let of_object = || match verb {
            Verb::Get | Verb::Head | Verb::List => OpClass::ObjectRead,
            Verb::Put | Verb::Post => OpClass::ObjectWrite,
            Verb::Delete => OpClass::ObjectDelete,
            Verb::Copy => OpClass::Copy,
            Verb::Options | Verb::Other => OpClass::Other,
        };
        match noun {
            "object" | "obj" | "part" | "objectpart" if verb != Verb::List => Self::plain(of_object()),
            "objectget" | "partget" | "objget" => Self { copy_source: verb == Verb::Copy, ..Self::plain(of_object()) },
            "multiobjectdelete" | "deletemultiobject" | "multideleteobject" | "deleteobjects" => {
                Self { delete_request: true, ..Self::plain(OpClass::ObjectDelete) }
            }
            "select" | "torrent" | "objecttorrent" | "objlayout" => Self::plain(match of_object() {
                // SELECT is sent by POST, but reads.
                OpClass::ObjectWrite if noun == "select" => OpClass::ObjectRead,
                class => class,
            }),
            "objecttagging" | "objecttags" | "objtags" | "objecttag" | "objectattributes" | "objattrs"
            | "legalhold" | "objectlegalhold" | "objlegalhold" | "retention" | "objectretention" | "objretention"
            | "restore" | "objectencryption" => {
                let class = match of_object() {
                    // Removing tags does not delete the object.
                    OpClass::ObjectDelete => OpClass::ObjectWrite,
                    class => class,
                };
                Self { object_label: true, ..Self::plain(class) }
            }
            "upload" => {
                let completion = verb == Verb::Post;
                let class = if reads { OpClass::ObjectRead } else { OpClass::ObjectWrite };
                Self { upload_completion: completion, upload_step: !completion, ..Self::plain(class) }
            }
            "uploads" => {
                let class = if reads { OpClass::List } else { OpClass::ObjectWrite };
                Self { upload_step: !reads, upload_begun: verb == Verb::Post, ..Self::plain(class) }
            }
            "bucketversions" | "objectversions" | "versions" | "bucketobjectversions" if reads => {
                Self { version_list: true, ..Self::plain(OpClass::List) }
            }
            "bucket" | "service" | "buckets" | "objects" | "objectsv2" | "objectsv1" | "bucketv2" | "object"
            | "obj" => {
                let class = match verb {
                    Verb::Get | Verb::Head | Verb::List => OpClass::List,
                    Verb::Put | Verb::Delete => OpClass::ConfigWrite,
                    // A form upload by a browser.
                    Verb::Post => OpClass::ObjectWrite,
                    Verb::Copy | Verb::Options | Verb::Other => OpClass::Other,
                };
                Self { bucket_head: verb == Verb::Head && noun == "bucket", ..Self::plain(class) }
            }
            "" | "unknown" | "backbeat" => Self::plain(OpClass::Other),
            _ => {
                let class = match verb {
                    Verb::Get | Verb::Head | Verb::List => OpClass::ConfigRead,
                    Verb::Put | Verb::Post | Verb::Delete => OpClass::ConfigWrite,
                    Verb::Copy | Verb::Options | Verb::Other => OpClass::Other,
                };
                Self { logging: matches!(noun, "loggingstatus" | "bucketlogging" | "logging"), ..Self::plain(class) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OpClass::*;
    use super::*;

    #[test]
    fn classes_of_operations() {
        for (operation, class) in [
            ("REST.GET.OBJECT", ObjectRead),
            ("REST.HEAD.OBJECT", ObjectRead),
            ("REST.GET.PART", ObjectRead),
            ("WEBSITE.GET.OBJECT", ObjectRead),
            ("WEBSITE.HEAD.OBJECT", ObjectRead),
            ("SOAP.GetObject", ObjectRead),
            ("REST.S3_GET_OBJECT", ObjectRead),
            ("REST.S3_HEAD_OBJECT", ObjectRead),
            ("REST.GET.OBJECT_ATTRIBUTES", ObjectRead),
            ("REST.GET.OBJECT_TAGGING", ObjectRead),
            ("REST.GET.UPLOAD", ObjectRead),
            ("REST.HEAD.TORRENT", ObjectRead),
            ("REST.POST.SELECT", ObjectRead),
            ("s3_GetObject", ObjectRead),
            ("HeadObject", ObjectRead),
            ("ListParts", ObjectRead),
            ("get_obj", ObjectRead),
            ("stat_obj", ObjectRead),
            ("REST.PUT.OBJECT", ObjectWrite),
            ("REST.S3_PUT_OBJECT", ObjectWrite),
            ("SOAP.PUT.OBJECT", ObjectWrite),
            ("SOAP.PutObject", ObjectWrite),
            ("REST.POST.OBJECT", ObjectWrite),
            ("REST.POST.BUCKET", ObjectWrite),
            ("REST.PUT.PART", ObjectWrite),
            ("REST.POST.UPLOAD", ObjectWrite),
            ("REST.POST.UPLOADS", ObjectWrite),
            ("REST.DELETE.UPLOAD", ObjectWrite),
            ("REST.PUT.OBJECT_TAGGING", ObjectWrite),
            ("REST.DELETE.OBJECT_TAGGING", ObjectWrite),
            ("REST.PUT.LEGAL_HOLD", ObjectWrite),
            ("REST.POST.RESTORE", ObjectWrite),
            ("CompleteMultipartUpload", ObjectWrite),
            ("init_multipart", ObjectWrite),
            ("put_obj", ObjectWrite),
            ("post_obj", ObjectWrite),
            ("REST.DELETE.OBJECT", ObjectDelete),
            ("BATCH.DELETE.OBJECT", ObjectDelete),
            ("REST.POST.MULTI_OBJECT_DELETE", ObjectDelete),
            ("REST.POST.DELETE_MULTI_OBJECT", ObjectDelete),
            ("DeleteObjects", ObjectDelete),
            ("delete_obj", ObjectDelete),
            ("multi_object_delete", ObjectDelete),
            ("REST.COPY.OBJECT", Copy),
            ("REST.COPY.OBJECT_GET", Copy),
            ("REST.COPY.PART", Copy),
            ("REST.COPY.PART_GET", Copy),
            ("CopyObject", Copy),
            ("UploadPartCopy", Copy),
            ("copy_obj", Copy),
            ("REST.GET.BUCKET", List),
            ("REST.HEAD.BUCKET", List),
            ("REST.GET.BUCKETVERSIONS", List),
            ("REST.HEAD.BUCKETVERSIONS", List),
            ("REST.GET.UPLOADS", List),
            ("REST.GET.SERVICE", List),
            ("WEBSITE.GET.BUCKET", List),
            ("SOAP.ListAllMyBuckets", List),
            ("SOAP.ListBucket", List),
            ("ListObjectsV2", List),
            ("ListObjectVersions", List),
            ("s3_ListObjects", List),
            ("list_bucket", List),
            ("list_buckets", List),
            ("stat_bucket", List),
            ("REST.GET.ACL", ConfigRead),
            ("REST.GET.LOCATION", ConfigRead),
            ("REST.GET.BUCKET.LOCATION", ConfigRead),
            ("REST.GET.BUCKETPOLICY", ConfigRead),
            ("REST.GET.POLICY_STATUS", ConfigRead),
            ("REST.GET.VERSIONING", ConfigRead),
            ("REST.GET.LOGGING_STATUS", ConfigRead),
            ("REST.GET.OBJECT_LOCK_CONFIGURATION", ConfigRead),
            ("GetBucketPolicy", ConfigRead),
            ("get_bucket_location", ConfigRead),
            ("get_acls", ConfigRead),
            ("REST.PUT.ACL", ConfigWrite),
            ("REST.PUT.LOGGING_STATUS", ConfigWrite),
            ("REST.PUT.BUCKETPOLICY", ConfigWrite),
            ("REST.DELETE.BUCKETPOLICY", ConfigWrite),
            ("REST.DELETE.LIFECYCLE", ConfigWrite),
            ("REST.PUT.BUCKET", ConfigWrite),
            ("REST.DELETE.BUCKET", ConfigWrite),
            ("REST.PUT.RATELIMIT", ConfigWrite),
            ("REST.POST.NOTIFICATION", ConfigWrite),
            ("SOAP.CreateBucket", ConfigWrite),
            ("PutBucketPolicy", ConfigWrite),
            ("set_bucket_versioning", ConfigWrite),
            ("put_acls", ConfigWrite),
            ("create_bucket", ConfigWrite),
            ("REST.OPTIONS.PREFLIGHT", Preflight),
            ("options_cors", Preflight),
            ("S3.EXPIRE.OBJECT", Service),
            ("S3.TRANSITION_SIA.OBJECT", Service),
            ("S3.CREATE.DELETEMARKER", Service),
            ("S3.COMPUTE.OBJECT.CHECKSUM", Service),
            ("WEBSITE.INVALIDOPERATION", Other),
            ("REST.PATCH.BUCKET", Other),
            ("REST.COPY.NOTIFICATION", Other),
            ("REST.GET.UNKNOWN", Other),
            ("REST.GET.BACKBEAT", Other),
            ("REST.X", Other),
            ("REST..GET", Other),
            ("objects;", Other),
            ("...", Other),
        ] {
            assert_eq!(OpClass::of(Some(operation), None), class, "{operation}");
        }
    }

    #[test]
    fn a_cdn_has_methods_only() {
        for (method, class) in [
            (Some("GET"), ObjectRead),
            (Some("HEAD"), ObjectRead),
            (Some("PUT"), ObjectWrite),
            (Some("POST"), ObjectWrite),
            (Some("DELETE"), ObjectDelete),
            (Some("OPTIONS"), Preflight),
            (Some("PATCH"), Other),
            (Some("TRACE"), Other),
            (Some(""), Other),
            (None, Other),
        ] {
            assert_eq!(OpClass::of(None, method), class, "{method:?}");
            assert_eq!(OpClass::of(Some("-"), method), class, "{method:?}");
        }
    }

    #[test]
    fn marks_of_operations() {
        let marks = |operation| {
            let facts = OperationFacts::of(Some(operation), None);
            [
                ("versions", facts.version_list),
                ("head", facts.head),
                ("bucket head", facts.bucket_head),
                ("label", facts.object_label),
                ("step", facts.upload_step),
                ("complete", facts.upload_completion),
                ("batch", facts.delete_request),
                ("source", facts.copy_source),
                ("logging", facts.logging),
                ("invalid", facts.invalid),
            ]
            .into_iter()
            .filter_map(|(name, is)| is.then_some(name))
            .collect::<Vec<_>>()
        };
        for (operation, expected) in [
            ("REST.GET.BUCKETVERSIONS", &["versions"][..]),
            ("ListObjectVersions", &["versions"]),
            ("REST.HEAD.BUCKET", &["head", "bucket head"]),
            ("REST.HEAD.OBJECT", &["head"]),
            ("HeadObject", &["head"]),
            ("stat_obj", &["head"]),
            ("REST.GET.BUCKET", &[]),
            ("REST.GET.OBJECT_TAGGING", &["label"]),
            ("REST.POST.RESTORE", &["label"]),
            ("REST.PUT.RETENTION", &["label"]),
            ("REST.GET.ACL", &[]),
            ("REST.POST.UPLOADS", &["step"]),
            ("REST.DELETE.UPLOAD", &["step"]),
            ("REST.POST.UPLOAD", &["complete"]),
            ("CompleteMultipartUpload", &["complete"]),
            ("REST.GET.UPLOADS", &[]),
            ("REST.POST.MULTI_OBJECT_DELETE", &["batch"]),
            ("BATCH.DELETE.OBJECT", &[]),
            ("REST.COPY.OBJECT_GET", &["source"]),
            ("REST.COPY.OBJECT", &[]),
            ("REST.PUT.LOGGING_STATUS", &["logging"]),
            ("REST.GET.LOGGING_STATUS", &["logging"]),
            ("PutBucketLogging", &["logging"]),
            ("WEBSITE.INVALIDOPERATION", &["invalid"]),
        ] {
            assert_eq!(marks(operation), expected, "{operation}");
        }
    }

    #[test]
    fn names_are_of_one_class_each() {
        let mut names: Vec<_> = OpClass::ALL.map(OpClass::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OpClass::ALL.len());
        assert!(OpClass::ALL.iter().enumerate().all(|(number, class)| *class as usize == number));
    }
}
