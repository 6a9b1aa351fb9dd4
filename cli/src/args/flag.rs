//! Arguments of `flag` and `rules`.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser, PathBufValueParser, PossibleValue};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use s3log_engine::detect::deny::{DenyFormat, IpVersion, WafScope};
use s3log_engine::detect::{Band, Source};

use super::{BehaviourArgs, DestinationArgs, OutputArgs, Several, SeveralParser, SourceArgs, Sources, Span, WhereArgs};
use crate::output::Format;

/// Arguments of `flag`.
#[derive(Debug, Args)]
#[command(mut_arg("sources", |sources| sources.required(true)), after_help = "\
Bands: watch from 0.3, alert from 0.6, block from 0.9. Every address comes with reasons,
measurements and sample requests.

Examples:
  s3log flag logs/
  s3log flag s3://my-logs/access/ --since 24h --fail-on block
  s3log flag logs/ --explain 192.0.2.3
  s3log flag logs/ --allow office.txt --intel attackers.netset -F ndjson -o findings.ndjson
  s3log flag logs/ --learn normal.parquet && s3log flag today/ --baseline normal.parquet
  s3log flag logs/ -F nginx -o deny.conf

Files of networks contain one per line, in CIDR form; `#` begins a comment, `;` an attribute:
  192.0.2.0/24 ; name=Berlin office ; until=2027-01-01

Exit codes: 0 done, 1 failed, 2 usage, 3 finished but incomplete, 4 --fail-on found something, 130 interrupted")]
pub(crate) struct FlagArgs {
    /// What is read.
    #[command(flatten)]
    pub sources: Sources,

    /// Show addresses with at least this score, from 0 to 1; 0 shows all with any evidence [default: 0.6, for deny lists 0.9]
    #[arg(long, env = "S3LOG_MIN_SCORE", hide_env_values = true, value_name = "SCORE", value_parser = score, help_heading = "Detection")]
    pub min_score: Option<f64>,

    /// Exit with code 4 if an address is in this band or above
    #[arg(long, env = "S3LOG_FAIL_ON", hide_env_values = true, value_name = "BAND", help_heading = "Detection")]
    pub fail_on: Option<BandArg>,

    /// Show everything about one address, with a timeline; IPv6 addresses by their /64
    #[arg(long, env = "S3LOG_EXPLAIN", hide_env_values = true, value_name = "IP", value_parser = source, conflicts_with_all = ["backtest", "learn"], help_heading = "Detection")]
    pub explain: Option<Source>,

    /// Show what each rule would have flagged, day by day
    #[arg(long, env = "S3LOG_BACKTEST", hide_env_values = true, value_parser = FalseyValueParser::new(), conflicts_with = "learn", help_heading = "Detection")]
    pub backtest: bool,

    /// Learn a baseline from the sources and write it to this file; flags nothing
    #[arg(long, env = "S3LOG_LEARN", hide_env_values = true, value_name = "FILE", help_heading = "Detection")]
    pub learn: Option<PathBuf>,

    /// Baseline to compare with: a file from --learn, or a dataset or logs of an earlier time; repeatable, comma-separated in the environment variable
    #[arg(
        long,
        env = "S3LOG_BASELINE",
        hide_env_values = true,
        value_name = "FILE|SOURCE",
        value_parser = SeveralParser(NonEmptyStringValueParser::new()),
        value_hint = ValueHint::AnyPath,
        help_heading = "Detection"
    )]
    pub baseline: Vec<Several<String>>,

    /// Half-life of evidence, such as 72h, for continuous monitoring [default: no decay]
    #[arg(long, env = "S3LOG_HALF_LIFE", hide_env_values = true, value_name = "DURATION", help_heading = "Detection")]
    pub half_life: Option<Span>,

    /// Rules and lists.
    #[command(flatten)]
    pub rules: RuleArgs,

    /// What is known of addresses.
    #[command(flatten)]
    pub context: ContextArgs,

    /// How deny lists are written.
    #[command(flatten)]
    pub deny: DenyArgs,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Where it goes.
    #[command(flatten)]
    pub destination: DestinationArgs,

    /// Format: auto, table, csv, tsv, json, ndjson, line, parquet, arrow, null; markdown, a report; ocsf, Detection Findings for a SIEM; or a deny list: cidr, nginx, ipset, nftables, fail2ban, aws-waf, aws-bucket-policy, spaces-bucket-policy
    #[arg(
        short = 'F',
        long,
        env = "S3LOG_FLAG_FORMAT",
        hide_env_values = true,
        hide_possible_values = true,
        value_name = "FORMAT",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub format: FlagFormat,

    /// How the work is done.
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
    /// Where it is done.
    #[command(flatten)]
    pub place: WhereArgs,
}

fn score(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("a score is a number from 0 to 1".to_owned()),
    }
}

