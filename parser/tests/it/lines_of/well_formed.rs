//! Lines as AWS and other stores write them.

use proptest::prelude::*;
use proptest::sample::select;
use s3log_parser::Field;

/// An AWS line as its parts, so that tests know the expected values and can replace the quoted text.
#[derive(Clone, Debug)]
pub(crate) struct AwsLine {
    /// Bucket owner to operation and key; the time without brackets.
    pub(crate) head: [String; 8],
    /// Without quotes; `None` is a bare dash.
    pub(crate) request_uri: Option<Vec<u8>>,
    /// HTTP status to turn-around time.
    pub(crate) numbers: [String; 6],
    /// Without quotes; `None` is a bare dash.
    pub(crate) referer: Option<Vec<u8>>,
    /// Without quotes; `None` is a bare dash.
    pub(crate) user_agent: Option<Vec<u8>>,
    /// Version id and the fields after it.
    pub(crate) tail: Vec<String>,
    /// The additional field of March 2019, after the version id.
    pub(crate) march_2019: Option<String>,
    /// Number of spaces between fields.
    pub(crate) spaces: usize,
}

impl AwsLine {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let quoted = |text: &Option<Vec<u8>>| match text {
            Some(text) => [b"\"", &text[..], b"\""].concat(),
            None => b"-".to_vec(),
        };
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (number, text) in self.head.iter().enumerate() {
            let is_time = number == Field::Time.index();
            pieces.push(if is_time { format!("[{text}]") } else { text.clone() }.into_bytes());
        }
        pieces.push(quoted(&self.request_uri));
        pieces.extend(self.numbers.iter().map(|number| number.clone().into_bytes()));
        pieces.push(quoted(&self.referer));
        pieces.push(quoted(&self.user_agent));
        for (number, token) in self.tail.iter().enumerate() {
            pieces.push(token.clone().into_bytes());
            if number == 0 {
                pieces.extend(self.march_2019.clone().map(String::into_bytes));
            }
        }
        pieces.join(&b" ".repeat(self.spaces)[..])
    }

    /// The field as written, without quotes or brackets.
    pub(crate) fn raw(&self, field: Field) -> Option<&[u8]> {
        match field {
            Field::RequestUri => Some(self.request_uri.as_deref().unwrap_or(b"-")),
            Field::Referer => Some(self.referer.as_deref().unwrap_or(b"-")),
            Field::UserAgent => Some(self.user_agent.as_deref().unwrap_or(b"-")),
            _ if field < Field::RequestUri => Some(self.head[field.index()].as_bytes()),
            _ if field < Field::Referer => Some(self.numbers[field.index() - Field::HttpStatus.index()].as_bytes()),
            _ => self.tail.get(field.index() - Field::VersionId.index()).map(String::as_bytes),
        }
    }

    /// Fields that AWS does not document.
    pub(crate) fn extra_fields(&self) -> Vec<&[u8]> {
        let documented = Field::COUNT - Field::VersionId.index();
        self.march_2019.iter().chain(self.tail.iter().skip(documented)).map(String::as_bytes).collect()
    }
}

/// A well-formed AWS line of any age.
///
/// Values are selected from lists: what matters is their kind and position, and generating random text of this length
/// would dominate the run time.
pub(crate) fn aws_line() -> impl Strategy<Value = AwsLine> {
    let parts = (head(), select(REQUEST_URIS), numbers(), select(AGENTS), select(AGENTS), tail());
    (parts, 0..8_u8, prop_oneof![9 => Just(1_usize), 1 => 2..4_usize]).prop_map(
        |((head, request_uri, numbers, referer, user_agent, (tail, march_2019)), bare, spaces)| {
            // Records of batch deletes and copies have bare dashes in all three places.
            let quoted = |text: &str| (bare != 0).then(|| text.as_bytes().to_vec());
            AwsLine {
                head,
                request_uri: quoted(request_uri),
                numbers,
                referer: quoted(referer),
                user_agent: quoted(user_agent),
                tail,
                march_2019,
                spaces,
            }
        },
    )
}

type Words = &'static [&'static str];

