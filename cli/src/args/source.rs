//! Which records are read, and where from.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, PathBufValueParser, PossibleValue};
use clap::{Args, ValueEnum, ValueHint};
use s3log_engine::decode::{Dialect, is_cdn_field};
use s3log_engine::scan::Layout;
use s3log_engine::store::{Addressing, StoreOptions};

use super::{Moment, Several, SeveralParser, Span};

/// What is read: what a command takes for SOURCE.
#[derive(Clone, Debug, Args)]
pub(crate) struct Sources {
    /// Sources
    #[arg(id = "sources", value_name = "SOURCE", help = source_help(true, true))]
    pub names: Vec<String>,
}

/// The help text of SOURCE, depending on whether the command reads standard input and datasets.
pub(super) fn source_help(stdin: bool, datasets: bool) -> String {
    let mut kinds = vec!["Buckets (s3://bucket/prefix)", "files", "directories", "globs"];
    kinds.extend(stdin.then_some("`-` for standard input"));
    kinds.push(if datasets { "@FILE for a list of them" } else { "or @FILE for a list of them" });
    kinds.extend(datasets.then_some("or datasets that `s3log convert` made"));
    kinds.join(", ")
}

/// What is read beside datasets.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DatasetArgs {
    /// Besides datasets, read log objects that are not in them yet: those of the other sources, or without any, those
    /// that the datasets were made from
    #[arg(long, env = "S3LOG_WITH_RAW", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Source")]
    pub with_raw: bool,
}

/// Which records are read.
#[derive(Clone, Debug, Args)]
pub(crate) struct SourceArgs {
    /// Only records from this time on: RFC 3339, a date such as 2026-01-31, or a duration before now such as 24h, 7d
    #[arg(long, env = "S3LOG_SINCE", hide_env_values = true, value_name = "TIME", help_heading = "Source")]
    pub since: Option<Moment>,

    /// Only records before this time
    #[arg(long, env = "S3LOG_UNTIL", hide_env_values = true, value_name = "TIME", help_heading = "Source")]
    pub until: Option<Moment>,

    /// What the time in names of log objects means, so that objects of other times are left out: auto, flat,
    /// delivery-time, event-time, first-record, ceph, none
    ///
    /// auto: what AWS documents, for names as AWS gives them; nothing is left out where a service does not say what its
    /// names mean. flat, delivery-time: when the object was delivered, so no record is younger. event-time: the day of
    /// all records, in folders of days. first-record: Scality. ceph: when the object was begun, by the gateway's clock.
    /// none: every object is read.
    #[arg(
        long,
        env = "S3LOG_LAYOUT",
        hide_env_values = true,
        hide_possible_values = true,
        value_name = "LAYOUT",
        default_value = "auto",
        help_heading = "Source"
    )]
    pub layout: LayoutArg,

    /// UNSAFE: skip objects that were delivered later than this after --until or the SQL's last time, such as 2d
    ///
    /// There is no guarantee how late records are delivered: those that arrive even later are missing from the answer.
    #[arg(long, env = "S3LOG_MAX_LATENESS", hide_env_values = true, value_name = "DURATION", help_heading = "Source")]
    pub max_lateness: Option<Span>,

    /// What log objects contain besides lines that identify themselves: auto, ceph-journal, versitygw
    ///
    /// auto: nothing; lines of the others are rejects whose reason names them. ceph-journal: journal records of Ceph.
    /// versitygw: the log file of VersityGW. All other lines are read as with auto; DIALECTS.md says what becomes of them.
    #[arg(
        long,
        env = "S3LOG_DIALECT",
        hide_env_values = true,
        hide_possible_values = true,
        value_name = "DIALECT",
        default_value = "auto",
        help_heading = "Source"
    )]
    pub dialect: DialectArg,

    /// How CDN logs are understood.
    #[command(flatten)]
    pub cdn: CdnArgs,

    /// How buckets are reached.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// How CDN logs are understood, and requests that came through a CDN.
#[derive(Clone, Debug, Args)]
pub(crate) struct CdnArgs {
    /// The bucket behind a CDN host, such as cdn.example.com=photos; for hosts under cdn.digitaloceanspaces.com it is known
    #[arg(
        long,
        env = "S3LOG_MAP",
        hide_env_values = true,
        value_name = "HOST=BUCKET",
        value_delimiter = ',',
        value_parser = host_and_bucket,
        help_heading = "CDN"
    )]
    pub map: Vec<(String, String)>,

    /// File of networks from which the CDN itself reads the bucket, one per line: its requests are `is_cdn_fetch` in `requests`; repeatable, comma-separated in the environment variable
    #[arg(
        long,
        env = "S3LOG_CDN_CIDR",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = SeveralParser(PathBufValueParser::new()),
        value_hint = ValueHint::FilePath,
        help_heading = "CDN"
    )]
    pub cdn_cidr: Vec<Several<PathBuf>>,

    /// Fields of CDN logs that have no `#Fields` line, in order, such as date,time,c-ip,cs-uri-stem,sc-status
    #[arg(
        long,
        env = "S3LOG_CDN_FIELDS",
        hide_env_values = true,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = cdn_field,
        help_heading = "CDN"
    )]
    pub cdn_fields: Vec<String>,
}

