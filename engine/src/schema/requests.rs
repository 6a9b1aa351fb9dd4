//! Columns of table `requests`: what S3 and CDN logs have in common, and what only one of them has.

use super::{ColumnDoc, Shape, TextLayout};
use arrow::datatypes::DataType;
use s3log_parser::Distinct;

macro_rules! requests {
    ($($variant:ident $name:literal $shape:ident $null:ident $distinct:ident $unit:literal $origin:literal $cdn:literal $doc:literal;)*) => {
        /// A column of table `requests`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RequestsColumn {
            $(#[doc = $doc] $variant,)*
        }

        impl RequestsColumn {
            /// All columns, in table order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The column's name in SQL.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The field of an S3 server access log that the column comes from, in AWS's words; empty if there is none.
            #[must_use]
            pub fn origin(self) -> &'static str {
                match self { $(Self::$variant => $origin,)* }
            }

            /// The field of a CDN log that the column comes from, as named in the log; empty if there is none.
            #[must_use]
            pub fn cdn(self) -> &'static str {
                match self { $(Self::$variant => $cdn,)* }
            }

            /// The Arrow type of the column.
            #[must_use]
            pub fn data_type(self, text: TextLayout) -> DataType {
                match self { $(Self::$variant => Shape::$shape.data_type(text),)* }
            }

            pub(super) fn doc(self, text: TextLayout) -> ColumnDoc {
                let (nullable, distinct, unit, doc) = match self {
                    $(Self::$variant => (requests!(@$null), Distinct::$distinct, $unit, $doc),)*
                };
                let (name, data_type) = (self.name(), self.data_type(text));
                ColumnDoc { name, title: "", data_type, nullable, distinct, unit, doc, example: "" }
            }
        }
    };
    (@null) => { true };
    (@always) => { false };
}

