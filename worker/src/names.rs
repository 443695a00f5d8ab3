//! A set of numbers that are mostly consecutive, as variables' names are: kept as ranges, so that a scope that has
//! bound a million variables remembers their names in a few bytes.

use std::collections::BTreeMap;

/// Numbers, as ranges from a first to a last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameSet(BTreeMap<u64, u64>);

impl NameSet {
    /// Whether the number is in the set.
    pub fn contains(&self, name: u64) -> bool {
        self.0.range(..=name).next_back().is_some_and(|(_, last)| name <= *last)
    }

    /// Adds a number.
    pub fn insert(&mut self, name: u64) {
        if self.contains(name) {
            return;
        }
        let last = name.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(name);
        match self.0.range_mut(..name).next_back() {
            Some((_, before)) if *before + 1 == name => *before = last,
            _ => {
                self.0.insert(name, last);
            }
        }
    }

    /// Removes a number.
    pub fn remove(&mut self, name: u64) {
        let Some((&first, &last)) = self.0.range(..=name).next_back().filter(|(_, last)| name <= **last) else {
            return;
        };
        self.0.remove(&first);
        if first < name {
            self.0.insert(first, name - 1);
        }
        if name < last {
            self.0.insert(name + 1, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn agrees_with_a_set() {
        let mut names = NameSet::default();
        let mut model = HashSet::new();
        let mut state = 7_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let name = (state >> 33) % 60;
            if state & (1 << 40) == 0 {
                names.insert(name);
                model.insert(name);
            } else {
                names.remove(name);
                model.remove(&name);
            }
            assert!((0..60).all(|name| names.contains(name) == model.contains(&name)));
        }
        names.insert(u64::MAX);
        names.insert(u64::MAX - 1);
        assert!(names.contains(u64::MAX) && !names.contains(u64::MAX - 2));
        let mut many = NameSet::default();
        (1..1_000_000).for_each(|name| many.insert(name));
        assert_eq!(many.0.len(), 1);
    }
}
