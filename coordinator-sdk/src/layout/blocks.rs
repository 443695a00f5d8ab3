//! Layouts of blocks: row bands × column bands.

use std::{ops::Range, sync::Arc};

use super::{Cut, Layout, Part};
use crate::{Error, Result};

impl Layout {
    /// A grid of blocks: the heights of its row bands, from the top down; the widths of its column bands, from left to
    /// right; and the site of each block, row band after row band. A site may come more than once.
    ///
    /// # Errors
    /// `Plan` if there are not as many sites as blocks, none, or more rows or columns than can be counted.
    pub fn grid<S: Into<Arc<str>>>(
        heights: impl IntoIterator<Item = u64>,
        widths: impl IntoIterator<Item = u64>,
        sites: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let (heights, widths): (Vec<u64>, Vec<u64>) = (heights.into_iter().collect(), widths.into_iter().collect());
        let sites: Vec<Arc<str>> = sites.into_iter().map(Into::into).collect();
        if heights.is_empty() || widths.is_empty() {
            return Err(Error::plan("a layout needs at least one part"));
        }
        if sites.len() != heights.len() * widths.len() {
            return Err(Error::plan(format!(
                "{} row bands and {} column bands are {} blocks, but {} sites are given",
                heights.len(),
                widths.len(),
                heights.len() * widths.len(),
                sites.len()
            )));
        }
        let (rows, columns) = (ranges(Cut::Rows, &heights)?, ranges(Cut::Columns, &widths)?);
        let mut parts = Vec::with_capacity(rows.len() * columns.len());
        for (i, rows) in &rows {
            for (j, columns) in &columns {
                let site = sites[i * widths.len() + j].clone();
                parts.push(Part { site, rows: rows.clone(), columns: columns.clone() });
            }
        }
        Ok(Self { parts: parts.into(), across: columns.len() })
    }

    /// A grid of blocks that are given one by one, in any order: site, rows, columns.
    ///
    /// # Errors
    /// `Plan` if blocks overlap, leave a gap, or are no grid: a block must end where its neighbours do.
    pub fn blocks<S: Into<Arc<str>>>(blocks: impl IntoIterator<Item = (S, Range<u64>, Range<u64>)>) -> Result<Self> {
        let blocks = blocks.into_iter().map(|(site, rows, columns)| Part { site: site.into(), rows, columns });
        let blocks = without_empty(Cut::Columns, without_empty(Cut::Rows, blocks.collect()));
        let (tops, lefts) = (edges(Cut::Rows, &blocks)?, edges(Cut::Columns, &blocks)?);
        let mut parts = Vec::new();
        for rows in &tops {
            for columns in &lefts {
                let covers = |of: &Range<u64>, cell: &Range<u64>| of.start <= cell.start && cell.end <= of.end;
                let mut here = blocks.iter().filter(|part| covers(&part.rows, rows) && covers(&part.columns, columns));
                let at = format!("cell ({}, {})", rows.start, columns.start);
                match (here.next(), here.next()) {
                    (Some(block), None) => parts.push(block.clone()),
                    (Some(one), Some(other)) => {
                        return Err(Error::plan(format!(
                            "the blocks at {} and {} overlap in {at}",
                            one.site, other.site
                        )));
                    }
                    (None, _) => return Err(Error::plan(format!("no block has {at}"))),
                }
            }
        }
        // A block that spans several bands was found several times.
        let cells = tops.iter().flat_map(|rows| lefts.iter().map(move |columns| (rows, columns)));
        for (Part { site, rows, columns }, cell) in parts.iter().zip(cells) {
            let (axis, at) = if rows.end != cell.0.end { (Cut::Rows, cell.0.end) } else { (Cut::Columns, cell.1.end) };
            if (rows, columns) != cell {
                return Err(Error::plan(format!(
                    "the block [{rows:?}, {columns:?}] at {site} goes beyond {axis} {at}, where another begins; cut it there"
                )));
            }
        }
        Ok(Self { parts: parts.into(), across: lefts.len() })
    }
}

/// The ranges of the bands that are kept, each with its index.
fn ranges(cut: Cut, extents: &[u64]) -> Result<Vec<(usize, Range<u64>)>> {
    let mut start = 0_u64;
    let mut ranges = Vec::new();
    for band in Layout::kept(extents) {
        let end = start.checked_add(extents[band]);
        let end = end.ok_or_else(|| Error::plan(format!("there are more {cut}s than can be counted")))?;
        ranges.push((band, start..end));
        start = end;
    }
    Ok(ranges)
}

