//! Lists of addresses for what can keep them out: firewalls, web servers, AWS WAF, bucket policies.
//!
//! [`DenyList::select`] decides who is on the list, once for all formats; [`DenyList::print`] writes it. Nothing in a list is
//! text of a log: every address was parsed, and is printed by us.

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

use super::when::rfc3339;
use crate::Error;
use ipnet::IpNet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a deny list is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenyFormat {
    /// One network a line, in CIDR form.
    Cidr,
    /// `deny` directives to include in an nginx configuration.
    Nginx,
    /// Input of `ipset restore`.
    Ipset,
    /// Input of `nft -f`.
    Nftables,
    /// Commands of `fail2ban-client`.
    Fail2ban,
    /// Input of `aws wafv2 create-ip-set --cli-input-json`.
    AwsWaf,
    /// A bucket policy for S3 of AWS.
    AwsBucketPolicy,
    /// A bucket policy for Spaces of DigitalOcean.
    SpacesBucketPolicy,
}

impl DenyFormat {
    /// Every format.
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

    /// Its name on the command line.
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
            Error::invalid(format!("`{}` is no format of deny lists", text.escape_debug()))
                .with_hint(format!("one of: {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// Versions of IP, for lists that hold only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    fn of(network: &IpNet) -> Self {
        match network {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }
}

/// Where an IP set of AWS WAF is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WafScope {
    /// By load balancers, APIs and the like, in one region.
    #[default]
    Regional,
    /// By distributions of CloudFront.
    CloudFront,
}

/// What formats have to know beside the addresses. Each looks at its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyOptions {
    /// ipset, nftables and AWS WAF: how sets and tables are called.
    pub set_name: String,
    /// fail2ban: the jail.
    pub jail: String,
    /// AWS WAF: where the set is used.
    pub waf_scope: WafScope,
    /// AWS WAF: what the set holds.
    pub ip_version: IpVersion,
    /// Bucket policies: the bucket.
    pub bucket: Option<String>,
    /// Bucket policy of AWS: ARNs of principals that are never denied, so that nobody locks himself out.
    pub exempt: Vec<String>,
    /// Bucket policy of Spaces: affirms that no key with limited access is used on the bucket.
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
    /// Whether a list that is good for so long can be printed with these: all that can be told before there is one.
    ///
    /// # Errors
    ///
    /// If the format needs an option that is not there, or does not take one as it is: [`ErrorKind::Argument`](crate::ErrorKind).
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

/// A deny list as text, and what whoever uses it has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text, with an end of line.
    pub text: String,
    /// Sentences that have no place in the text, or are too important to stand there alone.
    pub warnings: Vec<String>,
}

impl DenyList {
    /// Writes the list.
    ///
    /// # Errors
    ///
    /// If the format needs an option that is not there, takes fewer addresses, or does not work where it is wanted.
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

    /// What stands above every list that can hold comments.
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

    /// How many networks there are, and of whom.
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

/// A single address without its prefix, a network with it.
fn short(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// A name that stands in a configuration as it is: letters, digits, `_` and `-`, and of a length that everything takes.
fn checked_name<'a>(what: &str, name: &'a str, longest: usize) -> Result<&'a str, Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if starts && name.len() <= longest && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(Error::argument(format!("`{}` cannot be the name of {what}", name.escape_debug()))
        .with_hint(format!("a letter, then letters, digits, `_` and `-`, {longest} at most")))
}

/// A JSON document for people and programs.
fn pretty(document: &impl serde::Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(document);
    let text = text.map_err(|error| Error::new(crate::ErrorKind::Internal, "a list is no JSON").with_source(error))?;
    Ok(text + "\n")
}
