//! `s3_trail` and `s3_events`: single requests.

use super::column::{Column, Kind, batch_of, booleans, integers, optional_integers, texts, times};
use crate::detect::collect::Collector;
use crate::detect::collect::days::DayKey;
use crate::detect::collect::event::{DAY, Flags};
use crate::detect::collect::names::{NONE, Names};
use crate::detect::collect::sketch::hash_of;
use crate::detect::collect::trail::Trail;
use crate::detect::facts::{KeyFacts, OpClass};
use arrow::array::{ArrayRef, BooleanArray, StringViewArray, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// What is known of a request by itself.
pub(crate) const EVENT: &[Column] = &[
    ("ts", Kind::Time, "When the request was received."),
    ("src", Kind::Text, "Who asked: an IPv4 address, or the /64 of an IPv6 address."),
    ("client_ip", Kind::Text, "The address as the log has it."),
    ("requester", Kind::Text, "Who signed; NULL when nobody did."),
    ("bucket", Kind::Text, "The bucket."),
    ("operation", Kind::Text, "What was asked, such as `REST.GET.OBJECT`; NULL in CDN logs."),
    (
        "op_class",
        Kind::Text,
        "The kind of operation: obj_read, obj_write, obj_delete, copy, list, cfg_read, cfg_write, preflight, service, other.",
    ),
    ("method", Kind::Text, "HTTP method."),
    ("key", Kind::Text, "Key of the object, decoded until nothing changes, at most three times."),
    ("key_prefix1", Kind::Text, "Its first folder."),
    ("key_ext", Kind::Text, "Its ending, in lower case."),
    ("key_num", Kind::Integer, "Its last run of 3 to 12 digits."),
    ("uri", Kind::Text, "Path and query as the client sent them."),
    ("status", Kind::Integer, "HTTP status."),
    ("error_code", Kind::Text, "S3's error code."),
    ("bytes_sent", Kind::Integer, "Bytes of the response."),
    ("object_size", Kind::Integer, "Size of the object."),
    ("referer_host", Kind::Text, "Host of the referer."),
    ("user_agent", Kind::Text, "User agent as the client sent it."),
    ("ua_norm", Kind::Text, "User agent without versions and what changes from call to call."),
    ("ua_family", Kind::Text, "Short name of the client."),
    ("ua_kind", Kind::Text, "browser, bot, sdk, tool, script, none or other."),
    ("hostile_tool", Kind::Text, "The attacker's tool that the user agent names."),
    ("crawler_claim", Kind::Text, "The crawler's operator that the user agent names."),
    ("version_id", Kind::Text, "Version of the object that was asked for."),
    (
        "net",
        Kind::Text,
        "Network of the source: its autonomous system such as `AS64500`, if a database tells, else its /24 or /48.",
    ),
    ("country", Kind::Text, "Country of the source, if a database tells."),
    ("intel", Kind::Text, "The list of attackers that the source stands on."),
    ("is_cdn", Kind::Boolean, "Whether a CDN asked."),
    ("ok", Kind::Boolean, "Whether it was answered: a status from 200 to 399."),
    (
        "fail",
        Kind::Boolean,
        "Whether what was asked for is not there, or not for this client; answers of a missing configuration are none.",
    ),
    ("denied", Kind::Boolean, "Whether access was denied."),
    ("auth_err", Kind::Boolean, "Whether signature or credentials were not good."),
    ("auth_skew", Kind::Boolean, "Whether they were only late, early or expired."),
    ("anon", Kind::Boolean, "Whether nobody signed."),
    ("presigned", Kind::Boolean, "Whether the signature stood in the URL."),
    ("sens_key", Kind::Boolean, "Whether the key is one that nobody should ask for, such as `.env`."),
    ("web_probe", Kind::Boolean, "Whether the key belongs to software that no bucket runs, such as `wp-login.php`."),
    ("payload", Kind::Boolean, "Whether the URI carries an attack on a web application."),
    ("benign_miss", Kind::Boolean, "Whether ordinary clients ask for such keys though they are not there."),
    ("protocol_abuse", Kind::Boolean, "Whether it bends the protocol: TRACE, CONNECT, an absolute URI."),
    ("ransom_note", Kind::Boolean, "Whether a key that was written is named like a ransom note."),
    ("suspicious_upload", Kind::Boolean, "Whether a key that was written is named like a test of an intruder."),
    ("encrypted_ext", Kind::Boolean, "Whether a key that was written ends as encrypted copies do."),
    ("content_type_risky", Kind::Boolean, "Whether browsers or servers execute what has such a key."),
    ("is_asset", Kind::Boolean, "Whether the key is a part of pages."),
    ("is_page", Kind::Boolean, "Whether the key is a page."),
    ("is_media", Kind::Boolean, "Whether the key is a picture, sound or film."),
    ("numbered_part", Kind::Boolean, "Whether the key is a numbered part of something larger."),
    ("copy_source", Kind::Boolean, "Whether it is the source's line of a copy."),
    ("version_list", Kind::Boolean, "Whether it lists versions."),
    ("bucket_head", Kind::Boolean, "Whether it asks whether a bucket is there."),
    (
        "false_crawler",
        Kind::Boolean,
        "Whether it claims to be a crawler whose published ranges do not have its address.",
    ),
    ("stale_ranges", Kind::Boolean, "Whether so it seems by ranges that are older than 180 days."),
    ("is_crawler", Kind::Boolean, "Whether it comes from a crawler, by claim and address."),
    ("is_allow", Kind::Boolean, "Whether the address is allowed."),
    ("is_deny", Kind::Boolean, "Whether the address is denied."),
    ("is_private", Kind::Boolean, "Whether the address is a private one."),
];

/// What all requests together tell of one.
pub(crate) const TOGETHER: &[Column] = &[
    ("good", Kind::Integer, "For how many sources the key worked, up to 4."),
    ("asks", Kind::Integer, "How many sources failed on the key."),
    ("prefix_asks", Kind::Integer, "How many sources failed in its first folder."),
    ("day_requests", Kind::Integer, "Anonymous requests of the source for objects of the bucket on that day."),
    ("day_fails", Kind::Integer, "Those of them that failed."),
];

/// Flags that are columns by themselves, in the order of the columns from `ok` on.
const FLAGS: [Flags; 29] = [
    Flags::OK,
    Flags::FAIL,
    Flags::DENIED,
    Flags::AUTH_ERROR,
    Flags::SKEW,
    Flags::ANON,
    Flags::PRESIGNED,
    Flags::SENSITIVE,
    Flags::WEB_PROBE,
    Flags::PAYLOAD,
    Flags::BENIGN_MISS,
    Flags::PROTOCOL,
    Flags::RANSOM_NOTE,
    Flags::SUSPICIOUS_UPLOAD,
    Flags::ENCRYPTED,
    Flags::RISKY_CONTENT,
    Flags::ASSET,
    Flags::PAGE,
    Flags::MEDIA,
    Flags::PART,
    Flags::COPY_SOURCE,
    Flags::VERSION_LIST,
    Flags::BUCKET_HEAD,
    Flags::FALSE_CRAWLER,
    Flags::STALE_CRAWLERS,
    Flags::CRAWLER,
    Flags::ALLOW,
    Flags::DENY,
    Flags::PRIVATE,
];

/// Texts of numbers: views of one array, taken by number.
struct Taken<'a> {
    rows: &'a [u32],
}