requests! {
    Time "time" Time always Many "" "Time" "date, time, timestamp(ms)"
        "Origin: when the request was received. CDN: when its response was finished, in whole seconds unless the log has milliseconds.";
    Source "source" Text always Few "" "" ""
        "`origin` for rows of an S3 server access log, `cdn` for rows of a CDN's.";
    ClientIp "client_ip" Text null Many "" "Remote IP" "c-ip"
        "Address that asked, in canonical form; NULL when what the log has is no address. Of a request through the CDN the origin's log has the CDN's address.";
    Requester "requester" Text null Many "" "Requester" ""
        "Canonical id, ARN or service that asked; NULL when nobody signed, also where the log says `anonymous` then.";
    Bucket "bucket" Text null Few "" "Bucket" "cs(Host), x-host-header"
        "Requested bucket. CDN: of a host `BUCKET.REGION.cdn.digitaloceanspaces.com`, or by `--map HOST=BUCKET`.";
    Operation "operation" Text null Few "" "Operation" ""
        "What was asked, such as `REST.GET.OBJECT`.";
    Method "method" Text null Few "" "Request-URI, Operation" "cs-method"
        "HTTP method.";
    Host "host" Text null Few "" "Host Header" "x-host-header, cs(Host)"
        "Host that the request was sent to, in lower case.";
    Path "path" Text null Many "" "Request-URI" "cs-uri-stem"
        "Path of the URI, as the client sent it.";
    Query "query" Text null Many "" "Request-URI" "cs-uri-query"
        "Query of the URI without its `?`, as the client sent it.";
    ObjectKey "object_key" Text null Many "" "Key" "cs-uri-stem"
        "Key of the object, decoded.";
    Status "status" Int32 null Few "" "HTTP status" "sc-status"
        "HTTP status of the response; 0 when the client left before there was one.";
    ErrorCode "error_code" Text null Few "" "Error Code" "x-edge-detailed-result-type"
        "Why it failed: S3's error code, or the CDN's detailed result of a request that failed.";
    BytesSent "bytes_sent" Int64 null Many "bytes" "Bytes Sent" "sc-bytes"
        "Bytes of the response. Origin: of its body. CDN: with its headers.";
    ObjectSize "object_size" Int64 null Many "bytes" "Object Size" ""
        "Size of the whole object.";
    TotalTimeMs "total_time_ms" Int64 null Many "milliseconds" "Total Time" "time-taken"
        "From the request to the end of the response, as the server saw it.";
    Referer "referer" Text null Many "" "Referer" "cs(Referer)"
        "Value of the Referer header, as the client sent it.";
    UserAgent "user_agent" Text null Many "" "User-Agent" "cs(User-Agent)"
        "Value of the User-Agent header, as the client sent it.";
    TlsVersion "tls_version" Text null Few "" "TLS version" "ssl-protocol"
        "TLS version that was negotiated, such as `TLSv1.2`.";
    CipherSuite "cipher_suite" Text null Few "" "Cipher Suite" "ssl-cipher"
        "TLS cipher that was negotiated.";
    RequestId "request_id" Text null Unique "" "Request ID" "x-edge-request-id"
        "Id of the request; the two logs do not share ids.";
    EdgeLocation "edge_location" Text null Few "" "" "x-edge-location"
        "Place of the CDN that answered.";
    CacheResult "cache_result" Text null Few "" "" "x-edge-response-result-type, x-edge-result-type"
        "What the cache had when the response went out, such as `Hit` or `Miss`.";
    IsCdnFetch "is_cdn_fetch" Bool always Few "" "User-Agent, Remote IP" ""
        "Whether the CDN itself asked the origin: its log has the client's request, too. By the user agent `Amazon CloudFront`, or an address of `--cdn-cidr`.";
    StartTime "start_time" Time always Many "" "Time" "date, time, time-taken"
        "When the request was received. CDN: `time` without the time that it took.";
    Scheme "scheme" Text null Few "" "TLS version, Cipher Suite, Host Id, Request-URI" "cs-protocol"
        "`http`, `https`, `ws` or `wss`. Origin: NULL where the log does not tell: in old ones, and in records without a request line, such as that of a copy's source, without TLS.";
    HttpVersion "http_version" Text null Few "" "Request-URI" "cs-protocol-version"
        "Such as `HTTP/1.1`.";
    ForwardedFor "forwarded_for" TextList null Many "" "" "x-forwarded-for"
        "Addresses that proxies, or the client, claim to speak for. Anybody can send them.";
    ClientPort "client_port" Int32 null Many "" "" "c-port"
        "Port that the client asked from.";
    DistHost "dist_host" Text null Few "" "" "cs(Host)"
        "Domain of the CDN's endpoint, in lower case.";
    FinalResult "final_result" Text null Few "" "" "x-edge-result-type"
        "What the CDN counts the request as; `Error` where `cache_result` has none means that the client hung up.";
    BodyBytes "body_bytes" Int64 null Many "bytes" "Bytes Sent" "sc-content-len"
        "Bytes of the body alone. CDN: its announced length.";
    BytesReceived "bytes_received" Int64 null Many "bytes" "" "cs-bytes"
        "Bytes of the request with its headers.";
    RangeStart "range_start" Int64 null Many "bytes" "" "sc-range-start"
        "First byte of the range that was sent.";
    RangeEnd "range_end" Int64 null Many "bytes" "" "sc-range-end"
        "Last byte of the range that was sent.";
    FirstByteMs "first_byte_ms" Int64 null Many "milliseconds" "Turn-Around Time" "time-to-first-byte"
        "From the request to the first byte of the response.";
    ContentType "content_type" Text null Few "" "" "sc-content-type"
        "Value of the response's Content-Type header.";
    Country "country" Text null Few "" "" "c-country"
        "Country of the client, as the CDN sees it.";
    Asn "asn" Int64 null Many "" "" "asn"
        "Number of the client's network (autonomous system).";
    VersionId "version_id" Text null Many "" "Version Id" ""
        "Version id of the request.";
    HostId "host_id" Text null Unique "" "Host Id" ""
        "Extended request id (`x-amz-id-2`).";
    SignatureVersion "signature_version" Text null Few "" "Signature Version" ""
        "`SigV2` or `SigV4`; NULL when nobody signed.";
    AuthenticationType "authentication_type" Text null Few "" "Authentication Type" ""
        "`AuthHeader`, or `QueryString` for presigned URLs.";
    AclRequired "acl_required" Bool null Few "" "aclRequired" ""
        "Whether only an access control list allowed the request.";
    SourceRegion "source_region" Text null Few "" "Source Region" ""
        "AWS Region that the request came from.";
    Ambiguous "ambiguous" Bool always Few "" "" ""
        "Whether quotes in the line allow another split of it; never in a CDN log.";
    LogObject "log_object" Text always Few "" "" ""
        "The log object or file that the row came from.";
}
