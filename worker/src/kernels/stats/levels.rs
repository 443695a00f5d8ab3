//! The distinct rows of keys, and how many rows have each.

use std::{
    cmp::Ordering,
    collections::{HashMap, hash_map::Entry},
};

use fondaco_proto::{Result, Shape};

use super::{
    super::{Context, matmul::accumulate, slice::copy_block, view::grouped},
    sums::{BLOCK_ROWS, Block, blocks, build},
};
use crate::matrix::Matrix;

/// Distinct rows that were found, by the bits of their cells, with their numbers; `None` once there are too many.
#[derive(Default)]
struct Found {
    rows: Option<HashMap<Box<[u64]>, f64>>,
    /// Rows that have a NaN.
    others: f64,
}

/// At most `most` levels; `(most + 1, m + 1)`, as the operator says.
pub fn run(most: usize, parts: &[&[Matrix]], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    let (width, rows) = (parts[0][0].columns(), shape.rows as usize);
    let blocks = blocks(parts.iter().map(|part| part[0].rows()), BLOCK_ROWS);
    // A key has about 48 bytes of its own in a map.
    let doubles = most.saturating_add(1).saturating_mul(width.saturating_add(8));
    let groups = grouped(blocks.len(), accumulate::groups(doubles));
    let _maps = cx.memory.ticket((doubles as u64).saturating_mul(16).saturating_mul(groups.len() as u64 + 1))?;
    let found = cx.map(groups, |group| {
        let mut scratch = cx.memory.buffer(width * BLOCK_ROWS)?;
        let mut found = Found { rows: Some(HashMap::new()), others: 0.0 };
        for block in &blocks[group] {
            cx.cancel.check()?;
            found.add(&parts[block.part][0], block, most, &mut scratch);
        }
        Ok(found)
    })?;
    let all = found.into_iter().reduce(|a, b| a.merge(b, most)).unwrap_or_default();
    let Some(found) = all.rows else {
        return build(rows, width + 1, cx, |row, column| match (row, column) {
            (0, 0) => most as f64 + 1.0,
            (0, column) if column < width => 0.0,
            _ => f64::NAN,
        });
    };
    let mut levels: Vec<(Vec<f64>, f64)> = found
        .into_iter()
        .map(|(bits, count)| (bits.iter().map(|bits| f64::from_bits(*bits)).collect(), count))
        .collect();
    levels.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
    build(rows, width + 1, cx, |row, column| match row.checked_sub(1) {
        None if column == width => all.others,
        None if column == 0 => levels.len() as f64,
        None => 0.0,
        Some(level) => match levels.get(level) {
            Some((_, count)) if column == width => *count,
            Some((key, _)) => key[column],
            None => f64::NAN,
        },
    })
}

impl Found {
    fn add(&mut self, keys: &Matrix, block: &Block, most: usize, scratch: &mut [f64]) {
        let (height, width) = (block.rows.len(), keys.columns());
        copy_block(keys, block.rows.clone(), 0..width, scratch);
        let mut key = vec![0_u64; width];
        for i in 0..height {
            let Some(rows) = &mut self.rows else { return };
            let mut nan = false;
            for (column, bits) in key.iter_mut().enumerate() {
                // Both zeros are one.
                let x = scratch[column * height + i] + 0.0;
                nan |= x.is_nan();
                *bits = x.to_bits();
            }
            if nan {
                self.others += 1.0;
            } else if let Some(count) = rows.get_mut(key.as_slice()) {
                *count += 1.0;
            } else if rows.len() < most {
                rows.insert(key.clone().into(), 1.0);
            } else {
                self.rows = None;
            }
        }
    }

    fn merge(self, other: Self, most: usize) -> Self {
        let others = self.others + other.others;
        let (Some(mut rows), Some(more)) = (self.rows, other.rows) else { return Self { rows: None, others } };
        for (key, count) in more {
            match rows.entry(key) {
                Entry::Occupied(mut entry) => *entry.get_mut() += count,
                Entry::Vacant(entry) => drop(entry.insert(count)),
            }
        }
        let rows = if rows.len() > most { None } else { Some(rows) };
        Self { rows, others }
    }
}
