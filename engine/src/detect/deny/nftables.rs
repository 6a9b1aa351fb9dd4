//! Input of `nft -f`: a separate table with a set for IPv4 and one for IPv6. Previous entries are removed in the same
//! transaction.

use super::{DenyList, DenyOptions, IpVersion, Printed, checked_name, short};
use crate::Error;
use std::time::Duration;

/// Maximum length of a table name in all kernels.
const NAME: usize = 31;

/// Checks the name of the table, and returns it with the timeout in seconds.
pub(super) fn checked(options: &DenyOptions, good_for: Duration) -> Result<(&str, u64), Error> {
    let table = checked_name("a table", &options.set_name, NAME)?;
    let seconds = good_for.as_secs();
    if seconds == 0 {
        return Err(Error::argument("a set that has already expired denies nobody").with_hint("at least one second"));
    }
    Ok((table, seconds))
}

pub(super) fn print(list: &DenyList, options: &DenyOptions) -> Result<Printed, Error> {
    let (table, seconds) = checked(options, list.good_for())?;
    let sets = [("deny4", "ipv4_addr", IpVersion::V4), ("deny6", "ipv6_addr", IpVersion::V6)];
    let mut text = list.comments();
    text += &format!("table inet {table} {{\n");
    for (set, kind, _) in sets {
        text +=
            &format!("\tset {set} {{\n\t\ttype {kind}\n\t\tflags interval, timeout\n\t\ttimeout {seconds}s\n\t}}\n");
    }
    text += "}\n";
    for (set, _, version) in sets {
        text += &format!("flush set inet {table} {set}\n");
        let elements: Vec<_> = list.of_version(version).map(|network| format!("\t{}", short(network))).collect();
        // Empty braces are a syntax error.
        if !elements.is_empty() {
            text += &format!("add element inet {table} {set} {{\n{}\n}}\n", elements.join(",\n"));
        }
    }
    let warnings = vec![format!(
        "sets deny nothing by themselves, and only rules of the same table see them: `nft add chain inet {table} input '{{ \
         type filter hook input priority -10; }}'`, then `nft add rule inet {table} input ip saddr @deny4 drop` and the same \
         with `ip6 saddr @deny6`"
    )];
    Ok(Printed { text, warnings })
}
