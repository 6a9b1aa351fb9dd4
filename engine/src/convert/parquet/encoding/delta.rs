//! DELTA_BINARY_PACKED (`Encodings.md` of parquet-format, "Delta Encoding").

use super::hybrid::{pack_group, varint};

/// Deltas per block. A block has its own minimum.
const BLOCK: usize = 128;
/// Deltas per miniblock. A miniblock has its own bit width.
const MINIBLOCK: usize = 32;

/// Appends the encoded numbers.
pub(in crate::convert::parquet) fn encode<N: Copy + Into<i64>>(numbers: &[N], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINIBLOCK) as u64, out);
    varint(numbers.len() as u64, out);
    zigzag(numbers.first().map_or(0, |first| (*first).into()), out);
    let mut differences = [0_i64; BLOCK];
    let (before, after) = (numbers, numbers.get(1..).unwrap_or_default());
    for (before, after) in before.chunks(BLOCK).zip(after.chunks(BLOCK)) {
        let differences = &mut differences[..after.len()];
        for (difference, (before, after)) in differences.iter_mut().zip(before.iter().zip(after)) {
            // Modulo 2^64, like the sums of readers.
            *difference = (*after).into().wrapping_sub((*before).into());
        }
        block(differences, out);
    }
}

fn block(differences: &[i64], out: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or_default();
    zigzag(least, out);
    let above = |difference: &i64| difference.wrapping_sub(least) as u64;
    let width = |part: &[i64]| 64 - part.iter().map(above).fold(0, |bits, number| bits | number).leading_zeros() as u8;
    let parts = differences.chunks(MINIBLOCK);
    let widths = parts.clone().map(width).chain(std::iter::repeat(0));
    out.extend(widths.take(BLOCK / MINIBLOCK));
    for part in parts {
        let width = width(part);
        let mut numbers = [0; MINIBLOCK];
        for (number, difference) in numbers.iter_mut().zip(part) {
            *number = above(difference);
        }
        for group in numbers.as_chunks().0 {
            pack_wide(group, width, out);
        }
    }
}

/// Packs eight numbers of `width` bits each.
fn pack_wide(group: &[u64; 8], width: u8, out: &mut Vec<u8>) {
    if width <= 32 {
        return pack_group(&group.map(|number| number as u32), width, out);
    }
    let (mut bits, mut count) = (0_u128, 0);
    for number in group {
        bits |= u128::from(*number) << count;
        count += u32::from(width);
        if count >= 64 {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= 64;
            count -= 64;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..(count / 8) as usize]);
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    varint(((number << 1) ^ (number >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(numbers: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(numbers, &mut out);
        out
    }

    #[test]
    fn the_examples_of_the_specification() {
        // 1, 2, 3, 4, 5: all deltas are 1, so none needs a bit.
        assert_eq!(encoded(&[1, 2, 3, 4, 5]), [0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0]);
        // 7, 5, 3, 1, 2, 3, 4, 5: the minimum delta is -2, relative to it 0, 0, 0, 3, 3, 3, 3 with two bits.
        assert_eq!(
            encoded(&[7, 5, 3, 1, 2, 3, 4, 5]),
            [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(encoded(&[76]), [0x80, 1, 4, 1, 0x98, 1]);
        assert_eq!(encoded(&[]), [0x80, 1, 4, 0, 0]);
    }

    #[test]
    fn differences_of_more_bits_than_32() {
        // 0, 2^40, 2^40 + 5: the minimum delta is 5, the other one 2^40 - 5 with 40 bits: 05 fb ff ff ff.
        let big = 1 << 40;
        let mut expected = vec![0x80, 1, 4, 3, 0, 10, 40, 0, 0, 0, 0xfb, 0xff, 0xff, 0xff, 0xff];
        expected.resize(10 + 32 * 40 / 8, 0);
        assert_eq!(encoded(&[0, big, big + 5]), expected);
    }
}
