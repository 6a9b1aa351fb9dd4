//! An endless, seeded log of a busy account, with realistic distributions, generated quickly.
//!
//! A line has about 617 bytes and 27 fields. Addresses, keys and requesters come from populations of fixed size with
//! heavy-tailed popularity, so that `GROUP BY` has a realistic workload; operations, statuses and clients are mixed
//! as for buckets behind a web site and a data lake. Start at [`Generator`].

mod hostile;
mod population;

use crate::calendar::{TimeStamp, midnight};
use crate::random::Random;
use crate::row::{Era, Quoted, Row};
use hostile::Hostile;
use population::{Action, Population, Resource};

/// Of a thousand downloads, the number with a presigned URL.
const PRESIGNED: u64 = 50;
/// Of a thousand requests, the number that needed an access control list.
const BY_ACL: u64 = 20;
/// Of a thousand requests, the number with a referer.
const WITH_REFERER: u64 = 200;
/// Of a thousand deletions by batch or lifecycle rule, the number with a version id.
const WITH_VERSION: u64 = 300;
/// Maximum delay in seconds by which a request is logged out of order.
const JITTER: u64 = 2;
/// Maximum object size in bytes.
const LARGEST_OBJECT: u64 = 5 << 30;
/// Size of an error response's body in bytes.
const ERROR_BODY: u64 = 243;
/// Request ids are hexadecimal until this year.
const HEX_REQUEST_IDS_UNTIL: u16 = 2019;

/// Options of the generator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed; the same seed gives the same lines.
    pub seed: u64,
    /// Expected number of lines, which are spread evenly over `hours`. More may be generated.
    pub lines: u64,
    /// Hours covered by `lines` lines.
    pub hours: f64,
    /// Percentage of hostile lines: quotes, forged tails, spliced records, NUL, invalid UTF-8.
    pub hostile_percent: f64,
    /// Year of the lines, which determines their fields. The first line is on 3 March.
    pub year: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, lines: 100_000, hours: 72.0, hostile_percent: 0.0, year: 2026 }
    }
}

/// Generates an endless log.
#[derive(Clone, Debug)]
pub struct Generator {
    population: Population,
    random: Random,
    stamp: TimeStamp,
    client: Client,
    ids: Ids,
    era: Era,
    hex_request_ids: bool,
    start: i64,
    step_micros: u64,
    drawn: u64,
    time: i64,
    hostile_in_a_million: u64,
    bucket: Option<usize>,
}

/// Text sent by the client; buffers are reused from line to line.
#[derive(Clone, Debug, Default)]
struct Client {
    key: Vec<u8>,
    uri: Vec<u8>,
    referer: Vec<u8>,
    user_agent: Vec<u8>,
}

/// Ids that the service assigns to a request.
#[derive(Clone, Debug, Default)]
struct Ids {
    request: Vec<u8>,
    host: Vec<u8>,
    version: Vec<u8>,
}

impl Generator {
    /// Creates a generator; drawing the populations takes some milliseconds.
    pub fn new(options: &Options) -> Self {
        let mut random = Random::new(options.seed);
        let population = Population::new(&mut random);
        let micros = options.hours * 3_600e6 / options.lines.max(1) as f64;
        let start = midnight(i64::from(options.year), 3, 3);
        Self {
            population,
            random,
            stamp: TimeStamp::default(),
            client: Client::default(),
            ids: Ids::default(),
            era: Era::of_year(options.year),
            hex_request_ids: options.year <= HEX_REQUEST_IDS_UNTIL,
            start,
            step_micros: micros.max(0.0) as u64,
            drawn: 0,
            time: start,
            hostile_in_a_million: (options.hostile_percent * 10_000.0) as u64,
            bucket: None,
        }
    }

    /// Appends one line including its newline. Hostile lines do not contain any other newline.
    pub fn line(&mut self, out: &mut Vec<u8>) {
        if self.hostile_in_a_million == 0 || self.random.below(1_000_000) >= self.hostile_in_a_million {
            return self.record(None, out);
        }
        let hostile = *self.random.pick(&Hostile::ALL);
        if hostile == Hostile::Spliced {
            let start = out.len();
            self.record(None, out);
            let cut = self.random.between(1, (out.len() - start) as u64 - 2) as usize;
            out.truncate(start + cut);
        }
        self.record(Some(hostile), out);
    }

