//! Records what happens: a client sends a request, the world determines the result, and a line is written as by S3.

use std::rc::Rc;

use super::cast::{Address, Campaign, Cast, Net};
use super::world::World;
use crate::calendar::{DAY, TimeStamp};
use crate::random::Random;
use crate::row::{Era, Quoted, Row};
use crate::story::encode;

/// A written line, and what determines where it is delivered.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) bucket: usize,
    pub(super) time: i64,
    /// Offset in [`Scene::text`], and length.
    pub(super) start: usize,
    pub(super) length: usize,
}

/// A client: an address and its properties.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) address: Address,
    pub(super) requester: Option<String>,
    pub(super) agent: Option<String>,
    /// The AWS Region of the client.
    pub(super) region: Option<&'static str>,
    /// Whether it uses the website endpoint if there is one.
    pub(super) website: bool,
    /// TLS version: 2 for 1.3, 1 for 1.2, 0 for plain HTTP.
    pub(super) tls: u8,
}

impl Who {
    /// The same client with another user agent.
    pub(super) fn with_agent(&self, agent: impl Into<String>) -> Self {
        Self { agent: Some(agent.into()), ..self.clone() }
    }

    /// The same client, signing requests.
    pub(super) fn signing(&self, requester: &str) -> Self {
        Self { requester: Some(requester.to_owned()), website: false, ..self.clone() }
    }

    /// The same client at the website endpoint.
    pub(super) fn at_website(self) -> Self {
        Self { website: true, ..self }
    }
}

/// How a request is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// By header if it has a requester.
    Usual,
    /// By header, rejected by S3.
    Failed,
    /// By query (presigned), accepted by S3.
    Presigned,
    /// By query (presigned), rejected by S3.
    PresignedFailed,
}

/// A request. Defaults are those of a success without a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) bucket: usize,
    pub(super) operation: &'a str,
    pub(super) key: Option<&'a str>,
    /// Path in the request line, if it is not the encoded key.
    pub(super) path: Option<&'a str>,
    pub(super) query: &'a str,
    /// HTTP method, if the operation does not imply it.
    pub(super) method: Option<&'a str>,
    pub(super) referer: Option<&'a str>,
    pub(super) status: u16,
    pub(super) error: Option<&'a str>,
    pub(super) sent: u64,
    pub(super) size: Option<u64>,
    pub(super) version: Option<&'a str>,
    pub(super) proof: Proof,
}

impl<'a> Ask<'a> {
    pub(super) fn new(bucket: usize, operation: &'a str) -> Self {
        Self {
            bucket,
            operation,
            key: None,
            path: None,
            query: "",
            method: None,
            referer: None,
            status: 200,
            error: None,
            sent: 0,
            size: None,
            version: None,
            proof: Proof::Usual,
        }
    }

    /// A request for an object.
    pub(super) fn of(bucket: usize, operation: &'a str, key: &'a str) -> Self {
        Self { key: Some(key), ..Self::new(bucket, operation) }
    }

    /// The same request, refused with this error.
    pub(super) fn refused(self, status: u16, error: &'a str) -> Self {
        let head = self.operation.contains(".HEAD.");
        Self { status, error: Some(error), sent: if head { 0 } else { 231 + error.len() as u64 }, size: None, ..self }
    }
}

/// Everything that happens in the covered days.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) random: Random,
    pub(super) world: Rc<World>,
    pub(super) cast: Cast,
    pub(super) start: i64,
    pub(super) days: u64,
    pub(super) scale: f64,
    pub(super) events: Vec<Event>,
    pub(super) text: Vec<u8>,
    stamp: TimeStamp,
}

impl Scene {
    pub(super) fn new(seed: u64, start: i64, days: u64, scale: f64) -> Self {
        let mut random = Random::new(seed);
        let world = Rc::new(World::new(&mut random));
        Self {
            random,
            world,
            cast: Cast::default(),
            start,
            days,
            scale,
            events: Vec::new(),
            text: Vec::new(),
            stamp: TimeStamp::default(),
        }
    }

    /// About `number`, scaled and randomised; at least one.
    pub(super) fn some(&mut self, number: u64) -> u64 {
        let spread = self.random.between(600, 1400);
        ((number as f64 * self.scale * spread as f64 / 1000.0).round() as u64).max(1)
    }

    /// The first second after the covered time.
    pub(super) fn end(&self) -> i64 {
        self.start + self.days as i64 * DAY
    }

    /// A random second of the covered time.
    pub(super) fn any_time(&mut self) -> i64 {
        self.start + self.random.below(self.days * DAY as u64) as i64
    }

