//! Lines as AWS and other stores write them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use s3log_parser::Field;

/// A line of AWS by its parts, so that a test knows what must come out, and can put other text into the quotes.
#[derive(Clone, Debug)]
pub(crate) struct AwsLine {
    /// Bucket owner to key; the time without its brackets.
    pub(crate) head: [String; 8],
    /// Without quotes; `None` is a bare dash.
    pub(crate) request_uri: Option<Vec<u8>>,
    /// HTTP status to turn-around time.
    pub(crate) numbers: [String; 6],
    /// Without quotes; `None` is a bare dash.
    pub(crate) referer: Option<Vec<u8>>,
    /// Without quotes; `None` is a bare dash.
    pub(crate) user_agent: Option<Vec<u8>>,
    /// Version id and what stands behind it.
    pub(crate) tail: Vec<String>,
    /// What logs of March 2019 hold behind the version id.
    pub(crate) march_2019: Option<String>,
    /// Spaces between fields.
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

    /// The field as written, without quotes and brackets.
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

    /// What is no field that AWS documents.
    pub(crate) fn extra_fields(&self) -> Vec<&[u8]> {
        let documented = Field::COUNT - Field::VersionId.index();
        self.march_2019.iter().chain(self.tail.iter().skip(documented)).map(String::as_bytes).collect()
    }
}

/// A well-formed line of AWS, of any era.
pub(crate) fn aws_line() -> impl Strategy<Value = AwsLine> {
    let parts = (head(), one_of_or_dash("[A-Z]{3,6} /[!#-~]{0,30} HTTP/1\\.[01]"), numbers(), agent(), agent(), tail());
    (parts, 0..8_u8, prop_oneof![9 => Just(1_usize), 1 => 2..4_usize]).prop_map(
        |((head, request_uri, numbers, referer, user_agent, (tail, march_2019)), bare, spaces)| AwsLine {
            head,
            // Rows of batch deletes and of copies have bare dashes, in all three places.
            request_uri: (bare != 0).then_some(request_uri.into_bytes()),
            numbers,
            referer: (bare != 0).then_some(referer.into_bytes()),
            user_agent: (bare != 0).then_some(user_agent.into_bytes()),
            tail,
            march_2019,
            spaces,
        },
    )
}

fn head() -> impl Strategy<Value = [String; 8]> {
    let address = prop_oneof![
        Just("-".to_owned()),
        (0..=255_u8).prop_map(|last| format!("192.0.2.{last}")),
        any::<u16>().prop_map(|last| format!("2001:db8::{last:x}")),
        Just("::ffff:192.0.2.7".to_owned()),
    ];
    let requester = prop_oneof![
        Just("-".to_owned()),
        Just("AmazonS3".to_owned()),
        Just("svc:delivery.logs.amazonaws.com".to_owned()),
        "[0-9a-f]{64}",
        "arn:aws:iam::[0-9]{12}:user/[a-z@+/]{1,12}",
        "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E[A-Z0-9]{12}",
    ];
    let request_id = prop_oneof![4 => "[0-9A-Z]{16}", 1 => "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"];
    let operation = select(vec![
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
    ]);
    let key = prop_oneof![
        1 => Just("-".to_owned()),
        3 => "[a-z0-9*/+:~._-]{2,24}",
        3 => "([a-z]|%2[05B]|%25[234][0-9A-Fa-f]|%25C3%25A9|%|%4|\\+|/){1,12}",
    ];
    let owner = one_of_or_dash("[0-9a-f]{64}");
    (owner, "[a-z0-9][a-z0-9.-]{2,20}", time(), address, requester, request_id, operation, key).prop_map(
        |(owner, bucket, time, address, requester, request_id, operation, key)| {
            [owner, bucket, time, address, requester, request_id, operation.to_owned(), key]
        },
    )
}

