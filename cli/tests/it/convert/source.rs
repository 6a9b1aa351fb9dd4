//! Synthetic log objects: late, out of order, with rejects, some compressed, some lines repeated.

use std::io::Write as _;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::random::Random;

/// The contents of a log bucket.
#[derive(Debug)]
pub(super) struct Logs {
    /// Names and contents of the objects.
    pub(super) objects: Vec<(String, Bytes)>,
    pub(super) records: usize,
    pub(super) rejects: usize,
}

/// Addresses reserved for documentation.
const ADDRESSES: [&str; 4] = ["192.0.2.3", "198.51.100.77", "203.0.113.200", "2001:db8::17"];
/// Lines that are not records.
const NO_RECORDS: [&str; 3] = [
    "this is no record\n",
    "a1b2 photos [31/Foo/2026:10:00:00 +0000] 192.0.2.3 - 3E57427F33A59F07 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 1 1 1 1 \"-\" \"-\" -\n",
    "a1b2 photos [31/Jan/2026:10:0",
];
const MINUTES_BETWEEN: i64 = 25;

impl Logs {
    /// Generates `objects` log objects, delivered every 25 minutes, with records up to three days late.
    pub(super) fn new(objects: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let begin = DateTime::from_timestamp(1_769_817_600, 0).unwrap();
        let mut logs = Self { objects: Vec::new(), records: 0, rejects: 0 };
        let mut line_of_before = String::new();
        for number in 0..objects {
            let delivered = begin + TimeDelta::minutes(MINUTES_BETWEEN * number as i64);
            let mut lines = Vec::new();
            for _ in 0..3 + random.below(7) {
                // Request ids are consecutive, so that no two records are accidentally equal.
                logs.records += 1;
                lines.push(line(&mut random, logs.records, delivered));
            }
            // A line of the previous object delivered twice, and a line of this object repeated.
            if number % 13 == 5 {
                lines.push(line_of_before.clone());
                lines.push(lines[0].clone());
                logs.records += 2;
            }
            line_of_before.clone_from(&lines[0]);
            if number % 7 == 3 {
                lines.insert(random.below(lines.len()), NO_RECORDS[random.below(2)].to_owned());
                logs.rejects += 1;
            }
            // Without a line feed: a truncated delivery.
            if number % 31 == 30 {
                lines.push(NO_RECORDS[2].to_owned());
                logs.rejects += 1;
            }
            let text = lines.concat();
            let is_compressed = number % 3 == 1;
            let bytes = if is_compressed { gzip(text.as_bytes()) } else { text.into_bytes() };
            logs.objects.push((name(delivered, number), bytes.into()));
        }
        logs
    }

    /// Objects that are delivered later.
    pub(super) fn more(objects: usize) -> Self {
        let mut logs = Self::new(objects, 99);
        for (name, _) in &mut logs.objects {
            *name = name.replace("2026-", "2027-");
        }
        logs
    }
}

/// A name as AWS assigns it, with an extension for some, as in archives.
fn name(delivered: DateTime<Utc>, number: usize) -> String {
    let ending = if number % 6 == 1 { ".gz" } else { "" };
    format!("{}-{number:016X}{ending}", delivered.format("%Y-%m-%d-%H-%M-%S"))
}

/// A record up to three days older than its delivery; most are minutes old.
fn line(random: &mut Random, number: usize, delivered: DateTime<Utc>) -> String {
    let late = if random.below(20) == 0 { random.below(3 * 86_400) } else { random.below(3_600) };
    let time = (delivered - TimeDelta::seconds(late as i64)).format("%d/%b/%Y:%H:%M:%S");
    let bucket = ["photos", "media"][random.below(2)];
    let address = ADDRESSES[random.below(ADDRESSES.len())];
    let key = format!("k/{:03}", random.below(200));
    let (operation, method, status) =
        [("REST.GET.OBJECT", "GET", 200), ("REST.PUT.OBJECT", "PUT", 200), ("REST.HEAD.OBJECT", "HEAD", 404)]
            [random.below(3)];
    let size = random.below(1_000_000);
    // Random, so that dictionary encoding does not pay off.
    let host_id = format!("{:016x}{:016x}", random.draw(), random.draw());
    format!(
        "0123456789abcdef {bucket} [{time} +0000] {address} - {number:016X} {operation} {key} \"{method} /{key} HTTP/1.1\" {status} - \
         {size} {size} 17 15 \"-\" \"curl/8.4.0\" - {host_id} SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader \
         {bucket}.s3.us-east-1.amazonaws.com TLSv1.2 - -\n"
    )
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
