//! The federation map: which site holds which rows and columns of a matrix.

use std::{fmt, ops::Range, sync::Arc};

use fondaco_proto::Shape;

use crate::Result;

mod blocks;

/// One of the two axes along which a matrix is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Each part has some rows, and all columns.
    Rows,
    /// Each part has some columns, and all rows.
    Columns,
}

impl Cut {
    /// The other axis.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Rows => Self::Columns,
            Self::Columns => Self::Rows,
        }
    }

    /// The extent of a shape along this axis.
    pub(crate) fn extent(self, shape: Shape) -> u64 {
        match self {
            Self::Rows => shape.rows,
            Self::Columns => shape.columns,
        }
    }

    /// What belongs to the rows and to the columns, from what belongs to this axis and to the other.
    pub(crate) fn order<T>(self, along: T, across: T) -> (T, T) {
        match self {
            Self::Rows => (along, across),
            Self::Columns => (across, along),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "row",
            Self::Columns => "column",
        })
    }
}

/// One part of a layout: a block of the matrix, at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The site that holds it.
    pub site: Arc<str>,
    /// Its rows within the whole, end exclusive.
    pub rows: Range<u64>,
    /// Its columns within the whole, end exclusive.
    pub columns: Range<u64>,
}

impl Part {
    /// Its shape.
    pub fn shape(&self) -> Shape {
        Shape::new(self.extent(Cut::Rows), self.extent(Cut::Columns))
    }

    /// Its rows, or its columns.
    pub(crate) fn along(&self, cut: Cut) -> &Range<u64> {
        match cut {
            Cut::Rows => &self.rows,
            Cut::Columns => &self.columns,
        }
    }

    /// How many rows, or columns, it has.
    pub(crate) fn extent(&self, cut: Cut) -> u64 {
        self.along(cut).end - self.along(cut).start
    }
}

/// Where the parts of one matrix are: a grid of blocks, row bands × column bands, each block at some site; a site may
/// have any of them. One column band is a *row cut*, one row band a *column cut*; a matrix that is whole at one site has
/// one part, and is both. Parts can neither overlap nor leave a gap. Empty bands are left out (but for one, where
/// nothing else is left).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Row band after row band, each from left to right.
    parts: Arc<[Part]>,
    /// The number of column bands.
    across: usize,
}

impl Layout {
    /// A row cut: sites with their numbers of rows, from the top down; a site may come more than once.
    ///
    /// # Errors
    /// `Plan` if there are no parts, or more rows than can be counted.
    pub fn rows<S: Into<Arc<str>>>(parts: impl IntoIterator<Item = (S, u64)>, columns: u64) -> Result<Self> {
        Self::new(Cut::Rows, parts, columns)
    }

    /// A column cut: sites with their numbers of columns, from left to right; a site may come more than once.
    ///
    /// # Errors
    /// `Plan` if there are no parts, or more columns than can be counted.
    pub fn columns<S: Into<Arc<str>>>(parts: impl IntoIterator<Item = (S, u64)>, rows: u64) -> Result<Self> {
        Self::new(Cut::Columns, parts, rows)
    }

    /// All of it at one site.
    pub fn whole(site: impl Into<Arc<str>>, shape: Shape) -> Self {
        let part = Part { site: site.into(), rows: 0..shape.rows, columns: 0..shape.columns };
        Self { parts: Arc::new([part]), across: 1 }
    }

    /// A row cut with the rows spread over the sites as evenly as can be, the first ones having one more.
    ///
    /// # Errors
    /// `Plan` if there are no sites.
    pub fn even<S: Into<Arc<str>>>(sites: impl IntoIterator<Item = S>, shape: Shape) -> Result<Self> {
        let sites: Vec<Arc<str>> = sites.into_iter().map(Into::into).collect();
        let count = sites.len().max(1) as u64;
        let rows = |i: usize| shape.rows / count + u64::from((i as u64) < shape.rows % count);
        Self::rows(sites.into_iter().enumerate().map(|(i, site)| (site, rows(i))), shape.columns)
    }

    /// A cut with so many rows (columns) per part, and `across` columns (rows).
    pub(crate) fn new<S: Into<Arc<str>>>(
        cut: Cut,
        parts: impl IntoIterator<Item = (S, u64)>,
        across: u64,
    ) -> Result<Self> {
        let (sites, extents): (Vec<S>, Vec<u64>) = parts.into_iter().unzip();
        let (rows, columns) = cut.order(extents, vec![across]);
        Self::grid(rows, columns, sites)
    }

