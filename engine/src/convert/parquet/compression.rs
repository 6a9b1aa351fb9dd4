//! Compression of pages.

use crate::error::Error;
use bytes::Bytes;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::errors::Result as ParquetResult;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use zstd::bulk::Compressor;

/// A codec and its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// No compression.
    None,
    /// Snappy, which every reader supports.
    Snappy,
    /// LZ4 in its raw block format.
    Lz4,
    /// Gzip with a level from 1 to 9.
    Gzip(u8),
    /// Zstandard with a level from 1 to 22.
    Zstd(u8),
}

impl Default for Compression {
    fn default() -> Self {
        Self::Zstd(3)
    }
}

impl Compression {
    /// The same codec with the lowest level, for pages that hardly compress.
    pub(super) fn light(self) -> Self {
        match self {
            Self::Zstd(_) => Self::Zstd(1),
            Self::Gzip(_) => Self::Gzip(1),
            other => other,
        }
    }

    /// The codec of a file, with its default level; `None` if we do not write it.
    pub(in crate::convert) fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::UNCOMPRESSED => Some(Self::None),
            Codec::SNAPPY => Some(Self::Snappy),
            Codec::LZ4_RAW => Some(Self::Lz4),
            Codec::GZIP(_) => Some(Self::Gzip(6)),
            Codec::ZSTD(_) => Some(Self::Zstd(3)),
            _ => None,
        }
    }

    /// The codec as defined by the `parquet` crate.
    pub(super) fn codec(self) -> Codec {
        match self {
            Self::None => Codec::UNCOMPRESSED,
            Self::Snappy => Codec::SNAPPY,
            Self::Lz4 => Codec::LZ4_RAW,
            Self::Gzip(level) => Codec::GZIP(GzipLevel::try_new(level.into()).unwrap_or_default()),
            Self::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level.into()).unwrap_or_default()),
        }
    }
}

/// Idle Zstandard compressors. Each takes megabytes, so they are shared by all columns.
#[derive(Clone, Default)]
pub(super) struct Compressors {
    waiting: Arc<Mutex<Vec<Compressor<'static>>>>,
}

impl Compressors {
    /// Compresses a page. Only [`Codec::UNCOMPRESSED`] and [`Codec::ZSTD`] are supported.
    pub(super) fn compress(&self, codec: Codec, bytes: &[u8]) -> ParquetResult<Bytes> {
        let Codec::ZSTD(level) = codec else {
            debug_assert_eq!(codec, Codec::UNCOMPRESSED);
            return Ok(Bytes::copy_from_slice(bytes));
        };
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut compressor = waiting.unwrap_or_default();
        compressor.set_compression_level(level.compression_level())?;
        let compressed = compressor.compress(bytes)?;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        Ok(compressed.into())
    }
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressors")
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let level = |default: u8, most: u8| match level {
            None => Ok(default),
            Some(level) => match level.parse() {
                Ok(level) if (1..=most).contains(&level) => Ok(level),
                _ => Err(Error::invalid(format!("`{level}` is not a level of {name}"))
                    .with_hint(format!("levels of {name} are 1 to {most}"))),
            },
        };
        match name {
            "zstd" => Ok(Self::Zstd(level(3, 22)?)),
            "gzip" => Ok(Self::Gzip(level(6, 9)?)),
            "snappy" if text == name => Ok(Self::Snappy),
            "lz4" if text == name => Ok(Self::Lz4),
            "none" if text == name => Ok(Self::None),
            "snappy" | "lz4" | "none" => Err(Error::invalid(format!("{name} has no levels"))),
            _ => Err(Error::invalid(format!("`{text}` is not a compression"))
                .with_hint("one of zstd, zstd:1 to zstd:22, gzip, gzip:1 to gzip:9, snappy, lz4, none")),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Snappy => f.write_str("snappy"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_levels() {
        let good =
            [("zstd", "zstd:3"), ("zstd:22", "zstd:22"), ("gzip", "gzip:6"), ("snappy", "snappy"), ("none", "none")];
        for (text, shown) in good {
            let compression: Compression = text.parse().unwrap();
            assert_eq!(compression.to_string(), shown);
            assert_eq!(shown.parse::<Compression>().unwrap(), compression);
            compression.codec();
        }
        let bad = [
            ("zstd:23", "`23` is not a level of zstd"),
            ("zstd:", "`` is not a level of zstd"),
            ("gzip:0", "`0` is not a level of gzip"),
            ("snappy:1", "snappy has no levels"),
            ("ZIP", "`ZIP` is not a compression"),
        ];
        for (text, why) in bad {
            assert_eq!(text.parse::<Compression>().unwrap_err().to_string(), why);
        }
        assert_eq!((Compression::Zstd(9).light(), Compression::Lz4.light()), (Compression::Zstd(1), Compression::Lz4));
    }
}
