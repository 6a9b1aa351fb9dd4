//! Countries and autonomous systems of addresses, from databases in MaxMind's format (mmdb).
//!
//! Publishers share the format, but not the names of fields: the country is `country.iso_code`, `country_code` or
//! `country`; the autonomous system number is `autonomous_system_number`, or `asn` as text such as `AS64500`. All of
//! them are supported.

use crate::error::{Error, ErrorKind};
use maxminddb::{LookupResult, MaxMindDbError, Reader};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Number of records sampled to find out whether a database has the expected data. The first few networks may lack it,
/// but not all of these.
const SAMPLE: usize = 10_000;

/// The data that a database is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Countries,
    Systems,
}

/// What a database has about an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GeoRecord {
    /// ISO 3166-1 code, two capital letters.
    pub(super) country: Option<Arc<str>>,
    pub(super) asn: Option<u32>,
    pub(super) as_org: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Database {
    name: String,
    reader: Reader<Vec<u8>>,
    /// Cache by offset of the record: thousands of networks share one.
    seen: Mutex<HashMap<usize, Arc<GeoRecord>>>,
    /// The first record that could not be read.
    fault: OnceLock<String>,
}

impl Database {
    /// Opens a database from the contents of its file.
    pub(super) fn open(name: &str, bytes: Vec<u8>, holds: Holds) -> Result<Self, Error> {
        let packed =
            bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(b"PK") || bytes.starts_with(b"\x28\xb5\x2f\xfd");
        let reader = Reader::from_source(bytes).map_err(|error| {
            let hint = if packed {
                "it is compressed: unpack it, and name the .mmdb file inside"
            } else {
                "a file such as GeoLite2-Country.mmdb or GeoLite2-ASN.mmdb; if it is one, download it again"
            };
            Error::invalid("it is not a complete MaxMind database (mmdb)")
                .in_object(name)
                .with_source(error)
                .with_hint(hint)
        })?;
        let database = Self { name: name.to_owned(), reader, seen: Mutex::default(), fault: OnceLock::new() };
        if database.has(holds).map_err(|error| database.damaged(&error.to_string()))? {
            return Ok(database);
        }
        let (what, hint) = match holds {
            Holds::Countries => {
                ("countries", "--geoip takes a database of countries or cities, --asn one of autonomous systems")
            }
            Holds::Systems => {
                ("autonomous systems", "--asn takes a database of autonomous systems, --geoip one of countries")
            }
        };
        let kind = database.reader.metadata().database_type.escape_debug();
        Err(Error::invalid(format!("this database has no {what}; it calls itself `{kind}`"))
            .in_object(name)
            .with_hint(hint))
    }

