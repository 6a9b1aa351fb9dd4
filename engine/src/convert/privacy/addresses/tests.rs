use super::*;
use proptest::prelude::*;

fn keyed() -> Anonymizer {
    let key = AddressKey::from_content(b"0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301").unwrap();
    Anonymizer::keyed(&key)
}

fn line(anonymizer: &Anonymizer, text: &str) -> String {
    let mut into = "what was there before".to_owned();
    if anonymizer.line(text, &mut into) { into } else { text.to_owned() }
}

#[test]
fn modes_have_names() {
    for mode in AnonymizeIp::ALL {
        assert_eq!(mode.to_string().parse::<AnonymizeIp>().unwrap(), mode);
    }
    let error = "hash".parse::<AnonymizeIp>().unwrap_err();
    assert!(error.hint().unwrap().contains("`truncate`"));
}

#[test]
fn truncated() {
    for (text, expected) in [
        ("192.0.2.77", Some("192.0.2.0")),
        ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1::")),
        ("2001:DB8::1", Some("2001:db8::")),
        ("::ffff:192.0.2.77", Some("192.0.2.0")),
        // 2002:c000:024d::/48 is the network of 192.0.2.77 alone.
        ("2002:c000:24d::1", Some("2002:c000:200::")),
        ("::1", Some("::")),
        // Not addresses.
        ("", None),
        ("-", None),
        ("192.0.2", None),
        ("192.0.2.77:443", None),
        ("192.0.2.077", None),
        ("fe80::1%eth0", None),
        ("AWS Internal", None),
    ] {
        assert_eq!(Anonymizer::Truncate.text(text).as_deref(), expected, "{text}");
        assert_eq!(Anonymizer::Drop.text(text), None, "{text}");
        assert_eq!(keyed().text(text).is_some(), expected.is_some(), "{text}");
    }
}

