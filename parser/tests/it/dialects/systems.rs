//! Knowledge about the systems that write access logs, with sources.

use s3log_parser::Dialect;

/// A system that writes this format, or nearly.
pub(super) struct System {
    pub(super) name: &'static str,
    /// Path under `fixtures/`.
    pub(super) fixture: &'static str,
    /// The dialect that must be selected to read its lines.
    pub(super) dialect: Dialect,
    /// Differences from AWS's page.
    pub(super) differs: &'static str,
    /// Sources: repositories or web pages.
    pub(super) known_from: &'static str,
}

const fn system(
    name: &'static str,
    fixture: &'static str,
    dialect: Dialect,
    differs: &'static str,
    known_from: &'static str,
) -> System {
    System { name, fixture, dialect, differs, known_from }
}

const AUTO: Dialect = Dialect::Auto;

pub(super) const SYSTEMS: &[System] = &[
    system(
        "AWS until 2012",
        "bucket/archive/2006-10-06-02-39-21-0C33CFBAD123E3A3",
        AUTO,
        "Ends with the user agent. SOAP operations; requesters of 32 hexadecimal digits.",
        "public log lines",
    ),
    system(
        "AWS until 2019",
        "bucket/archive/2013-09-17-16-15-08-A337ECF4067C2172",
        AUTO,
        "Ends with the version id.",
        "`awsdocs/amazon-s3-developer-guide`, 2017 to 2018",
    ),
    system(
        "AWS, 14 to 20 March 2019",
        "bucket/archive/2019-03-16-08-45-40-1CC95F5E3D3C90DF",
        AUTO,
        "An IAM id, or `-`, between version id and host id. In signed records it goes to `extra_fields`, the rest into its \
         columns; unsigned ones are not recognised, and what follows the version id is one column late.",
        "public log lines",
    ),
    system(
        "AWS until 2021",
        "bucket/archive/2019-08-02-11-49-00-834D275D80A4E54D",
        AUTO,
        "Ends with the TLS version.",
        "`awsdocs/amazon-s3-developer-guide`, June 2019",
    ),
    system(
        "AWS until 2022",
        "bucket/archive/2021-09-09-03-45-40-47940451FD5BFFCB",
        AUTO,
        "Ends with the access point's ARN.",
        "`awsdocs/amazon-s3-userguide`, July 2021",
    ),
    system(
        "AWS until 2025",
        "bucket/archive/2023-05-23-18-45-40-980BEB408B667DCD",
        AUTO,
        "Ends with aclRequired.",
        "`awsdocs/amazon-s3-userguide`, November 2022",
    ),
    system(
        "AWS today",
        "bucket/archive/2026-04-01-01-15-40-FF7161FC779FCFDA",
        AUTO,
        "Nothing. Keys are URL-encoded twice, those of lifecycle and batch rows once.",
        "AWS's page \"Amazon S3 server access log format\"",
    ),
    system(
        "AWS, with fields to come",
        "bucket/archive/2026-12-01-21-49-00-13BC93B4FE89CA17",
        AUTO,
        "AWS's page says that fields may be added at the end. They go to `extra_fields`.",
        "AWS's page \"Amazon S3 server access log format\"",
    ),
    system(
        "DigitalOcean Spaces",
        "dialects/spaces.log",
        AUTO,
        "Nothing that is documented: \"in the Amazon S3 server access log format\". Which fields, ids and names of objects it \
         has is not, and no line of it is public; the fixture follows AWS's page.",
        "docs.digitalocean.com/products/spaces/how-to/access-logs",
    ),
    system(
        "DigitalOcean Spaces, with its CDN",
        "dialects/spaces-cdn.log",
        AUTO,
        "Requests to the CDN come to the same place in CloudFront's format: header lines, then fields between tabs. Which fields, \
         names of objects, words for cache results and encodings it has is not documented, and no line of it is public; the \
         fixture follows AWS's page.",
        "docs.digitalocean.com/products/spaces/how-to/access-logs",
    ),
    system(
        "AWS CloudFront, until 2012",
        "cdn/columns-12.log",
        AUTO,
        "Table `cdn`. Twelve columns; more were only ever added behind them, up to 33.",
        "AWS's announcements; public log lines",
    ),
    system(
        "AWS CloudFront, today",
        "cdn/columns-33.log",
        AUTO,
        "Table `cdn`. 33 columns between tabs. `-` is NULL; the header's names are parted by spaces, or by tabs in the wild.",
        "AWS's page \"Standard logging reference\"",
    ),
    system(
        "AWS CloudFront, without a header",
        "cdn/no-header-33.log",
        AUTO,
        "Table `cdn`. 11, 12, 15, 18, 19, 23, 24, 26 or 33 columns tell what they are; of others `--cdn-fields` does.",
        "AWS's page \"Standard logging reference\"",
    ),
    system(
        "AWS CloudFront, fields of choice",
        "cdn/v2.log",
        AUTO,
        "Table `cdn`. Any fields in any order, as the header names them; `timestamp(ms)` for date and time. Names without a \
         column are passed over.",
        "AWS's page \"Configure standard logging (v2)\"",
    ),
    system(
        "AWS CloudFront, streams until 2020",
        "cdn/rtmp.log",
        AUTO,
        "Table `cdn`. `x-cf-status` and its other fields of streams have no column, so `sc_status` is NULL.",
        "`awsdocs/amazon-cloudfront-developer-guide`, until 2020",
    ),
    system(
        "AWS CloudFront, real-time",
        "cdn/real-time.log",
        AUTO,
        "Fields that only its own configuration names, no header: recognised, and refused.",
        "AWS's page \"Use real-time access logs\"",
    ),
    system(
        "Ceph, standard records",
        "dialects/ceph.log",
        AUTO,
        "Keys are as they are, with spaces; the referer is not quoted; the time is the gateway's own; the total time is always \
         `-`; bytes sent are those of the request; the request line always says HTTP/1.1; a bucket may have its tenant \
         before it. Who did not sign is `anonymous`, or `TENANT$anonymous`, which is NULL in `requests`. `object_key` is decoded \
         as AWS's: a key that itself holds a `%` and two hexadecimal digits comes out wrong.",
        "`ceph/ceph`, `src/rgw/rgw_bucket_logging.cc`",
    ),
    system(
        "Ceph, journal records",
        "dialects/ceph-journal.log",
        Dialect::CephJournal,
        "Eight fields: owner, bucket, time, operation, key, size, version id, etag. Keys and times as in standard records; the \
         etag goes to `extra_fields`.",
        "`ceph/ceph`, `src/rgw/rgw_bucket_logging.cc`; its documentation has another order",
    ),
    system(
        "Backblaze B2",
        "dialects/backblaze-b2.log",
        AUTO,
        "Operations such as `REST.S3_GET_OBJECT`; owners of 12 hexadecimal digits, requesters are ids of keys; bytes sent are `-` \
         in its sample.",
        "backblaze.com/docs/cloud-storage-bucket-access-logs",
    ),
    system(
        "OVHcloud, OpenIO",
        "dialects/ovh.log",
        AUTO,
        "Accounts and transactions of Swift for ids. The time is that of writing, not of receiving.",
        "`open-io/swift`, `swift/common/middleware/s3_logging.py`",
    ),
    system(
        "Scality",
        "dialects/scality.log",
        AUTO,
        "Keys are as they are; times have decimals and exponents and are rounded; quotes and backslashes between quotes are \
         escaped by a backslash, which stays; zero bytes are `0`, not `-`; more operations, such as `REST.PUT.RATELIMIT`.",
        "`scality/cloudserver`, log-courier",
    ),
    system(
        "Huawei OBS, Open Telekom Cloud",
        "dialects/huawei-obs.log",
        AUTO,
        "The first 18 fields are AWS's. Then come a URN, storage class and target storage class, which stand in the columns of \
         AWS's next fields: `host_id`, `signature_version`, `cipher_suite`. Spaces are doubled; who did not sign is `Anonymous`, \
         which is NULL in `requests`.",
        "Huawei's page on logging",
    ),
    system(
        "VersityGW",
        "dialects/versitygw.log",
        Dialect::VersityGw,
        "A file, not a bucket. Nothing is quoted; months are in full; operations such as `s3_GetObject`; keys are as they are; the \
         request-URI is a path without a method; an error of the gateway is a sentence in `error_code`; signature version, \
         authentication type, host header and aclRequired are always the same, the access point's ARN is made of bucket and \
         key. The referer is the first word of what could be it: a client that sends one with a space moves the rest of it \
         into `user_agent`.",
        "`versity/versitygw`, `s3log/file.go`",
    ),
];