    /// Looks up an address in canonical form. A record that cannot be read counts as missing, and is reported by
    /// [`fault`](Self::fault).
    pub(super) fn place(&self, address: IpAddr) -> Option<Arc<GeoRecord>> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        let found = self.reader.lookup(address).and_then(|found| {
            let Some(record) = found.offset() else { return Ok(None) };
            if let Some(place) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&record) {
                return Ok(Some(place.clone()));
            }
            let place = Arc::new(decode(&found)?);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(record, place.clone());
            Ok(Some(place))
        });
        found.unwrap_or_else(|error| {
            self.fault.get_or_init(|| format!("{address}: {error}"));
            None
        })
    }

    /// The first record that a lookup could not read.
    pub(super) fn fault(&self) -> Option<Error> {
        self.fault.get().map(|fault| self.damaged(fault))
    }

    fn damaged(&self, cause: &str) -> Error {
        Error::new(ErrorKind::Unreadable, format!("the database is damaged: {cause}"))
            .in_object(&self.name)
            .with_hint("download it again")
    }

    /// Whether one of the first records has the expected data.
    fn has(&self, holds: Holds) -> Result<bool, MaxMindDbError> {
        for found in self.reader.networks(Default::default())?.take(SAMPLE) {
            let place = decode(&found?)?;
            let has = match holds {
                Holds::Countries => place.country.is_some(),
                Holds::Systems => place.asn.is_some(),
            };
            if has {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A record in any of the publishers' layouts, as far as needed.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    country: Option<Country<'a>>,
    #[serde(borrow)]
    country_code: Option<Scalar<'a>>,
    #[serde(borrow)]
    registered_country: Option<Country<'a>>,
    #[serde(borrow)]
    autonomous_system_number: Option<Scalar<'a>>,
    #[serde(borrow)]
    autonomous_system_organization: Option<Scalar<'a>>,
    #[serde(borrow)]
    asn: Option<Scalar<'a>>,
    #[serde(borrow)]
    as_name: Option<Scalar<'a>>,
    /// In records with `asn`: the operator of the system.
    #[serde(borrow)]
    name: Option<Scalar<'a>>,
    #[serde(borrow)]
    traits: Option<Traits<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Country<'a> {
    Code(&'a str),
    Record {
        #[serde(borrow)]
        iso_code: Option<Scalar<'a>>,
    },
    Other(IgnoredAny),
}

/// Where combined databases have the autonomous system.
#[derive(Deserialize)]
#[serde(untagged)]
enum Traits<'a> {
    Record {
        #[serde(borrow)]
        autonomous_system_number: Option<Scalar<'a>>,
        #[serde(borrow)]
        autonomous_system_organization: Option<Scalar<'a>>,
    },
    Other(IgnoredAny),
}

/// A value of any type: a field of an unexpected type counts as missing, and is not an error.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar<'a> {
    Number(u64),
    Text(&'a str),
    Other(IgnoredAny),
}

impl Country<'_> {
    fn code(&self) -> Option<Arc<str>> {
        match self {
            Self::Code(code) => country_code(code),
            Self::Record { iso_code } => iso_code.as_ref().and_then(Scalar::country),
            Self::Other(_) => None,
        }
    }
}

impl Scalar<'_> {
    fn country(&self) -> Option<Arc<str>> {
        match self {
            Self::Text(text) => country_code(text),
            Self::Number(_) | Self::Other(_) => None,
        }
    }

    /// The number of an autonomous system; 0 is none.
    fn asn(&self) -> Option<u32> {
        let number = match self {
            Self::Number(number) => u32::try_from(*number).ok()?,
            Self::Text(text) => {
                let digits = text.trim_start_matches(['A', 'a', 'S', 's']);
                digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?
            }
            Self::Other(_) => return None,
        };
        (number != 0).then_some(number)
    }

    fn text(&self) -> Option<Arc<str>> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(Into::into),
            Self::Number(_) | Self::Other(_) => None,
        }
    }
}

/// A country code; `None` for a name, which some publishers have in the same field.
fn country_code(text: &str) -> Option<Arc<str>> {
    let code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    code.then(|| text.to_ascii_uppercase().into())
}

