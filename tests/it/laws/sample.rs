//! Random data, shapes and layouts: everything that has gone wrong somewhere before.

use fondaco::{Cut, Layout};
use ndarray::{Array2, ShapeBuilder as _};

use super::trio::NAMES;
use crate::harness::Random;

/// How the cells of a matrix are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Normally distributed.
    Normal,
    /// Small integers, many of them 0.
    Integers,
    /// Normal, with NaN, infinities and zeros of both signs among them.
    Special,
    /// Below the smallest normal number.
    Denormal,
    /// All less than 0.
    Negative,
    /// The same everywhere.
    Constant,
    /// 1e9 and something small.
    Offset,
    /// Integers around 2^53.
    Border,
    /// Of any size between 1e-50 and 1e50.
    Magnitudes,
}

impl Cells {
    pub const ALL: [Self; 9] = [
        Self::Normal,
        Self::Integers,
        Self::Special,
        Self::Denormal,
        Self::Negative,
        Self::Constant,
        Self::Offset,
        Self::Border,
        Self::Magnitudes,
    ];

    pub fn pick(random: &mut Random) -> Self {
        *random.pick(&Self::ALL)
    }

    /// A matrix of such cells, in either memory order.
    pub fn matrix(self, random: &mut Random, rows: usize, columns: usize) -> Array2<f64> {
        let constant = *random.pick(&[0.0, -3.0, 1e9 + 0.1, 0.1]);
        let row_major = random.below(2) == 0;
        let shape = (rows, columns).set_f(!row_major);
        Array2::from_shape_simple_fn(shape, || match self {
            Self::Constant => constant,
            _ => self.cell(random),
        })
    }

    fn cell(self, random: &mut Random) -> f64 {
        match self {
            Self::Normal => normal(random),
            Self::Integers => (random.below(3) * random.below(9)) as f64 - 4.0,
            Self::Special => match random.below(12) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => 0.0,
                4 => -0.0,
                5 => (random.below(7) as f64 - 3.0) / 2.0,
                _ => 3.0 * normal(random),
            },
            Self::Denormal => normal(random) * f64::MIN_POSITIVE * random.unit(),
            Self::Negative => -0.5 - 10.0 * random.unit(),
            Self::Constant => 1.0,
            Self::Offset => 1e9 + random.below(20) as f64 + random.unit(),
            Self::Border => 9_007_199_254_740_992.0 - 2.0 * random.below(3) as f64 + 4.0 * random.below(2) as f64,
            Self::Magnitudes => normal(random) * 10_f64.powi(random.below(101) as i32 - 50),
        }
    }
}

