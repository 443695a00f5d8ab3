//! Matrices as the bytes of the wire: little-endian doubles, column-major within row tiles, tile after tile.

use fondaco_proto::{Shape, doubles_from_le, doubles_to_le, tile_rows};
use ndarray::{Array2, Axis, s};

pub fn shape(matrix: &Array2<f64>) -> Shape {
    Shape::new(matrix.nrows() as u64, matrix.ncols() as u64)
}

pub fn to_bytes(matrix: &Array2<f64>) -> bytes::Bytes {
    let height = tile_rows(matrix.ncols() as u64) as usize;
    let tiles = matrix.axis_chunks_iter(Axis(0), height);
    let cells: Vec<f64> = tiles.flat_map(|tile| tile.t().iter().copied().collect::<Vec<_>>()).collect();
    doubles_to_le(&cells)
}

/// # Panics
/// If the bytes are not those of the shape.
pub fn from_bytes(shape: Shape, bytes: &[u8]) -> Array2<f64> {
    let (rows, columns) = (shape.rows as usize, shape.columns as usize);
    assert_eq!(bytes.len(), rows * columns * 8, "bytes of a value of shape {shape}");
    let cells = doubles_from_le(bytes);
    let height = tile_rows(shape.columns) as usize;
    let mut matrix = Array2::zeros((rows, columns));
    let mut rest = cells.as_slice();
    for first in (0..rows).step_by(height) {
        let last = rows.min(first + height);
        let (tile, later) = rest.split_at((last - first) * columns);
        let tile = Array2::from_shape_vec((columns, last - first), tile.to_vec()).expect("a tile has its cells");
        matrix.slice_mut(s![first..last, ..]).assign(&tile.t());
        rest = later;
    }
    matrix
}

/// Column after column, as a block has them.
pub fn column_major(matrix: &Array2<f64>) -> Vec<f64> {
    matrix.t().iter().copied().collect()
}
