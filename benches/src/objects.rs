//! Writes generated lines to one file, or as log objects into a folder.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::calendar::push_object_time;
use crate::generate::Generator;
use crate::random::Random;

/// Lines are passed to the writer in pieces of this many bytes.
const PIECE: usize = 1 << 20;
/// Delay until S3 delivers a log object after its last line: between five and ninety minutes.
const DELIVERY_SECONDS: (u64, u64) = (5 * 60, 90 * 60);
/// A level at which both `zstd` and `gzip` are fast and effective.
const ZSTD_LEVEL: i32 = 3;
const GZIP_LEVEL: u32 = 6;

/// Compression of a log. S3 delivers plain text; archived logs are often compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// Uncompressed.
    #[default]
    Plain,
    /// One gzip member.
    Gzip,
    /// One Zstandard frame.
    Zstd,
}

impl Packing {
    /// Compresses a whole object.
    pub fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        self.write(&mut out, |writer| writer.write_all(bytes))?;
        Ok(out)
    }

    /// Compresses everything read from `from`.
    pub fn copy(self, mut from: impl io::Read, to: impl Write) -> io::Result<()> {
        self.write(to, |writer| io::copy(&mut from, writer).map(|_| ()))
    }

    /// Passes a compressing writer to `fill`, then finishes the stream.
    fn write(self, mut to: impl Write, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Plain => fill(&mut to)?,
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(&mut to, flate2::Compression::new(GZIP_LEVEL));
                fill(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Zstd => {
                let mut encoder = zstd::Encoder::new(&mut to, ZSTD_LEVEL)?;
                fill(&mut encoder)?;
                encoder.finish()?;
            }
        }
        to.flush()
    }
}

/// Writes `lines` lines to `to`.
pub fn write_log(generator: &mut Generator, lines: u64, packing: Packing, to: impl Write) -> io::Result<()> {
    packing.write(to, |writer| {
        let mut piece = Vec::with_capacity(PIECE + 4096);
        for _ in 0..lines {
            generator.line(&mut piece);
            if piece.len() >= PIECE {
                writer.write_all(&piece)?;
                piece.clear();
            }
        }
        writer.write_all(&piece)
    })
}

/// Writes `lines` lines as log objects of `per_object` lines under `folder`, named as by S3. Each object holds lines
/// of one bucket. Returns the number of objects.
pub fn write_objects(
    generator: &mut Generator,
    lines: u64,
    per_object: u64,
    packing: Packing,
    seed: u64,
    folder: &Path,
) -> io::Result<u64> {
    fs::create_dir_all(folder)?;
    let mut names = Random::new(!seed);
    let (mut left, mut objects) = (lines, 0);
    while left > 0 {
        let now = left.min(per_object.max(1));
        generator.change_bucket();
        let mut body = Vec::new();
        write_log(generator, now, packing, &mut body)?;
        let delivered = generator.time() + names.between(DELIVERY_SECONDS.0, DELIVERY_SECONDS.1) as i64;
        fs::write(folder.join(object_name(delivered, &mut names)), &body)?;
        left -= now;
        objects += 1;
    }
    Ok(objects)
}

/// Writes `lines` lines to a file.
pub fn write_file(generator: &mut Generator, lines: u64, packing: Packing, path: &Path) -> io::Result<()> {
    write_log(generator, lines, packing, BufWriter::with_capacity(PIECE, fs::File::create(path)?))
}

/// An object name such as `2026-01-15-10-22-41-0A1B2C3D4E5F6071`: the delivery time, given in seconds since 1970, and
/// 16 random hexadecimal digits.
pub fn object_name(delivered: i64, random: &mut Random) -> String {
    let mut name = Vec::with_capacity(36);
    push_object_time(delivered, &mut name);
    name.push(b'-');
    random.hex_upper(16, &mut name);
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::generate::Options;

    fn log(packing: Packing) -> Vec<u8> {
        let mut out = Vec::new();
        write_log(&mut Generator::new(&Options::default()), 5_000, packing, &mut out).unwrap();
        out
    }

    #[test]
    fn packed_bytes_unpack_to_the_plain_ones() {
        let plain = log(Packing::Plain);
        assert_eq!(plain.iter().filter(|&&byte| byte == b'\n').count(), 5_000);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(log(Packing::Gzip).as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain);
        assert!(zstd::decode_all(log(Packing::Zstd).as_slice()).unwrap() == plain);
    }

    #[test]
    fn objects_hold_all_lines_and_are_named_by_their_delivery() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { lines: 250, hours: 24.0, ..Options::default() };
        let objects = write_objects(&mut Generator::new(&options), 250, 100, Packing::Plain, 1, folder.path()).unwrap();
        assert_eq!(objects, 3);
        let mut counts = Vec::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(name.len(), "2026-01-15-10-22-41-0A1B2C3D4E5F6071".len());
            assert!(name.starts_with("2026-03-0"), "{name}");
            counts.push(fs::read_to_string(&path).unwrap().lines().count());
        }
        counts.sort_unstable();
        assert_eq!(counts, [50, 100, 100]);
    }
}
