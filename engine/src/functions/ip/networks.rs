//! Sets of networks, and the function `ip_in_cidr`.

use super::{GROUP, IP, parse_ip};
use crate::functions::{Documented, FunctionDoc};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, ListArray, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, exec_err, internal_err, plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

const IP_IN_CIDR: FunctionDoc = FunctionDoc {
    group: GROUP,
    name: "ip_in_cidr",
    signature: "ip_in_cidr(ip, networks) -> boolean",
    description: "Whether the address is in the network, or in one of a list of networks. A network without `/bits` is \
                  a single address; bits behind the network's length are ignored. `::ffff:192.0.2.1` counts as IPv4, \
                  and an IPv4 address is in no IPv6 network. NULL if the text is no address. A constant network that \
                  does not parse is an error, one from a column gives NULL; NULLs within a list are skipped.",
    arguments: &[IP, ("networks", "A network in CIDR form, or a list of them: `['192.0.2.0/24', '2001:db8::/32']`.")],
    example_sql: "SELECT ip_in_cidr('192.0.2.77', ['192.0.2.0/24', '2001:db8::/32'])",
    example_result: "true",
};

pub(super) fn ip_in_cidr() -> Documented {
    let function = IpInCidr {
        signature: Signature::user_defined(Volatility::Immutable),
        documentation: IP_IN_CIDR.documentation(),
    };
    Documented { doc: &IP_IN_CIDR, udf: ScalarUDF::new_from_impl(function) }
}

/// A set of addresses as sorted, disjoint ranges: testing against thousands of networks is a binary search per row.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// The union of networks.
    ///
    /// # Errors
    ///
    /// A message that names the first text that is not a network.
    pub(super) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> std::result::Result<Self, String> {
        let mut networks = Self::default();
        for text in texts {
            match parse_network(text) {
                Some(IpNet::V4(network)) => {
                    networks.v4.push((network.network().to_bits(), network.broadcast().to_bits()));
                }
                Some(IpNet::V6(network)) => {
                    networks.v6.push((network.network().to_bits(), network.broadcast().to_bits()));
                }
                None => return Err(fault(text)),
            }
        }
        merge(&mut networks.v4);
        merge(&mut networks.v6);
        Ok(networks)
    }

    /// Whether an address in canonical form is in one of the networks.
    #[must_use]
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => within(&self.v4, ip.to_bits()),
            IpAddr::V6(ip) => within(&self.v6, ip.to_bits()),
        }
    }
}

/// Sorts ranges and merges overlapping ones.
fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|(first, last), (_, end)| {
        let overlaps = *first <= *end;
        if overlaps {
            *end = (*end).max(*last);
        }
        overlaps
    });
}

fn within<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= value);
    behind > 0 && value <= ranges[behind - 1].1
}

/// Parses a network: `address` or `address/bits`.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = match bits {
        // `u8` would also parse `+8` and `008`.
        Some(bits) if bits.starts_with(['+', '0']) && bits != "0" => return None,
        Some(bits) => bits.parse().ok()?,
        None if address.is_ipv4() => 32,
        None => 128,
    };
    let network = IpNet::new(address, bits).ok()?;
    // `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
    match (address.to_canonical(), bits.checked_sub(96)) {
        (canonical @ IpAddr::V4(_), Some(bits)) if address.is_ipv6() => IpNet::new(canonical, bits).ok(),
        _ => Some(network),
    }
}

fn fault(text: &str) -> String {
    let list = if text.contains(',') { "; several networks are a list: ['192.0.2.0/24', '2001:db8::/32']" } else { "" };
    format!("ip_in_cidr: `{text}` is not a network in CIDR form, such as 192.0.2.0/24{list}")
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IpInCidr {
    signature: Signature,
    documentation: Documentation,
}

/// The second argument: one text or one list of texts per row.
enum Cidrs<'a> {
    Texts(&'a StringViewArray),
    Lists(&'a ListArray),
}

impl<'a> Cidrs<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8View => Ok(Self::Texts(array.as_string_view())),
            DataType::List(item) if *item.data_type() == DataType::Utf8View => Ok(Self::Lists(array.as_list())),
            other => internal_err!("ip_in_cidr was called with {other}"),
        }
    }

    /// The networks of a row: `None` if NULL, an error if one does not parse.
    fn row(&self, row: usize) -> Option<std::result::Result<Networks, String>> {
        match self {
            Self::Texts(texts) => texts.is_valid(row).then(|| Networks::new([texts.value(row)])),
            Self::Lists(lists) => {
                lists.is_valid(row).then(|| Networks::new(lists.value(row).as_string_view().iter().flatten()))
            }
        }
    }

    /// Whether a row has the same text as the previous one, as is common after a join.
    fn repeats(&self, row: usize) -> bool {
        match self {
            Self::Texts(texts) => {
                row > 0 && texts.is_valid(row) && texts.is_valid(row - 1) && texts.value(row) == texts.value(row - 1)
            }
            Self::Lists(_) => false,
        }
    }
}