fn cdn_field(name: &str) -> Result<String, String> {
    match is_cdn_field(name) || name == "-" {
        true => Ok(name.to_owned()),
        false => Err("no CDN log has a field of this name; use `-` for a column to ignore".to_owned()),
    }
}

fn host_and_bucket(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((host, bucket)) if !host.is_empty() && !bucket.is_empty() => Ok((host.to_owned(), bucket.to_owned())),
        _ => Err("it is not of the form HOST=BUCKET".to_owned()),
    }
}

/// How buckets are reached. What is not given comes from where `aws` takes it.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// Profile of AWS's configuration files
    #[arg(long, env = "S3LOG_PROFILE", hide_env_values = true, value_name = "NAME", help_heading = "Buckets")]
    pub profile: Option<String>,

    /// Region that requests are signed for [default: of the endpoint, the environment, the profile]
    #[arg(long, env = "S3LOG_REGION", hide_env_values = true, value_name = "REGION", help_heading = "Buckets")]
    pub region: Option<String>,

    /// Service other than AWS's, such as https://nyc3.digitaloceanspaces.com
    #[arg(long, env = "S3LOG_ENDPOINT_URL", hide_env_values = true, value_name = "URL", help_heading = "Buckets")]
    pub endpoint_url: Option<String>,

    /// Send requests without a signature, for public buckets
    #[arg(long, env = "S3LOG_NO_SIGN_REQUEST", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Buckets")]
    pub no_sign_request: bool,

    /// Pay for the requests if a bucket requires it: `requester`
    #[arg(
        long,
        env = "S3LOG_REQUEST_PAYER",
        hide_env_values = true,
        value_name = "requester",
        hide_possible_values = true,
        help_heading = "Buckets"
    )]
    pub request_payer: Option<Payer>,

    /// Where the bucket's name goes in URLs: auto, path, virtual [default: of the profile, else auto]
    #[arg(
        long,
        env = "S3LOG_ADDRESSING",
        hide_env_values = true,
        hide_possible_values = true,
        value_name = "STYLE",
        help_heading = "Buckets"
    )]
    pub addressing: Option<AddressingArg>,

    /// Number of concurrent requests for objects [default: 64]
    #[arg(long, env = "S3LOG_CONCURRENCY", hide_env_values = true, value_name = "N", help_heading = "Buckets")]
    pub concurrency: Option<NonZeroUsize>,
}

impl StoreArgs {
    /// The options for the engine, with its defaults for flags that are not given.
    pub(crate) fn options(&self) -> StoreOptions {
        let default = StoreOptions::default();
        StoreOptions {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            unsigned: self.no_sign_request,
            requester_pays: self.request_payer.is_some(),
            addressing: self.addressing.map(|addressing| addressing.0),
            concurrency: self.concurrency.map_or(default.concurrency, NonZeroUsize::get),
            ..default
        }
    }
}

/// Who pays for requests, in the terms of `aws`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Payer {
    /// Whoever sends them
    Requester,
}

/// What the times in object names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayoutArg(pub Layout);

impl ValueEnum for LayoutArg {
    fn value_variants<'a>() -> &'a [Self] {
        const {
            &[
                Self(Layout::Auto),
                Self(Layout::Flat),
                Self(Layout::DeliveryTime),
                Self(Layout::EventTime),
                Self(Layout::FirstRecord),
                Self(Layout::Ceph),
                Self(Layout::None),
            ]
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// Which dialect to read besides lines that identify themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DialectArg(pub Dialect);

impl ValueEnum for DialectArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(Dialect::Auto), Self(Dialect::CephJournal), Self(Dialect::VersityGw)] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// Where the bucket's name goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressingArg(pub Addressing);

impl ValueEnum for AddressingArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(Addressing::Auto), Self(Addressing::Path), Self(Addressing::Virtual)] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            Addressing::Auto => "auto",
            Addressing::Path => "path",
            Addressing::Virtual => "virtual",
        }))
    }
}
