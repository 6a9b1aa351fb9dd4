//! The table of all fields: the single source of their names, types, order and documentation.
//!
//! Names and order follow AWS's page "Amazon S3 server access log format". The Arrow schema, projections,
//! `s3log schema` and the table in `TABLES.md` derive from [`Field::info`].

/// Syntax of a field in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A run of bytes without spaces.
    Token,
    /// In brackets, such as `[06/Feb/2019:00:00:38 +0000]`.
    Bracketed,
    /// In double quotes, with nothing inside escaped, or a bare `-`.
    Quoted,
}

/// Type of a field's decoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text, as written.
    Text,
    /// An instant with a precision of one second.
    Time,
    /// An HTTP status of one to three digits.
    Status,
    /// A 64-bit integer; decimals and exponents are rounded.
    Integer,
    /// `Yes`, or `-` for no.
    YesNo,
}

/// Expected cardinality of a field in the log of a busy account. Columnar writers choose encodings by it.
///
/// AWS's page says which fields identify the request and which have a fixed set of values; the rest was counted in
/// logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distinct {
    /// Up to a few hundred values.
    Few,
    /// As many values as there are clients, keys or sizes, some of them frequent.
    Many,
    /// Nearly every record has its own value.
    Unique,
}

/// Metadata of a field: one row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// The field itself.
    pub field: Field,
    /// Column name: AWS's title in snake case.
    pub name: &'static str,
    /// Name on AWS's page.
    pub title: &'static str,
    /// Syntax in a line.
    pub shape: Shape,
    /// Type of the decoded value.
    pub kind: Kind,
    /// Expected cardinality of the values.
    pub distinct: Distinct,
    /// First year in which AWS wrote the field.
    pub since: u16,
    /// Unit of a number, or the empty string.
    pub unit: &'static str,
    /// Description in one sentence.
    pub doc: &'static str,
    /// Example value as it appears in a line.
    pub example: &'static str,
}

macro_rules! fields {
    ($($variant:ident $name:literal $title:literal $shape:ident $kind:ident $distinct:ident $since:literal $unit:literal
        $example:literal $doc:literal;)*) => {
        /// A field of an S3 server access log record, in the order of the line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $doc] $variant,)*
        }

        /// Metadata of every field, in line order, indexed by [`Field::index`].
        pub const FIELDS: [FieldInfo; Field::COUNT] = [
            $(FieldInfo {
                field: Field::$variant,
                name: $name,
                title: $title,
                shape: Shape::$shape,
                kind: Kind::$kind,
                distinct: Distinct::$distinct,
                since: $since,
                unit: $unit,
                doc: $doc,
                example: $example,
            },)*
        ];

        impl Field {
            /// Every field, in line order.
            pub const ALL: [Field; Field::COUNT] = [$(Field::$variant,)*];
            /// Number of fields that AWS documents.
            pub const COUNT: usize = [$($name,)*].len();
        }
    };
}

