//! A bitmap over rows.

use std::ops::Range;

/// Rows of a word.
pub(super) const WORD: usize = 64;

/// One bit for each row; bits beyond the last row are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    /// Bytes of a bitmap over so many rows.
    pub(super) fn bytes(rows: usize) -> u64 {
        rows.div_ceil(WORD) as u64 * 8
    }

    pub(super) fn zeros(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(WORD)], rows }
    }

    pub(super) fn ones(rows: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; rows.div_ceil(WORD)], rows };
        if let Some(last) = bits.words.last_mut().filter(|_| !rows.is_multiple_of(WORD)) {
            *last = (1 << (rows % WORD)) - 1;
        }
        bits
    }

    /// Sets the 64 rows from a multiple of 64 on.
    pub(super) fn set_word(&mut self, first_row: usize, word: u64) {
        self.words[first_row / WORD] = word;
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The rows in `range` whose bit is set, in order.
    pub(super) fn iter(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        let (first, last) = (range.start / WORD, range.end.div_ceil(WORD));
        (first..last.max(first)).flat_map(move |i| {
            let start = i * WORD;
            let mut word = self.words[i];
            if start < range.start {
                word &= u64::MAX << (range.start - start);
            }
            if start + WORD > range.end {
                word &= (1 << (range.end - start)) - 1;
            }
            std::iter::from_fn(move || {
                let row = (word != 0).then(|| start + word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(row)
            })
        })
    }

    /// Whether no bit in `range` is set.
    pub(super) fn is_empty(&self, range: Range<usize>) -> bool {
        self.iter(range).next().is_none()
    }

    /// Of the set bits, those whose number among them, from 0, is in `ranks`.
    pub(super) fn among(mut self, ranks: Range<usize>) -> Self {
        let mut rank = 0;
        for word in &mut self.words {
            let count = word.count_ones() as usize;
            if rank < ranks.start || rank + count > ranks.end {
                let mut kept = 0;
                for (i, bit) in (0..WORD).filter(|bit| *word >> bit & 1 == 1).enumerate() {
                    kept |= u64::from(ranks.contains(&(rank + i))) << bit;
                }
                *word = kept;
            }
            rank += count;
        }
        self
    }

    pub(super) fn and(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
        self
    }

    pub(super) fn or(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterates_over_what_is_set() {
        for rows in [0, 1, 63, 64, 65, 200] {
            let ones = Bits::ones(rows);
            assert_eq!(ones.count(), rows);
            assert_eq!(ones.iter(0..rows).collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
            assert!(Bits::zeros(rows).is_empty(0..rows));
        }
        let mut bits = Bits::zeros(200);
        bits.set_word(64, 0b1001);
        assert_eq!(bits.iter(0..200).collect::<Vec<_>>(), [64, 67]);
        assert_eq!(bits.iter(65..67).count(), 0);
        assert_eq!(bits.iter(65..68).collect::<Vec<_>>(), [67]);
        assert_eq!(bits.iter(70..70).count(), 0);
    }
}
