//! Operations on 64 bytes at a time: finding a byte, finding digits, and listing the set bits of such a mask.
//!
//! This module has the only unsafe code of the crate, because it uses instructions that not every processor has.
//! [`Lanes::best`] detects them. All implementations give the same masks, which the tests verify.

use super::{Cells, Extent, Outline};

/// Bytes per chunk: one bit each in a mask.
pub(super) const CHUNK: usize = 64;

/// What an outline needs from an instruction set. Everything is inlined into one function per instruction set, except
/// for the last bytes of an input.
pub(super) trait Lane {
    /// Bytes of the chunk equal to `byte`; bit 0 is the first byte.
    fn equal(chunk: &[u8; CHUNK], byte: u8) -> u64;

    /// Bytes of the chunk in `0` to `9`.
    fn digits(chunk: &[u8; CHUNK]) -> u64;

    /// Prefix parity: bit `n` is the parity of bits 0 to `n`, i.e. ones from an odd set bit up to just before the
    /// next one.
    fn parity(mask: u64) -> u64;

    /// Writes the positions of the set bits, plus `base`, to the front of `out`; the entries after them are
    /// unspecified.
    fn positions(mask: u64, base: u32, out: &mut [u32; CHUNK]);
}

/// Instruction sets, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// No more than every processor has.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Lanes {
    const EVERY: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];

    /// The fastest one that this processor supports.
    pub(crate) fn best() -> Self {
        Self::EVERY.iter().copied().rfind(|lanes| lanes.are_here()).unwrap_or(Self::Portable)
    }

    /// All that this processor supports, slowest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::EVERY.iter().copied().filter(|lanes| lanes.are_here())
    }

    /// Whether the processor supports every feature that the functions are compiled for.
    fn are_here(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
                    && is_x86_feature_detected!("pclmulqdq")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.are_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vbmi2")
            }
        }
    }

    #[inline]
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "much faster than what every processor has: see benches, parse/lanes")
    )]
    pub(super) fn draw(self, outline: &mut Outline, extent: Extent, input: &[u8]) {
        match self {
            Self::Portable => portable(outline, extent, input),
            // SAFETY: values come only from `best` and `all`, which return only what the processor supports.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::avx2(outline, extent, input) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86::avx512(outline, extent, input) },
        }
    }

    #[inline]
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "much faster than what every processor has: see benches, parse/lanes")
    )]
    pub(super) fn draw_cells(self, cells: &mut Cells, input: &[u8]) {
        match self {
            Self::Portable => cells.draw_with::<Portable>(input),
            // SAFETY: values come only from `best` and `all`, which return only what the processor supports.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::avx2_cells(cells, input) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86::avx512_cells(cells, input) },
        }
    }
}

fn portable(outline: &mut Outline, extent: Extent, input: &[u8]) {
    match extent {
        Extent::Head => outline.draw_with::<Portable>(Extent::Head, input),
        Extent::Line => outline.draw_with::<Portable>(Extent::Line, input),
    }
}

struct Portable;

impl Lane for Portable {
    #[inline(always)]
    fn equal(chunk: &[u8; CHUNK], byte: u8) -> u64 {
        which(chunk, |found| found == byte)
    }

    #[inline(always)]
    fn digits(chunk: &[u8; CHUNK]) -> u64 {
        which(chunk, |found| found.wrapping_sub(b'0') < 10)
    }

    #[inline(always)]
    fn parity(mask: u64) -> u64 {
        if mask == 0 {
            return 0;
        }
        (0..6).fold(mask, |parity, step| parity ^ (parity << (1 << step)))
    }

    #[inline(always)]
    fn positions(mask: u64, base: u32, out: &mut [u32; CHUNK]) {
        let mut mask = mask;
        for position in out {
            if mask == 0 {
                break;
            }
            *position = base.wrapping_add(mask.trailing_zeros());
            mask &= mask - 1;
        }
    }
}

