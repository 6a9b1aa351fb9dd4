//! Decompression of log objects. The format is detected by magic bytes, never by name.
//!
//! Decompression writes into a buffer of fixed size, so memory stays bounded whatever the ratio.

use crate::error::{Error, ErrorKind};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder as ZstdDecoder, Operation};

/// How an object is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

const GZIP_MAGIC: [u8; 3] = [0x1F, 0x8B, 0x08];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// A frame without data, of any of sixteen kinds: `pzstd` writes one before each frame (RFC 8878, section 3.1.2).
const ZSTD_SKIPPABLE: [u8; 3] = [0x2A, 0x4D, 0x18];

/// Number of bytes that [`Compression::of`] needs.
pub(crate) const MAGIC_LEN: usize = 4;

/// Logarithm of the largest deflate window, 32 KiB.
const GZIP_WINDOW_BITS: u8 = 15;

impl Compression {
    /// Detects the format from the first bytes of an object.
    pub(crate) fn of(first_bytes: &[u8]) -> Option<Self> {
        if first_bytes.starts_with(&GZIP_MAGIC) {
            Some(Self::Gzip)
        } else if first_bytes.starts_with(&ZSTD_MAGIC) {
            Some(Self::Zstd)
        } else {
            let is_skippable = matches!(first_bytes, [0x50..=0x5F, kind @ ..] if kind.starts_with(&ZSTD_SKIPPABLE));
            is_skippable.then_some(Self::Zstd)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Decompresses one object: a sequence of gzip members or zstd frames.
pub(crate) struct Decompressor {
    compression: Compression,
    codec: Codec,
    /// Inside a member or frame: an object that ends here is truncated.
    inside: bool,
    /// Output is held back for lack of room.
    pending: bool,
}

enum Codec {
    Gzip(Box<Decompress>),
    Zstd(Box<ZstdDecoder<'static>>),
}

impl Decompressor {
    pub(crate) fn new(compression: Compression) -> Result<Self, Error> {
        let codec = match compression {
            Compression::Gzip => Codec::Gzip(Box::new(Decompress::new_gzip(GZIP_WINDOW_BITS))),
            Compression::Zstd => Codec::Zstd(Box::new(ZstdDecoder::new().map_err(|error| {
                Error::new(ErrorKind::Internal, "the zstd decoder cannot be set up").with_source(error)
            })?)),
        };
        Ok(Self { compression, codec, inside: true, pending: false })
    }

    /// Decompresses from `input` into `output`; returns the bytes consumed and the bytes written.
    pub(crate) fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), Error> {
        if !self.inside && !input.is_empty() {
            self.begin_next(input)?;
        }
        let (taken, written, ended) = match &mut self.codec {
            Codec::Gzip(codec) => {
                let before = (codec.total_in(), codec.total_out());
                let status = codec
                    .decompress(input, output, FlushDecompress::None)
                    .map_err(|error| self.compression.damaged().with_source(error))?;
                let taken = (codec.total_in() - before.0) as usize;
                let written = (codec.total_out() - before.1) as usize;
                (taken, written, status == Status::StreamEnd)
            }
            Codec::Zstd(codec) => {
                let status = codec
                    .run_on_buffers(input, output)
                    .map_err(|error| self.compression.damaged().with_source(error))?;
                (status.bytes_read, status.bytes_written, status.remaining == 0)
            }
        };
        if taken > 0 || written > 0 || ended {
            self.inside = !ended;
        }
        self.pending = !ended && written == output.len();
        Ok((taken, written))
    }

    /// Whether more output may follow without more input.
    pub(crate) fn holds_output(&self) -> bool {
        self.pending
    }

    /// Checks at the end of the object that the stream is complete.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.inside {
            let name = self.compression.name();
            return Err(Error::new(ErrorKind::Unreadable, format!("the {name} stream ends too early")).with_hint(
                "the object is truncated: fetch it again; a query includes its records up to the cut, a conversion includes none",
            ));
        }
        Ok(())
    }

    /// Starts the next member or frame; fails if the data behind the last one is something else.
    fn begin_next(&mut self, input: &[u8]) -> Result<(), Error> {
        let magic: &[u8] = match self.compression {
            Compression::Gzip => &GZIP_MAGIC,
            Compression::Zstd => &ZSTD_MAGIC,
        };
        let len = input.len().min(magic.len());
        // Skippable zstd frames (also used for padding) have another magic number; the decoder handles them.
        let fits = self.compression == Compression::Zstd || input[..len] == magic[..len];
        if !fits {
            let name = self.compression.name();
            return Err(Error::new(
                ErrorKind::Unreadable,
                format!("bytes that are not {name} follow the {name} stream"),
            ));
        }
        match &mut self.codec {
            Codec::Gzip(codec) => **codec = Decompress::new_gzip(GZIP_WINDOW_BITS),
            Codec::Zstd(codec) => {
                codec.reinit().map_err(|error| self.compression.damaged().with_source(error))?;
            }
        }
        self.inside = true;
        Ok(())
    }
}

impl Compression {
    fn damaged(self) -> Error {
        Error::new(ErrorKind::Unreadable, format!("the {} stream is damaged", self.name())).with_hint(
            "fetch the object again; a query includes its records up to the damage, a conversion includes none",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Decompresses in pieces of `step` bytes into a buffer of `room` bytes.
    fn unpack(packed: &[u8], step: usize, room: usize) -> Result<Vec<u8>, Error> {
        let mut decompressor = Decompressor::new(Compression::of(packed).unwrap())?;
        let mut output = vec![0; room];
        let mut unpacked = Vec::new();
        for mut piece in packed.chunks(step) {
            while !piece.is_empty() || decompressor.holds_output() {
                let (taken, written) = decompressor.decompress(piece, &mut output)?;
                piece = &piece[taken..];
                unpacked.extend_from_slice(&output[..written]);
            }
        }
        decompressor.finish().map(|()| unpacked)
    }

    #[test]
    fn members_and_frames_in_any_pieces() {
        let text = b"one line\nanother line\n".repeat(50);
        let gzipped = [gzip(&text), gzip(b""), gzip(b"more")].concat();
        let zstd = [zstd::encode_all(&text[..], 3).unwrap(), zstd::encode_all(&b"more"[..], 1).unwrap()].concat();
        let expected = [&text[..], b"more"].concat();
        let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &zstd].concat();
        for (step, room) in [(1, 1), (3, 7), (10, 1000), (100_000, 100_000), (100_000, 5)] {
            assert_eq!(unpack(&gzipped, step, room).unwrap(), expected, "gzip {step} {room}");
            assert_eq!(unpack(&zstd, step, room).unwrap(), expected, "zstd {step} {room}");
            assert_eq!(unpack(&skippable, step, room).unwrap(), expected, "pzstd {step} {room}");
        }
    }

    #[test]
    fn what_was_cut_or_damaged_is_an_error() {
        let mut gzipped = gzip(&b"text ".repeat(100));
        let cut = unpack(&gzipped[..gzipped.len() - 9], 10, 10).unwrap_err();
        assert_eq!(cut.to_string(), "the gzip stream ends too early");
        let has = "a query includes its records up to the cut, a conversion includes none";
        assert_eq!(cut.hint(), Some(format!("the object is truncated: fetch it again; {has}").as_str()));
        let garbage = unpack(&[&gzipped[..], b"tail"].concat(), 1000, 1000).unwrap_err();
        assert_eq!(garbage.to_string(), "bytes that are not gzip follow the gzip stream");
        let end = gzipped.len() - 6;
        gzipped[end] ^= 0xFF;
        assert_eq!(unpack(&gzipped, 10, 10).unwrap_err().kind(), ErrorKind::Unreadable, "the checksum is checked");
        let packed = zstd::encode_all(&b"text ".repeat(100)[..], 3).unwrap();
        assert_eq!(unpack(&packed[..packed.len() - 2], 10, 10).unwrap_err().kind(), ErrorKind::Unreadable);
    }

    #[test]
    fn lines_of_text_are_not_compressed() {
        assert_eq!(Compression::of(b"79a5"), None);
        assert_eq!(Compression::of(b""), None);
    }
}
