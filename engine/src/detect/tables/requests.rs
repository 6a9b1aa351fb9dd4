//! Columns of `s3_trail` and `s3_events`: descriptions, and how each is computed.

use super::column::{Column, Kind, batch_of, booleans, optional_integers, texts, times};
use super::sources::{intel_of, net_of};
use crate::detect::collect::days::SourceDay;
use crate::detect::collect::event::Flags;
use crate::detect::collect::names::Names;
use crate::detect::collect::trail::{Texts, Trail};
use crate::detect::collect::{Agent, AllNames, Collector, SourceOf};
use crate::detect::facts::{Kind as AgentKind, OpClass, decoded_key, extension_of, first_folder, number_of};
use crate::time_units::MICROS_PER_DAY;
use arrow::array::{Array as _, ArrayRef, StringViewArray, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::iter::once;
use std::sync::OnceLock;

/// The source of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Time,
    /// Interned text: the number for each row, and the texts.
    Name(fn(&Trail) -> &[u32], fn(&AllNames) -> &Names),
    Agent(fn(&Agent) -> Option<&str>),
    Address,
    Source(fn(&SourceOf) -> Option<Cow<'_, str>>),
    Class,
    /// The decoded key.
    Key,
    /// A part of the decoded key; empty means NULL.
    KeyPart(for<'a> fn(&'a str) -> Cow<'a, str>),
    KeyNumber,
    Text(fn(&Trail) -> &Texts),
    Number(fn(&Trail, usize) -> Option<i64>),
    IsCdn,
    Flag(Flags),
    /// A number derived from all requests together.
    Count(fn(&Collector, usize) -> u64),
    /// A fact derived from all requests together.
    Known(fn(&Collector, usize) -> bool),
}

/// A column: name, source, description.
pub(crate) type RequestColumn = (&'static str, Of, &'static str);

impl Of {
    fn kind(self) -> Kind {
        match self {
            Self::Time => Kind::Time,
            Self::KeyNumber | Self::Number(_) | Self::Count(_) => Kind::Integer,
            Self::IsCdn | Self::Flag(_) | Self::Known(_) => Kind::Boolean,
            _ => Kind::Text,
        }
    }

    /// Relative cost of computing a value.
    fn cost(self) -> u32 {
        match self {
            Self::Flag(_) | Self::IsCdn => 1,
            Self::Time | Self::Number(_) => 2,
            Self::Name(..) | Self::Agent(_) | Self::Address | Self::Source(_) | Self::Class => 4,
            Self::Text(_) | Self::Count(_) | Self::Known(_) => 16,
            Self::Key | Self::KeyPart(_) | Self::KeyNumber => 64,
        }
    }
}

/// Columns of a request by itself.
pub(crate) const EVENT: &[RequestColumn] = &[
    ("ts", Of::Time, "When the request was received."),
    (
        "src",
        Of::Name(|trail| &trail.source, |names| &names.sources),
        "Who asked: an IPv4 address, or the /64 of an IPv6 address.",
    ),
    (
        "client_ip",
        Of::Address,
        "The address as in the log; for an IPv6 network that used more than 256 addresses, the network.",
    ),
    ("requester", Of::Name(|trail| &trail.requester, |names| &names.requesters), "Who signed; NULL when nobody did."),
    ("bucket", Of::Name(|trail| &trail.bucket, |names| &names.buckets), "The bucket."),
    (
        "operation",
        Of::Name(|trail| &trail.operation, |names| &names.operations),
        "What was asked, such as `REST.GET.OBJECT`; NULL in CDN logs.",
    ),
    (
        "op_class",
        Of::Class,
        "The kind of operation: obj_read, obj_write, obj_delete, copy, list, cfg_read, cfg_write, preflight, service, other.",
    ),
    ("method", Of::Name(|trail| &trail.method, |names| &names.methods), "HTTP method."),
    ("key", Of::Key, "Key of the object, decoded until nothing changes, at most three times."),
    ("key_prefix1", Of::KeyPart(|key| first_folder(key).into()), "Its first folder."),
    ("key_ext", Of::KeyPart(|key| extension_of(key).as_str().to_owned().into()), "Its ending, in lower case."),
    ("key_num", Of::KeyNumber, "Its last run of 3 to 12 digits."),
    ("uri", Of::Text(|trail| &trail.uri), "Path and query as the client sent them."),
    ("status", Of::Number(|trail, row| trail.status[row].map(i64::from)), "HTTP status."),
    ("error_code", Of::Name(|trail| &trail.error, |names| &names.errors), "S3's error code."),
    ("bytes_sent", Of::Number(|trail, row| trail.bytes_sent[row]?.try_into().ok()), "Bytes of the response."),
    ("object_size", Of::Number(|trail, row| trail.object_size[row]?.try_into().ok()), "Size of the object."),
    ("referer_host", Of::Name(|trail| &trail.referer, |names| &names.referers), "Host of the referer."),
    ("scheme", Of::Name(|trail| &trail.scheme, |names| &names.transports), "`http` or `https`, where the log tells."),
    ("tls_version", Of::Name(|trail| &trail.tls, |names| &names.transports), "TLS version."),
    ("user_agent", Of::Name(|trail| &trail.agent, |names| &names.agents), "User agent as the client sent it."),
    (
        "ua_norm",
        Of::Agent(|agent| Some(&agent.facts.norm)),
        "User agent without versions and what changes from call to call.",
    ),
    ("ua_family", Of::Agent(|agent| Some(&agent.facts.family)), "Short name of the client."),
    ("ua_kind", Of::Agent(|agent| Some(agent.facts.kind.name())), "browser, bot, sdk, tool, script, none or other."),
    ("hostile_tool", Of::Agent(Agent::hostile_tool), "The attacker's tool that the user agent names."),
    (
        "crawler_claim",
        Of::Agent(|agent| agent.facts.crawler_claim.as_deref()),
        "The crawler's operator that the user agent names.",
    ),
    ("version_id", Of::Text(|trail| &trail.version), "Version of the object that was asked for."),
    (
        "net",
        Of::Source(|source| Some(net_of(source).into())),
        "Network of the source: its autonomous system such as `AS64500`, if a database tells, else its /24 or /48.",
    ),
    (
        "country",
        Of::Source(|source| source.known.country.as_deref().map(Into::into)),
        "Country of the source, if a database tells.",
    ),
    (
        "intel",
        Of::Source(|source| intel_of(&source.known).map(Into::into)),
        "The list of attackers that contains the source.",
    ),
    ("is_cdn", Of::IsCdn, "Whether a CDN asked."),
    ("ok", Of::Flag(Flags::OK), "Whether it was answered: a status from 200 to 399."),
    (
        "fail",
        Of::Flag(Flags::FAIL),
        "Whether what was asked for does not exist, or this client may not have it. A missing configuration is no failure.",
    ),
    ("denied", Of::Flag(Flags::DENIED), "Whether access was denied."),
    ("auth_err", Of::Flag(Flags::AUTH_ERROR), "Whether signature or credentials were not valid."),
    (
        "auth_skew",
        Of::Flag(Flags::SKEW),
        "Whether only the time is wrong: the request came too early or too late, or its signature had expired.",
    ),
    ("anon", Of::Flag(Flags::ANON), "Whether nobody signed."),
    ("presigned", Of::Flag(Flags::PRESIGNED), "Whether the signature stood in the URL."),
    ("sens_key", Of::Flag(Flags::SENSITIVE), "Whether the key is one that nobody should ask for, such as `.env`."),
    (
        "web_probe",
        Of::Flag(Flags::WEB_PROBE),
        "Whether the key belongs to software that no bucket runs, such as `wp-login.php`.",
    ),
    (
        "payload",
        Of::Flag(Flags::PAYLOAD),
        "Whether the URI contains an attack on a web application, or the referer or user agent one on systems that log them.",
    ),
    (
        "benign_miss",
        Of::Flag(Flags::BENIGN_MISS),
        "Whether ordinary clients ask for such keys even if they do not exist.",
    ),
    ("protocol_abuse", Of::Flag(Flags::PROTOCOL), "Whether it bends the protocol: TRACE, CONNECT, an absolute URI."),
    ("ransom_note", Of::Flag(Flags::RANSOM_NOTE), "Whether a key that was written is named like a ransom note."),
    (
        "suspicious_upload",
        Of::Flag(Flags::SUSPICIOUS_UPLOAD),
        "Whether a key that was written is named like an intruder's test file.",
    ),
    (
        "encrypted_ext",
        Of::Flag(Flags::ENCRYPTED),
        "Whether a key that was written ends like those of files encrypted by ransomware.",
    ),
    (
        "content_type_risky",
        Of::Flag(Flags::RISKY_CONTENT),
        "Whether browsers or servers execute objects with such keys.",
    ),
    ("is_asset", Of::Flag(Flags::ASSET), "Whether the key is a part of pages."),
    ("is_page", Of::Flag(Flags::PAGE), "Whether the key is a page."),
    ("is_media", Of::Flag(Flags::MEDIA), "Whether the key is a picture, sound or film."),
    ("numbered_part", Of::Flag(Flags::PART), "Whether the key is a numbered part of something larger."),
    (
        "copy_source",
        Of::Flag(Flags::COPY_SOURCE),
        "Whether it is the record of a copy's source; the target has a record of its own.",
    ),
    ("version_list", Of::Flag(Flags::VERSION_LIST), "Whether it lists versions."),
    ("bucket_head", Of::Flag(Flags::BUCKET_HEAD), "Whether it asks whether a bucket is there."),
    (
        "false_crawler",
        Of::Flag(Flags::FALSE_CRAWLER),
        "Whether it claims to be a crawler whose published ranges do not contain its address.",
    ),
    (
        "stale_ranges",
        Of::Flag(Flags::STALE_CRAWLERS),
        "Whether `false_crawler` is set on the basis of ranges that are older than 180 days.",
    ),
    ("is_crawler", Of::Flag(Flags::CRAWLER), "Whether it comes from a crawler, by claim and address."),
    ("is_allow", Of::Flag(Flags::ALLOW), "Whether the address is allowed."),
    ("is_deny", Of::Flag(Flags::DENY), "Whether the address is denied."),
    ("is_private", Of::Flag(Flags::PRIVATE), "Whether the address is a private one."),
];

/// Columns of a request that depend on all requests together.
pub(crate) const TOGETHER: &[RequestColumn] = &[
    (
        "good",
        Of::Count(|all, row| all.keys.good(all.trail.key_hash[row])),
        "For how many sources the key worked, up to 4.",
    ),
    ("asks", Of::Count(|all, row| all.keys.asks(all.trail.key_hash[row])), "How many sources failed on the key."),
    (
        "prefix_asks",
        Of::Count(|all, row| all.keys.folder_asks(all.trail.prefix_hash[row])),
        "How many sources failed in its first folder.",
    ),
    (
        "day_requests",
        Of::Count(|all, row| day_of(all, row).map_or(0, |day| day.anon_object_requests.into())),
        "Anonymous requests of the source for objects of the bucket on that day.",
    ),
    (
        "day_fails",
        Of::Count(|all, row| day_of(all, row).map_or(0, |day| day.anon_object_fails.into())),
        "Those of them that failed.",
    ),
    (
        "app_page",
        Of::Known(is_app_page),
        "Whether it may be a page of a single-page application, which a website answers with its error document: a browser asked for a key without an ending that does not exist, and at least five sources did so for this key or for others in its folder.",
    ),
];

/// Number of sources that must miss a page of an application: a single one may request anything.
const VISITORS: u64 = 5;

/// Whether a request may be for a page of a single-page application, where `index.html` is the error document of the
/// website: the browser shows the page, but the log has a miss.
pub(crate) fn is_app_page(collector: &Collector, row: usize) -> bool {
    let Collector { trail, names, keys, .. } = collector;
    let flags = Flags::of_bits(trail.flags[row]);
    let is_missed =
        flags.has(Flags::FAIL) && flags.has(Flags::ANON) && !flags.has_any(&[Flags::SENSITIVE, Flags::PAYLOAD]);
    let is_asked = || {
        let asked = |names: &Names, number: u32, beginning: &str| {
            names.text(number).is_some_and(|text| text.starts_with(beginning))
        };
        asked(&names.operations, trail.operation[row], "WEBSITE.") && asked(&names.methods, trail.method[row], "GET")
    };
    let is_browser = || collector.agents[trail.agent[row] as usize].facts.kind == AgentKind::Browser;
    let has_no_ending = || trail.key.get(row).is_some_and(|key| !key.contains('.'));
    let visitors = || keys.asks(trail.key_hash[row]).max(keys.folder_asks(trail.prefix_hash[row]));
    is_missed && is_asked() && is_browser() && has_no_ending() && visitors() >= VISITORS
}

/// The activity of a request's source in its bucket on that day.
fn day_of(collector: &Collector, row: usize) -> Option<&SourceDay> {
    let trail = &collector.trail;
    collector.days.get((trail.source[row], trail.bucket[row], trail.time[row].div_euclid(MICROS_PER_DAY) as i32))
}

pub(crate) fn event_columns() -> Vec<Column> {
    EVENT.iter().map(plain).collect()
}

pub(crate) fn trail_columns() -> Vec<Column> {
    EVENT.iter().chain(TOGETHER).map(plain).collect()
}

fn plain((name, of, doc): &RequestColumn) -> Column {
    (name, of.kind(), doc)
}

/// Relative cost of computing a value of a column of `s3_trail`.
pub(crate) fn cost(column: usize) -> u32 {
    nth(column).cost()
}

fn nth(column: usize) -> Of {
    EVENT.get(column).unwrap_or_else(|| &TOGETHER[column - EVENT.len()]).1
}

/// The interned texts of each column as an array, built on first use.
#[derive(Debug)]
pub(crate) struct Values(Vec<OnceLock<StringViewArray>>);

impl Values {
    pub(crate) fn new() -> Self {
        Self(vec![OnceLock::new(); EVENT.len()])
    }

    /// The texts of numbers; NULL for a number without a text.
    fn take<'a, I: Iterator<Item = Option<Cow<'a, str>>>>(
        &self,
        column: usize,
        numbers: impl Iterator<Item = u32>,
        texts: impl FnOnce() -> I,
    ) -> Result<ArrayRef, ArrowError> {
        // The last value is NULL, for all numbers without a text.
        let values = self.0[column].get_or_init(|| texts().chain(once(None)).collect());
        let none = values.len() as u32 - 1;
        let numbers: Vec<u32> = numbers.map(|number| number.min(none)).collect();
        take(values, &UInt32Array::from(numbers), None)
    }
}

/// Computes columns for requests of a trail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requests<'a> {
    pub collector: &'a Collector,
    pub trail: &'a Trail,
    /// Which sources are a CDN's.
    pub is_cdn: &'a [bool],
    pub values: &'a Values,
}

