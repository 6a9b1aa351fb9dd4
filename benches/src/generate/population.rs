//! The populations that lines are drawn from.

use crate::calendar::push_padded;
use crate::random::{Random, Weighted};
use crate::row::push_number;

const IPV4_ADDRESSES: u64 = 20_000;
const IPV6_ADDRESSES: u64 = 1_500;
const KEYS: u64 = 60_000;
const USERS: u64 = 12;
const ROLES: u64 = 30;
/// Number of letters in the first folder of a key.
pub(super) const FOLDER: usize = 8;
/// Region of all clients that are in AWS.
pub(super) const REGION: &str = "us-east-1";

/// A bucket and its host.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) name: &'static str,
    pub(super) endpoint: &'static str,
}

macro_rules! bucket {
    ($name:literal) => {
        Bucket { name: $name, endpoint: concat!($name, ".s3.us-east-1.amazonaws.com") }
    };
}

pub(super) const BUCKETS: [Bucket; 4] =
    [bucket!("media-prod"), bucket!("data-lake-raw"), bucket!("static-assets.example.com"), bucket!("backups-eu")];

/// The resource that a request refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Object,
    Listing,
    Deletion,
}

/// An operation, with its frequency per thousand lines.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) operation: &'static str,
    /// HTTP method; `None` for actions of S3 itself.
    pub(super) method: Option<&'static str>,
    pub(super) resource: Resource,
    weight: f64,
}

const fn action(operation: &'static str, method: Option<&'static str>, resource: Resource, weight: f64) -> Action {
    Action { operation, method, resource, weight }
}

const ACTIONS: [Action; 10] = [
    action("REST.GET.OBJECT", Some("GET"), Resource::Object, 620.0),
    action("REST.HEAD.OBJECT", Some("HEAD"), Resource::Object, 120.0),
    action("REST.PUT.OBJECT", Some("PUT"), Resource::Object, 110.0),
    action("REST.GET.BUCKET", Some("GET"), Resource::Listing, 50.0),
    action("REST.DELETE.OBJECT", Some("DELETE"), Resource::Object, 25.0),
    action("WEBSITE.GET.OBJECT", Some("GET"), Resource::Object, 25.0),
    action("BATCH.DELETE.OBJECT", None, Resource::Object, 20.0),
    action("S3.EXPIRE.OBJECT", None, Resource::Object, 12.0),
    action("REST.COPY.OBJECT", Some("PUT"), Resource::Object, 10.0),
    action("REST.POST.MULTI_OBJECT_DELETE", Some("POST"), Resource::Deletion, 8.0),
];

/// Result of a request, with its frequency per thousand.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) error: Option<&'static str>,
    weight: f64,
}

const fn outcome(status: u16, error: Option<&'static str>, weight: f64) -> Outcome {
    Outcome { status, error, weight }
}

const OUTCOMES: [Outcome; 7] = [
    outcome(200, None, 800.0),
    outcome(206, None, 60.0),
    outcome(304, None, 50.0),
    outcome(403, Some("AccessDenied"), 45.0),
    outcome(404, Some("NoSuchKey"), 40.0),
    outcome(503, Some("SlowDown"), 4.0),
    outcome(500, Some("InternalError"), 1.0),
];

/// TLS version and cipher of a connection.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) version: &'static str,
    pub(super) cipher: &'static str,
}

pub(super) const TLS: [Tls; 2] = [
    Tls { version: "TLSv1.2", cipher: "ECDHE-RSA-AES128-GCM-SHA256" },
    Tls { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" },
];

pub(super) const USER_AGENTS: [&str; 9] = [
    "aws-sdk-java/2.20.68 Linux/5.10.165-143.735.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/17.0.6+10-LTS Java/17.0.6 \
     vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy",
    "Boto3/1.26.90 Python/3.9.16 Linux/5.15.0 Botocore/1.29.90",
    "aws-cli/2.11.4 Python/3.11.2 Linux/5.10 exe/x86_64.amzn.2 prompt/off command/s3.sync",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "rclone/v1.65.0",
    "curl/8.4.0",
    "-",
];

/// An object key in the encodings used by logs.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// As in request-URIs and in rows of batches and lifecycle rules.
    pub(super) encoded_once: Vec<u8>,
    /// As in the key field of requests.
    pub(super) encoded_twice: Vec<u8>,
}

/// All populations of a log.
#[derive(Clone, Debug)]
pub(super) struct Population {
    pub(super) owner: Vec<u8>,
    addresses: Vec<Vec<u8>>,
    address_weights: Weighted,
    keys: Vec<Key>,
    key_weights: Weighted,
    requesters: Vec<Vec<u8>>,
    action_weights: Weighted,
    outcome_weights: Weighted,
}

