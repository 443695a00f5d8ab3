//! Parts of matrices that lie in one tile: what kernels read and write.

use std::ops::Range;

use crate::matrix::{Builder, Matrix, TileMut};

/// Cells of a unit of work that writes or scans (512 KiB): a fraction of a core's second-level cache.
pub const UNIT_CELLS: usize = 1 << 16;

/// Some whole columns of a tile that is being written.
pub struct Unit<'a> {
    /// The stored row that is the first.
    pub first_row: usize,
    /// Rows of each column; at least 1.
    pub rows: usize,
    /// The stored column that is the first.
    pub first_column: usize,
    /// The cells, column after column.
    pub data: &'a mut [f64],
}

impl Unit<'_> {
    /// The stored rows.
    pub fn row_range(&self) -> Range<usize> {
        self.first_row..self.first_row + self.rows
    }

    /// Each stored column's index, and its cells.
    pub fn columns(&mut self) -> impl Iterator<Item = (usize, &mut [f64])> {
        self.data.chunks_exact_mut(self.rows).enumerate().map(|(i, cells)| (self.first_column + i, cells))
    }
}

/// Columns of a tile of so many rows that make a unit; at least 1.
pub fn unit_columns(rows: usize) -> usize {
    (UNIT_CELLS / rows.max(1)).max(1)
}

/// All units of a matrix that is being written.
pub fn units(builder: &mut Builder) -> Vec<Unit<'_>> {
    units_of(builder, unit_columns)
}

/// All units of a matrix that is being written, each of so many columns as `width` says for a tile's rows.
pub fn units_of(builder: &mut Builder, width: impl Fn(usize) -> usize) -> Vec<Unit<'_>> {
    let split = |tile| {
        let TileMut { first_row, rows, data } = tile;
        let columns = width(rows).max(1);
        data.chunks_mut(columns * rows.max(1)).enumerate().map(move |(i, data)| Unit {
            first_row,
            rows,
            first_column: i * columns,
            data,
        })
    };
    builder.tiles_mut().flat_map(split).collect()
}

/// Consecutive cells of a vector, an (n,1) or (1,n) matrix of either orientation. The range must not cross a multiple
/// of the vector's tile height; no range within a tile of another matrix with as many rows does.
pub fn vector_cells(vector: &Matrix, range: Range<usize>) -> &[f64] {
    if range.is_empty() {
        return &[];
    }
    if vector.stored_rows() == 1 {
        return &vector.tiles()[0].data()[range];
    }
    let tile = &vector.tiles()[range.start / vector.tile_rows()];
    &tile.column(0)[range.start - tile.first_row()..range.end - tile.first_row()]
}

/// All cells of a vector, one after another, into `out`.
pub fn copy_vector(vector: &Matrix, out: &mut [f64]) {
    let mut rest = out;
    for tile in vector.tiles() {
        let (cells, next) = rest.split_at_mut(tile.data().len());
        cells.copy_from_slice(tile.data());
        rest = next;
    }
}

/// Some rows and columns of a matrix that lie in one tile.
#[derive(Clone, Copy)]
pub struct Panel<'a> {
    /// The cells from the first of the panel on, as stored.
    pub data: &'a [f64],
    /// Distance of stored columns.
    pub stride: usize,
    /// Rows, the transpose flag considered.
    pub rows: usize,
    /// Columns, the transpose flag considered.
    pub columns: usize,
    /// Whether it is the transpose of what is stored.
    pub transposed: bool,
}

impl<'a> Panel<'a> {
    /// These rows and columns, the transpose flag considered; along the tiled axis they must not cross a tile's edge.
    pub fn of(matrix: &'a Matrix, rows: Range<usize>, columns: Range<usize>) -> Self {
        let transposed = matrix.is_transposed();
        let (stored_rows, stored_columns) = if transposed { (&columns, &rows) } else { (&rows, &columns) };
        let (data, stride): (&[f64], usize) = if rows.is_empty() || columns.is_empty() {
            (&[], 1)
        } else {
            let tile = &matrix.tiles()[stored_rows.start / matrix.tile_rows()];
            let offset = stored_columns.start * tile.rows() + (stored_rows.start - tile.first_row());
            (&tile.data()[offset..], tile.rows())
        };
        Self { data, stride, rows: rows.len(), columns: columns.len(), transposed }
    }
}

/// Some rows and columns that are being written.
pub struct PanelMut<'a> {
    /// The cells from the first of the panel on, column-major.
    pub data: &'a mut [f64],
    /// Distance of columns.
    pub stride: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// `range` cut at each multiple of `step`.
pub fn segments(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = range;
    let step = step.max(1);
    let mut next = start;
    std::iter::from_fn(move || {
        (next < end).then(|| {
            let segment = next..end.min((next / step + 1).saturating_mul(step));
            next = segment.end;
            segment
        })
    })
}

/// Which of `count` tiles, the first of which is the `first`, are of this group; by their places among the `count`.
pub fn overlap(group: &Range<usize>, first: usize, count: usize) -> Option<Range<usize>> {
    let here = group.start.max(first)..group.end.min(first + count);
    (!here.is_empty()).then(|| here.start - first..here.end - first)
}

/// `count` things in at most `groups` groups of consecutive ones, of nearly the same size.
pub fn grouped(count: usize, groups: usize) -> Vec<Range<usize>> {
    let groups = groups.clamp(1, count.max(1));
    (0..groups).map(|i| i * count / groups..(i + 1) * count / groups).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_cut_at_multiples() {
        let cut = |range, step| segments(range, step).collect::<Vec<_>>();
        assert_eq!(cut(0..10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(cut(3..9, 4), [3..4, 4..8, 8..9]);
        assert!(cut(5..5, 4).is_empty());
        assert_eq!(cut(0..3, usize::MAX), vec![0..3]);
    }

    #[test]
    fn groups_cover_everything_once() {
        for count in 0..70 {
            let groups = grouped(count, 32);
            assert!(groups.len() <= 32);
            assert_eq!(groups.iter().cloned().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}