/// Box and Muller's.
fn normal(random: &mut Random) -> f64 {
    let (u, v) = (1.0 - random.unit(), random.unit());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A number of rows: few as a rule, sometimes none, sometimes more than a tile.
pub fn rows(random: &mut Random) -> usize {
    match random.below(16) {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4096 + random.below(5000),
        4..=6 => 100 + random.below(300),
        _ => 3 + random.below(40),
    }
}

/// A number of columns.
pub fn columns(random: &mut Random) -> usize {
    *random.pick(&[1, 1, 2, 3, 3, 5, 8])
}

/// A layout in the making: row bands × column bands, and the site of each block, row band after row band.
#[derive(Clone, Debug)]
pub struct Cuts {
    pub heights: Vec<usize>,
    pub widths: Vec<usize>,
    pub sites: Vec<&'static str>,
}

impl Cuts {
    /// Sites with their rows (columns), in order.
    pub fn of(cut: Cut, parts: Vec<(&'static str, usize)>, across: usize) -> Self {
        let (sites, extents) = parts.into_iter().unzip();
        match cut {
            Cut::Rows => Self { heights: extents, widths: vec![across], sites },
            Cut::Columns => Self { heights: vec![across], widths: extents, sites },
        }
    }

    /// Some row cut: whole at one site, or uneven, with empty and one-row parts, in any order.
    pub fn rows(random: &mut Random, rows: usize, columns: usize) -> Self {
        Self::of(Cut::Rows, parts(random, rows), columns)
    }

    /// Some column cut.
    pub fn columns(random: &mut Random, rows: usize, columns: usize) -> Self {
        Self::of(Cut::Columns, parts(random, columns), rows)
    }

    /// Some grid, each block at any site.
    pub fn grid(random: &mut Random, rows: usize, columns: usize) -> Self {
        let heights: Vec<usize> = parts(random, rows).into_iter().map(|part| part.1).collect();
        let widths: Vec<usize> = parts(random, columns).into_iter().map(|part| part.1).collect();
        let sites = (0..heights.len() * widths.len()).map(|_| *random.pick(&NAMES)).collect();
        Self { heights, widths, sites }
    }

    /// Some grid, each row band at one site.
    pub fn banded(random: &mut Random, rows: usize, columns: usize) -> Self {
        let (sites, heights): (Vec<&str>, Vec<usize>) = parts(random, rows).into_iter().unzip();
        let widths: Vec<usize> = parts(random, columns).into_iter().map(|part| part.1).collect();
        let sites = sites.into_iter().flat_map(|site| vec![site; widths.len()]).collect();
        Self { heights, widths, sites }
    }

    /// A row cut more often than a column cut or a grid.
    pub fn any(random: &mut Random, rows: usize, columns: usize) -> Self {
        match random.below(8) {
            0..=3 => Self::rows(random, rows, columns),
            4 | 5 => Self::columns(random, rows, columns),
            6 => Self::grid(random, rows, columns),
            _ => Self::banded(random, rows, columns),
        }
    }

    pub fn layout(&self) -> Layout {
        let extents = |extents: &[usize]| extents.iter().map(|&extent| extent as u64).collect::<Vec<_>>();
        Layout::grid(extents(&self.heights), extents(&self.widths), self.sites.clone()).expect("there is a part")
    }

    pub fn transposed(&self) -> Self {
        let sites = (0..self.widths.len()).flat_map(|j| self.sites.iter().skip(j).step_by(self.widths.len()).copied());
        Self { heights: self.widths.clone(), widths: self.heights.clone(), sites: sites.collect() }
    }

    /// Where each row band is at one site: a row cut of the same rows there, now and then in other parts, with so many
    /// columns.
    pub fn aligned(&self, random: &mut Random, columns: usize) -> Self {
        let first = self.widths.iter().position(|&width| width > 0).unwrap_or(0);
        let bands = self.sites.iter().skip(first).step_by(self.widths.len()).zip(&self.heights);
        let mut parts: Vec<(&'static str, usize)> = Vec::new();
        for (&site, &extent) in bands {
            let first = match random.below(3) {
                0 if extent > 1 => 1 + random.below(extent - 1),
                _ => extent,
            };
            for piece in [first, extent - first] {
                match parts.last_mut() {
                    Some((last, sum)) if *last == site && random.below(2) == 0 => *sum += piece,
                    _ => parts.push((site, piece)),
                }
            }
        }
        Self::of(Cut::Rows, parts, columns)
    }

    /// The same cells at the same sites, now and then in other blocks.
    pub fn realigned(&self, random: &mut Random) -> Self {
        let halves = |random: &mut Random, extents: &[usize]| -> Vec<(usize, usize)> {
            let halved = extents.iter().enumerate().flat_map(|(band, &extent)| {
                let first = if random.below(3) == 0 { random.below(extent + 1) } else { extent };
                [(band, first), (band, extent - first)]
            });
            halved.collect()
        };
        let (down, right) = (halves(random, &self.heights), halves(random, &self.widths));
        let site = |i: usize, j: usize| self.sites[i * self.widths.len() + j];
        let sites = down.iter().flat_map(|(i, _)| right.iter().map(move |(j, _)| site(*i, *j))).collect();
        let extents = |bands: Vec<(usize, usize)>| bands.into_iter().map(|band| band.1).collect();
        Self { heights: extents(down), widths: extents(right), sites }
    }

    /// Along which axis it is cut.
    pub fn cut(&self) -> Option<Cut> {
        self.layout().cut()
    }

    /// Whether all of it is at one site in one part, so that it is any cut.
    pub fn is_whole(&self) -> bool {
        self.layout().whole_at().is_some()
    }

    /// Whether each row band is at one site.
    pub fn by_rows(&self) -> bool {
        let layout = self.layout();
        layout.parts().iter().all(|part| {
            let mut beside = layout.parts().iter().filter(|other| other.rows == part.rows);
            beside.all(|other| other.site == part.site)
        })
    }

    /// Whether each column band is at one site.
    pub fn by_columns(&self) -> bool {
        self.transposed().by_rows()
    }
}

fn parts(random: &mut Random, extent: usize) -> Vec<(&'static str, usize)> {
    let mut left = extent;
    let mut take = |most: usize| {
        let taken = most.min(left);
        left -= taken;
        taken
    };
    match random.below(5) {
        0 => vec![(*random.pick(&NAMES), extent)],
        1 => {
            let (first, second) = (take(random.below(extent + 1)), take(random.below(extent + 1)));
            vec![("a", first), ("b", second), ("c", extent - first - second)]
        }
        2 => {
            // Site b has nothing.
            let first = take(random.below(extent + 1));
            vec![("c", first), ("b", 0), ("a", extent - first)]
        }
        _ => {
            let mut parts: Vec<(&'static str, usize)> = Vec::new();
            for _ in 0..1 + random.below(7) {
                let most = *random.pick(&[0, 1, 1, 2, 1 + extent / 3, 1 + extent / 2]);
                parts.push((*random.pick(&NAMES), take(most)));
            }
            parts.push((*random.pick(&NAMES), left));
            parts
        }
    }
}

#[test]
fn samples_cover_what_they_promise() {
    let mut random = Random::new(1);
    let (mut empty_part, mut one_row, mut several, mut whole, mut shuffled) = (0, 0, 0, 0, 0);
    for _ in 0..300 {
        let cuts = Cuts::rows(&mut random, 50, 2);
        let aligned = cuts.aligned(&mut random, 1);
        for cuts in [&cuts, &aligned, &cuts.realigned(&mut random)] {
            assert_eq!(cuts.heights.iter().sum::<usize>(), 50);
        }
        empty_part += usize::from(cuts.heights.contains(&0));
        one_row += usize::from(cuts.heights.contains(&1));
        let layout = cuts.layout();
        several += usize::from(layout.by_site().iter().any(|(_, parts)| parts.len() > 1));
        shuffled += usize::from(!layout.parts().is_sorted_by_key(|part| part.site.clone()));
        whole += usize::from(cuts.is_whole());
    }
    for count in [empty_part, one_row, several, whole, shuffled] {
        assert!(count > 30, "{empty_part} {one_row} {several} {whole} {shuffled}");
    }
    let (mut grids, mut banded) = (0, 0);
    for _ in 0..300 {
        let cuts = Cuts::any(&mut random, 50, 5);
        assert_eq!(cuts.layout().shape(), cuts.realigned(&mut random).layout().shape());
        grids += usize::from(cuts.cut().is_none());
        banded += usize::from(cuts.cut().is_none() && cuts.by_rows());
    }
    assert!(grids - banded > 10 && banded > 10, "{grids} {banded}");
    let special = Cells::Special.matrix(&mut random, 100, 2);
    assert!(special.iter().any(|x| x.is_nan()) && special.iter().any(|x| x.is_infinite()));
    assert!(Cells::Denormal.matrix(&mut random, 9, 1).iter().all(|x| x.is_subnormal() || x.is_normal() || *x == 0.0));
}
