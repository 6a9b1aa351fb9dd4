//! An AWS WAF IP set, as input of `aws wafv2 create-ip-set --cli-input-json`.

use super::{DenyList, DenyOptions, IpVersion, Printed, WafScope, checked_name};
use crate::Error;
use crate::detect::format::rfc3339;
use serde::Serialize;

/// Maximum number of networks in a set: <https://docs.aws.amazon.com/waf/latest/developerguide/limits.html>.
const MAX_ADDRESSES: usize = 10_000;

/// Maximum length of the name of a set.
const NAME: usize = 128;

/// The request `CreateIPSet`, with fields in the documented order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateIpSet<'a> {
    name: &'a str,
    scope: &'static str,
    description: String,
    #[serde(rename = "IPAddressVersion")]
    ip_address_version: &'static str,
    addresses: Vec<String>,
}

/// Checks the name of the set.
pub(super) fn checked(options: &DenyOptions) -> Result<&str, Error> {
    checked_name("an IP set", &options.set_name, NAME)
}

pub(super) fn print(list: &DenyList, options: &DenyOptions) -> Result<Printed, Error> {
    let name = checked(options)?;
    let addresses: Vec<_> = list.of_version(options.ip_version).map(ToString::to_string).collect();
    if addresses.len() > MAX_ADDRESSES {
        return Err(Error::invalid(format!(
            "an IP set of AWS WAF takes {MAX_ADDRESSES} networks, and these are {}, {} too many",
            addresses.len(),
            addresses.len() - MAX_ADDRESSES
        ))
        .with_hint(format!(
            "`--max-entries {MAX_ADDRESSES}` keeps the highest scores, `--aggregate` merges adjacent networks"
        )));
    }
    let (this, other) = match options.ip_version {
        IpVersion::V4 => ("IPv4", "IPv6"),
        IpVersion::V6 => ("IPv6", "IPv4"),
    };
    let mut warnings = vec![format!(
        "an IP set does not expire: a rule has to refer to it, and it is to be replaced (`aws wafv2 update-ip-set`) before {}",
        rfc3339(list.expires())
    )];
    let others = list.networks().len() - addresses.len();
    if others > 0 {
        let are = if others == 1 { "network is" } else { "networks are" };
        warnings
            .push(format!("{others} {other} {are} not in it: a set holds {this} or {other}, so create a second one"));
    }
    let scope = match options.waf_scope {
        WafScope::Regional => "REGIONAL",
        WafScope::CloudFront => {
            warnings.push("sets for CloudFront are made in the region us-east-1".to_owned());
            "CLOUDFRONT"
        }
    };
    let ip_address_version = match options.ip_version {
        IpVersion::V4 => "IPV4",
        IpVersion::V6 => "IPV6",
    };
    // A description may only have letters, digits, spaces and `+=:#@/-,.`.
    let description = format!(
        "s3log: score at least {}, made {}, expires {}",
        list.min_score(),
        rfc3339(list.made()),
        rfc3339(list.expires())
    );
    let set = CreateIpSet { name, scope, description, ip_address_version, addresses };
    Ok(Printed { text: super::pretty(&set)?, warnings })
}
