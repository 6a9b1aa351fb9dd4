//! What an extension says: page, asset or media, whether it is run, whether it means encrypted, how its parts are numbered.
//!
//! An extension is at most 15 letters and so a number of 128 bits, and all that are known stand in one table: a look-up
//! takes one multiplication and, mostly, one comparison.

use super::lists::Words;

/// What an object is for, by its extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    /// A page, or a key that ends with `/`.
    Page,
    /// What a page loads: styles, scripts, images, fonts.
    Asset,
    /// Sound and video.
    Media,
    /// All else.
    #[default]
    Other,
}

/// How parts of something are numbered that have this extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Numbering {
    /// By their name, `part-00012`, or not at all.
    #[default]
    ByName,
    /// Always: segments of video, files of tables.
    Always,
    /// If the name says that it is a segment.
    Segments,
    /// As tiles of a map: `12/655/1583.png`.
    Tiles,
}

/// What an extension says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ExtensionFacts {
    /// What an object is for.
    pub(super) kind: KeyKind,
    /// A browser or a server would run it.
    pub(super) risky: bool,
    /// Files that were encrypted have it.
    pub(super) encrypted: bool,
    /// How its parts are numbered.
    pub(super) numbering: Numbering,
}

/// An extension in lower case, at most 15 letters and digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Extension {
    /// Zeros behind the letters.
    letters: [u8; Self::LONGEST + 1],
}

impl Extension {
    const LONGEST: usize = 15;

    /// Of a file's name: what stands behind its last dot, unless that is the first letter or no extension by its looks.
    pub(super) fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let dot = bytes.iter().rev().take(Self::LONGEST + 1).position(|byte| *byte == b'.');
        match dot {
            Some(letters) if letters + 1 < bytes.len() => Self::new(&bytes[bytes.len() - letters..]),
            _ => Self::default(),
        }
    }

    /// Of its letters; none if they are too many, only digits, or others than letters and digits.
    fn new(found: &[u8]) -> Self {
        let mut letters = [0; Self::LONGEST + 1];
        let mut is_number = true;
        if found.len() > Self::LONGEST {
            return Self::default();
        }
        for (letter, byte) in letters.iter_mut().zip(found) {
            if !byte.is_ascii_alphanumeric() {
                return Self::default();
            }
            is_number &= byte.is_ascii_digit();
            *letter = byte.to_ascii_lowercase();
        }
        if is_number { Self::default() } else { Self { letters } }
    }

    /// Without the dot; empty if there is none.
    pub(crate) fn as_str(&self) -> &str {
        let len = self.letters.iter().position(|letter| *letter == 0).unwrap_or_default();
        std::str::from_utf8(&self.letters[..len]).unwrap_or_default()
    }

    fn is_empty(self) -> bool {
        self.letters[0] == 0
    }
}

/// All known extensions.
#[derive(Clone, Debug)]
pub(super) struct Extensions {
    /// A power of two of them, less than half of them taken. Who finds a slot taken takes the next.
    slots: Box<[(Extension, ExtensionFacts)]>,
}

impl Extensions {
    /// With those of the list of encrypted ones.
    pub(super) fn new(encrypted: &Words) -> Self {
        let known: Vec<_> =
            KNOWN.iter().flat_map(|(words, facts)| words.split(' ').map(|word| (word, *facts))).collect();
        let slots = ((known.len() + encrypted.len()) * 2 + 1).next_power_of_two().max(512);
        let mut table = Self { slots: vec![Default::default(); slots].into_boxed_slice() };
        for (word, facts) in known {
            *table.entry(Extension::new(word.as_bytes())) = facts;
        }
        for word in encrypted.iter() {
            table.entry(Extension::new(word.as_bytes())).encrypted = true;
        }
        table
    }

    /// What an extension says.
    pub(super) fn facts(&self, extension: Extension) -> ExtensionFacts {
        self.slots[self.slot(extension)].1
    }

    /// The slot of an extension, or the empty one that would be its.
    fn slot(&self, extension: Extension) -> usize {
        let number = u128::from_le_bytes(extension.letters);
        let mixed = ((number as u64) ^ ((number >> 64) as u64).rotate_left(21)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mask = self.slots.len() - 1;
        let mut slot = (mixed >> 40) as usize & mask;
        while self.slots[slot].0 != extension && !self.slots[slot].0.is_empty() {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn entry(&mut self, extension: Extension) -> &mut ExtensionFacts {
        let slot = self.slot(extension);
        self.slots[slot].0 = extension;
        &mut self.slots[slot].1
    }
}

const fn facts(kind: KeyKind, risky: bool, numbering: Numbering) -> ExtensionFacts {
    ExtensionFacts { kind, risky, encrypted: false, numbering }
}

const KNOWN: [(&str, ExtensionFacts); 8] = [
    (
        "html htm xhtml shtml hta php php3 php4 php5 php7 phtml phar jsp jspx asp aspx ashx cgi cfm",
        facts(KeyKind::Page, true, Numbering::ByName),
    ),
    ("js mjs svg svgz swf wasm", facts(KeyKind::Asset, true, Numbering::ByName)),
    ("css gif avif ico bmp woff woff2 ttf otf eot map webmanifest", facts(KeyKind::Asset, false, Numbering::ByName)),
    ("png jpg jpeg webp", facts(KeyKind::Asset, false, Numbering::Tiles)),
    ("pbf mvt terrain b3dm", facts(KeyKind::Other, false, Numbering::Tiles)),
    ("ts m4s cmfv cmfa m4f", facts(KeyKind::Media, false, Numbering::Always)),
    (
        "mp4 aac vtt m4v m4a mp3 ogg oga ogv opus flac wav webm mkv mov avi m3u8 mpd srt",
        facts(KeyKind::Media, false, Numbering::Segments),
    ),
    ("parquet orc avro crc", facts(KeyKind::Other, false, Numbering::Always)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_of_names() {
        for (name, expected) in [
            ("IMG_0012.JPG", "jpg"),
            ("a.tar.gz", "gz"),
            (".env", ""),
            ("a.", ""),
            (".", ""),
            ("", ""),
            ("file.123", ""),
            ("file.7z", "7z"),
            ("a.b c", ""),
            ("a.é", ""),
            ("a.abcdefghijklmno", "abcdefghijklmno"),
            ("a.abcdefghijklmnop", ""),
        ] {
            assert_eq!(Extension::of(name).as_str(), expected, "{name}");
        }
    }

    #[test]
    fn all_that_are_known_are_found() {
        let words = Words::parse("test", "locked php medusalocker").unwrap();
        let table = Extensions::new(&words);
        for (known, facts) in KNOWN {
            for word in known.split(' ') {
                let found = table.facts(Extension::new(word.as_bytes()));
                assert_eq!(found, ExtensionFacts { encrypted: word == "php", ..facts }, "{word}");
            }
        }
        assert!(table.facts(Extension::of("a.medusalocker")).encrypted);
        assert_eq!(table.facts(Extension::of("a.unknown")), ExtensionFacts::default());
        assert_eq!(table.facts(Extension::of("none")), ExtensionFacts::default());
    }
}
