//! Centres where rows do not leave: means of rows that a site drew. A group of rows from everywhere has its mean in the
//! middle of everything, so each is drawn in one cell of a random partition of the space, at one site; which, follows
//! from what the cells hold.

use ndarray::{Array1, Array2, ArrayView1, Axis as NdAxis, concatenate, s};

use super::{
    super::{
        draws::Draws,
        sites::{at_each_site, beside, hinted, if_released, release_rows_min},
    },
    Data,
    assignment::scores,
    plus_plus::LOTS,
    square,
};
use crate::{Axis, Error, FedMatrix, Pending, Result};

/// Points per centre; of fewer, some cells hold several clusters.
const CELLS: usize = 4;

/// Rows of a cell, and of a group on average, as a multiple of what a site must have to release anything.
const ROWS: f64 = 4.0;

/// How often all candidates may be refused before it is an error.
pub(super) const ATTEMPTS: usize = 20;

const TOO_SMALL: &str =
    "kmeans: a random group has too few rows at a site: use fewer clusters, given centres, or more rows";

/// The cells of all sites.
pub(super) struct Cells {
    sites: Vec<Site>,
    cells: Vec<Cell>,
    /// Rows of a group, on average.
    group: f64,
    /// Whether there is a centre.
    begun: bool,
}

/// A site's rows, and the number of each one's cell, `(n, 1)`; none where all rows are one cell.
struct Site {
    rows: FedMatrix,
    labels: Option<FedMatrix>,
}

/// Rows of a site, near to each other.
struct Cell {
    /// Of [`Cells::sites`].
    site: usize,
    label: f64,
    count: f64,
    sum: Array1<f64>,
    squares: f64,
    /// At least the sum of the rows' squared distances to the nearest centre.
    potential: f64,
}

/// Count, sum, and sum of squares of each cell: `(1, J)`, `(J, d)`, `(J, 1)`.
type Held<T> = [T; 3];

impl Cells {
    /// Two round trips. A cell is what is nearest to a point; these are drawn from a normal distribution with the means
    /// and variances of the data, and a site drops those near to which it has too few rows.
    pub async fn of(data: &Data, k: usize, draws: &mut Draws) -> Result<Self> {
        let least = release_rows_min(&data.x) as f64;
        let points = draws.normals(CELLS * k, data.means.ncols()) * data.variances.mapv(f64::sqrt) + &data.means;
        let mut counts = Vec::new();
        for rows in at_each_site(&data.x)? {
            let wanted = (rows.nrows() as f64 / (2.0 * ROWS * least)) as usize;
            let points = points.slice(s![..wanted.min(points.nrows()), ..]).to_owned();
            counts.push((counted(&rows, &points)?, rows, points));
        }
        let mut measured = Vec::new();
        for (pending, rows, points) in counts {
            let mut kept = Vec::new();
            for (point, count) in pending.into_iter().enumerate() {
                if if_released(count.scalar().await)?.is_some_and(|count| count >= ROWS * least) {
                    kept.push(point);
                }
            }
            let site = Site { rows, labels: None };
            measured.push((site.whole()?, site.cut(&points.select(NdAxis(0), &kept))?, site));
        }
        let mut cells = Self { sites: Vec::new(), cells: Vec::new(), group: ROWS * least, begun: false };
        let mut refused = None;
        for (whole, cut, site) in measured {
            if let Err(error) = cells.add_site(whole, cut, site).await {
                refused = if_released::<Error>(Err(error.clone()))?.or(Some(error));
            }
        }
        match refused {
            Some(error) if cells.cells.is_empty() => Err(hinted(error, TOO_SMALL)),
            _ => Ok(cells),
        }
    }

    /// What the cells of a site hold; where that is refused, all its rows are one.
    async fn add_site(
        &mut self,
        whole: Held<Pending>,
        cut: Option<(FedMatrix, Held<Pending>)>,
        mut site: Site,
    ) -> Result<()> {
        let mut held = None;
        if let Some((labels, cut)) = cut
            && let Some(of_cells) = if_released(fetched(cut).await)?
        {
            (held, site.labels) = (Some(of_cells), Some(labels));
        }
        let (rows, index) = (site.rows.nrows() as f64, self.sites.len());
        self.sites.push(site);
        let [counts, sums, squares] = match held {
            Some(held) => held,
            None => {
                let [_, sums, squares] = fetched(whole).await?;
                [Array2::from_elem((1, 1), rows), sums, squares]
            }
        };
        for (label, ((&count, sum), &squares)) in counts.iter().zip(sums.rows()).zip(&squares).enumerate() {
            let sum = sum.to_owned();
            self.cells.push(Cell { site: index, label: label as f64, count, sum, squares, potential: count });
        }
        Ok(())
    }

