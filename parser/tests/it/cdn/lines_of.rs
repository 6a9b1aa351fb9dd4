//! Strategies that generate CDN logs: headers of every age or none, matching lines, and damaged lines. Start at
//! [`any_line`].

use super::reference::LEGACY;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// A line, and the names that its cells have.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// Names as written in the header.
    pub(super) names: Vec<String>,
    /// Whether the log has a header line.
    pub(super) headed: bool,
    pub(super) cells: Vec<Vec<u8>>,
    /// Text after the last cell.
    pub(super) end: &'static str,
}

impl Made {
    pub(super) fn header_line(&self) -> Option<Vec<u8>> {
        self.headed.then(|| format!("#Fields: {}", self.names.join(" ")).into_bytes())
    }

    pub(super) fn line(&self) -> Vec<u8> {
        [self.cells.join(&b'\t'), self.end.as_bytes().to_vec()].concat()
    }

    /// Index of a name.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }
}

/// Names that legacy logs do not have, and unknown names.
const OTHERS: [&str; 16] = [
    "timestamp",
    "timestamp(ms)",
    "DistributionId",
    "distributionid",
    "c-country",
    "asn",
    "cs-host",
    "cs-referer",
    "cs-user-agent",
    "cs-cookie",
    "x-event",
    "x-cf-status",
    "origin-fbl",
    "connection-id",
    "cache-behavior-path-pattern",
    "SC-Status",
];

/// Text sent by clients as it appears in a log.
const TEXTS: [&str; 12] = [
    "-",
    "",
    "/photos/a%2520b.jpg",
    "Mozilla/5.0%20(X11;%20Linux%20x86_64)",
    "Mozilla/5.0%2520(X11)",
    "%09%2509\"quoted\"",
    "198.51.100.7,\\x20203.0.113.9, 192.0.2.1",
    "a b  c",
    "#Fields:",
    "\u{e9}\u{2028}\u{b}\u{c}",
    "2026-01-15",
    "200",
];

/// Values that are invalid for every field except text.
const BAD: [&str; 15] =
    ["-", "", " 1", "-1", "+1", "1.5", "1e3", "0x1", "\u{661}", "200https://", "/200", "1,000", "1.", ".5", "\u{b}"];

/// Pseudo-random numbers from a seed. One 64-bit seed generates a whole cell, because building a strategy per cell
/// would take too long.
struct Draw(u64);