/// The networks of a constant: `None` if NULL, an error if one does not parse.
fn constant(cidrs: &ScalarValue) -> Result<Option<std::result::Result<Networks, String>>> {
    Ok(Cidrs::new(&cidrs.to_array()?)?.row(0))
}

fn column(ips: &StringViewArray, cidrs: &Cidrs<'_>) -> BooleanArray {
    let mut builder = BooleanBuilder::with_capacity(ips.len());
    let mut networks = None;
    for (row, ip) in ips.iter().enumerate() {
        if !cidrs.repeats(row) {
            networks = cidrs.row(row).and_then(std::result::Result::ok);
        }
        builder.append_option(ip.and_then(parse_ip).zip(networks.as_ref()).map(|(ip, networks)| networks.contains(ip)));
    }
    builder.finish()
}

/// The type to which a text argument of any encoding is coerced.
fn text_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8 | DataType::Null => Some(DataType::Utf8View),
        DataType::Dictionary(_, value) => text_type(value),
        _ => None,
    }
}

/// The type to which the second argument is coerced.
fn cidrs_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            text_type(item.data_type()).map(|text| DataType::new_list(text, true))
        }
        other => text_type(other),
    }
}

impl ScalarUDFImpl for IpInCidr {
    fn name(&self) -> &str {
        IP_IN_CIDR.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [ip, cidrs] = take_function_args(self.name(), arguments)?;
        match (text_type(ip), cidrs_type(cidrs)) {
            (Some(ip), Some(cidrs)) => Ok(vec![ip, cidrs]),
            _ => plan_err!("ip_in_cidr takes a text and a text or list of texts, not {ip} and {cidrs}"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Report an invalid constant before anything is read.
        if let Some(cidrs) = arguments.scalar_arguments.get(1).copied().flatten()
            && let Some(data_type) = cidrs_type(&cidrs.data_type())
            && let Some(Err(fault)) = constant(&cidrs.cast_to(&data_type)?)?
        {
            return plan_err!("{fault}");
        }
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ips, cidrs] = take_function_args(self.name(), &arguments.args)?;
        let rows = if let ColumnarValue::Array(array) = ips { array.len() } else { 1 };
        match cidrs {
            ColumnarValue::Scalar(cidrs) => {
                let networks = match constant(cidrs)? {
                    Some(Ok(networks)) => networks,
                    Some(Err(fault)) => return exec_err!("{fault}"),
                    None => return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None))),
                };
                let ips_array = ips.to_array(rows)?;
                let contained = |ip: Option<&str>| ip.and_then(parse_ip).map(|ip| networks.contains(ip));
                let result: BooleanArray = ips_array.as_string_view().iter().map(contained).collect();
                if let ColumnarValue::Scalar(_) = ips {
                    return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
                }
                Ok(ColumnarValue::Array(Arc::new(result)))
            }
            ColumnarValue::Array(cidrs) => {
                let ips = ips.to_array(cidrs.len())?;
                Ok(ColumnarValue::Array(Arc::new(column(ips.as_string_view(), &Cidrs::new(cidrs)?))))
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contains(ip: &str, networks: &[&str]) -> Option<bool> {
        let networks = Networks::new(networks.iter().copied());
        networks.map_or_else(|fault| panic!("{fault}"), |networks| parse_ip(ip).map(|ip| networks.contains(ip)))
    }

    #[test]
    fn addresses_and_networks() {
        for (ip, networks, expected) in [
            ("192.0.2.0", &["192.0.2.0/24"][..], Some(true)),
            ("192.0.2.255", &["192.0.2.0/24"], Some(true)),
            ("192.0.3.0", &["192.0.2.0/24"], Some(false)),
            ("192.0.1.255", &["192.0.2.0/24"], Some(false)),
            ("192.0.2.1", &["192.0.2.77/24"], Some(true)),
            ("192.0.2.1", &["192.0.2.1"], Some(true)),
            ("192.0.2.2", &["192.0.2.1"], Some(false)),
            ("255.255.255.255", &["0.0.0.0/0"], Some(true)),
            ("2001:db8::1", &["2001:db8::/32"], Some(true)),
            ("2001:db9::1", &["2001:db8::/32"], Some(false)),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["::/0"], Some(true)),
            // Families do not mix, and a mapped address is IPv4 on either side.
            ("192.0.2.1", &["::/0"], Some(false)),
            ("2001:db8::1", &["0.0.0.0/0"], Some(false)),
            ("::ffff:192.0.2.1", &["192.0.2.0/24"], Some(true)),
            ("::ffff:192.0.2.1", &["::/0"], Some(false)),
            ("192.0.2.1", &["::ffff:192.0.2.0/120"], Some(true)),
            ("192.0.2.1", &["::ffff:192.0.2.1"], Some(true)),
            ("198.51.100.1", &["::ffff:0:0/96"], Some(true)),
            // Lists: both families, overlapping, nested, empty.
            ("198.51.100.7", &["192.0.2.0/24", "2001:db8::/32", "198.51.100.0/24"], Some(true)),
            ("198.51.100.200", &["198.51.100.0/25", "198.51.100.0/24", "198.51.100.0/28"], Some(true)),
            ("198.51.101.0", &["198.51.100.0/25", "198.51.100.0/24", "198.51.100.0/28"], Some(false)),
            ("203.0.113.1", &["203.0.113.0/31", "203.0.113.2/31"], Some(true)),
            ("192.0.2.1", &[], Some(false)),
            ("-", &["0.0.0.0/0"], None),
            ("192.000.002.001", &["192.0.2.0/31"], Some(true)),
            ("", &["0.0.0.0/0"], None),
        ] {
            assert_eq!(contains(ip, networks), expected, "{ip} {networks:?}");
        }
    }

