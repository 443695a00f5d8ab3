//! Reductions: of the cells that are there, and of as many zeros as there are others.

use std::ops::Range;

use fondaco_proto::Result;

use super::super::{
    Context,
    aggregate::{Along, Reduction},
    view::grouped,
};
use crate::sparse::Sparse;

/// Accumulators of all groups together, at most.
const ACCUMULATORS_MAX: usize = 1 << 20;

/// Groups of blocks that are reduced by themselves, at most.
const GROUPS_MAX: usize = 32;

/// The results of a reduction, as the cells are stored.
pub fn partials<R: Reduction>(x: &Sparse, along: Along, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    match along {
        Along::All => all::<R>(x, cx),
        Along::Down => down::<R>(x, cx),
        Along::Across => across::<R>(x, cx),
    }
}

/// Of so many zeros.
fn zeros<R: Reduction>(mut count: usize) -> R::Partial {
    let (mut total, mut power) = (R::EMPTY, R::lane(&[0.0]));
    while count > 0 {
        if count % 2 == 1 {
            total = R::merge(total, power);
        }
        power = R::merge(power, power);
        count /= 2;
    }
    total
}

fn all<R: Reduction>(x: &Sparse, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    let partials = cx.map(x.blocks(), |rows| {
        let mut total = R::EMPTY;
        for row in rows {
            let (_, values) = x.row(row);
            if !values.is_empty() {
                total = R::merge(total, R::lane(values));
            }
        }
        Ok(total)
    })?;
    let there = partials.into_iter().reduce(R::merge).unwrap_or(R::EMPTY);
    let others = x.stored_rows() * x.stored_columns() - x.cells();
    Ok(vec![if others > 0 { R::merge(there, zeros::<R>(others)) } else { there }])
}

fn across<R: Reduction>(x: &Sparse, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    let _bytes = cx.memory.ticket((2 * x.stored_rows() * size_of::<R::Partial>()) as u64)?;
    let columns = x.stored_columns();
    let partials = cx.map(x.blocks(), |rows| {
        let of_row = |row: usize| {
            let (_, values) = x.row(row);
            let there = if values.is_empty() { R::EMPTY } else { R::lane(values) };
            let others = columns - values.len();
            if others > 0 { R::merge(there, zeros::<R>(others)) } else { there }
        };
        Ok(rows.map(of_row).collect::<Vec<_>>())
    })?;
    Ok(partials.concat())
}

fn down<R: Reduction>(x: &Sparse, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    let (columns, blocks) = (x.stored_columns(), x.blocks());
    let groups = grouped(blocks.len(), (ACCUMULATORS_MAX / columns.max(1)).clamp(1, GROUPS_MAX));
    let each = columns * (size_of::<R::Partial>() + size_of::<usize>());
    let _bytes = cx.memory.ticket(((groups.len() + 1) * each) as u64)?;
    let partials = cx.map(groups, |group: Range<usize>| {
        let mut partials = vec![(R::EMPTY, 0_usize); columns];
        for rows in &blocks[group] {
            cx.cancel.check()?;
            for row in rows.clone() {
                let (indices, values) = x.row(row);
                for (column, value) in indices.iter().zip(values) {
                    let (partial, count) = &mut partials[*column as usize];
                    *partial = R::merge(*partial, R::lane(std::slice::from_ref(value)));
                    *count += 1;
                }
            }
        }
        Ok(partials)
    })?;
    let mut merged = vec![(R::EMPTY, 0_usize); columns];
    for part in partials {
        for ((merged, total), (partial, count)) in merged.iter_mut().zip(part) {
            if count > 0 {
                *merged = R::merge(*merged, partial);
                *total += count;
            }
        }
    }
    let finish = |(there, count): (R::Partial, usize)| {
        let others = x.stored_rows() - count;
        if others > 0 { R::merge(there, zeros::<R>(others)) } else { there }
    };
    Ok(merged.into_iter().map(finish).collect())
}
