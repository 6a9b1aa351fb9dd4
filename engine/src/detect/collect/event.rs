//! A request as seen by detection.

use super::sketch::hash_of;
use crate::detect::facts::OpClass;
use crate::time_units::MICROS_PER_DAY;

/// The first and the last of some instants, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub first: i64,
    pub last: i64,
}

/// Of no instants, so that any is earlier than the first and later than the last.
impl Default for Times {
    fn default() -> Self {
        Self { first: i64::MAX, last: i64::MIN }
    }
}

impl Times {
    /// Of one instant.
    pub(crate) fn at(time: i64) -> Self {
        Self { first: time, last: time }
    }

    pub(crate) fn add(&mut self, time: i64) {
        self.merge(Self::at(time));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Properties of a request as bit flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u64);

macro_rules! flags {
    ($($name:ident $doc:literal;)*) => {
        flags!(@bits 0_u32; $($name $doc;)*);
    };
    (@bits $bit:expr; $name:ident $doc:literal; $($rest:tt)*) => {
        impl Flags {
            #[doc = $doc]
            pub(crate) const $name: Self = Self(1 << ($bit));
        }
        flags!(@bits $bit + 1; $($rest)*);
    };
    (@bits $bit:expr;) => {};
}

flags! {
    OK "It succeeded: a status from 200 to 399.";
    FAIL "What it asked for does not exist, or is not permitted.";
    DENIED "It was denied.";
    AUTH_ERROR "Its signature or credentials are invalid.";
    SKEW "Its signature has expired or is not yet valid, which also happens to honest clients.";
    ANON "It is not signed.";
    PRESIGNED "It is signed by its URL.";
    SENSITIVE "Its key is one that no visitor should ask for.";
    WEB_PROBE "Its key belongs to software that does not run in buckets.";
    PAYLOAD "Its URI, referer or user agent contains an attack.";
    BENIGN_MISS "Ordinary clients ask for such keys even if they do not exist.";
    PROTOCOL "It abuses the protocol.";
    RANSOM_NOTE "Its key is named like a ransom note.";
    SUSPICIOUS_UPLOAD "Its key is named like an intruder's test file.";
    ENCRYPTED "Its key ends like those of files encrypted by ransomware.";
    RISKY_CONTENT "Browsers or servers execute objects with such keys.";
    ASSET "Its key is part of a page: a style sheet, script or font.";
    PAGE "Its key is a page.";
    MEDIA "Its key is an image, audio or video.";
    PART "Its key is a numbered part of something larger.";
    COPY_SOURCE "It is the record of a copy's source.";
    VERSION_LIST "It lists versions.";
    HEAD "It asks for the headers of an object only.";
    BUCKET_HEAD "It checks whether a bucket exists.";
    HOSTILE "Its user agent names an attack tool.";
    FALSE_CRAWLER "Its user agent names a crawler whose ranges do not contain its address.";
    STALE_CRAWLERS "`FALSE_CRAWLER` was set on the basis of outdated ranges.";
    CRAWLER "It is a crawler's, proven by its address.";
    CDN "It comes from a CDN.";
    CDN_CLAIM "Its user agent claims to be a CDN.";
    ALLOW "Its address is allowed.";
    DENY "Its address is denied by a list.";
    PRIVATE "Its address is private.";
    SERVICE "It was made by a service of the provider.";
    DELETE_REQUEST "It is the request for a batch of deletions.";
    BATCH_LINE "It is one deletion of a batch, in its own record.";
    UPLOAD_BEGUN "It starts a multipart upload.";
    UPLOAD_ENDED "It completes or aborts a multipart upload.";
}

impl Flags {
    /// Whether all of `others` are set.
    #[inline]
    pub(crate) fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether at least one of `others` is set.
    #[inline]
    pub(crate) fn has_any(self, others: &[Self]) -> bool {
        others.iter().any(|other| self.has(*other))
    }