/// Systems that do not write this format: name, what they write instead, and the source of that.
pub(super) const OTHERS: &[(&str, &str, &str)] = &[
    ("Alibaba Cloud OSS", "text with other fields, the address first", "alibabacloud.com/help, \"Log storage\""),
    ("AWS S3 Tables", "the same fields as columns of tables", "AWS's page \"Log format in CloudWatch Logs\""),
    (
        "Azure Blob Storage",
        "fields between semicolons, a version first",
        "learn.microsoft.com, \"Storage Analytics Log Format\"",
    ),
    ("Baidu BOS", "text of its own", "its documentation"),
    ("Cloudflare R2", "no bucket logging; logs of the account", "its list of S3 operations"),
    ("ColdStack", "JSON objects, as Yandex", "its documentation"),
    ("Garage", "nothing: bucket logging is not implemented", "garagehq.deuxfleurs.fr, \"S3 Compatibility status\""),
    ("Google Cloud Storage", "usage logs in CSV", "docs.cloud.google.com/storage/docs/access-logs"),
    ("IBM Cloud Object Storage", "JSON, into files or Activity Tracker", "its documentation"),
    ("Linode, Akamai", "no access logs of buckets; management events in another format", "its documentation"),
    ("LocalStack", "nothing: the configuration is kept, no log is written", "its source"),
    (
        "MinIO",
        "nothing: bucket logging is not supported; audit events as JSON to a webhook",
        "min.io/docs, \"S3 API Compatibility\"",
    ),
    (
        "moto",
        "one line an object, without a newline, the request-URI without quotes, fields missing: a reject",
        "`getmoto/moto`, `moto/s3/models.py`",
    ),
    ("NetApp StorageGRID", "audit messages, `[AUDT:[…]…]`", "docs.netapp.com, \"Audit log file format\""),
    ("NooBaa", "JSON to syslog or a volume", "its source"),
    ("Oracle Cloud", "JSON, in its logging service", "its documentation"),
    ("Scaleway", "nothing: bucket logging is not supported", "its list of S3 operations"),
    ("SeaweedFS", "audit events as maps to Fluentd", "its source, `-auditLogConfig`"),
    ("Tencent COS", "text with some 30 other fields", "its documentation"),
    ("Yandex Object Storage", "JSON objects", "its documentation"),
];