fields! {
    BucketOwner "bucket_owner" "Bucket Owner" Token Text Few 2006 "" "79a59df900b949e5"
        "Canonical user id of the owner of the requested bucket.";
    Bucket "bucket" "Bucket" Token Text Few 2006 "" "amzn-s3-demo-bucket"
        "Name of the requested bucket.";
    Time "time" "Time" Bracketed Time Many 2006 "" "[06/Feb/2019:00:00:38 +0000]"
        "When the request was received; the offset of the line is honoured.";
    RemoteIp "remote_ip" "Remote IP" Token Text Many 2006 "" "192.0.2.3"
        "Apparent address of the requester, IPv4 or IPv6; NULL for what a service did by itself.";
    Requester "requester" "Requester" Token Text Many 2006 "" "arn:aws:iam::123456789012:user/alice"
        "Canonical id, ARN or service that asked; NULL when nobody signed, for which Ceph and Huawei OBS write `anonymous`. May hold spaces.";
    RequestId "request_id" "Request ID" Token Text Unique 2006 "" "3E57427F33A59F07"
        "Id of the request. Not unique: the rows of one batch delete or copy share it.";
    Operation "operation" "Operation" Token Text Few 2006 "" "REST.GET.OBJECT"
        "What was asked, such as `REST.GET.OBJECT`, `BATCH.DELETE.OBJECT` or `S3.EXPIRE.OBJECT`.";
    Key "key" "Key" Token Text Many 2006 "" "photos/2019/08/puppy%2520one.jpg"
        "Object key as written, mostly URL-encoded twice; `object_key` has it decoded.";
    RequestUri "request_uri" "Request-URI" Quoted Text Many 2006 "" "\"GET /amzn-s3-demo-bucket/photos/a.jpg HTTP/1.1\""
        "Request line as the client sent it; nothing in it is escaped.";
    HttpStatus "http_status" "HTTP status" Token Status Few 2006 "" "200"
        "HTTP status of the response; NULL on lifecycle rows.";
    ErrorCode "error_code" "Error Code" Token Text Few 2006 "" "NoSuchBucket"
        "S3 error code of the response.";
    BytesSent "bytes_sent" "Bytes Sent" Token Integer Many 2006 "bytes" "2662992"
        "Bytes of the response's body; NULL when there were none.";
    ObjectSize "object_size" "Object Size" Token Integer Many 2006 "bytes" "3462992"
        "Size of the whole object.";
    TotalTime "total_time" "Total Time" Token Integer Many 2006 "milliseconds" "70"
        "From the first byte of the request to the last byte of the response, as the server saw it.";
    TurnAroundTime "turn_around_time" "Turn-Around Time" Token Integer Many 2006 "milliseconds" "10"
        "From the last byte of the request to the first byte of the response.";
    Referer "referer" "Referer" Quoted Text Many 2006 "" "\"http://www.example.com/webservices\""
        "Value of the Referer header; nothing in it is escaped.";
    UserAgent "user_agent" "User-Agent" Quoted Text Many 2006 "" "\"curl/7.15.1\""
        "Value of the User-Agent header; nothing in it is escaped.";
    VersionId "version_id" "Version Id" Token Text Many 2012 "" "3HL4kqtJvjVBH40Nrjfkd"
        "Version id of the request; the text `null` is the version of objects of an unversioned bucket.";
    HostId "host_id" "Host Id" Token Text Unique 2019 "" "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/"
        "Extended request id (`x-amz-id-2`).";
    SignatureVersion "signature_version" "Signature Version" Token Text Few 2019 "" "SigV4"
        "`SigV2` or `SigV4`; NULL when nobody signed.";
    CipherSuite "cipher_suite" "Cipher Suite" Token Text Few 2019 "" "ECDHE-RSA-AES128-GCM-SHA256"
        "TLS cipher that was negotiated; NULL for HTTP.";
    AuthenticationType "authentication_type" "Authentication Type" Token Text Few 2019 "" "AuthHeader"
        "`AuthHeader`, or `QueryString` for presigned URLs; NULL when nobody signed.";
    HostHeader "host_header" "Host Header" Token Text Few 2019 "" "amzn-s3-demo-bucket.s3.us-west-1.amazonaws.com"
        "Endpoint that the request was sent to.";
    TlsVersion "tls_version" "TLS version" Token Text Few 2019 "" "TLSv1.2"
        "TLS version that was negotiated; NULL for HTTP.";
    AccessPointArn "access_point_arn" "Access Point ARN" Token Text Few 2021 ""
        "arn:aws:s3:us-east-1:123456789012:accesspoint/example-AP"
        "Access point of the request.";
    AclRequired "acl_required" "aclRequired" Token YesNo Few 2022 "" "Yes"
        "True if only an access control list allowed the request, otherwise NULL.";
    SourceRegion "source_region" "Source Region" Token Text Few 2026 "" "us-east-1"
        "AWS Region that the request came from; NULL when it came from elsewhere.";
}

crate::formats::field_methods!();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field.index(), index);
            assert_eq!(Field::ALL[index], info.field);
            assert_eq!(Field::from_name(info.name), Some(info.field));
        }
        assert_eq!(Field::COUNT, 27);
        assert_eq!(Field::from_name("log_object"), None);
    }

    #[test]
    fn names_are_the_titles_in_snake_case() {
        for info in &FIELDS {
            let snake = info.title.to_lowercase().replace([' ', '-'], "_");
            let snake = if info.field == Field::AclRequired { "acl_required".to_owned() } else { snake };
            assert_eq!(info.name, snake);
        }
    }
}
