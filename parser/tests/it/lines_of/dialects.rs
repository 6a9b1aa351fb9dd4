//! Lines of the dialects that must be selected: Ceph's journal records and VersityGW's lines.

use super::hostile::FRAGMENTS;
use super::soup::TOKENS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use s3log_parser::Field;

/// A line of a dialect as its parts, so that tests know the expected values.
#[derive(Clone, Debug)]
pub(crate) struct DialectLine {
    /// The fields of the line, in order; the time without brackets.
    pub(crate) fields: Vec<(Field, Vec<u8>)>,
    /// Text after the last field.
    pub(crate) extra: Option<Vec<u8>>,
}

impl DialectLine {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (field, text) in &self.fields {
            pieces.push(if *field == Field::Time { [b"[", &text[..], b"]"].concat() } else { text.clone() });
        }
        pieces.extend(self.extra.clone());
        pieces.join(&b' ')
    }

    pub(crate) fn raw(&self, field: Field) -> Option<&[u8]> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_slice())
    }
}

/// One of the given words, as in fields that clients do not control.
fn word(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    select(words).prop_map(|word| word.as_bytes().to_vec())
}

/// Words crafted by a client, separated by single spaces.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        6 => "[a-z]{1,3}".prop_map(String::into_bytes),
        3 => select(TOKENS.to_vec()).prop_map(<[u8]>::to_vec),
        2 => select(FRAGMENTS.to_vec()).prop_map(<[u8]>::to_vec),
        1 => Just(b"/b/a 200 - 0 5 1 1 - u - -".to_vec()),
        2 => Just(b"SigV4 - AuthHeader h - arn:aws:s3:::/b/a Yes".to_vec()),
        1 => Just(b"SigV4 - AuthHeader h - arn:aws:s3:::/b/a".to_vec()),
        1 => Just(b"a".to_vec()),
        1 => Just(b"arn:aws:s3:::/b/a".to_vec()),
        1 => Just(b"SigV4 c AuthHeader h".to_vec()),
        1 => Just(b"200 - 0 5 1 1".to_vec()),
        1 => Just(b"[06/August/2024:10:00:00 +0200] s3_GetObject".to_vec()),
        1 => Just(b"[06/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT".to_vec()),
    ];
    vec(word, 1..7).prop_map(|words| plain(&words.join(&b' ')))
}

/// Removes leading, trailing and doubled spaces; never returns an empty text.
fn plain(text: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { b"x".to_vec() } else { words.join(&b' ') }
}

/// A journal record with an arbitrary key.
pub(crate) fn journal_line() -> impl Strategy<Value = DialectLine> {
    let key = prop_oneof![2 => "[a-z]{1,3}( [a-z0-9\"-]{1,2}){0,3}".prop_map(String::into_bytes), 1 => hostile()];
    let parts = (
        word(&["demo", "0f1e", "-"]),
        word(&["bucket", "t:bucket"]),
        word(&["06/Feb/2019:00:00:38 +0100", "15/May/2026:10:22:41 +0000"]),
        word(&["REST.PUT.OBJECT", "REST.DELETE.OBJECT", "REST.POST.UPLOAD"]),
        key,
        word(&["-", "0", "512", "1e+06"]),
        word(&["-", "null", "v8kQ2mExAmPlE"]),
        word(&["-", "5eb63bbbe01eeed093cb22bb8f5acdc3"]),
    );
    parts.prop_map(|(owner, bucket, time, operation, key, size, version, etag)| DialectLine {
        fields: vec![
            (Field::BucketOwner, owner),
            (Field::Bucket, bucket),
            (Field::Time, time),
            (Field::Operation, operation),
            (Field::Key, key),
            (Field::ObjectSize, size),
            (Field::VersionId, version),
        ],
        extra: Some(etag),
    })
}