    /// A random second of the covered time, more often by day than by night.
    pub(super) fn by_day(&mut self) -> i64 {
        /// Activity by hour, in percent.
        const BUSY: [u64; 24] =
            [22, 16, 12, 10, 10, 14, 25, 45, 65, 80, 88, 90, 84, 86, 90, 92, 90, 86, 84, 88, 96, 100, 76, 44];
        loop {
            let time = self.any_time();
            if self.random.below(100) < BUSY[(time.rem_euclid(DAY) / 3600) as usize] {
                return time;
            }
        }
    }

    /// A random time with at least `needed` seconds left after it and at least `before_percent` of the covered time
    /// before it.
    pub(super) fn time_for(&mut self, needed: i64, before_percent: i64) -> i64 {
        let whole = self.days as i64 * DAY;
        let first = whole * before_percent / 100;
        let last = (whole - needed).max(first + 60);
        self.start + first + self.random.below((last - first) as u64) as i64
    }

    /// A client with a new benign address.
    pub(super) fn innocent(&mut self, net: Net, population: &'static str) -> Who {
        let address = self.cast.innocent(&mut self.random, net, population);
        self.client(address, net)
    }

    /// A client with a new address of an attacker.
    pub(super) fn hostile(&mut self, net: Net, campaign: &Campaign) -> Who {
        let address = self.cast.hostile(&mut self.random, net, campaign);
        self.client(address, net)
    }

    fn client(&mut self, address: Address, net: Net) -> Who {
        let region = matches!(net, Net::Cloud | Net::Private).then_some(self.world.region);
        let tls = match self.random.below(100) {
            0..=2 if !matches!(net, Net::Cdn | Net::Private) => 0,
            0..=64 => 2,
            _ => 1,
        };
        Who { address, requester: None, agent: None, region, website: false, tls }
    }

    /// Reads an object; returns whether it existed.
    pub(super) fn get(&mut self, who: &Who, time: i64, bucket: usize, key: &str) -> bool {
        self.read(who, time, Ask::of(bucket, "REST.GET.OBJECT", key))
    }

    /// Checks for an object; returns whether it existed.
    pub(super) fn head(&mut self, who: &Who, time: i64, bucket: usize, key: &str) -> bool {
        self.read(who, time, Ask::of(bucket, "REST.HEAD.OBJECT", key))
    }

    /// Sends a read request; the world determines the result.
    pub(super) fn read(&mut self, who: &Who, time: i64, ask: Ask<'_>) -> bool {
        let world = Rc::clone(&self.world);
        let bucket = &world.buckets[ask.bucket];
        let signed = who.requester.is_some();
        let size = ask.key.and_then(|key| bucket.size(key)).filter(|_| signed || bucket.read);
        let head = ask.operation.contains("HEAD");
        match size {
            Some(size) => {
                // Browsers revalidate what they have cached.
                let fresh = !head
                    && ask.status == 200
                    && ask.referer.is_some()
                    && ask.query.is_empty()
                    && self.random.chance(90);
                let (status, sent) = match ask.status {
                    206 => (206, if ask.sent == 0 { size } else { ask.sent.min(size) }),
                    _ if fresh => (304, 0),
                    _ => (200, if ask.sent == 0 { size } else { ask.sent.min(size) }),
                };
                let error = (status == 304).then_some("NotModified");
                let sent = if head { 0 } else { sent };
                self.ask(who, time, &Ask { status, error, sent, size: Some(size), ..ask });
                true
            }
            None if signed || bucket.list => {
                self.ask(who, time, &ask.refused(404, "NoSuchKey"));
                false
            }
            None => {
                self.ask(who, time, &ask.refused(403, "AccessDenied"));
                false
            }
        }
    }

    /// Lists a bucket; returns whether that was allowed.
    pub(super) fn list(&mut self, who: &Who, time: i64, bucket: usize, query: &str) -> bool {
        let ask = Ask { query, ..Ask::new(bucket, "REST.GET.BUCKET") };
        let allowed = who.requester.is_some() || self.world.buckets[bucket].list;
        if allowed {
            let sent = self.random.between(700, 320_000);
            self.ask(who, time, &Ask { sent, ..ask });
        } else {
            self.ask(who, time, &ask.refused(403, "AccessDenied"));
        }
        allowed
    }

    /// Writes an object successfully.
    pub(super) fn put(&mut self, who: &Who, time: i64, bucket: usize, key: &str, size: u64) {
        self.ask(who, time, &Ask { size: Some(size), ..Ask::of(bucket, "REST.PUT.OBJECT", key) });
    }

    /// Deletes an object successfully.
    pub(super) fn delete(&mut self, who: &Who, time: i64, bucket: usize, key: &str) {
        self.ask(who, time, &Ask { status: 204, ..Ask::of(bucket, "REST.DELETE.OBJECT", key) });
    }

