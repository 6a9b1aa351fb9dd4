//! Facts about file extensions: page, asset or media, executable, encrypted, and the numbering of parts.
//!
//! An extension has at most 15 characters and so fits into 128 bits. All known extensions are in one hash table: a
//! lookup takes one multiplication and usually one comparison.

use super::lists::Words;

/// The purpose of an object, judging by its extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    /// A page, or a key that ends with `/`.
    Page,
    /// Content loaded by pages: styles, scripts, images, fonts.
    Asset,
    /// Audio and video.
    Media,
    /// Anything else.
    #[default]
    Other,
}

/// How the parts of a larger whole with this extension are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Numbering {
    /// By name, such as `part-00012`, if at all.
    #[default]
    ByName,
    /// Always: segments of video, files of tables.
    Always,
    /// Only if the name marks it as a segment.
    Segments,
    /// As map tiles: `12/655/1583.png`.
    Tiles,
}

/// Facts about an extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ExtensionFacts {
    /// The purpose of the object.
    pub(super) kind: KeyKind,
    /// Whether a browser or server would execute it.
    pub(super) risky: bool,
    /// Whether it is used for encrypted files.
    pub(super) encrypted: bool,
    /// How parts are numbered.
    pub(super) numbering: Numbering,
}

/// An extension in lower case, with at most 15 letters and digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Extension {
    /// Padded with zeros.
    letters: [u8; Self::LONGEST + 1],
}

impl Extension {
    const LONGEST: usize = 15;

    /// The extension of a file name: the part after the last dot, unless the dot comes first or the part does not look
    /// like an extension.
    pub(super) fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let dot = bytes.iter().rev().take(Self::LONGEST + 1).position(|byte| *byte == b'.');
        match dot {
            Some(letters) if letters + 1 < bytes.len() => Self::new(&bytes[bytes.len() - letters..]),
            _ => Self::default(),
        }
    }

    /// From its letters; empty if there are too many, only digits, or other characters.
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

    /// The extension without the dot; empty if there is none.
    pub(crate) fn as_str(&self) -> &str {
        let len = self.letters.iter().position(|letter| *letter == 0).unwrap_or_default();
        std::str::from_utf8(&self.letters[..len]).unwrap_or_default()
    }

    fn is_empty(self) -> bool {
        self.letters[0] == 0
    }
}

#[derive(Clone, Debug)]
pub(super) struct Extensions {
    /// Hash table with linear probing; its size is a power of two, and less than half is used.
    slots: Box<[(Extension, ExtensionFacts)]>,
}

impl Extensions {
    /// The known extensions, and those of the list of encrypted ones.
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

    /// The facts about an extension; defaults if it is unknown.
    pub(super) fn facts(&self, extension: Extension) -> ExtensionFacts {
        self.slots[self.slot(extension)].1
    }

    /// The slot of an extension, or the empty slot where it would be.
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