#[test]
fn keyed_as_the_specification_has_it() {
    // Test vectors of draft-denis-ipcrypt, ipcrypt-pfx.
    for (text, expected) in [
        ("192.0.2.1", "100.115.72.131"),
        ("2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
        ("::ffff:192.0.2.1", "100.115.72.131"),
    ] {
        assert_eq!(keyed().text(text).as_deref(), Some(expected));
    }
}

#[test]
fn few_addresses_are_remembered() {
    let Anonymizer::Keyed(cipher) = keyed() else { unreachable!() };
    let first = Ipv4Addr::new(192, 0, 2, 1).into();
    let encrypted = cipher.encrypt(first);
    let others = (0..Cipher::REMEMBERED as u32).map(|n| (Ipv4Addr::from_bits(n).into(), first));
    cipher.known.lock().unwrap().extend(others);
    cipher.encrypt(Ipv4Addr::new(192, 0, 2, 2).into());
    assert_eq!(cipher.known.lock().unwrap().len(), 1);
    assert_eq!(cipher.encrypt(first), encrypted);
}

#[test]
fn addresses_in_lines() {
    for (text, expected) in [
        ("a [06/Feb/2019:00:00:38 +0000] 192.0.2.3 b", "a [06/Feb/2019:00:00:38 +0000] X b"),
        ("192.0.2.3", "X"),
        ("192.0.2.3,198.51.100.7;203.0.113.9", "X,X;X"),
        ("192.0.2.3:443 192.0.2.3. ip=192.0.2.3&x client:192.0.2.3", "X:443 X. ip=X&x client:X"),
        ("ip-192.0.2.3-x date192.0.2.3x", "ip-X-x dateXx"),
        ("192.000.002.003 1.192.0.2.3", "X X.3"),
        ("2001:db8::1 [2001:db8::1]:443 2001:db8::1.", "X [X]:443 X."),
        ("/2001:db8:0:0:0:0:0:1:8080", "/X:8080"),
        ("ip:2001:db8::1 ip2001:db8::1", "ip:X ip2001:X"),
        ("::ffff:192.0.2.3 2001:db8::192.0.2.3", "X X"),
        ("1:2:3:4:5:6:192.0.2.3 1:2:3:4:5:6:7:: ::1", "X X X"),
        ("fe80::1%eth0", "X%eth0"),
        ("é192.0.2.3é", "éXé"),
        // No addresses.
        ("std::vector :: _::x", "std::vector :: _::x"),
        (
            "12:34:56 2019:00:00:38 1.2.3 256.1.1 1234.1.1.1 :: : . 1:2:3:4:5:6:7",
            "12:34:56 2019:00:00:38 1.2.3 256.1.1 1234.1.1.1 :: : . 1:2:3:4:5:6:7",
        ),
        ("", ""),
    ] {
        let expected = expected.replace('X', REDACTED);
        assert_eq!(line(&Anonymizer::Drop, text), expected, "{text}");
    }
    assert_eq!(line(&Anonymizer::Truncate, "a 192.0.2.3 2001:db8:1:2::3"), "a 192.0.2.0 2001:db8:1::");
    assert_eq!(line(&keyed(), "x 192.0.2.1:80"), "x 100.115.72.131:80");
}

fn common_prefix(a: u128, b: u128) -> u32 {
    (a ^ b).leading_zeros()
}

fn address_of(bits: u128, v4: bool) -> IpAddr {
    if v4 { Ipv4Addr::from_bits(bits as u32).into() } else { Ipv6Addr::from_bits(bits).into() }
}

fn encrypted(address: IpAddr) -> IpAddr {
    keyed().address(address).unwrap()
}

/// Two numbers with a common prefix, more often than random ones have.
fn neighbours() -> impl Strategy<Value = (u128, u128)> {
    (any::<u128>(), any::<u128>(), 0..128_u32).prop_map(|(a, b, shared)| (a, a ^ (b >> shared)))
}

proptest! {
    #[test]
    fn addresses_share_after_what_they_shared_before((a, b) in neighbours()) {
        let (a, b) = (Ipv6Addr::from_bits(a), Ipv6Addr::from_bits(b));
        prop_assume!(a.to_ipv4_mapped().is_none() && b.to_ipv4_mapped().is_none());
        let (IpAddr::V6(x), IpAddr::V6(y)) = (encrypted(a.into()), encrypted(b.into())) else {
            return Err(TestCaseError::fail("IPv6 stays IPv6"));
        };
        prop_assert_eq!(common_prefix(a.to_bits(), b.to_bits()), common_prefix(x.to_bits(), y.to_bits()));

        let half = |address: Ipv6Addr| Ipv4Addr::from_bits((address.to_bits() >> 96) as u32);
        let (a, b) = (half(a), half(b));
        let (IpAddr::V4(x), IpAddr::V4(y)) = (encrypted(a.into()), encrypted(b.into())) else {
            return Err(TestCaseError::fail("IPv4 stays IPv4"));
        };
        prop_assert_eq!((a.to_bits() ^ b.to_bits()).leading_zeros(), (x.to_bits() ^ y.to_bits()).leading_zeros());
    }

    #[test]
    fn who_has_the_key_gets_the_address_back(bits in any::<u128>(), v4 in any::<bool>()) {
        let address = address_of(bits, v4);
        let address = address.to_canonical();
        let Anonymizer::Keyed(cipher) = keyed() else { unreachable!() };
        let encrypted = cipher.encrypt(address);
        prop_assert_eq!(cipher.cipher.decrypt_ipaddr(encrypted), address);
        prop_assert_eq!(cipher.encrypt(address), encrypted, "remembered");
    }

    #[test]
    fn truncating_twice_is_once(bits in any::<u128>(), v4 in any::<bool>()) {
        let address = address_of(bits, v4);
        prop_assert_eq!(truncate(truncate(address)), truncate(address));
    }

    #[test]
    fn every_address_of_a_line_is_found(
        bits in any::<u128>(), v4 in any::<bool>(), gaps in any::<bool>(), around in "([ \"\\[\\],;=/-]|é){1,3}",
    ) {
        let bits = if gaps { bits & 0xFFFF_0000_0000_FFFF_0000_0000_0000_FFFF } else { bits };
        let address = address_of(bits, v4);
        prop_assume!(address != IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let text = |address: &str| format!("{around}{address}{around}x");
        prop_assert_eq!(line(&Anonymizer::Drop, &text(&address.to_string())), text(REDACTED));
    }

    #[test]
    fn no_text_is_too_odd(text in prop_oneof![any::<String>(), "[0-9a-f:. ]{0,64}", "(::|1:|1\\.|ffff|:|\\.){0,32}"]) {
        let left = line(&Anonymizer::Drop, &text).replace(REDACTED, "|");
        // After all addresses were removed, none is left, except IPv6 within a word: `g0::`, and what would be one
        // without the address that follows: `::ffff1.1.1.1`.
        let (mut token, mut before) = (String::new(), ' ');
        for c in left.chars().chain([' ']) {
            if c.is_ascii_hexdigit() || c == ':' || c == '.' {
                token.push(c);
                continue;
            }
            let in_word = before.is_ascii_alphanumeric() || (c == '|' && token.ends_with(|c: char| c.is_ascii_hexdigit()));
            let stays = token == "::" || (in_word && token.parse::<Ipv4Addr>().is_err());
            prop_assert!(stays || token.parse::<IpAddr>().is_err(), "{}", left);
            token.clear();
            before = c;
        }
    }
}

#[test]
fn addresses_behind_encoded_spaces_are_found() {
    for (text, expected) in [
        ("192.0.2.60,%20198.51.100.60", "192.0.2.0,%20198.51.100.0"),
        ("192.0.2.60,\\x20198.51.100.60", "192.0.2.0,\\x20198.51.100.0"),
        ("192.0.2.60, 198.51.100.60", "192.0.2.0, 198.51.100.0"),
        ("%202001:db8:1:2::3", "%202001:db8:1::"),
    ] {
        assert_eq!(line(&Anonymizer::Truncate, text), expected, "{text}");
    }
}