    /// Writes the line of a request with new ids.
    pub(super) fn ask(&mut self, who: &Who, time: i64, ask: &Ask<'_>) {
        let ids = self.ids();
        self.ask_as(who, time, ask, &ids);
    }

    fn ids(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (mut request, mut host) = (Vec::with_capacity(16), Vec::with_capacity(76));
        self.random.base36(16, &mut request);
        self.random.base64(75, &mut host);
        host.push(b'=');
        (request, host)
    }

    fn ask_as(&mut self, who: &Who, time: i64, ask: &Ask<'_>, ids: &(Vec<u8>, Vec<u8>)) {
        let world = Rc::clone(&self.world);
        let bucket = &world.buckets[ask.bucket];
        let at_website =
            who.website && bucket.website.is_some() && matches!(ask.operation, "REST.GET.OBJECT" | "REST.HEAD.OBJECT");
        let operation =
            if at_website { ask.operation.replacen("REST", "WEBSITE", 1) } else { ask.operation.to_owned() };
        let method = ask.method.unwrap_or_else(|| method(ask.operation));
        let once = ask.key.map(encode);
        let twice = once.as_ref().map(|key| key.replace('%', "%25"));
        let folder = if bucket.website.is_some() && !at_website { format!("{}/", bucket.name) } else { String::new() };
        let path = ask.path.or(once.as_deref()).unwrap_or_default();
        // The front page of a website has no name in the request.
        let path = if at_website { path.strip_suffix("index.html").unwrap_or(path) } else { path };
        let mark = if ask.query.is_empty() { "" } else { "?" };
        // Proxies are sent absolute URLs, and so are buckets by clients that look for open proxies.
        let absolute = path.starts_with("http://") || method == "CONNECT";
        let before = if absolute { String::new() } else { format!("/{folder}") };
        let uri = format!("{method} {before}{path}{mark}{} HTTP/1.1", ask.query);
        let host = if at_website { bucket.website.as_deref().unwrap_or(&bucket.host) } else { &bucket.host };
        let https = who.tls > 0 && !at_website;
        let (requester, signature, kind) = match ask.proof {
            Proof::Usual | Proof::Presigned if who.requester.is_none() => (None, None, None),
            Proof::Usual => (who.requester.as_deref(), Some("SigV4"), Some("AuthHeader")),
            Proof::Failed => (None, Some("SigV4"), Some("AuthHeader")),
            Proof::Presigned => (who.requester.as_deref(), Some("SigV4"), Some("QueryString")),
            Proof::PresignedFailed => (None, Some("SigV4"), Some("QueryString")),
        };
        let moved = ask.sent + if method == "PUT" { ask.size.unwrap_or(0) } else { 0 };
        let total_time = 4 + self.random.duration() / 2 + moved / self.random.between(9_000, 90_000);
        let turn_around = (3 + self.random.duration() / 2).min(total_time);
        let ip = who.address.at((time - self.start).div_euclid(DAY)).to_string();
        let list_of_acl =
            ask.status < 300 && requester.is_none() && bucket.unset & 1 == 0 && ask.operation.ends_with("GET.OBJECT");
        let cipher = if who.tls == 2 { "TLS_AES_128_GCM_SHA256" } else { "ECDHE-RSA-AES128-GCM-SHA256" };
        let row = Row {
            bucket_owner: world.owner.as_bytes(),
            bucket: bucket.name.as_bytes(),
            time,
            remote_ip: Some(ip.as_bytes()),
            requester: requester.map(str::as_bytes),
            request_id: &ids.0,
            operation: operation.as_bytes(),
            key: twice.as_deref().map(str::as_bytes),
            request_uri: Quoted::Text(uri.as_bytes()),
            status: Some(ask.status),
            error_code: ask.error.map(str::as_bytes),
            bytes_sent: Some(ask.sent).filter(|&sent| sent > 0),
            object_size: ask.size,
            total_time: Some(total_time),
            turn_around_time: (method != "HEAD").then_some(turn_around),
            referer: ask.referer.map_or(Quoted::Nothing, |referer| Quoted::Text(referer.as_bytes())),
            user_agent: who.agent.as_ref().map_or(Quoted::Nothing, |agent| Quoted::Text(agent.as_bytes())),
            version_id: ask.version.map(str::as_bytes),
            host_id: Some(&ids.1),
            signature_version: signature.map(str::as_bytes),
            cipher_suite: https.then_some(cipher.as_bytes()),
            authentication_type: kind.map(str::as_bytes),
            host_header: Some(host.as_bytes()),
            tls_version: https.then_some(if who.tls == 2 { b"TLSv1.3".as_slice() } else { b"TLSv1.2" }),
            acl_required: list_of_acl,
            source_region: who.region.map(str::as_bytes),
            ..Row::BLANK
        };
        self.write(ask.bucket, Some(who.address.source), &row);
    }

