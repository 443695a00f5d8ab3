//! Groups of rows, and which of them may be seen.

use fondaco_proto::op::Guard;

/// Which of these groups of rows are kept, given how many rows each has and how many there are: those of enough rows. Of
/// protected rows, those that are in no group that is kept are none, or enough too: what a few rows have follows from
/// what all have and what the others have. So the smallest groups go with them.
pub fn kept(counts: &[u64], total: u64, rows_min: u64, guard: Guard) -> Vec<bool> {
    let least = rows_min.max(guard.rows_min());
    let mut kept: Vec<bool> = counts.iter().map(|count| *count >= least).collect();
    if guard == Guard::Open {
        return kept;
    }
    let sum: u64 = counts.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(count, _)| count).sum();
    let mut rest = total - sum;
    while rest > 0 && rest < guard.rows_min() {
        let smallest = (0..counts.len()).filter(|group| kept[*group]).min_by_key(|group| counts[*group]);
        let Some(smallest) = smallest else { break };
        kept[smallest] = false;
        rest += counts[smallest];
    }
    if let (Guard::Shaped(_), Some(whole)) = (guard, counts.iter().position(|count| *count == total)) {
        kept[whole] = false;
    }
    kept
}

/// Whether a group by itself may be seen, and with it the rows that are not in it.
pub fn is_kept(count: u64, total: u64, rows_min: u64, guard: Guard) -> bool {
    let rest = total - count;
    let enough = count >= rows_min.max(guard.rows_min());
    match guard {
        Guard::Open => enough,
        Guard::Native(least) => enough && (rest == 0 || rest >= least),
        Guard::Shaped(least) => enough && rest >= least,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_not_seen_and_not_left_over() {
        let of = |counts: &[u64], total, guard| kept(counts, total, 1, guard);
        assert_eq!(of(&[9, 1, 0], 10, Guard::Open), [true, true, false]);
        assert_eq!(of(&[9, 6, 5], 20, Guard::Native(5)), [true, true, true]);
        assert_eq!(of(&[9, 6, 4], 19, Guard::Native(5)), [true, false, false]);
        assert_eq!(of(&[9, 6, 4, 1], 20, Guard::Native(5)), [true, true, false, false]);
        assert_eq!(of(&[9, 6], 16, Guard::Native(5)), [true, false]);
        assert_eq!(of(&[9, 1], 10, Guard::Native(5)), [false, false]);
        assert_eq!(of(&[10], 10, Guard::Native(5)), [true]);
        assert_eq!(of(&[10], 10, Guard::Shaped(5)), [false]);
        assert_eq!(of(&[10, 0], 11, Guard::Shaped(5)), [false, false]);
        assert_eq!(kept(&[9, 6, 5], 20, 6, Guard::Native(5)), [true, true, false]);
    }

    #[test]
    fn one_group_and_its_rest() {
        assert!(is_kept(1, 10, 1, Guard::Open) && !is_kept(0, 10, 1, Guard::Open));
        for (count, native, shaped) in [(4, false, false), (5, true, true), (6, false, false), (10, true, false)] {
            assert_eq!(is_kept(count, 10, 1, Guard::Native(5)), native, "{count}");
            assert_eq!(is_kept(count, 10, 1, Guard::Shaped(5)), shaped, "{count}");
        }
    }
}
