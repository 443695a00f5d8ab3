//! What a Parquet page's bytes say before its values: definition levels, and the headers of delta encodings.

/// The bytes of a `DELTA_BINARY_PACKED` run at the start of `data`; `None` if it is malformed, or declares more than
/// `values_max` values.
pub(super) fn delta_end(data: &[u8], values_max: u32) -> Option<usize> {
    let mut rest = data;
    let block_size = varint(&mut rest)?;
    let mini_blocks = usize::try_from(varint(&mut rest)?).ok().filter(|mini_blocks| *mini_blocks > 0)?;
    let values = varint(&mut rest).filter(|values| *values <= u64::from(values_max))?;
    let _first_value = varint(&mut rest)?;
    let mini_block = usize::try_from(block_size).ok()? / mini_blocks;
    // At most `u32::MAX`.
    let mut left = (values as usize).saturating_sub(1);
    while left > 0 {
        let _min_delta = varint(&mut rest)?;
        let (widths, packed) = rest.split_at_checked(mini_blocks)?;
        let mut bits = 0_usize;
        for width in widths {
            if left > 0 {
                bits = bits.checked_add(usize::from(*width).checked_mul(mini_block)?)?;
            }
            left = left.saturating_sub(mini_block);
        }
        rest = packed.get(bits / 8..)?;
        if mini_block == 0 {
            return None;
        }
    }
    Some(data.len() - rest.len())
}

/// Whether so many levels of one bit, in runs, are all 1.
pub(super) fn all_ones(data: &[u8], levels: u32) -> bool {
    let (mut rest, mut left) = (data, u64::from(levels));
    while left > 0 {
        let Some(header) = varint(&mut rest).filter(|header| header >> 1 > 0) else { return false };
        let length = header >> 1;
        let (ones, taken) = if header & 1 == 0 {
            (rest.first() == Some(&1), 1)
        } else {
            // Eight to a byte; the last byte may have bits to spare.
            let bytes = length.min(left.div_ceil(8)) as usize;
            let spare = (bytes as u64 * 8).saturating_sub(left);
            let (last, full) = match rest.get(..bytes).and_then(<[u8]>::split_last) {
                Some(packed) => packed,
                None => return false,
            };
            (full.iter().all(|byte| *byte == 0xff) && last | !(0xff >> spare) == 0xff, bytes)
        };
        if !ones {
            return false;
        }
        left = left.saturating_sub(if header & 1 == 0 { length } else { length.saturating_mul(8) });
        rest = &rest[taken..];
    }
    true
}

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte >> 7 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_whether_all_levels_are_ones() {
        // A run of 100; a run of 50 and 16 packed ones of which the last 2 do not count; a null among them.
        assert!(all_ones(&[200, 1, 1], 100) && all_ones(&[200, 1, 1], 99) && !all_ones(&[200, 1, 1], 101));
        assert!(all_ones(&[100, 1, 5, 0xff, 0x3f], 64) && !all_ones(&[100, 1, 5, 0xff, 0x3f], 65));
        assert!(!all_ones(&[200, 1, 0], 100) && !all_ones(&[3, 0x7f], 8) && all_ones(&[3, 0x7f], 7));
        assert!(!all_ones(&[], 1) && all_ones(&[], 0) && !all_ones(&[0, 1], 1) && !all_ones(&[1], 1));
    }

    #[test]
    fn finds_the_end_and_refuses_what_declares_too_much() {
        // Blocks of 128 in 4 mini blocks; 3 values from 7 on; a minimum delta of 1 and the widths 2, 0, 0, 0.
        let data = [128, 1, 4, 3, 14, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99];
        assert_eq!(delta_end(&data, 3), Some(data.len() - 1));
        assert_eq!(delta_end(&data, 2), None);
        assert_eq!(delta_end(&data[..12], 3), None);
        assert_eq!(delta_end(&[128, 1, 4, 1, 14], 1), Some(5));
        assert_eq!(delta_end(&[0xff; 11], u32::MAX), None);
        assert_eq!(delta_end(&[0, 1, 5, 0, 0, 0], 9), None, "blocks of nothing have no end");
    }
}
