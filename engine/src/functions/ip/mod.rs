//! Functions of IP addresses. [`networks`] has sets of networks and `ip_in_cidr`.
//!
//! An address is what it is in `requests.client_ip`: without port, zone or spaces, IPv4 octets in decimal even with
//! leading zeros, as some systems write them. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is treated as that IPv4
//! address everywhere.

pub(super) mod networks;

use super::text_function::{Row, Scratch, TextFunction};
use super::{Documented, FunctionDoc};
use crate::decode::address;
use ipnet::IpNet;
use std::fmt::Write;
use std::net::IpAddr;

const GROUP: &str = "IP address";
const IP: (&str, &str) = ("ip", "An IPv4 or IPv6 address, such as the column `remote_ip`.");

const IP_PREFIX: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "ip_prefix",
    signature: "ip_prefix(ip, bits) -> text",
    description: "The network of this many bits that the address is in, in CIDR form. NULL if the text is no address, \
                  or if `bits` is more than the address has: 64 of an IPv4 address.",
    arguments: &[IP, ("bits", "Length of the network, 0 to 32 for IPv4, to 128 for IPv6.")],
    example_sql: "SELECT ip_prefix('192.0.2.77', 24)",
    example_result: "192.0.2.0/24",
};

const IP_ANONYMIZE: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "ip_anonymize",
    signature: "ip_anonymize(ip) -> text",
    description: "The address with its last 8 bits (IPv4) or last 80 bits (IPv6) set to zero, so a /24 or a /48 is \
                  left: the rule of Google Analytics' IP masking (`anonymizeIp`). NULL if the text is no address. What \
                  is left still names a network; it does not make a log anonymous.",
    arguments: &[IP],
    example_sql: "SELECT ip_anonymize('2001:db8:1:2:3:4:5:6')",
    example_result: "2001:db8:1::",
};

/// Number of leading bits that [`IP_ANONYMIZE`] keeps.
const KEPT_BITS_V4: u8 = 24;
const KEPT_BITS_V6: u8 = 48;

pub(super) fn functions() -> Vec<Documented> {
    vec![
        networks::ip_in_cidr(),
        TextFunction::documented(&IP_PREFIX, Row::TextByInt(0..=128, ip_prefix)),
        TextFunction::documented(&IP_ANONYMIZE, Row::Text(ip_anonymize)),
    ]
}

/// Parses an address into canonical form.
fn parse_ip(text: &str) -> Option<IpAddr> {
    address::parse(text.as_bytes())
}

fn ip_prefix<'a>(ip: &'a str, bits: i64, scratch: &'a mut Scratch) -> Option<&'a str> {
    let network = IpNet::new(parse_ip(ip)?, u8::try_from(bits).ok()?).ok()?.trunc();
    write(network, scratch)
}

fn ip_anonymize<'a>(ip: &'a str, scratch: &'a mut Scratch) -> Option<&'a str> {
    let ip = parse_ip(ip)?;
    let network = IpNet::new(ip, if ip.is_ipv4() { KEPT_BITS_V4 } else { KEPT_BITS_V6 }).ok()?;
    write(network.network(), scratch)
}

fn write(value: impl std::fmt::Display, scratch: &mut Scratch) -> Option<&str> {
    scratch.text.clear();
    write!(scratch.text, "{value}").ok()?;
    Some(&scratch.text)
}

#[cfg(test)]
mod tests {
    use super::networks::Networks;
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn prefix(ip: &str, bits: i64) -> Option<String> {
        ip_prefix(ip, bits, &mut Scratch::default()).map(str::to_owned)
    }

    #[test]
    fn prefixes_in_cidr_form() {
        for (ip, bits, expected) in [
            ("192.0.2.77", 24, Some("192.0.2.0/24")),
            ("192.0.2.77", 32, Some("192.0.2.77/32")),
            ("192.0.2.77", 31, Some("192.0.2.76/31")),
            ("192.0.2.77", 0, Some("0.0.0.0/0")),
            ("192.000.002.077", 24, Some("192.0.2.0/24")),
            ("192.0.2.77", 33, None),
            ("192.0.2.77", -1, None),
            ("192.0.2.77", 280, None),
            ("::ffff:192.0.2.77", 24, Some("192.0.2.0/24")),
            ("::ffff:192.0.2.77", 120, None),
            ("2001:DB8:0:1::77", 64, Some("2001:db8:0:1::/64")),
            ("2001:db8::77", 128, Some("2001:db8::77/128")),
            ("2001:db8::77", 129, None),
            ("2001:db8::77", 0, Some("::/0")),
            ("::1", 1, Some("::/1")),
        ] {
            assert_eq!(prefix(ip, bits).as_deref(), expected, "{ip} {bits}");
        }
    }

    #[test]
    fn texts_that_are_no_addresses() {
        for text in [
            "",
            "-",
            " 192.0.2.1",
            "192.0.2.1 ",
            "192.0.2.0001",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1:80",
            "192.0.2.1/32",
            "0x7f.0.0.1",
            "3221225985",
            "fe80::1%eth0",
            "[2001:db8::1]",
            "2001:db8:::1",
            "host.example",
            "１９２.0.2.1",
        ] {
            assert_eq!(parse_ip(text), None, "{text}");
            assert_eq!(prefix(text, 8), None, "{text}");
            assert_eq!(ip_anonymize(text, &mut Scratch::default()), None, "{text}");
        }
    }

    #[test]
    fn anonymized_addresses() {
        for (ip, expected) in [
            ("192.0.2.255", "192.0.2.0"),
            ("::ffff:192.0.2.255", "192.0.2.0"),
            ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::"),
            ("2001:db8::", "2001:db8::"),
            ("::1", "::"),
        ] {
            assert_eq!(ip_anonymize(ip, &mut Scratch::default()), Some(expected), "{ip}");
        }
    }

    proptest! {
        #[test]
        fn a_prefix_holds_its_address(v4 in any::<u32>(), v6 in any::<u128>(), bits in 0..=128_i64) {
            for ip in [IpAddr::from(Ipv4Addr::from_bits(v4)), IpAddr::from(Ipv6Addr::from_bits(v6))] {
                let text = ip.to_string();
                match prefix(&text, bits) {
                    Some(network) => {
                        let networks = Networks::new([network.as_str()]).map_err(TestCaseError::fail)?;
                        prop_assert!(networks.contains(ip.to_canonical()));
                    }
                    None => prop_assert!(ip.is_ipv4() && bits > 32),
                }
            }
        }

        #[test]
        fn anonymizing_twice_is_anonymizing_once(v6 in any::<u128>()) {
            let mut scratch = Scratch::default();
            let text = Ipv6Addr::from_bits(v6).to_string();
            let once = ip_anonymize(&text, &mut scratch).map(str::to_owned);
            let twice = once.as_deref().and_then(|once| ip_anonymize(once, &mut scratch)).map(str::to_owned);
            prop_assert!(once.is_some());
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn any_text_will_do(text in any::<String>(), bits in any::<i64>()) {
            prefix(&text, bits);
            ip_anonymize(&text, &mut Scratch::default());
        }
    }
}
