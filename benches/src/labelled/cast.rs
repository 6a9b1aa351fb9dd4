//! The sources of requests: addresses of all kinds, each handed out once, and their labels.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

/// Kind of network of an address. Real networks are only used for crawlers that really are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Net {
    /// Residential lines; one in five is IPv6.
    Home,
    /// Behind carrier-grade NAT.
    Mobile,
    /// A company's shared line.
    Office,
    /// The CDN's servers.
    Cdn,
    /// Rented servers; one in twelve is IPv6.
    Hosting,
    /// Servers in one given /24.
    Block([u8; 3]),
    /// Servers in the AWS Region of the buckets.
    Cloud,
    /// The account's own private network, through a VPC endpoint.
    Private,
    /// Ranges published by operators of crawlers.
    Published(&'static [(&'static str, u8)]),
}

/// How conspicuous an attack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    Loud,
    Medium,
    Slow,
    Distributed,
}

impl Loudness {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loud => "loud",
            Self::Medium => "medium",
            Self::Slow => "slow",
            Self::Distributed => "distributed",
        }
    }
}

/// An attack: its kind, its id and its loudness.
#[derive(Clone, Debug)]
pub(super) struct Campaign {
    pub(super) name: &'static str,
    pub(super) id: String,
    pub(super) loudness: Loudness,
}

/// A labelled source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// IPv4 address, or IPv6 /64.
    pub(super) text: String,
    pub(super) attack: bool,
    /// Name of the population or kind of attack.
    pub(super) name: &'static str,
    pub(super) campaign: String,
    pub(super) loudness: &'static str,
    /// Whether both benign and hostile traffic come from it.
    pub(super) shared: bool,
    pub(super) net: Net,
    /// Number of its lines.
    pub(super) lines: u64,
}

/// All sources, and the addresses in use.
#[derive(Debug, Default)]
pub(super) struct Cast {
    pub(super) sources: Vec<Source>,
    taken: HashSet<IpAddr>,
    populations: BTreeMap<&'static str, usize>,
    /// Index of each source by its text, for addresses that are drawn at random.
    by_text: HashMap<String, usize>,
}

/// A source: its index and the first address of its network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) source: usize,
    pub(super) first: IpAddr,
}

impl Cast {
    /// Adds a benign source.
    pub(super) fn innocent(&mut self, random: &mut Random, net: Net, population: &'static str) -> Address {
        let serial = self.populations.entry(population).or_insert(0);
        *serial += 1;
        let first = self.address(random, net);
        self.add(first, |text| Source {
            text,
            attack: false,
            name: population,
            campaign: "-".into(),
            loudness: "-",
            shared: false,
            net,
            lines: 0,
        })
    }

    /// Adds a hostile source.
    pub(super) fn hostile(&mut self, random: &mut Random, net: Net, campaign: &Campaign) -> Address {
        let first = self.address(random, net);
        self.add(first, |text| Source {
            text,
            attack: true,
            name: campaign.name,
            campaign: campaign.id.clone(),
            loudness: campaign.loudness.name(),
            shared: false,
            net,
            lines: 0,
        })
    }

    /// Marks a benign source as also carrying an attack. A CDN stays benign, because blocking it would block
    /// everybody.
    pub(super) fn infiltrate(&mut self, address: Address, campaign: &Campaign) {
        let source = &mut self.sources[address.source];
        source.shared = true;
        source.campaign.clone_from(&campaign.id);
        if source.net != Net::Cdn {
            source.attack = true;
            source.name = campaign.name;
            source.loudness = campaign.loudness.name();
        }
    }

    fn add(&mut self, first: IpAddr, source: impl FnOnce(String) -> Source) -> Address {
        let text = match first {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{address}/64"),
        };
        let index = self.sources.len();
        self.by_text.insert(text.clone(), index);
        self.sources.push(source(text));
        Address { source: index, first }
    }

    fn address(&mut self, random: &mut Random, net: Net) -> IpAddr {
        loop {
            let address = draw(random, net);
            if self.taken.insert(address) {
                return address;
            }
        }
    }
}

fn draw(random: &mut Random, net: Net) -> IpAddr {
    let mut byte = |low: u64, high: u64| random.between(low, high) as u8;
    let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    match net {
        Net::Home if byte(0, 4) == 0 => v6(random, 0x0100, 0x3fff),
        Net::Home => v4(byte(240, 247), byte(0, 255), byte(0, 255), byte(1, 254)),
        Net::Mobile => v4(100, byte(64, 127), byte(0, 255), byte(1, 254)),
        Net::Office => v4(198, 18, byte(0, 255), byte(1, 254)),
        Net::Cdn => v4(198, 19, byte(64, 67), byte(1, 254)),
        Net::Hosting if byte(0, 11) == 0 => v6(random, 0x8000, 0x8fff),
        Net::Hosting => v4(byte(248, 251), byte(0, 63), byte(0, 255), byte(1, 254)),
        Net::Block([a, b, c]) => v4(a, b, c, byte(1, 254)),
        Net::Cloud => v4(252, byte(0, 31), byte(0, 255), byte(1, 254)),
        Net::Private => v4(10, byte(0, 3), byte(0, 255), byte(4, 254)),
        Net::Published(ranges) => {
            let (first, bits) = *random.pick(ranges);
            match first.parse() {
                Ok(IpAddr::V4(address)) => {
                    let size = 1_u32 << (32 - u32::from(bits));
                    IpAddr::V4((u32::from(address) + random.below(u64::from(size)) as u32).into())
                }
                Ok(IpAddr::V6(address)) => {
                    IpAddr::V6((u128::from(address) + (u128::from(random.below(64)) << 64)).into())
                }
                Err(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            }
        }
    }
}

fn v6(random: &mut Random, low: u64, high: u64) -> IpAddr {
    let mut group = |low: u64, high: u64| random.between(low, high) as u16;
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, group(low, high), group(0, 0xff), 0, 0, 0, 0))
}

impl Address {
    /// The address used on a day: constant for IPv4, one per day of the /64 for IPv6.
    pub(super) fn at(self, day: i64) -> IpAddr {
        match self.first {
            IpAddr::V4(_) => self.first,
            IpAddr::V6(first) => {
                let mut random = Random::new(self.source as u64 ^ (day as u64) << 32);
                IpAddr::V6((u128::from(first) | u128::from(random.bits() | 1)).into())
            }
        }
    }
}
