//! Who takes part: addresses of all kinds, each handed out once, and what is true of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

/// Where an address lies. Real networks are only used for the crawlers that really live there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Net {
    /// Private lines; one in five of them IPv6.
    Home,
    /// Behind a carrier's NAT.
    Mobile,
    /// A company's line.
    Office,
    /// The CDN's servers.
    Cdn,
    /// Rented servers; one in twelve of them IPv6.
    Hosting,
    /// Servers of one /24.
    Block([u8; 3]),
    /// Servers in the Region of the buckets.
    Cloud,
    /// The account's own private network, through an endpoint.
    Private,
    /// Ranges as the operators of crawlers publish them.
    Published(&'static [(&'static str, u8)]),
}

/// How much noise an attack makes.
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

/// One attack: its kind, its number, how loud it is.
#[derive(Clone, Debug)]
pub(super) struct Campaign {
    pub(super) name: &'static str,
    pub(super) id: String,
    pub(super) loudness: Loudness,
}

/// What is true of one source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// IPv4 address, or IPv6 /64.
    pub(super) text: String,
    pub(super) attack: bool,
    /// Population or campaign.
    pub(super) name: &'static str,
    pub(super) campaign: String,
    pub(super) loudness: &'static str,
    /// Whether benign and hostile traffic come from it.
    pub(super) shared: bool,
    pub(super) net: Net,
    /// How many lines it has.
    pub(super) lines: u64,
}

/// All sources, and which addresses are taken.
#[derive(Debug, Default)]
pub(super) struct Cast {
    pub(super) sources: Vec<Source>,
    taken: HashSet<IpAddr>,
    populations: BTreeMap<&'static str, usize>,
    /// By text, for addresses that are handed out by chance.
    by_text: HashMap<String, usize>,
}

/// First address of a source's network and the index of the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) source: usize,
    pub(super) first: IpAddr,
}

impl Cast {
    /// A new innocent source.
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

    /// A new hostile source.
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

    /// A source turns out to carry an attack beside its innocent traffic. A CDN stays innocent: blocking it blocks everybody.
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
    /// The address that is used at a time: one for IPv4, one a day of a /64.
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
