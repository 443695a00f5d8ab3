//! How the rows of an array are dealt out to sites, for distributed training.

/// A way of dealing out rows. Arrays with as many rows are dealt out alike, so that features and targets stay aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Consecutive rows to each site, as evenly as can be.
    Contiguous,
    /// One row to each site in turn.
    RoundRobin,
    /// Each row to one site, drawn; the sites have as many as with [`Scheme::Contiguous`].
    Random {
        /// The same seed deals out alike.
        seed: u64,
    },
    /// All rows to every site, each in an order of its own.
    OverlappingReshuffle {
        /// The same seed deals out alike.
        seed: u64,
    },
}

impl Scheme {
    /// For each of so many sites, the rows that it gets, in order.
    pub fn rows(&self, rows: u64, sites: usize) -> Vec<Vec<u64>> {
        let even = |order: Vec<u64>| {
            let (share, more) = (order.len() / sites.max(1), order.len() % sites.max(1));
            let mut rest = order.into_iter();
            (0..sites).map(|site| rest.by_ref().take(share + usize::from(site < more)).collect()).collect()
        };
        match *self {
            Self::Contiguous => even((0..rows).collect()),
            Self::RoundRobin => (0..sites).map(|site| (site as u64..rows).step_by(sites).collect()).collect(),
            Self::Random { seed } => even(shuffled(rows, &mut Words(seed))),
            Self::OverlappingReshuffle { seed } => {
                let mut words = Words(seed);
                (0..sites).map(|_| shuffled(rows, &mut words)).collect()
            }
        }
    }
}

/// `0..rows` in random order (Fisher and Yates; Durstenfeld 1964).
fn shuffled(rows: u64, words: &mut Words) -> Vec<u64> {
    let mut order: Vec<u64> = (0..rows).collect();
    for last in (1..order.len()).rev() {
        // The high word of a product, each place as often as any other.
        let place = (u128::from(words.next()) * (last as u128 + 1)) >> 64;
        order.swap(last, place as usize);
    }
    order
}

/// Steele, Lea and Flood's splitmix64.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_dealt_out() {
        assert_eq!(Scheme::Contiguous.rows(7, 3), [vec![0, 1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(Scheme::RoundRobin.rows(7, 3), [vec![0, 3, 6], vec![1, 4], vec![2, 5]]);
        assert_eq!(Scheme::Contiguous.rows(1, 2), [vec![0], vec![]]);
        let sorted = |mut rows: Vec<u64>| {
            rows.sort_unstable();
            rows
        };
        let random = Scheme::Random { seed: 4 };
        let dealt = random.rows(1000, 3);
        assert_eq!(dealt.iter().map(Vec::len).collect::<Vec<_>>(), [334, 333, 333]);
        assert_ne!(dealt, Scheme::Contiguous.rows(1000, 3));
        assert_eq!((dealt.clone(), sorted(dealt.concat())), (random.rows(1000, 3), (0..1000).collect()));
        assert_ne!(dealt, Scheme::Random { seed: 5 }.rows(1000, 3));
        let all = Scheme::OverlappingReshuffle { seed: 4 }.rows(100, 2);
        assert_ne!(all[0], all[1]);
        assert!(all.into_iter().all(|rows| sorted(rows) == (0..100).collect::<Vec<_>>()));
    }

    /// Each of the six orders of three rows about as often as any other.
    #[test]
    fn orders_are_drawn_evenly() {
        let mut orders = std::collections::HashMap::new();
        for seed in 0..6000 {
            *orders.entry(shuffled(3, &mut Words(seed))).or_insert(0_u32) += 1;
        }
        assert!(orders.len() == 6 && orders.values().all(|count| count.abs_diff(1000) < 150), "{orders:?}");
    }
}