/// Mask of the bytes that satisfy the predicate. The first loop is written to be vectorised by the compiler; the
/// multiplication then packs eight marks into one byte, the first mark in the lowest bit.
#[inline(always)]
fn which(chunk: &[u8; CHUNK], is_wanted: impl Fn(u8) -> bool) -> u64 {
    let mut marks = [0; CHUNK];
    for (mark, found) in marks.iter_mut().zip(chunk) {
        *mark = u8::from(is_wanted(*found));
    }
    let eights = marks.as_chunks::<8>().0.iter().enumerate();
    let moved = |marks: &[u8; 8]| u64::from_le_bytes(*marks).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.fold(0, |mask, (at, marks)| mask | moved(marks) << (at * 8))
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "instructions that not every processor has: see benches, parse/lanes")]
mod x86 {
    use super::{CHUNK, Cells, Extent, Lane, Outline};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,pclmulqdq")]
    pub(super) fn avx2(outline: &mut Outline, extent: Extent, input: &[u8]) {
        match extent {
            Extent::Head => outline.draw_with::<Avx2>(Extent::Head, input),
            Extent::Line => outline.draw_with::<Avx2>(Extent::Line, input),
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,pclmulqdq,avx512f,avx512bw,avx512vbmi2")]
    pub(super) fn avx512(outline: &mut Outline, extent: Extent, input: &[u8]) {
        match extent {
            Extent::Head => outline.draw_with::<Avx512>(Extent::Head, input),
            Extent::Line => outline.draw_with::<Avx512>(Extent::Line, input),
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,pclmulqdq")]
    pub(super) fn avx2_cells(cells: &mut Cells, input: &[u8]) {
        cells.draw_with::<Avx2>(input);
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,pclmulqdq,avx512f,avx512bw,avx512vbmi2")]
    pub(super) fn avx512_cells(cells: &mut Cells, input: &[u8]) {
        cells.draw_with::<Avx512>(input);
    }

    struct Avx2;

    impl Lane for Avx2 {
        #[inline(always)]
        fn equal(chunk: &[u8; CHUNK], byte: u8) -> u64 {
            // SAFETY: used only by `avx2` and `avx2_cells` above, whose callers have checked the required features.
            unsafe {
                let byte = _mm256_set1_epi8(byte as i8);
                halves(chunk, |half| _mm256_cmpeq_epi8(half, byte))
            }
        }

        #[inline(always)]
        fn digits(chunk: &[u8; CHUNK]) -> u64 {
            // SAFETY: as in `equal`.
            unsafe {
                let (zero, nine) = (_mm256_set1_epi8(b'0' as i8), _mm256_set1_epi8(9));
                halves(chunk, |half| {
                    let value = _mm256_sub_epi8(half, zero);
                    _mm256_cmpeq_epi8(_mm256_min_epu8(value, nine), value)
                })
            }
        }

        #[inline(always)]
        fn parity(mask: u64) -> u64 {
            // Most chunks have no quote. With AVX-512, which needs fewer instructions per chunk, this branch costs
            // more than it saves.
            if mask == 0 {
                return 0;
            }
            // SAFETY: as in `equal`; reads no memory.
            unsafe { product_with_ones(mask) }
        }

        #[inline(always)]
        fn positions(mask: u64, base: u32, out: &mut [u32; CHUNK]) {
            let count = mask.count_ones();
            let mut mask = mask;
            // Write eight unconditionally: a branch for each would be mispredicted too often.
            for position in &mut out[..8] {
                *position = base.wrapping_add(mask.trailing_zeros());
                mask &= mask.wrapping_sub(1);
            }
            if count > 8 {
                for position in &mut out[8..count as usize] {
                    *position = base.wrapping_add(mask.trailing_zeros());
                    mask &= mask.wrapping_sub(1);
                }
            }
        }
    }

    /// Runs the comparison on both halves of the chunk and returns the mask of matching bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn halves(chunk: &[u8; CHUNK], compare: impl Fn(__m256i) -> __m256i) -> u64 {
        // SAFETY: both loads are within the chunk and need no alignment.
        let (low, high) =
            unsafe { (_mm256_loadu_si256(chunk.as_ptr().cast()), _mm256_loadu_si256(chunk.as_ptr().add(32).cast())) };
        let bits = |half| u64::from(_mm256_movemask_epi8(compare(half)) as u32);
        bits(high) << 32 | bits(low)
    }

    struct Avx512;

    impl Lane for Avx512 {
        #[inline(always)]
        fn equal(chunk: &[u8; CHUNK], byte: u8) -> u64 {
            // SAFETY: used only by `avx512` and `avx512_cells` above, whose callers have checked the required
            // features; the load is exactly the chunk and needs no alignment.
            unsafe { _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(chunk.as_ptr().cast()), _mm512_set1_epi8(byte as i8)) }
        }

        #[inline(always)]
        fn digits(chunk: &[u8; CHUNK]) -> u64 {
            // SAFETY: as in `equal`.
            unsafe {
                let zeros = _mm512_set1_epi8(b'0' as i8);
                let value = _mm512_sub_epi8(_mm512_loadu_si512(chunk.as_ptr().cast()), zeros);
                _mm512_cmplt_epu8_mask(value, _mm512_set1_epi8(10))
            }
        }

        #[inline(always)]
        fn parity(mask: u64) -> u64 {
            // SAFETY: as in `equal`; reads no memory.
            unsafe { product_with_ones(mask) }
        }

        #[inline(always)]
        fn positions(mask: u64, base: u32, out: &mut [u32; CHUNK]) {
            const NUMBERS: [u8; CHUNK] = {
                let mut numbers = [0; CHUNK];
                let mut at = 0;
                while at < CHUNK {
                    numbers[at] = at as u8;
                    at += 1;
                }
                numbers
            };
            // SAFETY: as in `equal`; each store writes 16 of the 64 positions of `out`, starting at 0, 16, 32 and 48.
            unsafe {
                let numbers = _mm512_loadu_si512(NUMBERS.as_ptr().cast());
                let packed = _mm512_maskz_compress_epi8(mask, numbers);
                let base = _mm512_set1_epi32(base as i32);
                let store = |at: usize, quarter: __m128i, out: &mut [u32; CHUNK]| {
                    let positions = _mm512_add_epi32(_mm512_cvtepu8_epi32(quarter), base);
                    _mm512_storeu_si512(out.as_mut_ptr().add(at).cast(), positions);
                };
                store(0, _mm512_castsi512_si128(packed), out);
                if mask.count_ones() > 16 {
                    store(16, _mm512_extracti32x4_epi32::<1>(packed), out);
                    store(32, _mm512_extracti32x4_epi32::<2>(packed), out);
                    store(48, _mm512_extracti32x4_epi32::<3>(packed), out);
                }
            }
        }
    }

    /// Carry-less product with all ones: each bit is the parity of the mask's bits up to it.
    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    fn product_with_ones(mask: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, mask as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_of_every_byte(
            low in prop::array::uniform32(prop_oneof![any::<u8>(), Just(b' '), b'/'..=b':']),
            high in prop::array::uniform32(prop_oneof![any::<u8>(), Just(b' '), b'/'..=b':']),
        ) {
            let mut chunk = [0; CHUNK];
            chunk[..32].copy_from_slice(&low);
            chunk[32..].copy_from_slice(&high);
            let slow = |is_wanted: &dyn Fn(u8) -> bool| {
                chunk.iter().enumerate().filter(|(_, byte)| is_wanted(**byte)).fold(0, |mask, (at, _)| mask | 1_u64 << at)
            };
            prop_assert_eq!(Portable::equal(&chunk, b' '), slow(&|byte| byte == b' '));
            prop_assert_eq!(Portable::digits(&chunk), slow(&|byte| byte.is_ascii_digit()));
        }

        #[test]
        fn parity_and_positions(mask in any::<u64>(), base in 0..1_000_000_u32) {
            let odd = (0..64).filter(|at| (mask << (63 - at)).count_ones() % 2 == 1).fold(0, |odd, at| odd | 1_u64 << at);
            prop_assert_eq!(Portable::parity(mask), odd);
            let mut out = [0; CHUNK];
            Portable::positions(mask, base, &mut out);
            let expected: Vec<u32> = (0..64).filter(|at| mask >> at & 1 == 1).map(|at| base + at).collect();
            prop_assert_eq!(&out[..expected.len()], &expected[..]);
        }
    }
}