    /// A centre was chosen. A cell's potential is that of the best centre for the whole of it.
    pub fn add(&mut self, center: ArrayView1<f64>) {
        for cell in &mut self.cells {
            let left = (cell.squares - 2.0 * center.dot(&cell.sum) + cell.count * square(center)).max(0.0);
            cell.potential = if self.begun { cell.potential.min(left) } else { left };
        }
        self.begun = true;
    }

    /// Means of groups of rows, drawn by their squared distances `closest`; one for each cell that is drawn by its
    /// potential, but for those that are refused. One round trip, if not all are.
    pub async fn groups(&self, count: usize, closest: Option<&FedMatrix>, draws: &mut Draws) -> Result<Array2<f64>> {
        let potentials: Vec<f64> = self.cells.iter().map(|cell| cell.potential).collect();
        let closest = closest.map(at_each_site).transpose()?;
        let mut refused = None;
        for _ in 0..ATTEMPTS {
            let mut pending = Vec::with_capacity(count);
            for _ in 0..count {
                let Some(cell) = draws.pick(&potentials).map(|i| &self.cells[i]) else {
                    return Err(Error::Numeric(
                        "kmeans: there are fewer different rows than clusters; use fewer clusters".to_owned(),
                    ));
                };
                let site = &self.sites[cell.site];
                let closest = closest.as_ref().map(|sites| &sites[cell.site]);
                let drawn = site.drawn(cell, self.group, closest, draws.seed())?;
                pending.push((drawn.sum(Axis::All)?, drawn.cross(&site.rows)?));
            }
            let mut means = Vec::with_capacity(count);
            for (rows, sum) in pending {
                match (rows.scalar().await, sum.await) {
                    (Ok(rows), Ok(sum)) => means.push(sum / rows),
                    (Err(error), _) | (_, Err(error)) => {
                        refused = if_released::<Error>(Err(error.clone()))?.or(Some(error));
                    }
                }
            }
            if !means.is_empty() {
                let views: Vec<_> = means.iter().map(|mean| mean.view()).collect();
                return concatenate(NdAxis(0), &views).map_err(|error| Error::plan(format!("kmeans: {error}")));
            }
        }
        Err(refused.map_or_else(|| Error::plan("kmeans: no group was drawn"), |error| hinted(error, TOO_SMALL)))
    }
}

/// How many rows are nearest to each point, each asked by itself, so that one with few rows hides no other; nothing of
/// a single one.
fn counted(rows: &FedMatrix, points: &Array2<f64>) -> Result<Vec<Pending>> {
    if points.nrows() < 2 {
        return Ok(Vec::new());
    }
    let scores = scores(rows, points)?;
    let nearest = scores.row_min()?;
    let count = |point| scores.slice(.., point..point + 1)?.less_equal(&nearest)?.sum(Axis::All);
    (0..points.nrows() as u64).map(count).collect()
}

async fn fetched(pending: Held<Pending>) -> Result<Held<Array2<f64>>> {
    let [counts, sums, squares] = pending;
    Ok([counts.await?, sums.await?, squares.await?])
}

impl Site {
    /// Labels by the nearest of the points, and what each cell holds; nothing of a single one.
    fn cut(&self, points: &Array2<f64>) -> Result<Option<(FedMatrix, Held<Pending>)>> {
        if points.nrows() < 2 {
            return Ok(None);
        }
        let scores = scores(&self.rows, points)?;
        let members = scores.less_equal(scores.row_min()?)?;
        let labels = members.matmul(Array2::from_shape_fn((points.nrows(), 1), |(label, _)| label as f64))?;
        let squares = members.cross(self.rows.row_sumsq()?)?;
        Ok(Some((labels, [members.sum(Axis::Columns)?, members.cross(&self.rows)?, squares])))
    }

    /// What all its rows hold; the count is known.
    fn whole(&self) -> Result<Held<Pending>> {
        let sums = || self.rows.sum(Axis::Columns);
        Ok([sums()?, sums()?, self.rows.sumsq(Axis::All)?])
    }

    /// Which rows are in a group, `(n, 1)`: each of the cell with a probability in proportion to its squared distance,
    /// or alike.
    fn drawn(&self, cell: &Cell, group: f64, closest: Option<&FedMatrix>, seed: u64) -> Result<FedMatrix> {
        let lots = self.rows.rand_like(&beside(&self.rows, 1)?, seed, LOTS)?;
        let share = group / cell.potential;
        let drawn = match closest {
            Some(closest) => closest.multiply(share)?.greater(lots)?,
            None => lots.less(share)?,
        };
        match &self.labels {
            Some(labels) => labels.equal(cell.label)?.multiply(drawn),
            None => Ok(drawn),
        }
    }
}
