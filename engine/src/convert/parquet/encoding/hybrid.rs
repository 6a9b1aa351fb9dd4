//! The RLE/bit-packing hybrid for levels and dictionary indices (`Encodings.md` of parquet-format, "Run Length Encoding
//! / Bit-Packing Hybrid").

use arrow::array::BooleanBufferBuilder;

/// Values that are packed together: their total size is a whole number of bytes for any width.
const GROUP: usize = 8;

/// Minimum length of a run; shorter ones are hardly worth their headers.
const RUN: usize = 2 * GROUP;

/// The bit width of numbers below `count`.
pub(in crate::convert::parquet) fn width(count: usize) -> u8 {
    (usize::BITS - count.saturating_sub(1).leading_zeros()) as u8
}

/// Appends the encoded numbers.
pub(in crate::convert::parquet) fn encode(numbers: &[u32], width: u8, out: &mut Vec<u8>) {
    let mut packed = 0;
    let mut at = 0;
    while at < numbers.len() {
        let first = numbers[at];
        let is_run = numbers.get(at..at + RUN).is_some_and(|next| next.iter().all(|number| *number == first));
        if is_run {
            let length = numbers[at..].iter().take_while(|number| **number == first).count();
            pack(&numbers[packed..at], width, out);
            run(length, first, width, out);
            at += length;
            packed = at;
        } else {
            at += GROUP;
        }
    }
    pack(&numbers[packed..], width, out);
}

/// Appends definition levels of a nullable column; `values` of the `rows` are not null.
pub(super) fn encode_levels(rows: usize, values: usize, bits: &BooleanBufferBuilder, out: &mut Vec<u8>) {
    if values == 0 || values == rows {
        run(rows, u32::from(values > 0), 1, out);
    } else {
        debug_assert_eq!(bits.len(), rows);
        header(rows.div_ceil(8), true, out);
        out.extend_from_slice(&bits.as_slice()[..rows.div_ceil(8)]);
    }
}

fn run(length: usize, number: u32, width: u8, out: &mut Vec<u8>) {
    if length > 0 {
        header(length, false, out);
        out.extend_from_slice(&number.to_le_bytes()[..usize::from(width).div_ceil(8)]);
    }
}

/// The last group is padded with zeros.
fn pack(numbers: &[u32], width: u8, out: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    header(numbers.len().div_ceil(GROUP), true, out);
    let mut groups = numbers.chunks_exact(GROUP);
    for group in groups.by_ref() {
        pack_group(group, width, out);
    }
    let rest = groups.remainder();
    if !rest.is_empty() {
        let mut last = [0; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        pack_group(&last, width, out);
    }
}

/// Packs eight numbers of `width` bits each.
#[inline]
pub(super) fn pack_group(group: &[u32], width: u8, out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u64, 0);
    for number in group {
        bits |= u64::from(*number) << count;
        count += u32::from(width);
        if count >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            count -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..(count / 8) as usize]);
}

/// The header of packed groups, or of a run of `count` values.
fn header(count: usize, is_packed: bool, out: &mut Vec<u8>) {
    varint((count as u64) << 1 | u64::from(is_packed), out);
}

/// ULEB128: seven bits per byte, the lowest first.
pub(super) fn varint(number: u64, out: &mut Vec<u8>) {
    let mut left = number;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes bit by bit.
    fn decode(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let count = (header >> 1) as usize;
            if header & 1 == 0 {
                let (number, rest) = bytes.split_at(usize::from(width).div_ceil(8));
                let number = number.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
                numbers.extend(std::iter::repeat_n(number, count));
                bytes = rest;
            } else {
                let (packed, rest) = bytes.split_at(count * usize::from(width));
                let bit = |at: usize| u32::from(packed[at / 8] >> (at % 8) & 1);
                let number =
                    |at: usize| (0..usize::from(width)).map(|of| bit(at * usize::from(width) + of) << of).sum::<u32>();
                numbers.extend((0..count * 8).map(number));
                bytes = rest;
            }
        }
        assert!(bytes.is_empty());
        numbers.truncate(count);
        numbers
    }

    #[test]
    fn widths() {
        let widths = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9), (1 << 20, 20)];
        for (count, bits) in widths {
            assert_eq!(width(count), bits, "{count}");
        }
    }

    #[test]
    fn equal_numbers_are_a_run_and_others_are_packed() {
        let encoded = |numbers: &[u32], width| {
            let mut out = Vec::new();
            encode(numbers, width, &mut out);
            out
        };
        assert_eq!(encoded(&[5; 100], 3), [0xc8, 0x01, 5]);
        assert_eq!(encoded(&[0; 100], 0), [0xc8, 0x01]);
        // The example in the specification.
        assert_eq!(encoded(&[0, 1, 2, 3, 4, 5, 6, 7], 3), [0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        assert_eq!(encoded(&[1, 2], 2), [0x03, 0b1001, 0]);
        assert!(encoded(&[], 2).is_empty());
    }

    #[test]
    fn levels_are_bits_where_some_rows_have_no_value() {
        let mut bits = BooleanBufferBuilder::new(0);
        bits.append_slice(&[true, false, true, true, false, false, false, false, true]);
        let mut out = Vec::new();
        encode_levels(9, 4, &bits, &mut out);
        assert_eq!(out, [0x05, 0b1101, 1]);
        out.clear();
        encode_levels(9, 9, &BooleanBufferBuilder::new(0), &mut out);
        assert_eq!(out, [18, 1]);
        out.clear();
        encode_levels(9, 0, &BooleanBufferBuilder::new(0), &mut out);
        assert_eq!(out, [18, 0]);
    }

    proptest! {
        #[test]
        fn what_is_encoded_can_be_read_back(
            bits in 0_u8..=32,
            pieces in prop::collection::vec((any::<u32>(), 1_usize..60), 0..20),
            singles in prop::collection::vec(any::<u32>(), 0..60),
        ) {
            let most = (1_u64 << bits) - 1;
            let runs = pieces.iter().flat_map(|(number, count)| std::iter::repeat_n(*number, *count));
            let numbers: Vec<u32> = runs.chain(singles.iter().copied()).map(|n| (u64::from(n) & most) as u32).collect();
            let mut out = Vec::new();
            encode(&numbers, bits, &mut out);
            prop_assert_eq!(decode(&out, bits, numbers.len()), numbers);
        }
    }
}