impl Population {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut owner = Vec::new();
        random.hex(64, &mut owner);
        let mut requesters = vec![owner.clone()];
        requesters.extend((0..USERS).map(|_| user(random)));
        requesters.extend((0..ROLES).map(|_| role(random)));
        let mut addresses: Vec<Vec<u8>> = (0..IPV4_ADDRESSES).map(|_| ipv4(random)).collect();
        addresses.extend((0..IPV6_ADDRESSES).map(|_| ipv6(random)));
        Self {
            owner,
            address_weights: popularity(addresses.len(), 3.0, 0.9),
            addresses,
            keys: (0..KEYS).map(|_| key(random)).collect(),
            key_weights: popularity(KEYS as usize, 10.0, 0.8),
            requesters,
            action_weights: Weighted::new(&ACTIONS.map(|action| action.weight)),
            outcome_weights: Weighted::new(&OUTCOMES.map(|outcome| outcome.weight)),
        }
    }

    pub(super) fn action(&self, random: &mut Random) -> &'static Action {
        &ACTIONS[self.action_weights.draw(random)]
    }

    pub(super) fn outcome(&self, random: &mut Random) -> &'static Outcome {
        &OUTCOMES[self.outcome_weights.draw(random)]
    }

    pub(super) fn key(&self, random: &mut Random) -> &Key {
        &self.keys[self.key_weights.draw(random)]
    }

    pub(super) fn address(&self, random: &mut Random) -> &[u8] {
        &self.addresses[self.address_weights.draw(random)]
    }

    /// Draws a requester, uniformly; anonymous (`None`) is as likely as each of them.
    pub(super) fn requester(&self, random: &mut Random) -> Option<&[u8]> {
        let index = random.below(self.requesters.len() as u64 + 1) as usize;
        self.requesters.get(index).map(Vec::as_slice)
    }
}

/// Weights by rank: item `i` gets `1 / (i + offset) ^ exponent`.
fn popularity(count: usize, offset: f64, exponent: f64) -> Weighted {
    let weights: Vec<f64> = (0..count).map(|place| (place as f64 + offset).powf(-exponent)).collect();
    Weighted::new(&weights)
}

/// Addresses from 198.18.0.0/15, reserved for benchmarks (RFC 2544); the documentation networks are too small.
fn ipv4(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::with_capacity(15);
    out.extend_from_slice(if random.chance(500) { b"198.18" } else { b"198.19" });
    for _ in 0..2 {
        out.push(b'.');
        push_number(random.below(256), &mut out);
    }
    out
}

/// Addresses from 2001:db8::/32 (RFC 3849).
fn ipv6(random: &mut Random) -> Vec<u8> {
    let [site, host] = [random.below(1 << 16), random.between(1, (1 << 16) - 1)];
    format!("2001:db8:{site:x}::{host:x}").into_bytes()
}

fn account(random: &mut Random, out: &mut Vec<u8>) {
    push_padded(random.below(1_000_000_000_000) as i64, 12, out);
}

fn user(random: &mut Random) -> Vec<u8> {
    let mut out = b"arn:aws:iam::".to_vec();
    account(random, &mut out);
    out.extend_from_slice(b":user/svc-");
    random.lowercase(6, &mut out);
    out
}

fn role(random: &mut Random) -> Vec<u8> {
    let mut out = b"arn:aws:sts::".to_vec();
    account(random, &mut out);
    out.extend_from_slice(b":assumed-role/role-");
    random.lowercase(8, &mut out);
    out.extend_from_slice(b"/i-");
    random.hex(17, &mut out);
    out
}

fn key(random: &mut Random) -> Key {
    const EXTENSIONS: [&str; 6] = ["parquet", "jpg", "mp4", "js", "json.gz", "html"];
    let mut once = Vec::new();
    random.lowercase(FOLDER, &mut once);
    once.push(b'/');
    push_number(random.between(2018, 2025), &mut once);
    once.push(b'/');
    push_padded(random.between(1, 12) as i64, 2, &mut once);
    once.push(b'/');
    match random.below(3) {
        0 => {
            once.extend_from_slice(b"part-");
            push_padded(random.below(100_000) as i64, 5, &mut once);
        }
        1 => random.lowercase(12, &mut once),
        _ => {
            once.extend_from_slice(b"a%2Bb%20c");
            random.hex(6, &mut once);
        }
    }
    once.push(b'.');
    once.extend_from_slice(random.pick(&EXTENSIONS).as_bytes());
    let mut twice = Vec::with_capacity(once.len());
    for &byte in &once {
        twice.push(byte);
        if byte == b'%' {
            twice.extend_from_slice(b"25");
        }
    }
    Key { encoded_once: once, encoded_twice: twice }
}

/// Appends the query of a presigned URL.
pub(super) fn push_signature(random: &mut Random, out: &mut Vec<u8>) {
    out.extend_from_slice(b"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA");
    random.base36(16, out);
    out.extend_from_slice(
        b"%2F20260303%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260303T000000Z&X-Amz-Expires=3600\
          &X-Amz-SignedHeaders=host&X-Amz-Signature=",
    );
    random.hex(64, out);
}

/// Appends a referer.
pub(super) fn push_referer(random: &mut Random, out: &mut Vec<u8>) {
    out.extend_from_slice(b"https://www.example.com/p/");
    push_number(random.below(9_999), out);
}
