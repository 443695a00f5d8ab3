//! The headers of Parquet's delta encodings.

/// The bytes of a `DELTA_BINARY_PACKED` run at the start of `data`; `None` if it is malformed, or declares more than
/// `values_max` values.
pub(super) fn end(data: &[u8], values_max: u32) -> Option<usize> {
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
    fn finds_the_end_and_refuses_what_declares_too_much() {
        // Blocks of 128 in 4 mini blocks; 3 values from 7 on; a minimum delta of 1 and the widths 2, 0, 0, 0.
        let data = [128, 1, 4, 3, 14, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99];
        assert_eq!(end(&data, 3), Some(data.len() - 1));
        assert_eq!(end(&data, 2), None);
        assert_eq!(end(&data[..12], 3), None);
        assert_eq!(end(&[128, 1, 4, 1, 14], 1), Some(5));
        assert_eq!(end(&[0xff; 11], u32::MAX), None);
        assert_eq!(end(&[0, 1, 5, 0, 0, 0], 9), None, "blocks of nothing have no end");
    }
}
