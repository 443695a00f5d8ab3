//! Matrix factorisation by alternating least squares.

use ndarray::{Array2, Axis as NdAxis};

use super::{
    draws::Draws,
    sites::{check_finite, hinted},
};
use crate::{Axis, Error, FedMatrix, Pending, Result, solve::solve_positive};

const HINT: &str = "als: a column has too few rows at a site that are known, or that are not: leave it out, or use more \
                    rows";

/// A factorisation of low rank, `X ≈ U @ V.T`: minimises `½ Σ w (X − U Vᵀ)² + ½ reg (‖U‖² + ‖V‖²)`, where w is 1 for the
/// cells that count, by least squares for all rows of U and all rows of V in turn (Zhou et al. 2008, "Large-scale parallel
/// collaborative filtering for the Netflix prize"; SystemDS's `alsCG` and `alsDS`, whose parameters and defaults these
/// are). The factors of rows, U, stay at the sites, those of columns, V, are the coordinator's: one round trip per
/// iteration. Each small system is solved exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Als {
    /// The number of factors.
    pub rank: usize,
    /// The penalty.
    pub reg: f64,
    /// Which cells count.
    pub cells: AlsCells,
    /// Iterations at most, each of U and of V.
    pub max_iter: usize,
    /// Ends when an iteration lowers the objective by less than this share of it.
    pub tol: f64,
    /// The first V, `(m, rank)`; none given: standard normal.
    pub init: Option<Array2<f64>>,
    /// Seed of the first V.
    pub seed: u64,
}

/// Which cells count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlsCells {
    /// All.
    #[default]
    All,
    /// Those that are not 0: a 0 is what nobody knows. A site needs scratch for `rank² / 2` columns.
    NonZero,
}

/// The result of [`Als`].
#[derive(Clone, Debug)]
pub struct FittedAls {
    /// The factors of rows, `(n, rank)`, at the sites.
    pub u: FedMatrix,
    /// The factors of columns, `(m, rank)`.
    pub v: Array2<f64>,
    /// The objective.
    pub loss: f64,
    /// Whether it ended by `tol`.
    pub converged: bool,
    /// Iterations run.
    pub n_iter: usize,
    model: Als,
}

impl Als {
    /// So many factors, of all cells.
    pub fn new(rank: usize) -> Self {
        Self { rank, reg: 1e-6, cells: AlsCells::All, max_iter: 50, tol: 1e-4, init: None, seed: 0 }
    }

    /// Factorises a row cut, `(n, m)`. NaN has to be replaced before: by 0, if zeros do not count.
    ///
    /// # Errors
    /// `Plan` if a parameter does not fit; `Numeric` for NaN, or systems without a solution, which a larger `reg` helps; a
    /// site's. A refused release says what may help.
    pub async fn fit(&self, x: &FedMatrix) -> Result<FittedAls> {
        let (m, r) = (x.ncols() as usize, self.rank);
        if r == 0 || m == 0 || x.nrows() == 0 {
            return Err(Error::plan(format!("als: {r} factors of a matrix of {} are not possible", x.shape())));
        }
        if !(self.reg >= 0.0 && self.reg.is_finite()) {
            return Err(Error::plan(format!("als: reg must be a number of at least 0, not {}", self.reg)));
        }
        if let Some(v) = self.init.as_ref().filter(|v| v.dim() != (m, r)) {
            return Err(Error::plan(format!("als: the first V is {:?}, but must be {:?}", v.dim(), (m, r))));
        }
        self.iterate(x).await.map_err(|error| hinted(error, HINT))
    }

