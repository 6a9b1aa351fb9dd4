//! A hash of names that is the same on every machine and in every version. Shards and folder names must not change from
//! one runner to the next.

/// FNV-1a with the finalizer of `MurmurHash3`: without it, differences at the end of a name only affect the lowest
/// bits.
pub(super) fn stable_hash(name: &str) -> u64 {
    let fnv = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::stable_hash;

    #[test]
    fn it_is_what_it_was() {
        for (name, hash) in
            [("", 0xefd0_1f60_ba99_2926), ("a", 0x82a2_a958_a9be_ce5b), ("/logs/x0000", 0x8553_7600_20c0_010b_u64)]
        {
            assert_eq!(stable_hash(name), hash, "{name}");
        }
    }
}
