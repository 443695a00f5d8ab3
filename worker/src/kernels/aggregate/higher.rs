//! Central moments up to the fourth: two passes over cells that are in cache, merged by their means.

use fondaco_proto::op::CentralMoments;

use super::{
    super::simd,
    reduction::{BLOCK_ROWS, Block, Reduction},
    total::{Plain, sum},
};

/// Powers that are summed side by side; fewer than 32 are not vectorised, but unrolled.
const LANES: usize = 32;

/// Columns of a row that are summed before they are merged with others: sums of few lose little.
const COLUMNS: usize = 64;

/// Count, mean and central sums.
pub struct HigherMoments;

/// What merges over sites.
pub fn words(of: &CentralMoments) -> [f64; 6] {
    let [m2, m3, m4] = of.sums;
    [of.count, of.mean, of.rest, m2, m3, m4]
}

impl Reduction for HigherMoments {
    type Partial = CentralMoments;

    const EMPTY: CentralMoments = CentralMoments::EMPTY;

    fn lane(cells: &[f64]) -> CentralMoments {
        let count = cells.len() as f64;
        let centre = sum::<Plain>(cells).value() / count;
        CentralMoments::about(centre, count, simd::run(Powers { cells, centre }))
    }

    fn across(block: &Block<'_>, out: &mut [CentralMoments]) {
        out.fill(CentralMoments::EMPTY);
        let columns: Vec<&[f64]> = block.columns().collect();
        for columns in columns.chunks(COLUMNS) {
            let count = columns.len() as f64;
            let mut centres = [0.0; BLOCK_ROWS];
            for cells in columns {
                centres.iter_mut().zip(*cells).for_each(|(sum, x)| *sum += x / count);
            }
            let mut powers = [[0.0; BLOCK_ROWS]; 4];
            for cells in columns {
                simd::run(RowPowers { centres: &centres, cells, powers: &mut powers });
            }
            for (i, out) in out.iter_mut().enumerate() {
                *out = out.merge(CentralMoments::about(centres[i], count, powers.map(|power| power[i])));
            }
        }
    }

    fn merge(a: CentralMoments, b: CentralMoments) -> CentralMoments {
        a.merge(b)
    }
}

/// Sums of the first four powers of what cells lie off a centre.
struct Powers<'a> {
    cells: &'a [f64],
    centre: f64,
}

impl simd::Body for Powers<'_> {
    type Output = [f64; 4];

    #[inline(always)]
    fn run(self) -> [f64; 4] {
        let mut sums = [[0.0; LANES]; 4];
        let (chunks, rest) = self.cells.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, x) in chunk.iter().enumerate() {
                add(x - self.centre, lane, &mut sums);
            }
        }
        for (lane, x) in rest.iter().enumerate() {
            add(x - self.centre, lane, &mut sums);
        }
        sums.map(|lanes| lanes.iter().sum())
    }
}

/// The same of a column, for each row.
struct RowPowers<'a> {
    centres: &'a [f64; BLOCK_ROWS],
    cells: &'a [f64],
    powers: &'a mut [[f64; BLOCK_ROWS]; 4],
}

impl simd::Body for RowPowers<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, (x, centre)) in self.cells.iter().zip(self.centres).enumerate() {
            add(x - centre, i, self.powers);
        }
    }
}

#[inline(always)]
fn add<const N: usize>(d: f64, at: usize, [s1, s2, s3, s4]: &mut [[f64; N]; 4]) {
    let square = d * d;
    s1[at] += d;
    s2[at] += square;
    s3[at] += square * d;
    s4[at] += square * square;
}