/// A valid time without its brackets.
fn time() -> impl Strategy<Value = String> {
    let month = select(vec!["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]);
    let offset = prop_oneof![4 => Just("+0000".to_owned()), 1 => "[+-](0[0-9]|1[0-9]|2[0-3])[0-5][0-9]"];
    let year = prop_oneof![4 => 2006..2030_u16, 1 => 1..=9999_u16];
    (1..=28, month, year, 0..24, 0..60, 0..=60, offset).prop_map(|(day, month, year, hour, minute, second, offset)| {
        format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} {offset}")
    })
}

fn numbers() -> impl Strategy<Value = [String; 6]> {
    let number = || one_of_or_dash("0|[1-9][0-9]{0,12}");
    let status = one_of_or_dash("[1-5][0-9]{2}");
    let error = prop_oneof![4 => Just("-".to_owned()), 1 => "[A-Z][A-Za-z]{3,20}"];
    (status, error, number(), number(), number(), number())
        .prop_map(|(status, error, a, b, c, d)| [status, error, a, b, c, d])
}

/// Contents of a header, without a quote.
fn agent() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("-".to_owned()),
        1 => Just(String::new()),
        2 => "https?://[a-z]{1,8}\\.example\\.com/[!#-~]{0,20}",
        3 => "[A-Za-z]{3,8}/[0-9.]{1,6}( \\([A-Za-z0-9;,' ]{0,20}\\))?( [A-Za-z]{3,8}/[0-9.]{1,6})?",
    ]
}

/// Fields 18 and later, as many as some era wrote, and the field of March 2019.
fn tail() -> impl Strategy<Value = (Vec<String>, Option<String>)> {
    let documented = (
        one_of_or_dash("null|[A-Za-z0-9._]{32}"),
        "[A-Za-z0-9+/]{75}=",
        one_of_or_dash("SigV[24]"),
        one_of_or_dash("TLS_AES_128_GCM_SHA256|ECDHE-RSA-AES128-GCM-SHA256"),
        one_of_or_dash("AuthHeader|QueryString"),
        "[a-z]{3,8}\\.s3\\.eu-west-1\\.amazonaws\\.com",
        one_of_or_dash("TLSv1(\\.[123])?"),
        one_of_or_dash("arn:aws(-cn)?:s3:us-east-1:[0-9]{12}:accesspoint/[a-z]{3,8}"),
        one_of_or_dash("Yes"),
        one_of_or_dash("(us|eu|ap)(-gov|-iso)?-(east|west|central|southeast)-[1-9]"),
    );
    let lengths = select(vec![0, 1, 6, 7, 8, 9, 10, 10, 10, 12]);
    let later = vec(one_of_or_dash("[A-Za-z0-9:/.-]{2,12}"), 2);
    let march = proptest::option::weighted(0.2, one_of_or_dash("A[A-Z]{3}[A-Z0-9]{8,17}"));
    (documented, lengths, later, march).prop_map(|(documented, length, later, march_2019)| {
        let (version, host, mut signature, cipher, auth, name, tls, arn, acl, region) = documented;
        // The variant of March 2019 is known by its signature version behind a host id.
        let march_2019 = march_2019.filter(|_| length >= 6);
        if march_2019.is_some() && signature == "-" {
            signature = "SigV4".to_owned();
        }
        let mut tail = vec![version, host, signature, cipher, auth, name, tls, arn, acl, region];
        tail.extend(later);
        tail.truncate(length);
        (tail, march_2019)
    })
}

/// What the pattern generates, or a dash.
fn one_of_or_dash(pattern: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("-".to_owned()), 3 => pattern]
}

/// A line of Ceph (raw keys, unquoted referers), Scality (decimals, backslashes), Huawei (double spaces), VersityGW or
/// moto (no quotes).
pub(crate) fn dialect_line() -> impl Strategy<Value = Vec<u8>> {
    let key = "[a-z]{1,4}( {1,2}[a-z\"-]{1,3}){0,3}";
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