/// An address, or an IPv6 /64 network as `flag` prints it.
fn source(text: &str) -> Result<Source, String> {
    text.parse().map_err(|_| {
        "expected an IPv4 address, an IPv6 address, or the /64 network of IPv6 addresses, such as 2001:db8:0:1::/64"
            .to_owned()
    })
}

/// Rules and lists.
#[derive(Clone, Debug, Args)]
pub(crate) struct RuleArgs {
    /// Directory of rule files (*.toml): a file with a known id replaces or tunes that rule, others are added
    #[arg(long, env = "S3LOG_RULES", hide_env_values = true, value_name = "DIR", help_heading = "Detection")]
    pub rules: Option<PathBuf>,

    /// Directory of lists that replace shipped ones of the same name, such as sensitive-keys.regex
    #[arg(long, env = "S3LOG_LISTS", hide_env_values = true, value_name = "DIR", help_heading = "Detection")]
    pub lists: Option<PathBuf>,
}

/// What is known of addresses besides the logs. Networks of a CDN are among the arguments of sources.
#[derive(Clone, Debug, Args)]
pub(crate) struct ContextArgs {
    /// File of networks that are never flagged; repeatable, comma-separated in the environment variable
    #[arg(
        long,
        env = "S3LOG_ALLOW",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = SeveralParser(PathBufValueParser::new()),
        value_hint = ValueHint::FilePath,
        help_heading = "Context"
    )]
    pub allow: Vec<Several<PathBuf>>,

    /// File of networks that are always flagged; repeatable, comma-separated in the environment variable
    #[arg(
        long,
        env = "S3LOG_DENY",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = SeveralParser(PathBufValueParser::new()),
        value_hint = ValueHint::FilePath,
        help_heading = "Context"
    )]
    pub deny: Vec<Several<PathBuf>>,

    /// File of networks of crawlers, in addition to the built-in ones; `; name=Googlebot` names the crawler; repeatable, comma-separated in the environment variable
    #[arg(
        long,
        env = "S3LOG_CRAWLERS",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = SeveralParser(PathBufValueParser::new()),
        value_hint = ValueHint::FilePath,
        help_heading = "Context"
    )]
    pub crawlers: Vec<Several<PathBuf>>,

    /// File of networks of attackers; `; confidence=0.8` sets the confidence; repeatable, comma-separated in the environment variable
    #[arg(
        long,
        env = "S3LOG_INTEL",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = SeveralParser(PathBufValueParser::new()),
        value_hint = ValueHint::FilePath,
        help_heading = "Context"
    )]
    pub intel: Vec<Several<PathBuf>>,

    /// Database of countries (mmdb), such as GeoLite2-Country
    #[arg(long, env = "S3LOG_GEOIP", hide_env_values = true, value_name = "FILE", help_heading = "Context")]
    pub geoip: Option<PathBuf>,

    /// Database of autonomous systems (mmdb), such as GeoLite2-ASN
    #[arg(long, env = "S3LOG_ASN", hide_env_values = true, value_name = "FILE", help_heading = "Context")]
    pub asn: Option<PathBuf>,
}

/// How deny lists are written.
#[derive(Clone, Debug, Args)]
pub(crate) struct DenyArgs {
    /// Maximum number of networks, those with the highest scores
    #[arg(long, env = "S3LOG_MAX_ENTRIES", hide_env_values = true, value_name = "N", help_heading = "Deny lists")]
    pub max_entries: Option<usize>,

    /// Merge adjacent networks, without adding addresses
    #[arg(long, env = "S3LOG_AGGREGATE", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Deny lists")]
    pub aggregate: bool,

    /// How long the list is valid
    #[arg(
        long,
        env = "S3LOG_EXPIRES",
        hide_env_values = true,
        value_name = "DURATION",
        default_value = "24h",
        help_heading = "Deny lists"
    )]
    pub expires: Span,

    /// Name of sets (ipset, nftables, AWS WAF)
    #[arg(
        long,
        env = "S3LOG_SET_NAME",
        hide_env_values = true,
        value_name = "NAME",
        default_value = "s3log",
        help_heading = "Deny lists"
    )]
    pub set_name: String,

    /// Jail of fail2ban
    #[arg(
        long,
        env = "S3LOG_JAIL",
        hide_env_values = true,
        value_name = "NAME",
        default_value = "s3log",
        help_heading = "Deny lists"
    )]
    pub jail: String,

    /// AWS WAF: where the set is used
    #[arg(
        long,
        env = "S3LOG_WAF_SCOPE",
        hide_env_values = true,
        value_name = "SCOPE",
        default_value = "regional",
        help_heading = "Deny lists"
    )]
    pub waf_scope: ScopeArg,

    /// AWS WAF: IP version of the addresses; a set holds one
    #[arg(
        long,
        env = "S3LOG_IP_VERSION",
        hide_env_values = true,
        value_name = "VERSION",
        default_value = "4",
        help_heading = "Deny lists"
    )]
    pub ip_version: VersionArg,

    /// Bucket policies: the bucket
    #[arg(long, env = "S3LOG_BUCKET", hide_env_values = true, value_name = "BUCKET", help_heading = "Deny lists")]
    pub bucket: Option<String>,

    /// Bucket policy of AWS: ARN of a principal that is never denied, against locking yourself out
    #[arg(
        long,
        env = "S3LOG_EXEMPT",
        hide_env_values = true,
        value_name = "ARN",
        value_delimiter = ',',
        help_heading = "Deny lists"
    )]
    pub exempt: Vec<String>,

    /// Bucket policy of Spaces: confirm that no key with limited access is used on the bucket
    #[arg(long, env = "S3LOG_FULL_ACCESS_KEYS", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Deny lists")]
    pub full_access_keys: bool,
}

