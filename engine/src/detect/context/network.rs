//! The network of an address for roll-ups, and private addresses.

use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefix lengths for roll-ups: the smallest networks that are routed separately.
const ROLL_UP_BITS_V4: u8 = 24;
const ROLL_UP_BITS_V6: u8 = 48;

/// The network whose sources are reported together: the /24 of an IPv4 address, the /48 of an IPv6 address.
#[must_use]
pub fn roll_up_of(address: IpAddr) -> IpNet {
    network_of(address, ROLL_UP_BITS_V4, ROLL_UP_BITS_V6)
}

/// Formats a network in CIDR notation, but a single address without a prefix length.
#[must_use]
pub fn text_of(network: IpNet) -> impl fmt::Display {
    Text(network)
}

struct Text(IpNet);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.trunc().fmt(f) }
    }
}

fn network_of(address: IpAddr, bits_v4: u8, bits_v6: u8) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { bits_v4 } else { bits_v6 };
    // Both lengths are always valid, so the fallback is never used.
    IpNet::new(address, bits).unwrap_or_else(|_| address.into()).trunc()
}

/// Whether an address in canonical form does not exist on the internet: RFC 1918, loopback, link-local, unique local,
/// unspecified and multicast.
///
/// 100.64.0.0/10 does not count: clients behind a provider's CGNAT have such addresses towards services inside of its
/// network, and are strangers like any others. Neither do documentation networks, which examples use.
pub(super) fn is_private(address: IpAddr) -> bool {
    let v4 = |ip: Ipv4Addr| {
        ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_multicast()
    };
    let v6 = |ip: Ipv6Addr| {
        ip.is_unique_local()
            || ip.is_loopback()
            || ip.is_unicast_link_local()
            || ip.is_unspecified()
            || ip.is_multicast()
    };
    match address {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => v6(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roll_ups() {
        for (address, roll_up) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:DB8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("2001:db8::", "2001:db8::/48"),
        ] {
            assert_eq!(text_of(roll_up_of(address.parse().unwrap())).to_string(), roll_up);
        }
        assert_eq!(text_of("2001:db8::1/128".parse().unwrap()).to_string(), "2001:db8::1");
        assert_eq!(text_of("192.0.2.77/24".parse().unwrap()).to_string(), "192.0.2.0/24");
    }

    #[test]
    fn private_addresses() {
        for (address, expected) in [
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.168.0.1", true),
            ("127.0.0.1", true),
            ("169.254.169.254", true),
            ("0.0.0.0", true),
            ("224.0.0.1", true),
            ("100.64.0.1", false),
            ("192.0.2.1", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("::", true),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("fc00::1", true),
            ("ff02::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), expected, "{address}");
        }
    }
}
