//! Anonymises addresses, single ones and all in a line.

use super::key::AddressKey;
use super::redact::REDACTED;
use crate::error::Error;
use ipcrypt_rs::IpcryptPfx;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// How addresses of clients are anonymised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnonymizeIp {
    /// Not at all.
    #[default]
    None,
    /// Truncated to networks: `192.0.2.7` becomes `192.0.2.0`. Of IPv6 addresses, 48 bits are kept: `2001:db8:1::`; of
    /// 6to4 addresses (`2002::/16`), which embed an IPv4 address in those bits, 40.
    Truncate,
    /// Encrypted with a key, preserving common prefixes (ipcrypt-pfx). With the same key, equal addresses stay equal.
    /// The key also decrypts them.
    Keyed,
    /// Removed.
    Drop,
}

impl AnonymizeIp {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::None, Self::Truncate, Self::Keyed, Self::Drop];

    /// The name in options and settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Truncate => "truncate",
            Self::Keyed => "keyed",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for AnonymizeIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AnonymizeIp {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|mode| mode.name() == name).ok_or_else(|| {
            Error::invalid(format!("`{name}` is not a way to anonymize addresses"))
                .with_hint("use `none`, `truncate`, `keyed` or `drop`")
        })
    }
}

pub(super) enum Anonymizer {
    Truncate,
    Keyed(Box<Cipher>),
    Drop,
}

/// Encrypts addresses with a cache: each bit of an address takes two blocks of AES, and the same addresses recur in
/// every batch.
pub(super) struct Cipher {
    cipher: IpcryptPfx,
    known: Mutex<HashMap<IpAddr, IpAddr>>,
}

impl Cipher {
    /// Capacity of the cache: a few megabytes. It is cleared when full.
    const REMEMBERED: usize = 1 << 16;

    fn encrypt(&self, address: IpAddr) -> IpAddr {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encrypted) = known().get(&address) {
            return *encrypted;
        }
        let encrypted = self.cipher.encrypt_ipaddr(address);
        let mut known = known();
        if known.len() >= Self::REMEMBERED {
            known.clear();
        }
        known.insert(address, encrypted);
        encrypted
    }
}

impl Anonymizer {
    pub(super) fn keyed(key: &AddressKey) -> Self {
        // Panics if both halves of the key are equal, which [`AddressKey`] rules out.
        let cipher = IpcryptPfx::new(*key.bytes());
        Self::Keyed(Box::new(Cipher { cipher, known: Mutex::default() }))
    }

    /// Anonymises the text of a column. Text that cannot be parsed may be an address in an unknown form, so it is
    /// removed.
    pub(super) fn text(&self, text: &str) -> Option<String> {
        self.address(text.parse().ok()?).map(|address| address.to_string())
    }

    /// An IPv4-mapped IPv6 address (`::ffff:192.0.2.7`) is treated as IPv4.
    fn address(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        match self {
            Self::Truncate => Some(truncate(address)),
            Self::Keyed(cipher) => Some(cipher.encrypt(address)),
            Self::Drop => None,
        }
    }

    /// Replaces all addresses in a text. Returns whether there were any; if so, `into` has the new text.
    ///
    /// A line that is not a record may have addresses anywhere, so everything that can be read as one is replaced:
    /// followed by a port, in brackets, after a word and a colon, within a longer number. Only `::` stays, which
    /// belongs to nobody. Addresses with percent-encoded colons are not recognised.
    pub(super) fn line(&self, text: &str, into: &mut String) -> bool {
        into.clear();
        let mut copied = 0;
        let mut at = 0;
        while let Some((address, place)) = next_address(text, at) {
            at = place.end;
            into.push_str(&text[copied..place.start]);
            copied = place.end;
            // Writing to a `String` never fails.
            let _ = match self.address(address) {
                Some(address) => write!(into, "{address}"),
                None => into.write_str(REDACTED),
            };
        }
        let changed = copied > 0;
        if changed {
            into.push_str(&text[copied..]);
        }
        changed
    }
}

fn truncate(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(address) => {
            let is_6to4 = address.segments()[0] == 0x2002;
            let bits_that_go = if is_6to4 { 128 - 40 } else { 128 - 48 };
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << bits_that_go)))
        }
    }
}

/// The first address at or after byte `from`, and its range.
fn next_address(text: &str, from: usize) -> Option<(IpAddr, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut before = b' ';
    for at in from..bytes.len() {
        let byte = bytes[at];
        // CDN logs encode spaces between addresses as `%20` or `\x20`, directly followed by digits.
        if is_behind_escape(bytes, at) {
            before = b' ';
        }
        // An IPv6 address does not start within a word (`std::vector`), an IPv4 address not within a number.
        if (byte == b':' || byte.is_ascii_hexdigit())
            && !before.is_ascii_alphanumeric()
            && let Some((address, end)) = ipv6_at(text, at)
        {
            return Some((IpAddr::V6(address), at..end));
        }
        if byte.is_ascii_digit()
            && !before.is_ascii_digit()
            && let Some((address, end)) = ipv4_at(bytes, at)
        {
            return Some((IpAddr::V4(address), at..end));
        }
        before = byte;
    }
    None
}

/// Whether an escape sequence of a byte ends at `at`.
fn is_behind_escape(bytes: &[u8], at: usize) -> bool {
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match &bytes[at.saturating_sub(4)..at] {
        [b'\\', b'x', digits @ ..] => digits.len() == 2 && is_hex(digits),
        [.., b'%', one, other] => is_hex(&[*one, *other]),
        _ => false,
    }
}

/// The longest IPv6 address that starts here, and its end.
fn ipv6_at(text: &str, start: usize) -> Option<(Ipv6Addr, usize)> {
    let end = end_of_ipv6(text.as_bytes(), start)?;
    let address = text[start..end].parse::<Ipv6Addr>().ok()?;
    // `::` belongs to nobody, and occurs in source code.
    (!address.is_unspecified() || end - start > 2).then_some((address, end))
}

/// The end of the longest IPv6 address that starts here. A single pass, since a line may have millions of colons.
fn end_of_ipv6(bytes: &[u8], start: usize) -> Option<usize> {
    let is_gap = |at: usize| bytes[at..].starts_with(b"::");
    let mut at = start;
    let mut end = None;
    let (mut groups, mut gap) = (0, is_gap(at));
    if gap {
        at += 2;
        end = Some(at);
    }
    let is_whole = |groups: usize, gap: bool| if gap { groups < 8 } else { groups == 8 };
    loop {
        let digits = bytes[at..].iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if !(1..=4).contains(&digits) {
            return end;
        }
        if let Some((_, end)) = ipv4_at(bytes, at)
            && is_whole(groups + 2, gap)
        {
            return Some(end);
        }
        groups += 1;
        at += digits;
        if is_whole(groups, gap) {
            end = Some(at);
        }
        if !gap && is_gap(at) {
            gap = true;
            at += 2;
            if is_whole(groups, gap) {
                end = Some(at);
            }
        } else if groups < 8 && bytes.get(at) == Some(&b':') {
            at += 1;
        } else {
            return end;
        }
    }
}

/// The IPv4 address that starts here, and its end. Numbers may have leading zeros.
fn ipv4_at(bytes: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0; 4];
    let mut at = start;
    for (position, octet) in octets.iter_mut().enumerate() {
        if position > 0 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let digits = bytes[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let number = bytes[at..at + digits].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        if !(1..=3).contains(&digits) {
            return None;
        }
        *octet = u8::try_from(number).ok()?;
        at += digits;
    }
    Some((Ipv4Addr::from(octets), at))
}

#[cfg(test)]
mod tests;
