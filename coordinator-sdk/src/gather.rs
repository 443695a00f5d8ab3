//! What the sites release, and what it becomes at the coordinator: a grid of cells, each combined from its parts.

use fondaco_proto::Shape;
use ndarray::{Array2, ShapeBuilder, s};

use crate::{combine::Combine, layout::Cut};

/// Partial results of a grid of cells. `T` is what stands for a part: an input of a plan, or a release.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gather<T> {
    /// The parts of each cell, in layout order; row after row of cells.
    pub cells: Vec<Vec<T>>,
    /// The number of cells in a row.
    pub across: usize,
    /// How the parts of a cell become one.
    pub combine: Combine,
    /// Whether the parts are of rows, which are combined as columns are: transposed before, and the result after it.
    pub turned: bool,
}

impl<T> Gather<T> {
    /// One cell.
    pub fn one(parts: Vec<T>, combine: Combine) -> Self {
        Self { cells: vec![parts], across: 1, combine, turned: false }
    }

    /// Cells one below the other (`Rows`), or side by side (`Columns`).
    pub fn line(cut: Cut, cells: Vec<Vec<T>>, combine: Combine) -> Self {
        let across = if cut == Cut::Rows { 1 } else { cells.len() };
        Self { cells, across, combine, turned: false }
    }

    /// All parts, cell after cell.
    pub fn parts(&self) -> impl Iterator<Item = &T> {
        self.cells.iter().flatten()
    }

    /// The same, of something else for each part, if there is.
    pub fn try_map<U, E>(self, mut each: impl FnMut(T) -> Result<U, E>) -> Result<Gather<U>, E> {
        let mut cell = |parts: Vec<T>| parts.into_iter().map(&mut each).collect();
        let cells = self.cells.into_iter().map(&mut cell).collect::<Result<_, E>>()?;
        Ok(Gather { cells, across: self.across, combine: self.combine, turned: self.turned })
    }

    /// The same, of something else for each part.
    pub fn map<U>(&self, of: impl Fn(&T) -> U) -> Gather<U> {
        let cells = self.cells.iter().map(|parts| parts.iter().map(&of).collect()).collect();
        Gather { cells, across: self.across, combine: self.combine.clone(), turned: self.turned }
    }
}

impl Gather<Shape> {
    /// The heights of the rows of cells, and the widths of the columns of cells.
    fn extents(&self) -> (Vec<u64>, Vec<u64>) {
        let cell = |parts: &Vec<Shape>| {
            if self.turned {
                let parts: Vec<Shape> = parts.iter().map(|part| part.transposed()).collect();
                self.combine.shape(&parts).transposed()
            } else {
                self.combine.shape(parts)
            }
        };
        let heights = self.cells.iter().step_by(self.across.max(1)).map(|parts| cell(parts).rows);
        (heights.collect(), self.cells.iter().take(self.across).map(|parts| cell(parts).columns).collect())
    }

    /// A cell from its parts.
    fn cell(&self, index: usize, parts: impl Iterator<Item = Array2<f64>>) -> Array2<f64> {
        let combine = self.combine.of_cell(index);
        match self.turned {
            true => combine.apply(parts.map(Array2::reversed_axes).collect()).reversed_axes(),
            false => combine.apply(parts.collect()),
        }
    }

    /// The shape of the result.
    pub fn shape(&self) -> Shape {
        let (heights, widths) = self.extents();
        Shape::new(heights.iter().sum(), widths.iter().sum())
    }

    /// The result, from the values of the parts in their order; column-major where it is put together from several
    /// cells, as parts come from the sites. Each part is freed once it is copied.
    pub fn assemble(&self, values: Vec<Array2<f64>>) -> Array2<f64> {
        let mut values = values.into_iter();
        if let [parts] = &*self.cells {
            return self.cell(0, values.by_ref().take(parts.len()));
        }
        let (heights, widths) = self.extents();
        let sum = |extents: &[u64]| extents.iter().sum::<u64>() as usize;
        let mut whole = Array2::zeros((sum(&heights), sum(&widths)).f());
        for (index, parts) in self.cells.iter().enumerate() {
            let (i, j) = (index / self.across, index % self.across);
            let (top, left) = (sum(&heights[..i]), sum(&widths[..j]));
            let cell = self.cell(index, values.by_ref().take(parts.len()));
            whole.slice_mut(s![top..top + cell.nrows(), left..left + cell.ncols()]).assign(&cell);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::combine::Statistic;

    fn of(gather: &Gather<Array2<f64>>) -> Array2<f64> {
        let shape = |part: &Array2<f64>| Shape::new(part.nrows() as u64, part.ncols() as u64);
        let shapes = gather.map(shape);
        let whole = shapes.assemble(gather.parts().cloned().collect());
        assert_eq!(shape(&whole), shapes.shape());
        whole
    }

    #[test]
    fn cells_are_put_together_in_order() {
        let parts = || vec![vec![array![[1.0, 2.0]]], vec![array![[3.0, 4.0]]]];
        assert_eq!(of(&Gather::line(Cut::Rows, parts(), Combine::Only)), array![[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(of(&Gather::line(Cut::Columns, parts(), Combine::Only)), array![[1.0, 2.0, 3.0, 4.0]]);
        let zero = array![[-0.0]];
        assert!(of(&Gather::one(vec![zero], Combine::Only))[[0, 0]].is_sign_negative());
    }

    #[test]
    fn cells_are_combined_each_by_itself() {
        let part = |x: f64| array![[x], [10.0 * x]];
        let cells = vec![vec![part(1.0), part(2.0)], vec![part(3.0)], vec![part(4.0)], vec![part(5.0), part(6.0)]];
        let grid = Gather { cells, across: 2, combine: Combine::Sum, turned: false };
        assert_eq!(of(&grid), array![[3.0, 3.0], [30.0, 30.0], [4.0, 11.0], [40.0, 110.0]]);
        let moments = |mean: f64| array![[2.0], [mean], [0.0]];
        let variance = Combine::Central(Statistic::Variance { ddof: 0, root: false, present: false });
        let columns =
            Gather::line(Cut::Columns, vec![vec![moments(1.0), moments(3.0)], vec![moments(7.0)]], variance.clone());
        assert_eq!(of(&columns), array![[1.0, 0.0]]);
        let turned = |mean: f64| array![[2.0, mean, 0.0], [1.0, 5.0, 0.0]];
        let rows = Gather { turned: true, ..Gather::one(vec![turned(1.0), turned(3.0)], variance) };
        assert_eq!(of(&rows), array![[1.0], [0.0]]);
    }
}