    /// Sets `others` if `condition` holds.
    #[inline]
    pub(crate) fn set(&mut self, others: Self, condition: bool) {
        if condition {
            self.0 |= others.0;
        }
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn of_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// A request with everything that rules may use. Numbers refer to the collector's names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// Microseconds since the Unix epoch (UTC).
    pub time: i64,
    pub source: u32,
    /// Equal for the same source in all partitions and runs.
    pub source_hash: u64,
    pub address: u32,
    pub requester: u32,
    pub bucket: u32,
    pub operation: u32,
    pub class: OpClass,
    pub method: u32,
    pub error: u32,
    pub agent: u32,
    /// Family of the user agent.
    pub family: u32,
    pub referer: u32,
    /// `http` or `https`.
    pub scheme: u32,
    /// TLS version.
    pub tls: u32,
    pub status: Option<i32>,
    pub bytes_sent: Option<u64>,
    pub object_size: Option<u64>,
    pub flags: Flags,
    /// Hash of bucket and key; 0 without a key.
    pub key_hash: u64,
    /// Hash of bucket and first folder of the key; 0 without one.
    pub prefix_hash: u64,
    pub key: Option<&'a str>,
    pub path: Option<&'a str>,
    pub query: Option<&'a str>,
    pub version_id: Option<&'a str>,
}

impl Event<'_> {
    /// Day since the Unix epoch.
    pub(crate) fn day(&self) -> i32 {
        i32::try_from(self.time.div_euclid(MICROS_PER_DAY)).unwrap_or_default()
    }

    /// Source, bucket and day.
    pub(crate) fn day_key(&self) -> (u32, u32, i32) {
        (self.source, self.bucket, self.day())
    }

    /// The group of requests in which it may be kept, and the capacity of that group.
    pub(crate) fn keeping(&self) -> (u8, u16) {
        let flags = self.flags;
        let anon = flags.has(Flags::ANON);
        let (outcome, capacity) = if flags.has_any(&Flags::NOTABLE) {
            (0, 256)
        } else if flags.has(Flags::FAIL) && flags.has(Flags::BENIGN_MISS) && anon {
            // A separate group, so that benign misses cannot displace others.
            (5, 16)
        } else if flags.has(Flags::FAIL) && (anon || matches!(self.class, OpClass::ConfigRead | OpClass::ConfigWrite)) {
            (1, 256)
        } else if !flags.has(Flags::OK) && anon {
            // Server errors say nothing about the client.
            (2, 16)
        } else if self.version_id.is_some()
            || flags.has(Flags::VERSION_LIST)
            || flags.has(Flags::RISKY_CONTENT) && self.class == OpClass::ObjectWrite
        {
            (3, 64)
        } else {
            let capacity = match self.class {
                OpClass::ObjectRead if anon => 64,
                OpClass::ConfigRead | OpClass::ConfigWrite => 256,
                OpClass::List | OpClass::ObjectWrite | OpClass::ObjectDelete | OpClass::Copy if anon => 256,
                _ if anon || flags.has(Flags::PRESIGNED) => 16,
                // Activity of requesters is counted elsewhere, and a few of their requests are kept there.
                _ => 0,
            };
            (4, capacity)
        };
        (self.class as u8 * 16 + u8::from(anon) * 8 + outcome, capacity)
    }

    /// A hash of what was requested: the key, and for attacks and requests without a key also the query. Parameters
    /// that vary between requests do not make a different key.
    pub(crate) fn asked(&self) -> u64 {
        match self.query {
            Some(query) if self.key_hash == 0 || self.flags.has(Flags::PAYLOAD) => {
                self.key_hash ^ hash_of(&[query.as_bytes()])
            }
            _ => self.key_hash,
        }
    }

    /// Distinguishes requests within the same second.
    pub(crate) fn tie(&self) -> u64 {
        // Listings have no key and differ in their queries, as do attacks on a single page.
        let asked = self.query.map_or(self.key_hash, |query| self.key_hash ^ hash_of(&[query.as_bytes()]));
        let answer = u64::from(self.status.unwrap_or_default().unsigned_abs()) << 32 | u64::from(self.class as u8);
        // The two records of a copy differ in nothing else.
        let half = u64::from(self.flags.has(Flags::COPY_SOURCE)) << 31;
        asked ^ answer.rotate_left(17) ^ self.bytes_sent.unwrap_or_default().rotate_left(41) ^ half
    }
}

impl Flags {
    /// Flags that each make a request worth keeping.
    const NOTABLE: [Self; 10] = [
        Self::AUTH_ERROR,
        Self::SENSITIVE,
        Self::WEB_PROBE,
        Self::PAYLOAD,
        Self::PROTOCOL,
        Self::RANSOM_NOTE,
        Self::SUSPICIOUS_UPLOAD,
        Self::ENCRYPTED,
        Self::HOSTILE,
        Self::FALSE_CRAWLER,
    ];
}