    /// Which of so many bands a layout keeps: the ones that are not empty; if all are, the first.
    pub(crate) fn kept(extents: &[u64]) -> Vec<usize> {
        let mut kept: Vec<usize> = (0..extents.len()).filter(|&band| extents[band] > 0).collect();
        if kept.is_empty() && !extents.is_empty() {
            kept.push(0);
        }
        kept
    }

    /// The shape of the whole.
    pub fn shape(&self) -> Shape {
        self.parts.last().map_or(Shape::new(0, 0), |last| Shape::new(last.rows.end, last.columns.end))
    }

    /// Along which axis it is cut; `None` for a grid of several row bands and several column bands. What is whole at
    /// one site counts as a row cut here.
    pub fn cut(&self) -> Option<Cut> {
        [Cut::Rows, Cut::Columns].into_iter().find(|cut| self.is(*cut))
    }

    /// The parts: row band after row band, each from left to right.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The site that holds all of it, if one does in one part.
    pub fn whole_at(&self) -> Option<&Arc<str>> {
        match &*self.parts {
            [part] => Some(&part.site),
            _ => None,
        }
    }

    /// The sites in order of their first part, each with the indices of its parts.
    pub fn by_site(&self) -> Vec<(Arc<str>, Vec<usize>)> {
        self.by_site_of(0..self.parts.len())
    }

    /// The sites of some parts in order of the first of each, with the indices of theirs.
    pub(crate) fn by_site_of(&self, parts: impl IntoIterator<Item = usize>) -> Vec<(Arc<str>, Vec<usize>)> {
        let mut sites: Vec<(Arc<str>, Vec<usize>)> = Vec::new();
        for index in parts {
            let site = &self.parts[index].site;
            match sites.iter_mut().find(|(known, _)| known == site) {
                Some((_, parts)) => parts.push(index),
                None => sites.push((site.clone(), vec![index])),
            }
        }
        sites
    }

    /// The shape of one part.
    pub(crate) fn part_shape(&self, index: usize) -> Shape {
        self.parts[index].shape()
    }

    /// The parts of each band: of row bands from left to right, of column bands from the top down.
    pub(crate) fn bands(&self, cut: Cut) -> Vec<Vec<usize>> {
        match cut {
            Cut::Rows => {
                (0..self.parts.len()).step_by(self.across).map(|first| (first..first + self.across).collect()).collect()
            }
            Cut::Columns => {
                (0..self.across).map(|first| (first..self.parts.len()).step_by(self.across).collect()).collect()
            }
        }
    }

    /// The rows (columns) of each band.
    pub(crate) fn ranges(&self, cut: Cut) -> Vec<Range<u64>> {
        self.bands(cut).into_iter().map(|band| self.parts[band[0]].along(cut).clone()).collect()
    }

    /// The same matrix as a row (column) cut of its bands, if each is at one site; of what is such a cut, its parts.
    pub(crate) fn banded(&self, cut: Cut) -> Option<Self> {
        let mut parts = Vec::new();
        for (band, range) in self.bands(cut).into_iter().zip(self.ranges(cut)) {
            let [(site, _)] = &*self.by_site_of(band) else { return None };
            let (rows, columns) = cut.order(range, 0..cut.other().extent(self.shape()));
            parts.push(Part { site: site.clone(), rows, columns });
        }
        let across = if cut == Cut::Rows { 1 } else { parts.len() };
        Some(Self { parts: parts.into(), across })
    }

    /// The same matrix as a row (column) cut of its bands, each at the site that has most of it.
    pub(crate) fn collected(&self, cut: Cut) -> Self {
        let mut parts = Vec::new();
        for (band, range) in self.bands(cut).into_iter().zip(self.ranges(cut)) {
            let (rows, columns) = cut.order(range, 0..cut.other().extent(self.shape()));
            let cells = |parts: &[usize]| parts.iter().map(|&part| self.parts[part].extent(cut.other())).sum::<u64>();
            let by_site = self.by_site_of(band);
            // Of several, the first.
            let most = by_site.iter().rev().max_by_key(|(_, parts)| cells(parts));
            let site = most.map_or_else(|| self.parts[0].site.clone(), |(site, _)| site.clone());
            parts.push(Part { site, rows, columns });
        }
        let across = if cut == Cut::Rows { 1 } else { parts.len() };
        Self { parts: parts.into(), across }
    }

    /// Whether it is such a cut: what is whole at one site is both.
    pub(crate) fn is(&self, cut: Cut) -> bool {
        match cut {
            Cut::Rows => self.across == 1,
            Cut::Columns => self.across == self.parts.len(),
        }
    }

    /// The matrix as this cut, if it is one.
    pub(crate) fn viewed(&self, cut: Cut) -> Option<Self> {
        self.is(cut).then(|| self.clone())
    }