/// A band of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BandArg(pub Band);

impl ValueEnum for BandArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(Band::Watch), Self(Band::Alert), Self(Band::Block)] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// Where a set of AWS WAF is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScopeArg(pub WafScope);

impl ValueEnum for ScopeArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(WafScope::Regional), Self(WafScope::CloudFront)] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            WafScope::CloudFront => "cloudfront",
            _ => "regional",
        }))
    }
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VersionArg(pub IpVersion);

impl ValueEnum for VersionArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(IpVersion::V4), Self(IpVersion::V6)] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            IpVersion::V6 => "6",
            IpVersion::V4 => "4",
        }))
    }
}

/// An output format of `flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagFormat {
    /// A format of query results.
    Result(Format),
    /// A report in Markdown.
    Report,
    /// OCSF Detection Findings, one per line.
    Ocsf,
    /// A deny list.
    Deny(DenyFormat),
}

impl ValueEnum for FlagFormat {
    fn value_variants<'a>() -> &'a [Self] {
        const {
            &[
                Self::Result(Format::Auto),
                Self::Result(Format::Table),
                Self::Result(Format::Csv),
                Self::Result(Format::Tsv),
                Self::Result(Format::Json),
                Self::Result(Format::Ndjson),
                Self::Result(Format::Line),
                Self::Result(Format::Parquet),
                Self::Result(Format::Arrow),
                Self::Result(Format::Null),
                Self::Report,
                Self::Ocsf,
                Self::Deny(DenyFormat::Cidr),
                Self::Deny(DenyFormat::Nginx),
                Self::Deny(DenyFormat::Ipset),
                Self::Deny(DenyFormat::Nftables),
                Self::Deny(DenyFormat::Fail2ban),
                Self::Deny(DenyFormat::AwsWaf),
                Self::Deny(DenyFormat::AwsBucketPolicy),
                Self::Deny(DenyFormat::SpacesBucketPolicy),
            ]
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Result(format) => format.to_possible_value(),
            Self::Report => Some(PossibleValue::new("markdown").alias("md")),
            Self::Ocsf => Some(PossibleValue::new("ocsf")),
            Self::Deny(format) => Some(PossibleValue::new(format.name())),
        }
    }
}

/// Arguments of `rules`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log rules
  s3log rules show S3D-103
  s3log rules test --rules my-rules/
  s3log rules lint --rules my-rules/
  s3log rules tables s3_trail")]
pub(crate) struct RulesArgs {
    /// What to do [default: list]
    #[command(subcommand)]
    pub command: Option<RulesCommand>,

    /// Rules and lists.
    #[command(flatten)]
    pub rules: RuleArgs,

    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `rules` can do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List the rules
    List(RulesListArgs),
    /// Show a rule: what it looks for and why, its query with all values, its tests
    Show(RulesShowArgs),
    /// Run the tests of the rules
    Test(RulesTestArgs),
    /// Report errors in rules, and what could be better
    Lint(RulesListArgs),
    /// Print the columns of the tables that rules can read
    Tables(RulesTablesArgs),
    /// Print the built-in lists with their dates and sources; with a name, the text of that list
    Lists(RulesListsArgs),
}

/// Arguments of `rules list` and `rules lint`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RulesListArgs {
    /// Rules and lists.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `rules show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RulesShowArgs {
    /// Id of the rule, such as S3D-103
    pub id: String,
    /// Rules and lists.
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// Arguments of `rules test`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RulesTestArgs {
    /// Only the rule with this id
    pub id: Option<String>,
    /// Rules and lists.
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// Arguments of `rules tables`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RulesTablesArgs {
    /// Only this table
    pub table: Option<String>,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `rules lists`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RulesListsArgs {
    /// Print this list, to edit and pass to --lists
    pub name: Option<String>,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}