    async fn iterate(&self, x: &FedMatrix) -> Result<FittedAls> {
        let (m, r) = (x.ncols() as usize, self.rank);
        let known = self.known(x)?;
        let mut squares = Some(x.sumsq(Axis::Columns)?);
        let mut total = Array2::zeros((1, m));
        let mut v = self.init.clone().unwrap_or_else(|| Draws::new(self.seed).normals(m, r));
        let (mut last, mut n_iter) = (f64::INFINITY, 0);
        loop {
            let u = self.rows(x, known.as_ref(), &v)?;
            let asked = Asked::of(x, known.as_ref(), &u)?;
            if let Some(squares) = squares.take() {
                total = squares.await?;
            }
            let given = asked.fetch(r).await?;
            check_finite("als", given.cross.iter().chain(&given.products).chain(&total))?;
            v = given.columns(self.reg)?;
            let loss = given.loss(&v, &total, self.reg);
            n_iter += 1;
            let converged = n_iter > 1 && last - loss <= self.tol * last;
            if converged || n_iter >= self.max_iter {
                return Ok(FittedAls { u, v, loss, converged, n_iter, model: self.clone() });
            }
            last = loss;
        }
    }

    /// 1 where a cell counts; none if all do.
    fn known(&self, x: &FedMatrix) -> Result<Option<FedMatrix>> {
        match self.cells {
            AlsCells::All => Ok(None),
            AlsCells::NonZero => Ok(Some(x.not_equal(0.0)?)),
        }
    }

    /// U for these V.
    fn rows(&self, x: &FedMatrix, known: Option<&FedMatrix>, v: &Array2<f64>) -> Result<FedMatrix> {
        let Some(known) = known else {
            let mut gram = v.t().dot(v);
            gram.diag_mut().mapv_inplace(|pivot| pivot + self.reg);
            return x.matmul(solve_positive(&gram, &v.t().to_owned()).map_err(explained)?.reversed_axes());
        };
        // The upper triangle of each row's system, side by side, and its right side.
        let pairs: Vec<(usize, usize)> = pairs(self.rank).collect();
        let products =
            Array2::from_shape_fn((v.nrows(), pairs.len()), |(j, p)| v[[j, pairs[p].0]] * v[[j, pairs[p].1]]);
        let reg =
            Array2::from_shape_fn((1, pairs.len()), |(_, p)| if pairs[p].0 == pairs[p].1 { self.reg } else { 0.0 });
        eliminated(&known.matmul(products)?.add(reg)?, &x.matmul(v)?, self.rank)
    }
}

/// Indices of an upper triangle, row after row.
fn pairs(r: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..r).flat_map(move |i| (i..r).map(move |j| (i, j)))
}

/// The solution of a symmetric positive definite system per row: upper triangles `(n, r (r + 1) / 2)` and right sides
/// `(n, r)` to `(n, r)`, by elimination without pivoting (Golub & Van Loan, "Matrix Computations", 4th ed., 4.1), for all
/// rows at once.
fn eliminated(triangles: &FedMatrix, right: &FedMatrix, r: usize) -> Result<FedMatrix> {
    let mut start = 0;
    let mut rows = Vec::with_capacity(r);
    for i in 0..r as u64 {
        let width = r as u64 - i;
        // A row of the triangle with its right side.
        rows.push(triangles.slice(.., start..start + width)?.hstack([right.slice(.., i..i + 1)?])?);
        start += width;
    }
    for i in 0..r {
        let (done, rest) = rows.split_at_mut(i + 1);
        let pivot = done[i].slice(.., 0..1)?;
        for (offset, row) in rest.iter_mut().enumerate() {
            let from = offset as u64 + 1;
            let factor = done[i].slice(.., from..from + 1)?.divide(&pivot)?;
            *row = row.subtract(done[i].slice(.., from..)?.multiply(factor)?)?;
        }
    }
    let mut solved: Vec<FedMatrix> = Vec::with_capacity(r);
    for row in rows.iter().rev() {
        let last = row.ncols() - 1;
        let mut left = row.slice(.., last..)?;
        // The unknowns that are known already, the nearest first.
        for (offset, known) in solved.iter().rev().enumerate() {
            let at = offset as u64 + 1;
            left = left.subtract(row.slice(.., at..at + 1)?.multiply(known)?)?;
        }
        solved.push(left.divide(row.slice(.., 0..1)?)?);
    }
    solved.reverse();
    let mut solved = solved.into_iter();
    let Some(first) = solved.next() else { return Err(Error::plan("als: there are no factors")) };
    if solved.len() == 0 { Ok(first) } else { first.hstack(solved) }
}

