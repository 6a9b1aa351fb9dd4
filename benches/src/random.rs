//! A small pseudo-random number generator with the distributions that log lines need.
//!
//! The `rand` crate is not used because its algorithms may change between versions, and the fixtures are compared
//! byte for byte. For the same reason heavy-tailed numbers use integers only: `powf` and `ln` differ between
//! platforms.

/// The alphabet of S3's request ids.
const BASE36: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// A xoshiro256++ generator, seeded by splitmix64. Not cryptographically secure.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// Creates a generator that depends on nothing but `seed`.
    pub fn new(seed: u64) -> Self {
        let mut z = seed;
        let mut split = || {
            z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            x ^ (x >> 31)
        };
        Self { state: [split(), split(), split(), split()] }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0. The bias is below 2⁻³² for the bounds used here.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, inclusive.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True with a probability of `per_mille` in a thousand.
    #[inline]
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A uniformly chosen item. Panics if `items` is empty.
    #[inline]
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// An object size in bytes below `cap`, heavy-tailed (Pareto, exponent 0.7): mostly kilobytes, occasionally
    /// gigabytes.
    #[inline]
    pub fn object_size(&mut self, cap: u64) -> u64 {
        const SMALLEST: u64 = 900;
        /// Probability in thousandths that a size is at least doubled: 2^-0.7.
        const DOUBLES: u64 = 616;
        let mut octave = SMALLEST;
        while octave < cap && self.chance(DOUBLES) {
            octave *= 2;
        }
        (octave + self.below(octave)) % cap
    }

    /// A duration in milliseconds, roughly log-normal: half are below 30, one in twenty above 180.
    #[inline]
    pub fn duration(&mut self) -> u64 {
        /// log2 of the median and of the spread, in 16.16 fixed point.
        const MEDIAN: i64 = 321_400;
        const SPREAD: i64 = 104_000;
        // The sum of four uniform numbers is roughly normal: mean 2, standard deviation 0.577.
        let bits = self.bits();
        let sum: i64 = (0..4).map(|i| i64::from((bits >> (16 * i)) as u16)).sum();
        let deviation = (sum - 131_070) * 1000 / 577;
        let log2 = (MEDIAN + ((deviation * SPREAD) >> 16)).max(0) as u64;
        // 2^x: shift by the integer part, interpolate the fraction linearly.
        ((65_536 + (log2 & 0xFFFF)) << (log2 >> 16)) >> 16
    }

    /// Appends `count` lower-case hexadecimal digits.
    pub fn hex(&mut self, count: usize, out: &mut Vec<u8>) {
        self.letters(HEX, count, out);
    }

    /// Appends `count` upper-case hexadecimal digits.
    pub fn hex_upper(&mut self, count: usize, out: &mut Vec<u8>) {
        self.letters(HEX_UPPER, count, out);
    }

    /// Appends `count` upper-case letters and digits, as in request ids.
    #[inline]
    pub fn base36(&mut self, count: usize, out: &mut Vec<u8>) {
        self.letters(BASE36, count, out);
    }

    /// Appends `count` characters of the base64 alphabet, without padding.
    #[inline]
    pub fn base64(&mut self, count: usize, out: &mut Vec<u8>) {
        self.letters(BASE64, count, out);
    }

    /// Appends `count` lower-case letters.
    pub fn lowercase(&mut self, count: usize, out: &mut Vec<u8>) {
        self.letters(b"abcdefghijklmnopqrstuvwxyz", count, out);
    }

    /// Appends `count` characters of an alphabet of at most 64. One draw gives ten of them.
    #[inline]
    fn letters<const N: usize>(&mut self, alphabet: &[u8; N], count: usize, out: &mut Vec<u8>) {
        let mut left = count;
        while left > 0 {
            let mut bits = self.bits();
            let now = left.min(10);
            out.extend((0..now).map(|_| {
                let letter = alphabet[(bits % N as u64) as usize];
                bits /= N as u64;
                letter
            }));
            left -= now;
        }
    }
}

/// Draws indices with given weights in constant time (Vose's alias method).
#[derive(Clone, Debug)]
pub struct Weighted {
    /// For each slot: the 32-bit threshold below which the slot stands for itself, and the slot it stands for
    /// otherwise.
    slots: Vec<(u32, u32)>,
}

impl Weighted {
    /// Draws index `i` with probability `weights[i]` / sum. Weights must be positive and there must be at least one.
    pub fn new(weights: &[f64]) -> Self {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..scaled.len()).partition(|&i| scaled[i] < 1.0);
        let mut slots: Vec<(u32, u32)> = (0..scaled.len()).map(|i| (u32::MAX, i as u32)).collect();
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            slots[poor] = ((scaled[poor] * f64::from(u32::MAX)) as u32, rich as u32);
            scaled[rich] -= 1.0 - scaled[poor];
            if scaled[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { slots }
    }

    /// Draws an index.
    #[inline]
    pub fn draw(&self, random: &mut Random) -> usize {
        let bits = random.bits();
        let slot = (((bits >> 32) * self.slots.len() as u64) >> 32) as usize;
        let (threshold, other) = self.slots[slot];
        if bits as u32 <= threshold { slot } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut random = Random::new(7);
        for _ in 0..10_000 {
            assert!(random.below(10) < 10);
            assert!((3..=5).contains(&random.between(3, 5)));
            assert!(random.object_size(5 << 30) < 5 << 30);
            assert!(random.duration() >= 1);
        }
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn same_seed_same_draws() {
        let draws = |seed| {
            let mut random = Random::new(seed);
            [random.bits(), random.bits(), random.bits()]
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn weights_are_kept() {
        let weighted = Weighted::new(&[1.0, 8.0, 1.0]);
        let mut random = Random::new(3);
        let mut counts = [0; 3];
        for _ in 0..100_000 {
            counts[weighted.draw(&mut random)] += 1;
        }
        assert!((78_000..82_000).contains(&counts[1]), "{counts:?}");
        assert!((9_000..11_000).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn durations_have_the_stated_median_and_tail() {
        let mut random = Random::new(9);
        let mut all: Vec<u64> = (0..100_000).map(|_| random.duration()).collect();
        all.sort_unstable();
        assert!((28..33).contains(&all[50_000]), "{}", all[50_000]);
        assert!((150..260).contains(&all[95_000]), "{}", all[95_000]);
    }

    #[test]
    fn letters_come_from_their_alphabet() {
        let mut out = Vec::new();
        Random::new(5).base36(16, &mut out);
        assert_eq!(out.len(), 16);
        assert!(out.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
    }
}
