//! Input of `ipset restore`: a set for IPv4 and one for IPv6, whose entries go by themselves when the list expires.

use super::{DenyList, DenyOptions, IpVersion, Printed, checked_name, short};
use crate::Error;
use std::time::Duration;

/// The longest time that the kernel takes, in seconds: it counts milliseconds in 31 bits.
const LONGEST: u64 = 2_147_483;

/// The kernel's own limit of entries, when nothing else is said.
const MAX_ENTRIES: usize = 65_536;

/// Names of sets have 31 bytes at most; `-v4` goes with ours.
const NAME: usize = 28;

/// The name of the sets, and after how many seconds their entries go.
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
        // The same for all that fit: a set that exists is only taken if it has the same size.
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
