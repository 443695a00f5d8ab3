//! Which entries leave the cache to make room. Nothing but the choice: it touches no entry.
//!
//! GreedyDual-Size-Frequency (Cherkasova 1998; Arlitt, Cherkasova, Dilley, Friedrich and Jin 2000): an entry is worth
//! `clock + uses × nanos / bytes`, by the clock of its last use, and the least worth goes first. The clock rises to the
//! worth of what went, so that what is not used any more is overtaken by what is, however dear it was. Of equal worth
//! the least recently used goes first; once the clock is so large that a worth makes no difference to it, that alone
//! decides. All of it follows from the sequence of uses, and nothing from the time of day.

/// What a value takes, and what having it saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of the value itself.
    pub bytes: u64,
    /// Nanoseconds that it took to compute.
    pub nanos: u64,
}

/// An entry's place in the order in which entries leave, the first to go being the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// The bits of a double that is not negative, which are ordered as the numbers are.
    worth: u64,
    /// When the entry was last used, in ticks of the cache; no two entries share one.
    last_use: u64,
}

/// What ages entries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock(f64);

impl Clock {
    /// The rank of an entry that is used now, for the so manyth time; `bytes` is all that its leaving would free.
    pub(crate) fn rank(self, uses: u32, nanos: u64, bytes: u64, last_use: u64) -> Rank {
        let worth = self.0 + f64::from(uses) * nanos as f64 / bytes.max(1) as f64;
        Rank { worth: worth.to_bits(), last_use }
    }

    /// An entry of this rank went, or was not let in.
    pub(crate) fn pass(&mut self, rank: Rank) {
        self.0 = self.0.max(f64::from_bits(rank.worth));
    }
}

/// Among whose entries the next to leave is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among<T> {
    /// Those of the tenant that needs the room: it has its share.
    Own,
    /// Those of another, who has more than its share; whatever they are worth.
    Other(T),
    /// Everybody's: nobody has more than its share.
    All,
}

/// Who makes room for an entry of a tenant that would then have `own_bytes`; `heaviest` has the most now.
pub(crate) fn among<T>(own_bytes: u64, heaviest: Option<(u64, T)>, tenant_bytes_max: u64) -> Among<T> {
    if own_bytes > tenant_bytes_max {
        return Among::Own;
    }
    match heaviest {
        Some((bytes, tenant)) if bytes > tenant_bytes_max => Among::Other(tenant),
        Some(_) | None => Among::All,
    }
}

/// How many pinned entries are passed over before they go as well, to bound the work of a choice.
pub(crate) const PINNED_PASSED_MAX: usize = 1024;

/// An entry that could go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<T> {
    pub(crate) entry: T,
    /// What its leaving would free, if it is not pinned.
    pub(crate) bytes: u64,
    /// Whether its value is held elsewhere, so that its leaving frees nothing now.
    pub(crate) pinned: bool,
}

/// Which entries go so that at least `bytes_wanted` of memory are freed, or all of them where that is not enough, and
/// how many bytes that frees.
///
/// Entries come with the first to go first, and no more are drawn than are needed. Pinned ones stay, up to
/// [`PINNED_PASSED_MAX`] of them: to look at more would cost more than they are worth.
pub(crate) fn victims<T>(in_order: impl Iterator<Item = Candidate<T>>, bytes_wanted: u64) -> (Vec<T>, u64) {
    let (mut leaving, mut bytes_freed, mut passed) = (Vec::new(), 0_u64, 0);
    let mut entries = in_order;
    while bytes_freed < bytes_wanted
        && let Some(candidate) = entries.next()
    {
        if candidate.pinned && passed < PINNED_PASSED_MAX {
            passed += 1;
            continue;
        }
        if !candidate.pinned {
            bytes_freed = bytes_freed.saturating_add(candidate.bytes);
        }
        leaving.push(candidate.entry);
    }
    (leaving, bytes_freed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(entries: &[(u64, bool)], bytes_wanted: u64) -> (Vec<usize>, u64) {
        let candidates = entries.iter().zip(0..).map(|(&(bytes, pinned), entry)| Candidate { entry, bytes, pinned });
        victims(candidates, bytes_wanted)
    }

    #[test]
    fn the_first_go_until_it_is_enough() {
        let three = [(5, false), (5, false), (5, false)];
        assert_eq!(chosen(&three, 0), (vec![], 0));
        assert_eq!(chosen(&three, 1), (vec![0], 5));
        assert_eq!(chosen(&three, 5), (vec![0], 5));
        assert_eq!(chosen(&three, 6), (vec![0, 1], 10));
        assert_eq!(chosen(&three, u64::MAX), (vec![0, 1, 2], 15));
        assert_eq!(chosen(&[], 1), (vec![], 0));
    }

    #[test]
    fn sizes_near_the_limit_do_not_overflow() {
        let large = [(u64::MAX - 1, false), (u64::MAX, false), (1, false)];
        assert_eq!(chosen(&large, u64::MAX), (vec![0, 1], u64::MAX));
    }

    #[test]
    fn pinned_ones_stay_unless_there_are_too_many() {
        assert_eq!(chosen(&[(5, true), (5, false), (5, true)], 6), (vec![1], 5));
        let mut many = vec![(5, true); PINNED_PASSED_MAX + 1];
        many.push((5, false));
        assert_eq!(chosen(&many, 1), (vec![PINNED_PASSED_MAX, PINNED_PASSED_MAX + 1], 5));
    }

    #[test]
    fn worth_is_saved_time_by_bytes_and_ages() {
        let mut clock = Clock::default();
        let dear = clock.rank(1, 1_000, 10, 1);
        let large = clock.rank(1, 1_000, 1_000, 2);
        let used = clock.rank(3, 1_000, 1_000, 3);
        assert!(large < used && used < dear);
        // Of equal worth the last use decides.
        assert!(clock.rank(2, 5, 10, 4) < clock.rank(1, 10, 10, 5));
        clock.pass(dear);
        clock.pass(large);
        assert!(dear < clock.rank(1, 1, 1_000, 6));
        // No time, no bytes, more of either than there is: still a number.
        for (nanos, bytes) in [(0, 0), (u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
            let worth = f64::from_bits(clock.rank(u32::MAX, nanos, bytes, 7).worth);
            assert!(worth.is_finite() && worth >= 0.0);
        }
    }

    #[test]
    fn who_has_more_than_its_share_makes_room() {
        assert_eq!(among(11, Some((50, 'a')), 10), Among::Own);
        assert_eq!(among(10, Some((11, 'a')), 10), Among::Other('a'));
        assert_eq!(among(10, Some((10, 'a')), 10), Among::All);
        assert_eq!(among::<char>(10, None, 10), Among::All);
    }
}