const OWNERS: Words = &["-", "79a59df900b949e5", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"];
const BUCKETS: Words = &["amzn-s3-demo-bucket", "www.example.com", "b", "3.14-logs"];
const ADDRESSES: Words = &["-", "192.0.2.3", "198.51.100.254", "2001:db8::17", "::ffff:192.0.2.7"];
const REQUESTERS: Words = &[
    "-",
    "AmazonS3",
    "svc:delivery.logs.amazonaws.com",
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
    "arn:aws:iam::123456789012:user/path/a+b@example.com",
    "arn:aws:sts::123456789012:assumed-role/role/session",
    "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLEID",
];
const REQUEST_IDS: Words = &["3E57427F33A59F07", "MWDFHJFSJ46E6XAJ", "3b0d7f4e-0000-4000-8000-5a6f6d2b1c11", "-"];
const OPERATIONS: Words = &[
    "REST.GET.OBJECT",
    "REST.HEAD.OBJECT",
    "REST.PUT.OBJECT",
    "REST.GET.LOGGING_STATUS",
    "REST.POST.MULTI_OBJECT_DELETE",
    "REST.S3_GET_OBJECT",
    "REST.COPY.OBJECT_GET",
    "BATCH.DELETE.OBJECT",
    "S3.EXPIRE.OBJECT",
    "S3.TRANSITION_INT.OBJECT",
    "S3.COMPUTE.OBJECT.CHECKSUM",
    "WEBSITE.GET.OBJECT",
    "WEBSITE.INVALIDOPERATION",
    "SOAP.ListAllMyBuckets",
];
const REQUEST_URIS: Words = &[
    "-",
    "",
    "GET / HTTP/1.1",
    "GET /amzn-s3-demo-bucket/photos/a%20b.jpg?versionId=null HTTP/1.1",
    "POST /?delete HTTP/1.1",
    "PUT /k?x-id=PutObject&X-Amz-Date=20190206T000038Z HTTP/1.0",
    "GET //?s=index/\\think\\app HTTP/1.1",
];
const AGENTS: Words = &[
    "-",
    "",
    "--",
    "- ",
    "https://www.example.com/a?b=c&d=[e]",
    "curl/8.5.0",
    "S3Console/0.4, aws-internal/3",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)  Safari/537.36",
    "a\\",
];
const HOST_IDS: Words =
    &["-", "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234=", "aGVsbG8gd29ybGQ="];
const ERRORS: Words = &["-", "-", "-", "NoSuchKey", "AccessDenied", "TemporaryRedirect"];
const NUMBERS: Words = &["-", "0", "7", "34", "2326", "4294967296", "422868123111", "45.5", "1.234567e+06"];

fn words(words: Words) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

fn head() -> impl Strategy<Value = [String; 8]> {
    let key = prop_oneof![
        1 => Just("-".to_owned()),
        3 => "[a-z0-9*/+:~._-]{2,6}",
        3 => "([a-z]|%2[05B]|%25[234][0-9A-Fa-f]|%25C3%25A9|%|%4|\\+|/){1,6}",
    ];
    let of = words;
    (of(OWNERS), of(BUCKETS), time(), of(ADDRESSES), of(REQUESTERS), of(REQUEST_IDS), of(OPERATIONS), key).prop_map(
        |(owner, bucket, time, address, requester, request_id, operation, key)| {
            [owner, bucket, time, address, requester, request_id, operation, key]
        },
    )
}

/// A valid time without its brackets.
fn time() -> impl Strategy<Value = String> {
    let month: Words = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let offset: Words = &["+0000", "+0000", "+0000", "-0500", "+0545", "-2359"];
    let year = prop_oneof![4 => 2006..2030_u16, 1 => 1..=9999_u16];
    (1..=28, select(month), year, 0..24, 0..60, 0..=60, select(offset)).prop_map(
        |(day, month, year, hour, minute, second, offset)| {
            format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} {offset}")
        },
    )
}

fn numbers() -> impl Strategy<Value = [String; 6]> {
    let status: Words = &["-", "200", "204", "206", "304", "404", "503"];
    (words(status), words(ERRORS), words(NUMBERS), words(NUMBERS), words(NUMBERS), words(NUMBERS))
        .prop_map(|(status, error, a, b, c, d)| [status, error, a, b, c, d])
}