impl Taken<'_> {
    fn column<'n>(
        &self,
        numbers: &[u32],
        values: impl Iterator<Item = Option<&'n str>>,
    ) -> Result<ArrayRef, ArrowError> {
        let values: StringViewArray = values.collect();
        let indices: UInt32Array =
            self.rows.iter().map(|row| numbers.get(*row as usize).copied().filter(|number| *number != NONE)).collect();
        take(&values, &indices, None)
    }

    fn named(&self, numbers: &[u32], names: &Names) -> Result<ArrayRef, ArrowError> {
        // The empty text stands for one that the log does not have.
        self.column(numbers, (0..names.len() as u32).map(|number| names.text(number).filter(|text| !text.is_empty())))
    }
}

/// The rows of a trail as columns of [`EVENT`].
pub(crate) fn event_columns(
    collector: &Collector,
    trail: &Trail,
    rows: &[u32],
    is_cdn: &[bool],
) -> Result<Vec<ArrayRef>, ArrowError> {
    let names = &collector.names;
    let taken = Taken { rows };
    let at = |row: &u32| *row as usize;
    let agents = &collector.agents;
    let sources = &collector.sources;
    let lists = collector.lists();
    let shapes: Vec<_> = rows.iter().map(|row| trail.key.get(at(row)).map(|key| KeyFacts::of(lists, key))).collect();
    let mut columns = vec![
        times(rows.iter().map(|row| Some(trail.time[at(row)]))),
        taken.named(&trail.source, &names.sources)?,
        taken.named(&trail.address, &names.addresses)?,
        taken.named(&trail.requester, &names.requesters)?,
        taken.named(&trail.bucket, &names.buckets)?,
        taken.named(&trail.operation, &names.operations)?,
        texts(rows.iter().map(|row| OpClass::from_number(trail.class[at(row)]).map(OpClass::name))),
        taken.named(&trail.method, &names.methods)?,
        texts(shapes.iter().map(|shape| shape.as_ref().map(|shape| &*shape.decoded))),
        texts(shapes.iter().map(|shape| shape.as_ref().map(KeyFacts::prefix1).filter(|prefix| !prefix.is_empty()))),
        texts(shapes.iter().map(|shape| {
            shape.as_ref().map(|shape| shape.extension.as_str()).filter(|extension| !extension.is_empty())
        })),
        optional_integers(shapes.iter().map(|shape| shape.as_ref().and_then(|shape| shape.number))),
        texts(rows.iter().map(|row| trail.uri.get(at(row)))),
        optional_integers(rows.iter().map(|row| trail.status[at(row)].map(i64::from))),
        taken.named(&trail.error, &names.errors)?,
        optional_integers(rows.iter().map(|row| trail.bytes_sent[at(row)].and_then(|bytes| bytes.try_into().ok()))),
        optional_integers(rows.iter().map(|row| trail.object_size[at(row)].and_then(|bytes| bytes.try_into().ok()))),
        taken.named(&trail.referer, &names.referers)?,
        taken.named(&trail.agent, &names.agents)?,
        taken.column(&trail.agent, agents.iter().map(|agent| Some(agent.facts.norm.as_str())))?,
        taken.column(&trail.agent, agents.iter().map(|agent| Some(agent.facts.family.as_str())))?,
        taken.column(&trail.agent, agents.iter().map(|agent| Some(agent.facts.kind.name())))?,
        taken.column(&trail.agent, agents.iter().map(crate::detect::collect::Agent::hostile_tool))?,
        taken.column(&trail.agent, agents.iter().map(|agent| agent.facts.crawler_claim.as_deref()))?,
        texts(rows.iter().map(|row| trail.version.get(at(row)))),
    ];
    let nets: Vec<String> = sources.iter().map(super::sources::net_of).collect();
    columns.push(taken.column(&trail.source, nets.iter().map(|net| Some(net.as_str())))?);
    columns.push(taken.column(&trail.source, sources.iter().map(|source| source.known.country.as_deref()))?);
    columns.push(taken.column(&trail.source, sources.iter().map(super::sources::intel_of))?);
    columns.push(booleans(rows.iter().map(|row| {
        is_cdn.get(trail.source[at(row)] as usize).copied().unwrap_or_default()
            || Flags::of_bits(trail.flags[at(row)]).has(Flags::CDN)
    })));
    for flag in FLAGS {
        let bits = rows.iter().map(|row| Some(Flags::of_bits(trail.flags[at(row)]).has(flag)));
        columns.push(Arc::new(bits.collect::<BooleanArray>()));
    }
    Ok(columns)
}

