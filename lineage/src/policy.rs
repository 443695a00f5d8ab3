//! Which entries leave the cache to make room. Nothing but the choice: it touches no entry and keeps no state.

/// What the choice may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// When the entry was last used, in ticks of the cache; no two entries share one.
    pub(crate) last_use: u64,
    /// What its leaving would free.
    pub(crate) bytes: u64,
}

/// Which entries go so that at least `bytes_wanted` are freed, or all of them where that is not enough.
///
/// Entries come with the least recently used first, and that is who goes: the shortest run from the front that
/// suffices. No more entries are drawn from the iterator than leave.
pub(crate) fn victims<T>(oldest_first: impl Iterator<Item = (Usage, T)>, bytes_wanted: u64) -> Vec<T> {
    let mut leaving = Vec::new();
    let mut bytes_missing = bytes_wanted;
    let mut previous_use = 0;
    let mut entries = oldest_first;
    while bytes_missing > 0
        && let Some((usage, entry)) = entries.next()
    {
        debug_assert!(previous_use <= usage.last_use, "entries come in the order of their last use");
        previous_use = usage.last_use;
        bytes_missing = bytes_missing.saturating_sub(usage.bytes);
        leaving.push(entry);
    }
    leaving
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(sizes: &[u64], bytes_wanted: u64) -> Vec<usize> {
        let entries = sizes.iter().zip(0..).map(|(&bytes, last_use)| Usage { last_use, bytes });
        victims(entries.zip(0..), bytes_wanted)
    }

    #[test]
    fn the_oldest_go_until_it_is_enough() {
        assert_eq!(chosen(&[5, 5, 5], 0), [] as [usize; 0]);
        assert_eq!(chosen(&[5, 5, 5], 1), [0]);
        assert_eq!(chosen(&[5, 5, 5], 5), [0]);
        assert_eq!(chosen(&[5, 5, 5], 6), [0, 1]);
        assert_eq!(chosen(&[5, 5, 5], u64::MAX), [0, 1, 2]);
        assert_eq!(chosen(&[], 1), [] as [usize; 0]);
    }

    #[test]
    fn sizes_near_the_limit_do_not_overflow() {
        assert_eq!(chosen(&[u64::MAX - 1, u64::MAX, 1], u64::MAX), [0, 1]);
    }
}
