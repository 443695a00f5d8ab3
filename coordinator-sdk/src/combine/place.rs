//! Where the winner of all sites is: each site tells places within the parts that it has.

use std::ops::Range;

use ndarray::Array2;

use crate::layout::{Cut, Layout};

/// Where the parts of each site lie, site after site as their results come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// If places are counted row by row over all cells: the number of columns. Else they are counted down each column.
    pub columns: Option<u64>,
    /// For each result, the rows and columns of what it is of, in the order in which the site has them.
    pub sites: Vec<RowsAndColumns>,
}

type RowsAndColumns = (Vec<Range<u64>>, Vec<Range<u64>>);

impl Places {
    /// Those down a column band.
    pub fn down(layout: &Layout, band: &[usize]) -> Self {
        Self::along(Cut::Rows, layout, band)
    }

    /// Those along a row band, which is turned.
    pub fn right(layout: &Layout, band: &[usize]) -> Self {
        Self::along(Cut::Columns, layout, band)
    }

    fn along(cut: Cut, layout: &Layout, band: &[usize]) -> Self {
        let of_site =
            |parts: Vec<usize>| parts.into_iter().map(|part| layout.parts()[part].along(cut).clone()).collect();
        let by_site = layout.by_site_of(band.iter().copied()).into_iter();
        Self { columns: None, sites: by_site.map(|(_, parts)| (of_site(parts), Vec::new())).collect() }
    }

    /// The first winner of each column: its place or, with `both`, its value and place. NaN wins, as in NumPy.
    pub fn first(&self, largest: bool, both: bool, parts: &[Array2<f64>]) -> Array2<f64> {
        let columns = parts.first().map_or(0, Array2::ncols);
        let mut winners = Array2::zeros((if both { 2 } else { 1 }, columns));
        for (column, mut out) in winners.columns_mut().into_iter().enumerate() {
            let of_site =
                |(site, part): (usize, &Array2<f64>)| (part[[0, column]], self.global(site, part[[1, column]]));
            let told = parts.iter().enumerate().map(of_site);
            let (value, place) =
                told.reduce(|a, b| if wins(largest, b, a) { b } else { a }).unwrap_or((f64::NAN, f64::NAN));
            let words = if both { vec![value, place] } else { vec![place] };
            out.iter_mut().zip(words).for_each(|(out, word)| *out = word);
        }
        winners
    }

    /// The place in the whole of a place within a site's parts.
    fn global(&self, site: usize, place: f64) -> f64 {
        let Some((rows, columns)) = self.sites.get(site) else { return f64::NAN };
        match self.columns {
            None => nth(rows, place as u64) as f64,
            Some(all) => {
                let width = columns.iter().map(|range| range.end - range.start).sum::<u64>().max(1);
                (nth(rows, place as u64 / width) * all + nth(columns, place as u64 % width)) as f64
            }
        }
    }
}

/// The row (column) of the whole of one within a site's parts.
fn nth(ranges: &[Range<u64>], mut index: u64) -> u64 {
    for range in ranges {
        let extent = range.end - range.start;
        if index < extent {
            return range.start + index;
        }
        index -= extent;
    }
    index
}

/// Whether the second is better than the first or, equal to it, before it.
fn wins(largest: bool, (value, place): (f64, f64), (best, first): (f64, f64)) -> bool {
    if value == best || (value.is_nan() && best.is_nan()) {
        return place < first;
    }
    let better = if largest { value > best } else { value < best };
    (better || value.is_nan()) && !best.is_nan()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn one(range: Range<u64>) -> Vec<Range<u64>> {
        std::iter::once(range).collect()
    }

    #[test]
    fn the_first_of_equal_winners() {
        let places = Places { columns: None, sites: vec![(vec![0..2, 6..9], vec![]), (one(2..6), vec![])] };
        let parts = [array![[5.0, f64::NAN], [2.0, 4.0]], array![[5.0, f64::NAN], [3.0, 0.0]]];
        assert_eq!(places.first(true, false, &parts), array![[5.0, 2.0]]);
        assert_eq!(places.first(true, true, &parts).row(1), array![5.0, 2.0]);
    }

    #[test]
    fn places_over_all_are_counted_row_by_row() {
        let rows = Places { columns: Some(2), sites: vec![(vec![0..2, 6..9], one(0..2)), (one(2..6), one(0..2))] };
        // Row 3 of the first site's is the whole's seventh.
        assert_eq!(rows.first(false, false, &[array![[1.0], [7.0]], array![[2.0], [0.0]]]), array![[15.0]]);
        let columns = Places { columns: Some(5), sites: vec![(one(0..4), vec![0..1, 4..5]), (one(0..4), one(1..4))] };
        assert_eq!(columns.first(true, false, &[array![[1.0], [5.0]], array![[1.0], [7.0]]]), array![[12.0]]);
    }
}