/// Without what has no rows (columns), unless nothing has.
fn without_empty(cut: Cut, mut blocks: Vec<Part>) -> Vec<Part> {
    if blocks.iter().any(|part| !part.along(cut).is_empty()) {
        blocks.retain(|part| !part.along(cut).is_empty());
    }
    blocks
}

/// The bands between all edges of the blocks.
fn edges(cut: Cut, blocks: &[Part]) -> Result<Vec<Range<u64>>> {
    let mut edges: Vec<u64> = blocks.iter().flat_map(|part| [part.along(cut).start, part.along(cut).end]).collect();
    edges.sort_unstable();
    edges.dedup();
    match edges[..] {
        [] => Err(Error::plan("a layout needs at least one part")),
        [0] => Ok(std::iter::once(0..0).collect()),
        [0, ..] => Ok(edges.windows(2).map(|pair| pair[0]..pair[1]).collect()),
        [first, ..] => Err(Error::plan(format!("no block has {cut} 0; the first begins at {first}"))),
    }
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;

    use super::*;

    #[test]
    fn bands_of_blocks() {
        let grid = Layout::grid([2, 0, 3], [1, 4], ["a", "b", "-", "-", "b", "a"]).unwrap();
        assert_eq!((grid.shape(), grid.cut(), grid.parts().len()), (Shape::new(5, 5), None, 4));
        assert_eq!(
            grid.to_string(),
            "(5, 5) as blocks [0..2, 0..1] at a, [0..2, 1..5] at b, [2..5, 0..1] at b, [2..5, 1..5] at a"
        );
        assert_eq!(
            (grid.bands(Cut::Rows), grid.bands(Cut::Columns)),
            (vec![vec![0, 1], vec![2, 3]], vec![vec![0, 2], vec![1, 3]])
        );
        assert_eq!((grid.ranges(Cut::Rows), grid.ranges(Cut::Columns)), (vec![0..2, 2..5], vec![0..1, 1..5]));
        assert_eq!(grid.banded(Cut::Rows), None);
        let turned = grid.transposed();
        assert_eq!((turned.part_shape(1), &*turned.parts()[1].site), (Shape::new(1, 3), "b"));
        assert_eq!(turned.transposed(), grid);
        let one_each = Layout::grid([2, 3], [1, 4], ["a", "a", "b", "b"]).unwrap();
        assert_eq!(one_each.banded(Cut::Rows), Some(Layout::rows([("a", 2), ("b", 3)], 5).unwrap()));
        assert_eq!(one_each.banded(Cut::Columns), None);
        assert!(Layout::grid([2, 3], [1], ["a"]).is_err());
    }

    #[test]
    fn blocks_in_any_order() {
        let all = [("a", 2..5, 1..5), ("b", 0..2, 1..5), ("-", 5..5, 0..1), ("b", 2..5, 0..1), ("a", 0..2, 0..1)];
        let expected = Layout::grid([2, 3], [1, 4], ["a", "b", "b", "a"]).unwrap();
        assert_eq!(Layout::blocks(all.clone()).unwrap(), expected);
        let refused = |blocks: &[(&'static str, Range<u64>, Range<u64>)]| {
            Layout::blocks(blocks.iter().cloned()).unwrap_err().to_string()
        };
        assert!(refused(&all[1..]).contains("no block has cell (2, 1)"));
        assert!(refused(&[("a", 0..3, 0..2), ("b", 2..5, 0..2)]).contains("a and b overlap in cell (2, 0)"));
        assert!(refused(&[("a", 1..3, 0..2)]).contains("no block has row 0"));
        assert!(refused(&[]).contains("at least one part"));
        let bricks = [("a", 0..4, 0..1), ("b", 0..2, 1..2), ("c", 2..4, 1..2)];
        assert!(refused(&bricks).contains("[0..4, 0..1] at a goes beyond row 2"), "{}", refused(&bricks));
        let nothing = Layout::blocks([("a", 0..0, 0..3), ("b", 0..0, 3..4)]).unwrap();
        assert_eq!((nothing.shape(), nothing.parts().len()), (Shape::new(0, 4), 2));
    }
}