/// A VersityGW line. Clients control key and user agent; the referer is a URL without spaces.
pub(crate) fn versity_line() -> impl Strategy<Value = DialectLine> {
    let key = prop_oneof![
        1 => Just(b"-".to_vec()),
        4 => "[a-z]{1,3}( [a-z0-9\"-]{1,2}){0,3}".prop_map(String::into_bytes),
        2 => hostile()
    ];
    let agent = prop_oneof![
        3 => word(&["-", "curl/8.5.0", "aws-cli/2.22.7 md/awscrt#0.23.3", "Mozilla/5.0 (X11; Linux x86_64)"]),
        2 => hostile(),
    ];
    let failure = prop_oneof![
        5 => (word(&["200", "204", "404"]), word(&["-", "NoSuchKey"])),
        1 => (word(&["500"]), word(&["open /data/a: permission denied", "EOF", "read 4 of 7 bytes"])),
    ];
    let month = select(&["January", "May", "August", "September"][..]);
    let head = (
        word(&["demo", "-"]),
        word(&["b", "-", "my bucket"]),
        month,
        word(&["192.0.2.3", "2001:db8::1"]),
        word(&["AKIAEXAMPLE", "-"]),
        word(&["s3_PutObject", "s3_GetObject", "ActionUnDetected", "-"]),
        key,
    );
    let uri = word(&["/b/a", "/b/my%20key?versionId=3", "/"]);
    let number = || word(&["0", "5", "81920"]);
    let middle = (uri, failure, number(), number(), number(), number());
    let tail = (
        word(&["-", "http://www.example.com/", "https://www.example.com/?q=1"]),
        agent,
        word(&["-", "null", "01HX"]),
        word(&["-", "q3Zl9dT0pXwE7uYc="]),
        word(&["-", "TLS_AES_128_GCM_SHA256"]),
        word(&["s3.us-east-1.amazonaws.com", "s3..amazonaws.com"]),
        word(&["-", "TLSv1.3"]),
    );
    (head, middle, tail).prop_map(|(head, middle, tail)| {
        let (owner, bucket, month, address, requester, operation, key) = head;
        let (uri, (status, error), sent, size, total, turn) = middle;
        let (referer, agent, version, host_id, cipher, host, tls) = tail;
        let or_empty = |text: &[u8]| if text == b"-" { Vec::new() } else { text.to_vec() };
        let path = [b"/", &or_empty(&bucket)[..], b"/", &or_empty(&key)].concat();
        let path = if key == b"-" { path[..path.len() - 1].to_vec() } else { path };
        let texts = [
            owner,
            bucket,
            format!("06/{month}/2024:10:00:00 +0200").into_bytes(),
            address,
            requester,
            b"1B2C3D4E5F607182".to_vec(),
            operation,
            key,
            uri,
            status,
            error,
            sent,
            size,
            total,
            turn,
            referer,
            agent,
            version,
            host_id,
            b"SigV4".to_vec(),
            cipher,
            b"AuthHeader".to_vec(),
            host,
            tls,
            [b"arn:aws:s3:::", &path[..]].concat(),
            b"Yes".to_vec(),
        ];
        DialectLine { fields: Field::ALL.into_iter().zip(texts).collect(), extra: None }
    })
}

/// A line of either dialect, or soup within the start and the end of one.
pub(crate) fn flagged_line() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        &b"o b [06/Feb/2019:00:00:38 +0000] REST.PUT.OBJECT "[..],
        b"o b [06/August/2019:00:00:38 +0000] ",
        b"o b [06/May/2019:00:00:38 +0000] 192.0.2.3 A R s3_PutObject ",
        b"o b [06/August/2019:00:00:38 +0000] 192.0.2.3 A R s3_PutObject a ",
        b"o b [06/August/2019:00:00:38 +0000] 192.0.2.3 A R s3_PutObject a /b/a 200 - 0 5 1 1 ",
        b"o  [",
    ]);
    let end = select(vec![
        &b""[..],
        b" 512 - e",
        b" SigV4 - AuthHeader h - arn:aws:s3:::/b/a Yes",
        b" - u - - SigV4 - AuthHeader h - arn:aws:s3:::/b/a Yes ",
        b" /b/a 500 open a: denied 0 5 1 1 - u - - SigV4 - AuthHeader h - arn:aws:s3:::/b/a  Yes",
        b" Yes",
    ]);
    let space = select(vec![&b" "[..], b" ", b" ", b"  ", b""]);
    let soup = (start, vec((hostile(), space), 0..5), end).prop_map(|(start, soup, end)| {
        let soup: Vec<u8> = soup.into_iter().flat_map(|(words, space)| [words, space.to_vec()]).flatten().collect();
        [start, &soup, end].concat()
    });
    prop_oneof![
        2 => journal_line().prop_map(|line| line.bytes()),
        3 => versity_line().prop_map(|line| line.bytes()),
        4 => soup,
    ]
}