impl Requests<'_> {
    /// Computes a column, by index in [`EVENT`] followed by [`TOGETHER`], for some rows of the trail.
    pub(crate) fn column(
        &self,
        column: usize,
        rows: impl Iterator<Item = usize> + Clone,
    ) -> Result<ArrayRef, ArrowError> {
        let Self { collector, trail, values, .. } = *self;
        let flags = |row: usize| Flags::of_bits(trail.flags[row]);
        Ok(match nth(column) {
            Of::Time => times(rows.map(|row| Some(trail.time[row]))),
            Of::Name(numbers, names) => {
                let (numbers, names) = (numbers(trail), names(&collector.names));
                // The empty text stands for a missing value.
                let text = |number| names.text(number).filter(|text| !text.is_empty()).map(Cow::Borrowed);
                values.take(column, rows.map(|row| numbers[row]), || (0..names.len() as u32).map(text))?
            }
            Of::Agent(text) => {
                let texts = || collector.agents.iter().map(|agent| text(agent).map(Cow::Borrowed));
                values.take(column, rows.map(|row| trail.agent[row]), texts)?
            }
            Of::Address => {
                let (addresses, sources) = (&collector.names.addresses, &collector.names.sources);
                let text = |row: usize| {
                    let source = trail.source[row];
                    let of_source = collector.sources.get(source as usize);
                    let named = of_source.filter(|source| !source.has_more_addresses());
                    named.map_or_else(|| sources.text(source), |_| addresses.text(trail.address[row]))
                };
                texts(rows.map(text))
            }
            Of::Source(text) => {
                values.take(column, rows.map(|row| trail.source[row]), || collector.sources.iter().map(text))?
            }
            Of::Class => {
                let texts = || OpClass::ALL.into_iter().map(|class| Some(Cow::Borrowed(class.name())));
                values.take(column, rows.map(|row| trail.class[row].into()), texts)?
            }
            Of::Key => texts(rows.map(|row| trail.key.get(row).map(decoded_key))),
            Of::KeyPart(part) => texts(rows.map(|row| {
                let key = decoded_key(trail.key.get(row)?);
                Some(part(&key).into_owned()).filter(|part| !part.is_empty())
            })),
            Of::KeyNumber => optional_integers(rows.map(|row| number_of(&decoded_key(trail.key.get(row)?)))),
            Of::Text(text) => texts(rows.map(|row| text(trail).get(row))),
            Of::Number(number) => optional_integers(rows.map(|row| number(trail, row))),
            Of::IsCdn => booleans(rows.map(|row| {
                let is_cdn = self.is_cdn.get(trail.source[row] as usize);
                is_cdn.copied().unwrap_or_default() || flags(row).has(Flags::CDN)
            })),
            Of::Flag(flag) => booleans(rows.map(|row| flags(row).has(flag))),
            Of::Known(is_known) => booleans(rows.map(|row| is_known(collector, row))),
            Of::Count(count) => optional_integers(rows.map(|row| count(collector, row).try_into().ok())),
        })
    }
}

/// Builds a batch of `s3_events`.
pub(crate) fn events_batch(collector: &Collector, trail: &Trail) -> Result<RecordBatch, ArrowError> {
    let requests = Requests { collector, trail, is_cdn: &[], values: &Values::new() };
    let columns = (0..EVENT.len()).map(|column| requests.column(column, 0..trail.len()));
    batch_of(&event_columns(), columns.collect::<Result<_, _>>()?)
}