    /// The same parts of a row (column) cut, with so many columns (rows) each.
    pub(crate) fn with_across(&self, cut: Cut, across: u64) -> Self {
        let part = |part: &Part| {
            let (rows, columns) = cut.order(part.along(cut).clone(), 0..across);
            Part { site: part.site.clone(), rows, columns }
        };
        Self { parts: self.parts.iter().map(part).collect(), across: self.across }
    }

    /// The same bands with other heights, and which of the parts there still are.
    pub(crate) fn with_heights(&self, heights: &[u64]) -> Result<(Self, Vec<usize>)> {
        let widths = self.ranges(Cut::Columns).into_iter().map(|range| range.end - range.start);
        let layout = Self::grid(heights.to_vec(), widths, self.parts.iter().map(|part| part.site.clone()))?;
        let kept = Self::kept(heights).into_iter().flat_map(|band| band * self.across..(band + 1) * self.across);
        Ok((layout, kept.collect()))
    }

    /// One column beside this matrix: for each row band so many rows, at the site of its first block.
    pub fn column(&self) -> Self {
        let first = |band: Vec<usize>| Part { columns: 0..1, ..self.parts[band[0]].clone() };
        Self { parts: self.bands(Cut::Rows).into_iter().map(first).collect(), across: 1 }
    }

    /// The layout of the transpose. Its parts are those of this one's column bands, one after another.
    pub(crate) fn transposed(&self) -> Self {
        let turned = |part: usize| {
            let Part { site, rows, columns } = self.parts[part].clone();
            Part { site, rows: columns, columns: rows }
        };
        let parts = self.bands(Cut::Columns).into_iter().flatten().map(turned).collect();
        Self { parts, across: self.parts.len() / self.across.max(1) }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cut() {
            Some(cut) => write!(f, "{} as {cut}s", self.shape())?,
            None => write!(f, "{} as blocks", self.shape())?,
        }
        for (index, Part { site, rows, columns }) in self.parts.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match self.cut() {
                Some(Cut::Rows) => write!(f, "{separator} {rows:?} at {site}")?,
                Some(Cut::Columns) => write!(f, "{separator} {columns:?} at {site}")?,
                None => write!(f, "{separator} [{rows:?}, {columns:?}] at {site}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other() {
        let layout = Layout::rows([("a", 2), ("b", 0), ("c", 3), ("a", 1)], 4).unwrap();
        assert_eq!(layout.shape(), Shape::new(6, 4));
        let ranges: Vec<_> = layout.parts().iter().map(|part| (&*part.site, part.rows.clone())).collect();
        assert_eq!(ranges, [("a", 0..2), ("c", 2..5), ("a", 5..6)]);
        assert_eq!(layout.by_site(), [("a".into(), vec![0, 2]), ("c".into(), vec![1])]);
        assert_eq!(layout.part_shape(1), Shape::new(3, 4));
        assert_eq!(layout.to_string(), "(6, 4) as rows 0..2 at a, 2..5 at c, 5..6 at a");
    }

    #[test]
    fn an_empty_matrix_keeps_one_part() {
        let layout = Layout::rows([("a", 0), ("b", 0)], 4).unwrap();
        assert_eq!(layout.parts().len(), 1);
        assert_eq!(layout.shape(), Shape::new(0, 4));
        assert!(Layout::rows(Vec::<(&str, u64)>::new(), 4).is_err());
        assert!(Layout::rows([("a", u64::MAX), ("b", 1)], 4).is_err());
    }

    #[test]
    fn a_whole_matrix_is_both_cuts() {
        let whole = Layout::whole("a", Shape::new(3, 5));
        let columns = whole.viewed(Cut::Columns).unwrap();
        assert_eq!((columns.cut(), columns.shape()), (Some(Cut::Rows), Shape::new(3, 5)));
        assert_eq!(columns.viewed(Cut::Rows).unwrap(), whole);
        assert!(Layout::rows([("a", 1), ("b", 1)], 1).unwrap().viewed(Cut::Columns).is_none());
        assert_eq!(whole.transposed().shape(), Shape::new(5, 3));
        assert_eq!(whole.with_across(Cut::Columns, 7).shape(), Shape::new(7, 5));
    }

    #[test]
    fn rows_are_spread_evenly() {
        let layout = Layout::even(["a", "b", "c"], Shape::new(8, 2)).unwrap();
        let extents: Vec<_> = layout.parts().iter().map(|part| part.extent(Cut::Rows)).collect();
        assert_eq!(extents, [3, 3, 2]);
    }
}