/// What the sites were asked for.
struct Asked {
    /// `X.T @ U`.
    cross: Pending,
    /// `U.T @ U` or, of cells that count, for each column of U its products with those from it on, summed.
    products: Vec<Pending>,
    /// `U.T @ U`.
    gram: Pending,
}

impl Asked {
    fn of(x: &FedMatrix, known: Option<&FedMatrix>, u: &FedMatrix) -> Result<Self> {
        let of = |known: &FedMatrix, i: u64| known.cross(u.slice(.., i..)?.multiply(u.slice(.., i..i + 1)?)?);
        let products = match known {
            Some(known) => (0..u.ncols()).map(|i| of(known, i)).collect::<Result<_>>()?,
            None => Vec::new(),
        };
        Ok(Self { cross: x.cross(u)?, products, gram: u.gram()? })
    }

    async fn fetch(self, r: usize) -> Result<Given> {
        let (cross, gram) = (self.cross.await?, self.gram.await?);
        let squares = gram.diag().sum();
        let mut products = Array2::zeros((cross.nrows(), r * (r + 1) / 2));
        if self.products.is_empty() {
            for (mut column, (i, j)) in products.columns_mut().into_iter().zip(pairs(r)) {
                column.fill(gram[[i, j]]);
            }
        }
        let mut start = 0;
        for (i, part) in self.products.into_iter().enumerate() {
            let end = start + r - i;
            products.slice_mut(ndarray::s![.., start..end]).assign(&part.await?);
            start = end;
        }
        Ok(Given { cross, products, squares })
    }
}

/// What they gave.
struct Given {
    /// `X.T @ U`, `(m, r)`.
    cross: Array2<f64>,
    /// The upper triangle of each column's `U.T @ U`, `(m, r (r + 1) / 2)`.
    products: Array2<f64>,
    /// ‖U‖².
    squares: f64,
}

impl Given {
    fn system(&self, column: usize) -> Array2<f64> {
        let r = self.cross.ncols();
        let mut system = Array2::zeros((r, r));
        for ((i, j), cell) in pairs(r).zip(self.products.row(column)) {
            (system[[i, j]], system[[j, i]]) = (*cell, *cell);
        }
        system
    }

    /// V for these sums.
    fn columns(&self, reg: f64) -> Result<Array2<f64>> {
        let mut v = Array2::zeros(self.cross.raw_dim());
        for (column, mut row) in v.rows_mut().into_iter().enumerate() {
            let mut system = self.system(column);
            system.diag_mut().mapv_inplace(|pivot| pivot + reg);
            let right = self.cross.row(column).to_owned().insert_axis(NdAxis(1));
            row.assign(&solve_positive(&system, &right).map_err(explained)?.column(0));
        }
        Ok(v)
    }

    /// The objective; `total` are the squares of X, column by column.
    fn loss(&self, v: &Array2<f64>, total: &Array2<f64>, reg: f64) -> f64 {
        let residual = |(column, row): (usize, ndarray::ArrayView1<f64>)| {
            let fitted = self.system(column).dot(&row);
            (total[[0, column]] - 2.0 * row.dot(&self.cross.row(column)) + row.dot(&fitted)).max(0.0)
        };
        let residuals: f64 = v.rows().into_iter().enumerate().map(residual).sum();
        0.5 * residuals + 0.5 * reg * (self.squares + v.iter().map(|v| v * v).sum::<f64>())
    }
}

fn explained(error: Error) -> Error {
    match error {
        Error::Numeric(message) => Error::Numeric(format!(
            "als: the factors depend on each other ({message}): use fewer of them, or a larger reg"
        )),
        other => other,
    }
}

impl FittedAls {
    /// The factors of rows for these columns', `(n, m) → (n, rank)`, at the sites; also of other rows.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit; `Numeric` if the factors depend on each other.
    pub fn transform(&self, x: &FedMatrix) -> Result<FedMatrix> {
        let known = self.model.known(x)?;
        self.model.rows(x, known.as_ref(), &self.v)
    }

    /// `U @ V.T`, `(n, rank) → (n, m)`, at the sites: what the cells should be, those that nobody knows too.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, u: &FedMatrix) -> Result<FedMatrix> {
        u.matmul(self.v.t().to_owned())
    }
}
