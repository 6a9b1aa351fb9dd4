//! Deny lists for firewalls, web servers, AWS WAF and bucket policies.
//!
//! [`DenyList::select`] decides which addresses are listed, for all formats alike; [`DenyList::print`] formats the
//! list. No text of a log is copied to the output: all addresses are parsed and formatted again.

mod aws_waf;
mod bucket_policy;
mod fail2ban;
mod ipset;
mod nftables;
mod plain;
mod selection;
#[cfg(test)]
mod tests;

pub use selection::{DenyList, LeftOut, Selection};

use super::format::rfc3339;
use crate::Error;
use ipnet::IpNet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A format of deny lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenyFormat {
    /// One network per line in CIDR notation.
    Cidr,
    /// `deny` directives for inclusion in an nginx configuration.
    Nginx,
    /// Input of `ipset restore`.
    Ipset,
    /// Input of `nft -f`.
    Nftables,
    /// Commands of `fail2ban-client`.
    Fail2ban,
    /// Input of `aws wafv2 create-ip-set --cli-input-json`.
    AwsWaf,
    /// A bucket policy for AWS S3.
    AwsBucketPolicy,
    /// A bucket policy for DigitalOcean Spaces.
    SpacesBucketPolicy,
}

impl DenyFormat {
    /// All formats.
    pub const ALL: [Self; 8] = [
        Self::Cidr,
        Self::Nginx,
        Self::Ipset,
        Self::Nftables,
        Self::Fail2ban,
        Self::AwsWaf,
        Self::AwsBucketPolicy,
        Self::SpacesBucketPolicy,
    ];

    /// The format's name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cidr => "cidr",
            Self::Nginx => "nginx",
            Self::Ipset => "ipset",
            Self::Nftables => "nftables",
            Self::Fail2ban => "fail2ban",
            Self::AwsWaf => "aws-waf",
            Self::AwsBucketPolicy => "aws-bucket-policy",
            Self::SpacesBucketPolicy => "spaces-bucket-policy",
        }
    }
}

impl fmt::Display for DenyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DenyFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::invalid(format!("`{}` is not a deny list format", text.escape_debug()))
                .with_hint(format!("one of: {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// IP version, for lists that can hold only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    pub(super) fn of(network: &IpNet) -> Self {
        match network {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }
}

/// The scope of an AWS WAF IP set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WafScope {
    /// Load balancers, APIs and similar resources in one region.
    #[default]
    Regional,
    /// CloudFront distributions.
    CloudFront,
}

/// Format-specific options. Each format uses its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyOptions {
    /// ipset, nftables and AWS WAF: name of sets and tables.
    pub set_name: String,
    /// fail2ban: name of the jail.
    pub jail: String,
    /// AWS WAF: scope of the set.
    pub waf_scope: WafScope,
    /// AWS WAF: IP version of the set.
    pub ip_version: IpVersion,
    /// Bucket policies: name of the bucket.
    pub bucket: Option<String>,
    /// AWS bucket policy: ARNs of principals that are never denied, so that administrators do not lock themselves out.
    pub exempt: Vec<String>,
    /// Spaces bucket policy: confirms that no limited-access key is used on the bucket.
    pub full_access_keys: bool,
}

impl Default for DenyOptions {
    fn default() -> Self {
        Self {
            set_name: "s3log".to_owned(),
            jail: "s3log".to_owned(),
            waf_scope: WafScope::default(),
            ip_version: IpVersion::default(),
            bucket: None,
            exempt: Vec::new(),
            full_access_keys: false,
        }
    }
}

impl DenyOptions {
    /// Checks whether a list with this period of validity can be printed, as far as possible without the list.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Argument`](crate::ErrorKind) if an option that the format needs is missing or invalid.
    pub fn check(&self, format: DenyFormat, good_for: Duration) -> Result<(), Error> {
        match format {
            DenyFormat::Cidr | DenyFormat::Nginx => Ok(()),
            DenyFormat::Ipset => ipset::checked(self, good_for).map(drop),
            DenyFormat::Nftables => nftables::checked(self, good_for).map(drop),
            DenyFormat::Fail2ban => fail2ban::checked(self).map(drop),
            DenyFormat::AwsWaf => aws_waf::checked(self).map(drop),
            DenyFormat::AwsBucketPolicy => bucket_policy::checked_for_aws(self).map(drop),
            DenyFormat::SpacesBucketPolicy => bucket_policy::checked_for_spaces(self).map(drop),
        }
    }
}

/// A formatted deny list, with warnings for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text, ending with a line end.
    pub text: String,
    /// Warnings that cannot be included in the text, or that are too important to be only there.
    pub warnings: Vec<String>,
}

impl DenyList {
    /// Formats the list.
    ///
    /// # Errors
    ///
    /// Fails if an option that the format needs is missing or invalid, or if the list has too many addresses.
    pub fn print(&self, format: DenyFormat, options: &DenyOptions) -> Result<Printed, Error> {
        let mut printed = match format {
            DenyFormat::Cidr => plain::cidr(self),
            DenyFormat::Nginx => plain::nginx(self),
            DenyFormat::Ipset => ipset::print(self, options)?,
            DenyFormat::Nftables => nftables::print(self, options)?,
            DenyFormat::Fail2ban => fail2ban::print(self, options)?,
            DenyFormat::AwsWaf => aws_waf::print(self, options)?,
            DenyFormat::AwsBucketPolicy => bucket_policy::aws(self, options)?,
            DenyFormat::SpacesBucketPolicy => bucket_policy::spaces(self, options)?,
        };
        if self.min_score() < super::Band::Block.min_score() {
            printed.warnings.push(format!(
                "sources with a score of {} are denied: below {} some of them are ordinary clients",
                self.min_score(),
                super::Band::Block.min_score()
            ));
        }
        Ok(printed)
    }

    /// Lines at the top of every list that can hold comments.
    fn header(&self) -> Vec<String> {
        let mut lines = vec![
            format!("s3log: {}", self.summary()),
            format!("made {}, expires {}: not to be used after that", rfc3339(self.made()), rfc3339(self.expires())),
        ];
        if self.left_out().any() {
            lines.push(format!("left out: {}", self.left_out()));
        }
        lines
    }

    /// Number of networks and sources, as a sentence.
    fn summary(&self) -> String {
        let count = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
        format!(
            "{} of {} with a score of at least {}",
            count(self.networks().len(), "network"),
            count(self.sources(), "source"),
            self.min_score()
        )
    }

    /// The header as comments that begin with `#`.
    fn comments(&self) -> String {
        self.header().into_iter().map(|line| format!("# {line}\n")).collect()
    }

    fn of_version(&self, version: IpVersion) -> impl Iterator<Item = &IpNet> {
        self.networks().iter().filter(move |network| IpVersion::of(network) == version)
    }
}

/// A single address without its prefix length, a network with it.
fn short(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// Checks a name that is used verbatim in a configuration: letters, digits, `_` and `-`, and a maximum length.
fn checked_name<'a>(what: &str, name: &'a str, longest: usize) -> Result<&'a str, Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if starts && name.len() <= longest && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(Error::argument(format!("`{}` cannot be the name of {what}", name.escape_debug()))
        .with_hint(format!("a letter, then letters, digits, `_` and `-`, {longest} at most")))
}

/// Formats a JSON document with indentation.
fn pretty(document: &impl serde::Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(document);
    let text = text.map_err(|error| Error::new(crate::ErrorKind::Internal, "a list is not JSON").with_source(error))?;
    Ok(text + "\n")
}