fn decode(found: &LookupResult<'_, Vec<u8>>) -> Result<GeoRecord, MaxMindDbError> {
    let Some(record) = found.decode::<Record<'_>>()? else { return Ok(GeoRecord::default()) };
    let (traits_asn, traits_org) = match &record.traits {
        Some(Traits::Record { autonomous_system_number, autonomous_system_organization }) => {
            (autonomous_system_number.as_ref(), autonomous_system_organization.as_ref())
        }
        Some(Traits::Other(_)) | None => (None, None),
    };
    let systems = [record.autonomous_system_number.as_ref(), record.asn.as_ref(), traits_asn];
    let asn = systems.into_iter().flatten().find_map(Scalar::asn);
    let owners = [
        record.autonomous_system_organization.as_ref(),
        record.as_name.as_ref(),
        traits_org,
        record.name.as_ref().filter(|_| record.asn.is_some()),
    ];
    Ok(GeoRecord {
        // The country where the address is used, or else where the network is registered.
        country: (record.country_code.as_ref().and_then(Scalar::country))
            .or_else(|| record.country.as_ref().and_then(Country::code))
            .or_else(|| record.registered_country.as_ref().and_then(Country::code)),
        asn,
        as_org: asn.and_then(|_| owners.into_iter().flatten().find_map(Scalar::text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(file: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/context/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn open(file: &str, holds: Holds) -> Result<Database, Error> {
        Database::open(file, bytes(file), holds)
    }

    #[test]
    fn layouts_of_publishers() {
        use Holds::{Countries, Systems};
        let org = "Example Networks";
        for (file, holds, address, country, asn, as_org) in [
            ("geolite2-country.mmdb", Countries, "192.0.2.1", Some("DE"), None, None),
            ("geolite2-country.mmdb", Countries, "198.51.100.1", Some("FR"), None, None),
            ("geolite2-country.mmdb", Countries, "203.0.113.1", None, None, None),
            ("geolite2-country.mmdb", Countries, "2001:db8:1::1", Some("JP"), None, None),
            ("geolite2-country.mmdb", Countries, "2001:db8:2::1", None, None, None),
            ("geolite2-asn.mmdb", Systems, "192.0.2.1", None, Some(64500), Some(org)),
            ("geolite2-asn.mmdb", Systems, "198.51.100.1", None, Some(4_200_000_000), None),
            ("geolite2-asn.mmdb", Systems, "203.0.113.1", None, None, None),
            ("geolite2-asn.mmdb", Systems, "2001:db8:1::1", None, Some(64500), Some(org)),
            ("country-and-asn.mmdb", Countries, "192.0.2.1", Some("DE"), Some(64500), Some(org)),
            ("country-and-asn.mmdb", Systems, "198.51.100.1", Some("FR"), Some(64501), Some("Other Networks")),
            ("country-and-asn.mmdb", Systems, "203.0.113.1", Some("GB"), None, None),
            ("enterprise-v4.mmdb", Countries, "192.0.2.1", Some("DE"), Some(64500), Some(org)),
            ("enterprise-v4.mmdb", Systems, "198.51.100.1", None, None, None),
            ("enterprise-v4.mmdb", Systems, "2001:db8:1::1", None, None, None),
        ] {
            let database = open(file, holds).unwrap();
            let address = address.parse().unwrap();
            let expected = GeoRecord { country: country.map(Into::into), asn, as_org: as_org.map(Into::into) };
            for _ in 0..2 {
                let place = database.place(address).map_or_else(GeoRecord::default, |place| (*place).clone());
                assert_eq!(place, expected, "{file} {address}");
            }
            assert!(database.fault().is_none());
        }
    }

    #[test]
    fn files_that_are_no_such_database() {
        let truncated = {
            let mut bytes = bytes("geolite2-country.mmdb");
            bytes.drain(..200);
            bytes
        };
        let errors: Vec<String> = [
            ("empty.mmdb", Vec::new(), Holds::Countries),
            ("country.csv", b"network,country\n192.0.2.0/24,DE\n".to_vec(), Holds::Countries),
            ("GeoLite2.tar.gz", vec![0x1f, 0x8b, 8, 0], Holds::Systems),
            ("asn.mmdb", bytes("geolite2-asn.mmdb"), Holds::Countries),
            ("country.mmdb", bytes("geolite2-country.mmdb"), Holds::Systems),
            ("truncated.mmdb", truncated, Holds::Countries),
        ]
        .into_iter()
        .map(|(name, bytes, holds)| {
            let error = Database::open(name, bytes, holds).unwrap_err();
            format!("{error}\n  {}", error.hint().unwrap())
        })
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    proptest! {
        #[test]
        fn a_damaged_database_is_an_error_at_most(
            file in prop_oneof![Just("geolite2-country.mmdb"), Just("country-and-asn.mmdb")],
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
            cut in proptest::option::of(any::<proptest::sample::Index>()),
        ) {
            let mut bytes = bytes(file);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(database) = Database::open(file, bytes, Holds::Countries) {
                for address in ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8:1::1", "255.255.255.255", "ff::"] {
                    let _ = address.parse().map(|address| database.place(address));
                }
                let _ = database.fault();
            }
        }
    }
}