    /// Deletes many objects with one request: a line for each object and one for the request, all with the same ids.
    pub(super) fn delete_many(&mut self, who: &Who, time: i64, bucket: usize, keys: &[(String, u64)]) {
        let world = Rc::clone(&self.world);
        let ids = self.ids();
        let ip = who.address.at((time - self.start).div_euclid(DAY)).to_string();
        for (key, size) in keys {
            // Form encoding writes a space as a plus.
            let key = encode(key).replace("%20", "+");
            let row = Row {
                bucket_owner: world.owner.as_bytes(),
                bucket: world.buckets[bucket].name.as_bytes(),
                time,
                remote_ip: Some(ip.as_bytes()),
                requester: who.requester.as_deref().map(str::as_bytes),
                request_id: &ids.0,
                operation: b"BATCH.DELETE.OBJECT",
                key: Some(key.as_bytes()),
                request_uri: Quoted::Bare,
                status: Some(204),
                object_size: Some(*size),
                referer: Quoted::Bare,
                user_agent: Quoted::Bare,
                host_id: Some(&ids.1),
                signature_version: Some(b"SigV4"),
                authentication_type: Some(b"AuthHeader"),
                host_header: Some(world.buckets[bucket].host.as_bytes()),
                source_region: who.region.map(str::as_bytes),
                ..Row::BLANK
            };
            self.write(bucket, Some(who.address.source), &row);
        }
        let ask = Ask {
            query: "delete",
            sent: 120 + 90 * keys.len() as u64,
            ..Ask::new(bucket, "REST.POST.MULTI_OBJECT_DELETE")
        };
        self.ask_as(who, time, &ask, &ids);
    }

    /// Copies an object: one line for the write and one for the read, which is logged for the source bucket.
    pub(super) fn copy(&mut self, who: &Who, time: i64, from: (usize, &str), to: (usize, &str), size: u64) {
        let world = Rc::clone(&self.world);
        let ids = self.ids();
        self.ask_as(who, time, &Ask { sent: 234, size: Some(size), ..Ask::of(to.0, "REST.COPY.OBJECT", to.1) }, &ids);
        let key = encode(from.1).replace('%', "%25");
        let ip = who.address.at((time - self.start).div_euclid(DAY)).to_string();
        let row = Row {
            bucket_owner: world.owner.as_bytes(),
            bucket: world.buckets[from.0].name.as_bytes(),
            time,
            remote_ip: Some(ip.as_bytes()),
            requester: who.requester.as_deref().map(str::as_bytes),
            request_id: &ids.0,
            operation: b"REST.COPY.OBJECT_GET",
            key: Some(key.as_bytes()),
            request_uri: Quoted::Bare,
            status: Some(200),
            object_size: Some(size),
            referer: Quoted::Bare,
            user_agent: Quoted::Bare,
            host_id: Some(&ids.1),
            signature_version: Some(b"SigV4"),
            authentication_type: Some(b"AuthHeader"),
            host_header: Some(world.buckets[to.0].host.as_bytes()),
            source_region: who.region.map(str::as_bytes),
            ..Row::BLANK
        };
        self.write(from.0, Some(who.address.source), &row);
    }

    /// A lifecycle action of S3 itself.
    pub(super) fn lifecycle(&mut self, time: i64, bucket: usize, operation: &str, key: &str, size: u64) {
        let world = Rc::clone(&self.world);
        let ids = self.ids();
        let mut version = Vec::new();
        self.random.base36(32, &mut version);
        let key = encode(key);
        let row = Row {
            bucket_owner: world.owner.as_bytes(),
            bucket: world.buckets[bucket].name.as_bytes(),
            time,
            requester: Some(b"AmazonS3"),
            request_id: &ids.0,
            operation: operation.as_bytes(),
            key: Some(key.as_bytes()),
            object_size: Some(size),
            version_id: Some(&version),
            host_id: Some(&ids.1),
            ..Row::BLANK
        };
        self.write(bucket, None, &row);
    }

    fn write(&mut self, bucket: usize, source: Option<usize>, row: &Row<'_>) {
        // Nothing is logged outside the covered time.
        if row.time >= self.end() || row.time < self.start {
            return;
        }
        let start = self.text.len();
        row.render(Era::TODAY, &mut self.stamp, &mut self.text);
        self.events.push(Event { bucket, time: row.time, start, length: self.text.len() - start });
        if let Some(source) = source {
            self.cast.sources[source].lines += 1;
        }
    }
}

/// HTTP method of a dotted operation. Copies are uploads.
fn method(operation: &str) -> &str {
    match operation.split('.').nth(1) {
        Some("COPY") => "PUT",
        Some(method) => method,
        None => "GET",
    }
}
