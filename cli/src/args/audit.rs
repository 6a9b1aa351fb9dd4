//! Arguments of `keys audit`.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, PossibleValue};
use clap::{Args, ValueEnum};
use s3log_engine::keys::audit::Form;

use super::{ApiArgs, BehaviourArgs, ContextArgs, DestinationArgs, RuleArgs, SourceArgs, Sources};
use crate::output::ReportFormat;

/// Arguments of `keys audit`.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("sources", |sources| sources.required(true)), after_help = "\
The grants of keys come from --keys, else from the API if there is a token
(DIGITALOCEAN_ACCESS_TOKEN, --token-file); without either, the audit shows what was done and what
would be enough. Records are attributed to keys by presigned URLs, by requesters that are ids of
keys, and by --principals; to users and roles of AWS by their ARNs. What DigitalOcean logs as the
requester is not documented, so nothing is guessed from it: requests that cannot be attributed are
counted as such.

Headers are not in logs: uploads that set an ACL, tags or a retention, and objects under KMS, need
more than a policy proposes. Buckets whose logs are not among the sources are unknown; grants for
them are listed, but not judged. Datasets must be of the table `logs`.

Examples:
  s3log keys audit s3://my-logs/access/ --since 90d
  s3log keys audit logs/ --keys keys.json --flag
  s3log keys audit logs/ --principal backup -F doctl
  s3log keys audit logs/ --principal arn:aws:iam::123456789012:role/etl -F iam > policy.json
  s3log keys audit logs/ -F json | jq '.remarks[] | select(.kind == \"unused-key\") | .name'

Exit codes: 0 done, 1 failed, 2 usage, 3 finished but incomplete, 130 interrupted")]
pub(crate) struct KeysAuditArgs {
    /// What is read.
    #[command(flatten)]
    pub sources: Sources,

    /// Keys of the account and their grants: JSON from `s3log keys list -F json`, or from the API
    #[arg(long, env = "S3LOG_KEYS", hide_env_values = true, value_name = "FILE", help_heading = "Audit")]
    pub keys: Option<PathBuf>,

    /// TOML file that maps requesters to keys, one "requester" = "access key id" per line
    #[arg(long, env = "S3LOG_PRINCIPALS", hide_env_values = true, value_name = "FILE", help_heading = "Audit")]
    pub principals: Option<PathBuf>,

    /// Only this key or principal: its id, or its name
    #[arg(long, env = "S3LOG_PRINCIPAL", hide_env_values = true, value_name = "ID|NAME", help_heading = "Audit")]
    pub principal: Option<String>,

    /// Also report keys that are used from suspicious addresses, as `s3log flag` finds them; reads the sources twice
    #[arg(long, env = "S3LOG_AUDIT_FLAG", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Audit")]
    pub flag: bool,

    /// In policies, allow objects only below the folder that all keys of an action had in common
    #[arg(long, env = "S3LOG_FOLDERS", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Audit")]
    pub folders: bool,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,

    /// What is known of addresses, for --flag.
    #[command(flatten)]
    pub context: ContextArgs,

    /// Which rules --flag goes by.
    #[command(flatten)]
    pub rules: RuleArgs,

    /// How the API is reached.
    #[command(flatten)]
    pub api: ApiArgs,

    /// Where it goes.
    #[command(flatten)]
    pub destination: DestinationArgs,

    /// Format of the audit, or of what it proposes [default: by the extension of --output, else text]
    #[arg(
        short = 'F',
        long,
        env = "S3LOG_AUDIT_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "auto",
        hide_default_value = true,
        help_heading = "Output"
    )]
    pub format: AuditFormat,

    /// How the work is done.
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
}

/// An output format of `keys audit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditFormat {
    /// The whole audit.
    Report(ReportFormat),
    /// Only the proposed keys or policies.
    Proposal(Form),
}

impl ValueEnum for AuditFormat {
    fn value_variants<'a>() -> &'a [Self] {
        const {
            &[
                Self::Report(ReportFormat::Auto),
                Self::Report(ReportFormat::Text),
                Self::Report(ReportFormat::Json),
                Self::Proposal(Form::Curl),
                Self::Proposal(Form::Doctl),
                Self::Proposal(Form::Terraform),
                Self::Proposal(Form::Iam),
            ]
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Report(format) => return format.to_possible_value(),
            Self::Proposal(Form::Curl) => ("curl", "Proposed keys of Spaces, as calls of DigitalOcean's API"),
            Self::Proposal(Form::Doctl) => ("doctl", "Proposed keys of Spaces, as calls of doctl"),
            Self::Proposal(Form::Terraform) => ("terraform", "Proposed keys of Spaces, as resources of Terraform"),
            Self::Proposal(Form::Iam) => ("iam", "Proposed policies of IAM"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}
