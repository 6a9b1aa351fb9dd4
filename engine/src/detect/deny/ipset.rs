//! Input of `ipset restore`: a set for IPv4 and one for IPv6, whose entries time out when the list expires.

use super::{DenyList, DenyOptions, IpVersion, Printed, checked_name, short};
use crate::Error;
use std::time::Duration;

/// Maximum timeout in seconds: the kernel counts milliseconds in 31 bits.
const LONGEST: u64 = 2_147_483;

/// The kernel's default limit on entries.
const MAX_ENTRIES: usize = 65_536;

/// Maximum length of a name: 31 bytes, less the `-v4` suffix.
const NAME: usize = 28;

/// Checks the name of the sets, and returns it with the timeout in seconds.
pub(super) fn checked(options: &DenyOptions, good_for: Duration) -> Result<(&str, u64), Error> {
    let name = checked_name("a set", &options.set_name, NAME)?;
    let seconds = good_for.as_secs();
    if seconds == 0 || seconds > LONGEST {
        return Err(Error::argument(format!("entries of an ipset cannot expire after {seconds} seconds"))
            .with_hint(format!("from 1 to {LONGEST} seconds")));
    }
    Ok((name, seconds))
}

pub(super) fn print(list: &DenyList, options: &DenyOptions) -> Result<Printed, Error> {
    let (name, seconds) = checked(options, list.good_for())?;
    let mut text = list.comments();
    let sets = [("v4", "inet", IpVersion::V4), ("v6", "inet6", IpVersion::V6)];
    for (suffix, family, version) in sets {
        // Constant for all lists that fit: an existing set is only accepted if it has the same size.
        let most = MAX_ENTRIES.max(list.networks().len().next_power_of_two());
        text += &format!("create {name}-{suffix} hash:net family {family} maxelem {most} timeout {seconds} -exist\n");
        for network in list.of_version(version) {
            text += &format!("add {name}-{suffix} {} timeout {seconds} -exist\n", short(network));
        }
    }
    let warnings = vec![format!(
        "sets deny nothing by themselves: `iptables -I INPUT -m set --match-set {name}-v4 src -j DROP`, and the same with \
         ip6tables and {name}-v6"
    )];
    Ok(Printed { text, warnings })
}