/// Fields from 18 on, as many as logs of some age have, and the additional field of March 2019.
fn tail() -> impl Strategy<Value = (Vec<String>, Option<String>)> {
    let documented = (
        words(&["-", "null", "NBh28WVku.QO7ZIdWpI2hEA_qAfBi_fY"]),
        words(HOST_IDS),
        words(&["-", "SigV2", "SigV4"]),
        words(&["-", "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"]),
        words(&["-", "AuthHeader", "QueryString"]),
        words(&["-", "www.example.com", "amzn-s3-demo-bucket.s3.eu-west-1.amazonaws.com"]),
        words(&["-", "TLSv1", "TLSV1.2", "TLSv1.3"]),
        words(&["-", "-", "arn:aws:s3:us-east-1:123456789012:accesspoint/ap", "arn:aws-cn:s3:cn-north-1:1:a"]),
        words(&["-", "Yes"]),
        words(&["-", "us-east-1", "us-gov-west-1", "ap-southeast-12"]),
    );
    let lengths = select(&[0_usize, 1, 6, 7, 8, 9, 10, 10, 10, 12][..]);
    let later = (words(&["-", "x", "Yes"]), words(&["-", "arn:aws:s3:::x", "us-east-1"]));
    let march = proptest::option::weighted(0.2, words(&["-", "AIDAEXAMPLE0", "AROAEXAMPLEID12345678"]));
    (documented, lengths, later, march).prop_map(|(documented, length, later, march_2019)| {
        let (version, mut host, mut signature, cipher, auth, name, tls, arn, acl, region) = documented;
        // The format of March 2019 is recognised by a signature version after the host id.
        let march_2019 = march_2019.filter(|_| length >= 6);
        if march_2019.is_some() {
            host = HOST_IDS[1].to_owned();
            if signature == "-" {
                signature = "SigV4".to_owned();
            }
        }
        let mut tail = vec![version, host, signature, cipher, auth, name, tls, arn, acl, region];
        tail.extend([later.0, later.1]);
        tail.truncate(length);
        (tail, march_2019)
    })
}

/// A line of Ceph (raw keys, unquoted referers), Scality (decimals, backslashes), Huawei (double spaces), VersityGW or
/// moto (no quotes).
pub(crate) fn dialect_line() -> impl Strategy<Value = Vec<u8>> {
    let key = "[a-z]{1,2}( {1,2}[a-z\"-]{1,2}){0,3}";
    let number = || "-|[0-9]{1,3}(\\.[0-9]{1,3})?(e[+-][0-9]{1,2})?";
    let referer = "-|http://example\\.com/[a-z \"]{0,8}[a-z]";
    let agent = "[a-z0-9/ \\\\\"]{0,10}";
    let parts = (key, number(), number(), number(), referer, agent);
    (0..5, parts).prop_map(|(dialect, (key, size, total, turn, referer, agent))| {
        let start = "demo t:bucket [06/Feb/2019:01:00:38 +0100] 192.0.2.3 alice";
        let line = match dialect {
            0 | 1 => format!(
                "{start} 7d4f.4179.1508 REST.PUT.OBJECT {key} \"PUT /b/{key} HTTP/1.1\" 200 - {size} 5 - {turn} \
                 {referer} \"{agent}\" - 7d4f SigV4 - AuthHeader h.example.com - - Yes"
            ),
            2 => format!(
                "{start} 0a0b REST.GET.OBJECT {key} \"GET /b/k HTTP/1.1\" 200 - {size} 1e+06 {total} {turn} \
                 \"{referer}\" \"{agent}\" - - SigV4 - AuthHeader h TLSv1.3 - -"
            ),
            3 => format!(
                "{start} R  REST.GET.BUCKET.LOCATION - \"GET /b?x HTTP/1.1\" 200 - {size} - {total} {turn} \
                 \"{referer}\"  \"{agent}\" - STS STANDARD STANDARD"
            ),
            _ => format!(
                "{start} R REST.GET.OBJECT {key} /b/{key} 200 - {size} 5 {total} {turn} {referer} {agent} - - SigV4 - \
                 AuthHeader h - arn:aws:s3:::b/k Yes"
            ),
        };
        line.into_bytes()
    })
}
