//! Arguments of `keys`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use s3log_engine::keys::{Grant, Permission};

use super::{KeysAuditArgs, OutputArgs, Span};

/// Arguments of `keys`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log keys list
  s3log keys audit s3://my-logs/access/ --since 90d
  s3log keys rotate backup --dry-run")]
pub(crate) struct KeysArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What `keys` can do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys of an account and their grants
    List(KeysListArgs),
    /// Report what each key or principal did in logs, what it is granted beyond that, and what would be enough
    Audit(Box<KeysAuditArgs>),
    /// Create a key that replaces another, and print how to switch over; deletes nothing
    Rotate(KeysRotateArgs),
    /// Print what each operation requires: actions in policies, and permissions of Spaces keys
    Operations(KeysOperationsArgs),
}

/// Arguments of `keys operations`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Actions are those of AWS's documentation, \"Required permissions for Amazon S3 API operations\".
DigitalOcean documents three permissions but not what each allows, so these are inferred: test a
new key before you delete the old one.

Examples:
  s3log keys operations
  s3log keys operations -F markdown")]
pub(crate) struct KeysOperationsArgs {
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How DigitalOcean's API is reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApiArgs {
    /// File with the API token, which only its owner should be able to read [default: DIGITALOCEAN_ACCESS_TOKEN]
    #[arg(long, env = "S3LOG_TOKEN_FILE", hide_env_values = true, value_name = "FILE", help_heading = "API")]
    pub token_file: Option<PathBuf>,

    /// URL of the API [default: DIGITALOCEAN_API_URL, else https://api.digitalocean.com]
    #[arg(short = 'u', long, env = "S3LOG_API_URL", hide_env_values = true, value_name = "URL", help_heading = "API")]
    pub api_url: Option<String>,

    /// How long to wait for an answer
    #[arg(
        long,
        env = "S3LOG_API_TIMEOUT",
        hide_env_values = true,
        value_name = "DURATION",
        default_value = "30s",
        help_heading = "API"
    )]
    pub api_timeout: Span,
}

/// Arguments of `keys list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Keys are sorted by name, then by id. The API itself filters by --bucket, --permission and --name;
it never returns secrets. A token with the scope spaces_key:read is enough.

Examples:
  s3log keys list
  s3log keys list --bucket my-logs --permission fullaccess
  s3log keys list -F json -o keys.json

Exit codes: 0 done, 1 failed, 2 usage, 3 the list may lack keys, 130 interrupted")]
pub(crate) struct KeysListArgs {
    /// Only keys with a grant for this bucket
    #[arg(long, env = "S3LOG_KEY_BUCKET", hide_env_values = true, value_name = "BUCKET", help_heading = "Keys")]
    pub bucket: Option<String>,

    /// Only keys with this permission: read, readwrite, fullaccess
    #[arg(long, env = "S3LOG_KEY_PERMISSION", hide_env_values = true, value_name = "PERMISSION", value_parser = ["read", "readwrite", "fullaccess"], hide_possible_values = true, help_heading = "Keys")]
    pub permission: Option<String>,

    /// Only keys of this name
    #[arg(long, env = "S3LOG_KEY_NAME", hide_env_values = true, value_name = "NAME", help_heading = "Keys")]
    pub name: Option<String>,

    /// How the API is reached.
    #[command(flatten)]
    pub api: ApiArgs,

    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `keys rotate`.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "s3log keys rotate [OPTIONS] --dry-run <KEY>\n       s3log keys rotate [OPTIONS] --apply --credentials <FILE> <KEY>",
    after_help = "\
The grants of a key cannot be changed: a new key replaces it, and the old one works until you
delete it. The secret of the new key goes into the file of --credentials and nowhere else. This
requires a token with the scopes spaces_key:read and, except for --dry-run,
spaces_key:create_credentials.

Examples:
  s3log keys rotate backup --dry-run
  s3log keys rotate DO00EXAMPLE --apply --credentials backup.credentials
  s3log keys rotate everything --dry-run --grant my-logs=read --name log-reader"
)]
pub(crate) struct KeysRotateArgs {
    /// The old key: its access key id, or its name if no other key has it
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Show the request and the next steps; create nothing
    #[arg(long, env = "S3LOG_DRY_RUN", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Rotation")]
    pub dry_run: bool,

    /// Create the new key
    #[arg(long, env = "S3LOG_APPLY", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Rotation")]
    pub apply: bool,

    /// Name of the new key [default: that of the old one with a number]
    #[arg(long, env = "S3LOG_NEW_KEY_NAME", hide_env_values = true, value_name = "NAME", help_heading = "Rotation")]
    pub name: Option<String>,

    /// What the new key is granted: BUCKET=read or BUCKET=readwrite [default: what the old one is granted]
    #[arg(
        long = "grant",
        env = "S3LOG_GRANT",
        hide_env_values = true,
        value_name = "BUCKET=PERMISSION",
        value_delimiter = ',',
        help_heading = "Rotation"
    )]
    pub grants: Vec<GrantArg>,

    /// Grant the new key everything in all buckets
    #[arg(long, env = "S3LOG_FULL_ACCESS", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Rotation")]
    pub full_access: bool,

    /// Allow the new key more than the old one
    #[arg(long, env = "S3LOG_WIDER", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Rotation")]
    pub wider: bool,

    /// Write id and secret of the new key to this file, in the format of AWS's credentials; it must not exist yet
    #[arg(long, env = "S3LOG_CREDENTIALS", hide_env_values = true, value_name = "FILE", help_heading = "Rotation")]
    pub credentials: Option<PathBuf>,

    /// How the API is reached.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// `BUCKET=read` or `BUCKET=readwrite`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantArg(pub Grant);

impl FromStr for GrantArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, permission) = text.rsplit_once('=').unwrap_or_default();
        match Permission::from(permission.to_owned()) {
            permission @ (Permission::Read | Permission::ReadWrite) if !bucket.is_empty() => {
                Ok(Self(Grant { bucket: bucket.to_owned(), permission }))
            }
            _ => Err("expected BUCKET=read or BUCKET=readwrite; --full-access is for all buckets".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants() {
        let grant = |bucket: &str, permission| Ok(GrantArg(Grant { bucket: bucket.to_owned(), permission }));
        assert_eq!("logs=read".parse(), grant("logs", Permission::Read));
        assert_eq!("my.logs=readwrite".parse(), grant("my.logs", Permission::ReadWrite));
        for wrong in ["", "logs", "=read", "logs=", "logs=write", "logs=fullaccess", "=fullaccess", "logs=READ"] {
            assert!(wrong.parse::<GrantArg>().is_err(), "{wrong}");
        }
    }
}
