//! Protocol Buffers messages for the operators of this crate.

use crate::decode::{Dialect, LineOptions, RequestRules};
use crate::error::{Error, ErrorKind};
use crate::schema::{Table, TextLayout};
use bytes::Bytes;
use datafusion_proto::protobuf::{FileScanExecConf, PhysicalExprNode};

/// An operator of this crate.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(oneof = "node::Kind", tags = "1, 2, 3")]
    pub(super) kind: Option<node::Kind>,
}

pub(super) mod node {
    /// The kinds of operators.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in crate::cluster) enum Kind {
        #[prost(message, tag = "1")]
        Scan(Box<super::Scan>),
        #[prost(message, tag = "2")]
        Requests(super::Requests),
        #[prost(message, tag = "3")]
        Parts(super::Parts),
    }
}

/// A scan of log objects.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Scan {
    #[prost(string, tag = "1")]
    pub(super) table: String,
    #[prost(bool, tag = "2")]
    pub(super) has_views: bool,
    #[prost(message, optional, tag = "3")]
    pub(super) lines: Option<Lines>,
    #[prost(message, repeated, tag = "4")]
    pub(super) projection: Vec<Projected>,
    #[prost(message, optional, tag = "5")]
    pub(super) predicate: Option<PhysicalExprNode>,
    #[prost(uint64, optional, tag = "6")]
    pub(super) limit: Option<u64>,
    #[prost(bool, tag = "7")]
    pub(super) compacts: bool,
    /// Total size of all objects.
    #[prost(uint64, tag = "8")]
    pub(super) bytes: u64,
    /// The objects of each partition, serialized by `scan::pack`.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub(super) partitions: Vec<Bytes>,
    /// Instead of `partitions`: files listed by another table provider.
    #[prost(message, optional, tag = "10")]
    pub(super) files: Option<FileScanExecConf>,
}

/// An output column of a scan.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Projected {
    #[prost(message, optional, tag = "1")]
    pub(super) expr: Option<PhysicalExprNode>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
}

/// Conversion of another table's rows to rows of `requests`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Requests {
    #[prost(string, tag = "1")]
    pub(super) from: String,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) columns: Vec<u32>,
    #[prost(bool, tag = "3")]
    pub(super) has_views: bool,
    #[prost(message, optional, tag = "4")]
    pub(super) lines: Option<Lines>,
}

/// Output files of a conversion.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Parts {
    /// The settings common to all parts, as JSON.
    #[prost(string, tag = "1")]
    pub(super) order: String,
}

/// Options for parsing lines.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Lines {
    #[prost(uint64, tag = "1")]
    max_line: u64,
    #[prost(string, tag = "2")]
    dialect: String,
    #[prost(string, repeated, tag = "3")]
    cdn_fields: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    hosts: Vec<Host>,
}

/// The bucket behind a host of a CDN.
#[derive(Clone, PartialEq, prost::Message)]
struct Host {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(string, tag = "2")]
    bucket: String,
}

impl TryFrom<&LineOptions> for Lines {
    type Error = Error;

    fn try_from(options: &LineOptions) -> Result<Self, Error> {
        let rules = options.requests();
        if rules.knows_addresses() {
            return Err(Error::new(ErrorKind::Unsupported, "networks of a CDN are not sent to a cluster")
                .with_hint("leave --cdn-cidr out, and write ip_in_cidr(remote_ip, […]) into the SQL"));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut hosts: Vec<_> =
            rules.buckets().map(|(host, bucket)| Host { host: text(host), bucket: text(bucket) }).collect();
        hosts.sort_by(|a, b| a.host.cmp(&b.host));
        Ok(Self {
            max_line: options.max_line() as u64,
            dialect: options.dialect().name().to_owned(),
            cdn_fields: options.cdn_fields().to_vec(),
            hosts,
        })
    }
}

impl TryFrom<Lines> for LineOptions {
    type Error = Error;

    fn try_from(lines: Lines) -> Result<Self, Error> {
        let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.name() == lines.dialect);
        let dialect = dialect.ok_or_else(|| unknown("dialect", &lines.dialect))?;
        let rules = RequestRules::default();
        let rules = lines.hosts.iter().fold(rules, |rules, host| rules.with_bucket(&host.host, &host.bucket));
        let max_line = usize::try_from(lines.max_line).unwrap_or(usize::MAX);
        let options = Self::default().with_max_line(max_line).with_dialect(dialect).with_requests(rules);
        Ok(match lines.cdn_fields.is_empty() {
            true => options,
            false => options.with_cdn_fields(lines.cdn_fields.iter().map(String::as_str)),
        })
    }
}

/// The table with this name.
pub(super) fn table_of(name: &str) -> Result<Table, Error> {
    Table::ALL.into_iter().find(|table| table.name() == name).ok_or_else(|| unknown("table", name))
}

pub(super) fn layout_of(has_views: bool) -> TextLayout {
    if has_views { TextLayout::Views } else { TextLayout::Plain }
}

fn unknown(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("there is no {what} `{name}` here"))
        .with_hint("run the same version of s3log on all machines")
}
