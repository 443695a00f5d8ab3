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

/// A layout in the making: which site has how many rows (columns), in order.
#[derive(Clone, Debug)]
pub struct Cuts {
    pub cut: Cut,
    pub parts: Vec<(&'static str, usize)>,
    pub across: usize,
}

impl Cuts {
    /// Some row cut: whole at one site, or uneven, with empty and one-row parts, in any order.
    pub fn rows(random: &mut Random, rows: usize, columns: usize) -> Self {
        Self { cut: Cut::Rows, parts: parts(random, rows), across: columns }
    }

    /// Some column cut.
    pub fn columns(random: &mut Random, rows: usize, columns: usize) -> Self {
        Self { cut: Cut::Columns, parts: parts(random, columns), across: rows }
    }

    /// A row cut twice as often as a column cut.
    pub fn any(random: &mut Random, rows: usize, columns: usize) -> Self {
        if random.below(3) > 0 { Self::rows(random, rows, columns) } else { Self::columns(random, rows, columns) }
    }

    pub fn layout(&self) -> Layout {
        let parts = self.parts.iter().map(|&(site, extent)| (site, extent as u64));
        let layout = match self.cut {
            Cut::Rows => Layout::rows(parts, self.across as u64),
            Cut::Columns => Layout::columns(parts, self.across as u64),
        };
        layout.expect("there is a part")
    }

    pub fn transposed(&self) -> Self {
        let cut = if self.cut == Cut::Rows { Cut::Columns } else { Cut::Rows };
        Self { cut, ..self.clone() }
    }

    /// The same rows (columns) at the same sites, now and then in other parts.
    pub fn aligned(&self, random: &mut Random, across: usize) -> Self {
        let mut parts: Vec<(&'static str, usize)> = Vec::new();
        for &(site, extent) in &self.parts {
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
        Self { cut: self.cut, parts, across }
    }

    /// Whether all of it is at one site in one part, so that it is any cut.
    pub fn is_whole(&self) -> bool {
        self.layout().whole_at().is_some()
    }

    /// Whether it can be seen as a row cut.
    pub fn by_rows(&self) -> bool {
        self.cut == Cut::Rows || self.is_whole()
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
        for cuts in [&cuts, &aligned] {
            assert_eq!(cuts.parts.iter().map(|part| part.1).sum::<usize>(), 50);
        }
        empty_part += usize::from(cuts.parts.iter().any(|part| part.1 == 0));
        one_row += usize::from(cuts.parts.iter().any(|part| part.1 == 1));
        let layout = cuts.layout();
        several += usize::from(layout.by_site().iter().any(|(_, parts)| parts.len() > 1));
        shuffled += usize::from(!layout.parts().is_sorted_by_key(|part| part.site.clone()));
        whole += usize::from(cuts.is_whole());
    }
    for count in [empty_part, one_row, several, whole, shuffled] {
        assert!(count > 30, "{empty_part} {one_row} {several} {whole} {shuffled}");
    }
    let special = Cells::Special.matrix(&mut random, 100, 2);
    assert!(special.iter().any(|x| x.is_nan()) && special.iter().any(|x| x.is_infinite()));
    assert!(Cells::Denormal.matrix(&mut random, 9, 1).iter().all(|x| x.is_subnormal() || x.is_normal() || *x == 0.0));
}
