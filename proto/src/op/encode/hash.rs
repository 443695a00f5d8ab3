//! The hash of a hashed feature, on both sides.

/// The column of scikit-learn's `FeatureHasher` for `{column: text}` among so many, and whether it gets -1: by the signed
/// 32 bits of MurmurHash3 with seed 0, of `column=text`.
pub fn hash_column(column: &str, text: &str, columns: u32, alternate_sign: bool) -> (u32, bool) {
    let hash = murmur3(format!("{column}={text}").as_bytes()) as i32;
    let columns = columns.max(1);
    // scikit-learn has no magnitude for the least integer, and takes another index for it.
    let magnitude = match hash {
        i32::MIN => i32::MAX as u32 - (columns - 1),
        hash => hash.unsigned_abs(),
    };
    (magnitude % columns, alternate_sign && hash < 0)
}

/// MurmurHash3, 32 bits, x86 (Austin Appleby, public domain), with seed 0.
fn murmur3(data: &[u8]) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mixed = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, tail) = data.as_chunks::<4>();
    let mut h = 0_u32;
    for block in blocks {
        h ^= mixed(u32::from_le_bytes(*block));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let k = tail.iter().rev().fold(0, |k, byte| k << 8 | u32::from(*byte));
    if !tail.is_empty() {
        h ^= mixed(k);
    }
    h ^= data.len() as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_murmurs() {
        for (text, hash) in [("", 0), ("a", 0x3c25_69b2), ("hello", 0x248b_fa47), ("hello, world", 0x149b_bb7f)] {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text}");
        }
    }
}
