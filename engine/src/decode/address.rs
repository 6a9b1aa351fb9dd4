//! Canonical form of IP addresses, so that equal addresses are equal text.

use core::net::{IpAddr, Ipv4Addr};
use std::borrow::Cow;

/// An address in canonical form: IPv4-mapped IPv6 addresses (`::ffff:192.0.2.3`) as IPv4, other IPv6 addresses as in
/// RFC 5952. `None` if the text is not an address.
pub(super) fn canonical(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if is_canonical_v4(text) {
        return Some(Cow::Borrowed(text));
    }
    let written = parse(text)?.to_string().into_bytes();
    Some(if written == text { Cow::Borrowed(text) } else { Cow::Owned(written) })
}

/// Parses an address; `None` if the text is not one.
pub(crate) fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    // Some systems write octets with leading zeros, still in decimal.
    let address = text.parse().ok().or_else(|| with_zeros(text).map(IpAddr::V4))?;
    Some(address.to_canonical())
}

/// Whether the text is dotted-quad IPv4 without leading zeros, as nearly every address in a log is.
#[inline]
pub(super) fn is_canonical_v4(text: &[u8]) -> bool {
    canonical_v4(text).is_some()
}

/// Parses an address in canonical form.
#[cfg(feature = "datafusion")]
pub(crate) fn of_canonical(text: &str) -> Option<IpAddr> {
    canonical_v4(text.as_bytes()).map(IpAddr::V4).or_else(|| text.parse().ok())
}

#[inline]
fn canonical_v4(text: &[u8]) -> Option<Ipv4Addr> {
    if text.len() > 15 {
        return None;
    }
    let (mut bits, mut numbers, mut digits, mut number) = (0_u32, 0, 0, 0_u32);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                // More than three digits, or a leading zero.
                if digits == 3 || digits > 0 && number == 0 {
                    return None;
                }
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && number < 256 => {
                numbers += 1;
                bits = bits << 8 | number;
                (digits, number) = (0, 0);
            }
            _ => return None,
        }
    }
    (numbers == 3 && digits > 0 && number < 256).then(|| Ipv4Addr::from_bits(bits << 8 | number))
}

fn with_zeros(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if !(1..=3).contains(&part.len()) || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("192.0.2.3", Some("192.0.2.3")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("255.255.255.255", Some("255.255.255.255")),
            ("192.0.2.256", None),
            ("192.0.2", None),
            ("192.0.2.3.4", None),
            ("192..2.3", None),
            ("192.0.2.0003", None),
            ("99999999999", None),
            ("192.000.002.003", Some("192.0.2.3")),
            ("2001:DB8:0:0::1", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("::ffff:192.0.2.3", Some("192.0.2.3")),
            ("***", None),
            ("x.x.x.x", None),
            ("unknown", None),
            ("", None),
            ("\u{661}92.0.2.3", None),
        ] {
            assert_eq!(canonical(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
            #[cfg(feature = "datafusion")]
            assert_eq!(of_canonical(text), text.parse().ok(), "{text}");
            assert_eq!(is_canonical_v4(text.as_bytes()), expected == Some(text) && !text.contains(':'), "{text}");
        }
    }
}