/// `s3_trail`: the kept requests in the order of their times.
pub(crate) fn trail_batch(collector: &Collector, is_cdn: &[bool]) -> Result<RecordBatch, ArrowError> {
    let trail = &collector.trail;
    let kept = collector.days.iter().flat_map(|(_, day)| day.kept.rows());
    let shown = collector.requesters.pairs.values().flat_map(|pair| pair.kept.rows());
    let mut rows: Vec<u32> = kept.chain(shown).collect();
    let order = |row: &u32| {
        let at = *row as usize;
        let source = collector.sources[trail.source[at] as usize].hash;
        let uri = hash_of(&[trail.uri.get(at).unwrap_or_default().as_bytes()]);
        let answer = (trail.status[at], trail.bytes_sent[at]);
        // Numbers of names are others at every run.
        let names = hash_of(&[
            collector.names.buckets.get(trail.bucket[at]).as_bytes(),
            collector.names.operations.get(trail.operation[at]).as_bytes(),
            collector.names.requesters.get(trail.requester[at]).as_bytes(),
            collector.names.agents.get(trail.agent[at]).as_bytes(),
            collector.names.errors.get(trail.error[at]).as_bytes(),
        ]);
        (trail.time[at], source, trail.key_hash[at], trail.class[at], uri, answer, names)
    };
    rows.sort_unstable();
    rows.dedup();
    rows.sort_by_cached_key(order);
    let mut columns = event_columns(collector, trail, &rows, is_cdn)?;
    let keys = &collector.keys;
    columns.push(integers(rows.iter().map(|row| keys.good(trail.key_hash[*row as usize]))));
    columns.push(integers(rows.iter().map(|row| keys.asks(trail.key_hash[*row as usize]))));
    columns.push(integers(rows.iter().map(|row| keys.folder_asks(trail.prefix_hash[*row as usize]))));
    let day_of = |row: &u32| -> DayKey {
        let at = *row as usize;
        (trail.source[at], trail.bucket[at], trail.time[at].div_euclid(DAY) as i32)
    };
    let days: Vec<_> = rows.iter().map(|row| collector.days.get(day_of(row))).collect();
    columns.push(integers(days.iter().map(|day| day.map_or(0, |day| u64::from(day.anon_object_requests)))));
    columns.push(integers(days.iter().map(|day| day.map_or(0, |day| u64::from(day.anon_object_fails)))));
    batch_of(EVENT.iter().chain(TOGETHER), columns)
}

/// `s3_events`: requests as they come.
pub(crate) fn events_batch(collector: &Collector, trail: &Trail) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<u32> = (0..trail.len() as u32).collect();
    batch_of(EVENT, event_columns(collector, trail, &rows, &[])?)
}