    #[test]
    fn texts_that_are_no_networks_are_named() {
        for text in [
            "",
            "/",
            "/8",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "192.0.2.0/08",
            "192.0.2.0/-1",
            "192.0.2/24",
            "192.0.2.0/24/8",
            " 192.0.2.0/24",
            "192.0.2.00/24",
            "2001:db8::/129",
            "2001:db8::/256",
            "192.0.2.0/8.0",
            "x",
        ] {
            let Err(fault) = Networks::new(["192.0.2.0/24", text]) else { panic!("`{text}` is a network") };
            assert!(fault.contains(&format!("`{text}`")), "{fault}");
        }
        let fault = Networks::new(["192.0.2.0/24,198.51.100.0/24"]).err();
        assert!(fault.as_ref().is_some_and(|fault| fault.contains("several networks are a list")), "{fault:?}");
    }

    proptest! {
        #[test]
        fn a_set_holds_what_any_of_its_networks_holds(
            networks in proptest::collection::vec((any::<u32>(), 0..=32_u8), 0..12),
            ips in proptest::collection::vec(any::<u32>(), 1..20),
            near in any::<u8>(),
        ) {
            let networks: Vec<ipnet::Ipv4Net> =
                networks.into_iter().map(|(ip, bits)| ipnet::Ipv4Net::new_assert(ip.into(), bits)).collect();
            let texts: Vec<String> = networks.iter().map(ToString::to_string).collect();
            let set = Networks::new(texts.iter().map(String::as_str)).map_err(TestCaseError::fail)?;
            let edges = networks.iter().map(|network| network.broadcast().to_bits().wrapping_add(u32::from(near % 3)));
            for ip in ips.iter().copied().chain(edges) {
                let ip = std::net::Ipv4Addr::from_bits(ip);
                prop_assert_eq!(set.contains(ip.into()), networks.iter().any(|network| network.contains(&ip)));
            }
        }

        #[test]
        fn any_text_is_a_network_or_a_fault(text in any::<String>(), like in "[0-9a-f.:]{0,12}/?[0-9+]{0,3}") {
            for text in [text, like] {
                prop_assert_eq!(Networks::new([text.as_str()]).is_ok(), parse_network(&text).is_some());
            }
        }
    }
}
