//! The federation map: which site holds which rows or columns of a matrix.

use std::{fmt, ops::Range, sync::Arc};

use fondaco_proto::Shape;

use crate::{Error, Result};

/// Along which axis a matrix is cut into parts.
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

    /// A shape from its extents along and across this axis.
    pub(crate) fn shape(self, along: u64, across: u64) -> Shape {
        match self {
            Self::Rows => Shape::new(along, across),
            Self::Columns => Shape::new(across, along),
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

/// One part of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The site that holds it.
    pub site: Arc<str>,
    /// Its rows (columns, in a column cut) within the whole, end exclusive.
    pub range: Range<u64>,
}

impl Part {
    pub(crate) fn extent(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// Where the parts of one matrix are. Layouts are made from extents in order, so that parts can neither overlap nor
/// leave a gap; empty parts are left out (but for one, where nothing else is left). A matrix that is whole at one
/// site has one part, and counts as a row cut and as a column cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    cut: Cut,
    across: u64,
    parts: Arc<[Part]>,
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
        let part = Part { site: site.into(), range: 0..shape.rows };
        Self { cut: Cut::Rows, across: shape.columns, parts: Arc::new([part]) }
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
        let mut sites: Vec<Option<S>> = sites.into_iter().map(Some).collect();
        let mut start = 0_u64;
        let mut full = Vec::new();
        for part in Self::kept(&extents) {
            let end = start.checked_add(extents[part]);
            let end = end.ok_or_else(|| Error::plan(format!("there are more {cut}s than can be counted")))?;
            full.extend(sites[part].take().map(|site| Part { site: site.into(), range: start..end }));
            start = end;
        }
        if full.is_empty() {
            return Err(Error::plan("a layout needs at least one part"));
        }
        Ok(Self { cut, across, parts: full.into() })
    }

    /// Which of so many parts a layout keeps: the ones that are not empty; if all are, the first.
    pub(crate) fn kept(extents: &[u64]) -> Vec<usize> {
        let mut kept: Vec<usize> = (0..extents.len()).filter(|&part| extents[part] > 0).collect();
        if kept.is_empty() && !extents.is_empty() {
            kept.push(0);
        }
        kept
    }

    /// The shape of the whole.
    pub fn shape(&self) -> Shape {
        let along = self.parts.last().map_or(0, |part| part.range.end);
        self.cut.shape(along, self.across)
    }

    /// Along which axis it is cut.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// The parts, in order.
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
        let mut sites: Vec<(Arc<str>, Vec<usize>)> = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            match sites.iter_mut().find(|(site, _)| *site == part.site) {
                Some((_, parts)) => parts.push(index),
                None => sites.push((part.site.clone(), vec![index])),
            }
        }
        sites
    }

    /// The shape of one part.
    pub(crate) fn part_shape(&self, index: usize) -> Shape {
        self.cut.shape(self.parts[index].extent(), self.across)
    }

    /// The same matrix seen as this cut: as it is, or if it is whole at one site.
    pub(crate) fn viewed(&self, cut: Cut) -> Option<Self> {
        if self.cut == cut {
            return Some(self.clone());
        }
        let site = self.whole_at()?.clone();
        let shape = self.shape();
        let part = Part { site, range: 0..cut.extent(shape) };
        Some(Self { cut, across: cut.other().extent(shape), parts: Arc::new([part]) })
    }

    /// The same parts with another extent across the cut.
    pub(crate) fn with_across(&self, across: u64) -> Self {
        Self { cut: self.cut, across, parts: self.parts.clone() }
    }

    /// The layout of the transpose.
    pub(crate) fn transposed(&self) -> Self {
        Self { cut: self.cut.other(), across: self.across, parts: self.parts.clone() }
    }

    /// Whether another layout has the same extents at the same sites along the same axis.
    pub(crate) fn same_parts(&self, other: &Self) -> bool {
        self.cut == other.cut && self.parts == other.parts
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}s", self.shape(), self.cut)?;
        for (index, part) in self.parts.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator} {}..{} at {}", part.range.start, part.range.end, part.site)?;
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
        let ranges: Vec<_> = layout.parts().iter().map(|part| (&*part.site, part.range.clone())).collect();
        assert_eq!(ranges, [("a", 0..2), ("c", 2..5), ("a", 5..6)]);
        assert_eq!(layout.by_site(), [("a".into(), vec![0, 2]), ("c".into(), vec![1])]);
        assert_eq!(layout.part_shape(1), Shape::new(3, 4));
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
        assert_eq!((columns.cut(), columns.shape()), (Cut::Columns, Shape::new(3, 5)));
        assert_eq!(columns.viewed(Cut::Rows).unwrap(), whole);
        assert!(Layout::rows([("a", 1), ("b", 1)], 1).unwrap().viewed(Cut::Columns).is_none());
        assert_eq!(whole.transposed().shape(), Shape::new(5, 3));
    }

    #[test]
    fn rows_are_spread_evenly() {
        let layout = Layout::even(["a", "b", "c"], Shape::new(8, 2)).unwrap();
        let extents: Vec<_> = layout.parts().iter().map(Part::extent).collect();
        assert_eq!(extents, [3, 3, 2]);
    }
}
