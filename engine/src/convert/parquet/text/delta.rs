//! Lengths of texts by their differences (`Encodings.md` of parquet-format, "Delta Encoding").

use super::hybrid::{pack_group, varint};

/// Differences of a block, which has a smallest one of its own,
const BLOCK: usize = 128;
/// and of a part of it, which has a width of its own.
const MINIBLOCK: usize = 32;

/// These numbers, which are no lengths of more than 2 GiB.
pub(super) fn encode(numbers: &[u32], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINIBLOCK) as u64, out);
    varint(numbers.len() as u64, out);
    zigzag(numbers.first().copied().unwrap_or_default().into(), out);
    let mut differences = [0_i64; BLOCK];
    let (before, after) = (numbers, numbers.get(1..).unwrap_or_default());
    for (before, after) in before.chunks(BLOCK).zip(after.chunks(BLOCK)) {
        let differences = &mut differences[..after.len()];
        for (difference, (before, after)) in differences.iter_mut().zip(before.iter().zip(after)) {
            *difference = i64::from(*after) - i64::from(*before);
        }
        block(differences, out);
    }
}

fn block(differences: &[i64], out: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or_default();
    zigzag(least, out);
    let above = |difference: &i64| (difference - least) as u32;
    let width = |part: &[i64]| 32 - part.iter().map(above).fold(0, |bits, number| bits | number).leading_zeros() as u8;
    let parts = differences.chunks(MINIBLOCK);
    let widths = parts.clone().map(width).chain(std::iter::repeat(0));
    out.extend(widths.take(BLOCK / MINIBLOCK));
    for part in parts {
        let width = width(part);
        let mut numbers = [0; MINIBLOCK];
        for (number, difference) in numbers.iter_mut().zip(part) {
            *number = above(difference);
        }
        for group in numbers.chunks_exact(8) {
            pack_group(group, width, out);
        }
    }
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    varint(((number << 1) ^ (number >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        let encoded = |numbers: &[u32]| {
            let mut out = Vec::new();
            encode(numbers, &mut out);
            out
        };
        // 1, 2, 3, 4, 5: all differences are 1, so none needs a bit.
        assert_eq!(encoded(&[1, 2, 3, 4, 5]), [0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0]);
        // 7, 5, 3, 1, 2, 3, 4, 5: the least difference is -2, above it 0, 0, 0, 3, 3, 3, 3 of two bits.
        assert_eq!(
            encoded(&[7, 5, 3, 1, 2, 3, 4, 5]),
            [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(encoded(&[76]), [0x80, 1, 4, 1, 0x98, 1]);
        assert_eq!(encoded(&[]), [0x80, 1, 4, 0, 0]);
    }
}