impl Draw {
    /// A number less than `end`.
    fn below(&mut self, end: u64) -> u64 {
        // The mixing step of SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// True once in `times` calls on average.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// One to `most` digits.
    fn digits(&mut self, most: u64) -> String {
        (0..=self.below(most)).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    /// Two digits: a number less than `end`, or sometimes up to `more` above.
    fn two(&mut self, end: u64, more: u64) -> String {
        let end = if self.once_in(10) { end + more } else { end };
        format!("{:02}", self.below(end))
    }
}

/// A value for a field: mostly valid, or always if `only_good`.
fn value(name: &str, seed: u64, only_good: bool) -> Vec<u8> {
    let mut draw = Draw(seed);
    if !only_good && draw.once_in(150) {
        return draw.one_of(&BAD).into();
    }
    if !only_good && draw.once_in(300) {
        let bytes = (0..draw.below(12)).map(|_| draw.below(256) as u8);
        return bytes.map(|byte| if matches!(byte, b'\t' | b'\n') { b'-' } else { byte }).collect();
    }
    let more = u64::from(!only_good);
    let date = |draw: &mut Draw| match draw.below(40) * more {
        1 => format!("{:04}-12-31", draw.one_of(&[0, 1, 1900, 2000, 9999])),
        2 => format!("{:04}-02-29", draw.one_of(&[1900, 2000, 2023, 2024])),
        3 => format!("2026-{:02}-{:02}", draw.below(14), draw.below(33)),
        _ => format!("20{:02}-{:02}-{:02}", draw.below(30), 1 + draw.below(12), 1 + draw.below(28)),
    };
    let time = |draw: &mut Draw| format!("{}:{}:{}", draw.two(24, more), draw.two(60, more), draw.two(60, 2 * more));
    let text = match name.to_lowercase().as_str() {
        "date" => date(&mut draw),
        "time" => time(&mut draw),
        "timestamp" if draw.once_in(2) => {
            let fraction = if draw.once_in(2) { format!(".{}", draw.digits(9)) } else { String::new() };
            let zone = format!("{}{}:{}", draw.one_of(&["+", "-"]), draw.two(24, 1), draw.two(60, 1));
            let zone = if draw.once_in(2) { draw.one_of(&["Z", "z"]).to_owned() } else { zone };
            format!("{}{}{}{fraction}{zone}", date(&mut draw), draw.one_of(&["T", "t", " "]), time(&mut draw))
        }
        "timestamp" => format!(
            "{}{}",
            draw.digits(10),
            if draw.once_in(2) { format!(".{}", draw.digits(9)) } else { String::new() }
        ),
        "timestamp(ms)" if !draw.once_in(10) => format!("17{:011}", draw.below(100_000_000_000)),
        "timestamp(ms)" => draw.digits(20),
        "sc-status" if draw.once_in(20) => draw.one_of(&["000", "-", "999"]).to_owned(),
        "sc-status" if draw.once_in(40) && !only_good => draw.digits(4),
        "sc-status" => format!("{}0{}", 2 + draw.below(4), draw.below(10)),
        "c-ip" => draw.one_of(&["192.0.2.3", "198.51.100.77", "2001:db8::1", "x.x.x.x", "-"]).to_owned(),
        "sc-bytes"
        | "cs-bytes"
        | "fle-encrypted-fields"
        | "c-port"
        | "sc-content-len"
        | "sc-range-start"
        | "sc-range-end"
        | "asn" => match draw.below(20) {
            0..5 => draw.one_of(&["-", "-", if only_good { "-" } else { "" }]).to_owned(),
            5 => draw.digits(if only_good { 18 } else { 20 }),
            _ => draw.digits(9),
        },
        "time-taken" | "time-to-first-byte" => match draw.below(20) {
            0..3 => "-".to_owned(),
            3 => draw.digits(if only_good { 9 } else { 18 }),
            4 => format!("{}.{}", draw.digits(12), draw.digits(12)),
            _ => format!("{}.{:03}", draw.digits(4), draw.below(1000)),
        },
        _ => draw.one_of(&TEXTS).to_owned(),
    };
    text.into_bytes()
}

/// One cell per name.
fn cells(names: &[String], only_good: bool) -> impl Strategy<Value = Vec<Vec<u8>>> + use<> {
    let names = names.to_vec();
    vec(any::<u64>(), names.len())
        .prop_map(move |seeds| names.iter().zip(seeds).map(|(name, seed)| value(name, seed, only_good)).collect())
}

/// Names of the columns, and whether the log has a header line.
fn names() -> impl Strategy<Value = (Vec<String>, bool)> {
    let legacy = select(vec![11_usize, 12, 15, 18, 19, 23, 24, 26, 33, 33, 33, 33]);
    let legacy = (legacy, any::<bool>()).prop_map(|(columns, headed)| {
        (LEGACY[..columns].iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), headed)
    });
    let needed = &["date", "time", "c-ip", "cs-uri-stem", "sc-status"];
    let chosen = (subsequence(LEGACY.to_vec(), 0..=33), subsequence(OTHERS.to_vec(), 0..=6), any::<[bool; 2]>())
        .prop_flat_map(move |(mut names, others, [complete, upper])| {
            names.extend(others);
            if complete {
                names.extend(needed.iter().filter(|name| !names.contains(*name)).copied().collect::<Vec<_>>());
            }
            Just(names).prop_shuffle().prop_map(move |names| {
                let cased = |name: &str| if upper { name.to_uppercase() } else { name.to_owned() };
                (names.into_iter().map(cased).collect::<Vec<_>>(), true)
            })
        });
    let many = (0..120_usize).prop_map(move |before| {
        let names = std::iter::repeat_n("x-unknown", before).chain(needed.iter().copied());
        (names.map(str::to_owned).collect(), true)
    });
    prop_oneof![6 => legacy, 5 => chosen, 1 => many]
}

/// A line with a cell for each name of its header.
pub(super) fn whole_line() -> impl Strategy<Value = Made> {
    names().prop_flat_map(|(names, headed)| {
        let cells = cells(&names, false);
        (Just(names), Just(headed), cells, select(vec!["", "", "", "\t", "\r", "\t\r"]))
            .prop_map(|(names, headed, cells, end)| Made { names, headed, cells, end })
    })
}

/// A valid record of 33 columns.
pub(super) fn legacy_line() -> impl Strategy<Value = Made> {
    let names: Vec<String> = LEGACY.iter().map(|name| (*name).to_owned()).collect();
    (cells(&names, true), any::<bool>()).prop_map(move |(cells, headed)| Made {
        names: names.clone(),
        headed,
        cells,
        end: "",
    })
}

/// A line that may have been damaged.
pub(super) fn any_line() -> impl Strategy<Value = (Option<Vec<u8>>, Vec<u8>)> {
    let made = (whole_line(), any::<Index>(), any::<Index>(), 0..12_u8, any::<u8>());
    let made = made.prop_map(|(mut made, one, other, accident, byte)| {
        let header = made.header_line();
        let count = made.cells.len().max(1);
        match accident {
            0 => made.cells.truncate(one.index(count + 1)),
            1 => made.cells.extend(vec![b"surplus".to_vec(); one.index(40)]),
            2 if !made.cells.is_empty() => made.cells.swap(one.index(count), other.index(count)),
            3 if !made.cells.is_empty() => drop(made.cells.remove(one.index(count))),
            _ => {}
        }
        let mut line = made.line();
        match accident {
            4 => line.truncate(one.index(line.len() + 1)),
            5 if !line.is_empty() => {
                let at = one.index(line.len());
                line[at] = byte;
            }
            6 => line.insert(one.index(line.len() + 1), b'\t'),
            7 => drop(line.drain(..one.index(line.len() + 1))),
            _ => {}
        }
        (header, line)
    });
    let piece = select(
        &["\t", "\t", "\t", "-", "2026-01-15", "10:22:41", "200", "#", "0.1", " ", "\r", "\n", "x", "1768472561.358"][..],
    );
    let soup = vec(piece, 0..80).prop_map(|pieces| (None, pieces.concat().into_bytes()));
    let header = select(vec![
        "date time c-ip cs-uri-stem sc-status",
        "timestamp(ms) timestamp date time sc-status c-ip cs-uri-stem",
    ]);
    let short = vec(select(TEXTS.to_vec()), 0..4);
    let timed = (header, vec(select(&["2026-01-15", "10:22:41", "1768472561358", "200", "-", ""][..]), 0..9), short)
        .prop_map(|(header, cells, more)| {
            let line = [cells, more].concat().join("\t");
            (Some(format!("#fields:{header}").into_bytes()), line.into_bytes())
        });
    prop_oneof![8 => made, 2 => soup, 2 => timed]
}

/// A log object: lines with their headers, other directives, blank lines and all kinds of line endings.
pub(super) fn log_object() -> impl Strategy<Value = Vec<u8>> {
    let end = select(vec!["\n", "\n", "\r\n", "\n\n", "\n \t\n", "\n#Version: 1.0\n", "\n#\n"]);
    (vec((any_line(), end), 0..7), any::<Index>(), any::<bool>()).prop_map(|(lines, cut, whole)| {
        let mut object = Vec::new();
        for ((header, line), end) in lines {
            if let Some(header) = header {
                object.extend(header);
                object.push(b'\n');
            }
            object.extend(line);
            object.extend(end.bytes());
        }
        if !whole {
            object.truncate(cut.index(object.len() + 1));
        }
        object
    })
}

/// Guards against generators that only produce rejects, which would prove nothing.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdn::reference;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    #[test]
    fn there_are_enough_records_and_rejects() {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = any_line();
        let mut records = 0;
        for _ in 0..1000 {
            let (header, line) = strategy.new_tree(&mut runner).unwrap().current();
            let names = header.and_then(|line| reference::header(&line));
            records += usize::from(reference::read(&line, names.as_deref()).is_some());
        }
        assert!((250..750).contains(&records), "{records} records of 1000 lines");
    }
}