    /// Returns whole lines, at least `bytes` bytes in total.
    pub fn buffer(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes + 4096);
        while out.len() < bytes {
            self.line(&mut out);
        }
        out
    }

    /// Time of the last line's request, in seconds since 1970.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// From now on, all lines are of one randomly chosen bucket, as in a log object.
    pub fn change_bucket(&mut self) {
        self.bucket = Some(self.random.below(population::BUCKETS.len() as u64) as usize);
    }

    /// Appends one record, with hostile client text if requested.
    fn record(&mut self, hostile: Option<Hostile>, out: &mut Vec<u8>) {
        self.advance();
        self.draw_ids();
        let action = self.population.action(&mut self.random);
        match action.method {
            Some(method) => self.request(action, method, hostile, out),
            None => self.own_doing(action, out),
        }
    }

    fn advance(&mut self) {
        let micros = self.drawn * self.step_micros + self.random.below(JITTER * 1_000_000);
        self.time = self.start + (micros / 1_000_000) as i64;
        self.drawn += 1;
    }

    fn draw_ids(&mut self) {
        let Self { ids, random, hex_request_ids, .. } = self;
        ids.request.clear();
        if *hex_request_ids {
            random.hex_upper(16, &mut ids.request)
        } else {
            random.base36(16, &mut ids.request)
        }
        ids.host.clear();
        random.base64(75, &mut ids.host);
        ids.host.push(b'=');
    }

    fn draw_bucket(&mut self) -> &'static population::Bucket {
        match self.bucket {
            Some(bucket) => &population::BUCKETS[bucket],
            None => self.random.pick(&population::BUCKETS),
        }
    }

    /// Appends an HTTP request.
    fn request(&mut self, action: &'static Action, method: &str, hostile: Option<Hostile>, out: &mut Vec<u8>) {
        let bucket = self.draw_bucket();
        let Self { population, random, client, ids, .. } = self;
        let key = population.key(random);
        let outcome = population.outcome(random);
        let requester = population.requester(random);
        let failed = outcome.status >= 400;
        let download = method == "GET";

        client.uri.clear();
        client.uri.extend_from_slice(method.as_bytes());
        client.uri.extend_from_slice(b" /");
        client.uri.extend_from_slice(bucket.name.as_bytes());
        match action.resource {
            Resource::Object => {
                client.uri.push(b'/');
                client.uri.extend_from_slice(&key.encoded_once);
            }
            Resource::Listing => {
                client.uri.extend_from_slice(b"?list-type=2&prefix=");
                client.uri.extend_from_slice(&key.encoded_once[..population::FOLDER]);
                client.uri.extend_from_slice(b"%2F&max-keys=1000");
            }
            Resource::Deletion => client.uri.extend_from_slice(b"?delete"),
        }
        if download && action.resource == Resource::Object && random.chance(PRESIGNED) {
            population::push_signature(random, &mut client.uri);
        }
        client.uri.extend_from_slice(b" HTTP/1.1");

        client.key.clear();
        client.key.extend_from_slice(if action.resource == Resource::Object { &key.encoded_twice } else { b"-" });
        client.referer.clear();
        if random.chance(WITH_REFERER) {
            population::push_referer(random, &mut client.referer);
        } else {
            client.referer.push(b'-');
        }
        client.user_agent.clear();
        client.user_agent.extend_from_slice(random.pick(&population::USER_AGENTS).as_bytes());
        if let Some(hostile) = hostile {
            hostile.apply(random, client);
        }

        let size = random.object_size(LARGEST_OBJECT);
        let bytes_sent = match outcome.status {
            200 | 206 if download => Some(size),
            400.. => Some(ERROR_BODY),
            _ => None,
        };
        let total_time = random.duration();
        let turn_around = total_time.saturating_sub(random.below(10)).max(1);
        let tls = random.pick(&population::TLS);
        let row = Row {
            bucket_owner: &population.owner,
            bucket: bucket.name.as_bytes(),
            time: self.time,
            remote_ip: Some(population.address(random)),
            requester,
            request_id: &ids.request,
            operation: action.operation.as_bytes(),
            key: Some(&client.key),
            request_uri: Quoted::Text(&client.uri),
            status: Some(outcome.status),
            error_code: outcome.error.map(str::as_bytes),
            bytes_sent,
            object_size: (!failed && action.resource != Resource::Listing).then_some(size),
            total_time: Some(total_time),
            turn_around_time: (method != "HEAD").then_some(turn_around),
            referer: Quoted::Text(&client.referer),
            user_agent: Quoted::Text(&client.user_agent),
            host_id: Some(&ids.host),
            signature_version: requester.map(|_| b"SigV4".as_slice()),
            cipher_suite: Some(tls.cipher.as_bytes()),
            authentication_type: requester.map(|_| b"AuthHeader".as_slice()),
            host_header: Some(bucket.endpoint.as_bytes()),
            tls_version: Some(tls.version.as_bytes()),
            acl_required: random.chance(BY_ACL),
            source_region: Some(population::REGION.as_bytes()),
            ..Row::BLANK
        };
        row.render(self.era, &mut self.stamp, out);
    }

    /// Appends a deletion by a batch or a lifecycle rule, which has no request line.
    fn own_doing(&mut self, action: &'static Action, out: &mut Vec<u8>) {
        let bucket = self.draw_bucket();
        let Self { population, random, ids, .. } = self;
        let batch = action.operation.starts_with("BATCH");
        ids.version.clear();
        if random.chance(WITH_VERSION) {
            random.base36(32, &mut ids.version);
        }
        let row = Row {
            bucket_owner: &population.owner,
            bucket: bucket.name.as_bytes(),
            time: self.time,
            requester: Some(if batch { population.owner.as_slice() } else { b"AmazonS3" }),
            request_id: &ids.request,
            operation: action.operation.as_bytes(),
            key: Some(&population.key(random).encoded_once),
            request_uri: if batch { Quoted::Bare } else { Quoted::Nothing },
            status: batch.then_some(204),
            object_size: Some(random.object_size(LARGEST_OBJECT)),
            referer: if batch { Quoted::Bare } else { Quoted::Nothing },
            user_agent: if batch { Quoted::Bare } else { Quoted::Nothing },
            version_id: (!ids.version.is_empty()).then_some(&ids.version),
            host_id: Some(&ids.host),
            source_region: batch.then_some(population::REGION.as_bytes()),
            ..Row::BLANK
        };
        row.render(self.era, &mut self.stamp, out);
    }
}

#[cfg(test)]
mod tests;
