//! Cumulative aggregates, sums of products, traces, distinct values.

use std::collections::BTreeMap;

use fondaco_proto::op::{Axis, Cumulate, CumulateFunction, Distinct, SumProduct};
use ndarray::{Array2, ArrayView1};

use super::{
    super::elementwise::{cells, larger, smaller},
    Cell, Expected, LEAST, Wide, total,
};

/// Line by line.
pub fn cumulated(op: &Cumulate, x: &Array2<f64>, carry: Option<&Array2<f64>>) -> Expected {
    if op.axis == Axis::Rows {
        let down = Cumulate { axis: Axis::Columns, ..*op };
        let carry = carry.map(|carry| carry.t().to_owned());
        return cumulated(&down, &x.t().to_owned(), carry.as_ref()).transposed();
    }
    let n = x.nrows();
    if op.function == CumulateFunction::Cumsumprod {
        let mut y = carry.map_or(0.0, |carry| carry[[0, 0]]);
        let next = x.rows().into_iter().map(|row| {
            y = row[0] + row[1] * y;
            y
        });
        return Expected::exact(Array2::from_shape_vec((n, 1), next.collect()).expect("one for each row"));
    }
    let lines: Vec<Vec<Cell>> = x
        .columns()
        .into_iter()
        .enumerate()
        .map(|(j, line)| of_line(op.function, line, carry.map(|carry| carry.column(j))))
        .collect();
    let shaped = |which: fn(&Cell) -> f64| Array2::from_shape_fn(x.dim(), |(i, j)| which(&lines[j][i]));
    Expected::within(shaped(|cell| cell.0), shaped(|cell| cell.1))
}

fn of_line(function: CumulateFunction, line: ArrayView1<f64>, carry: Option<ArrayView1<f64>>) -> Vec<Cell> {
    match function {
        CumulateFunction::Cumsum => {
            let first = carry.map(|carry| carry[0]);
            let (mut sum, mut plain, mut size, mut whole) = (Wide::default(), 0.0, 0.0, true);
            let mut add = |x: f64| {
                (sum, plain, size, whole) =
                    (sum.plus(Wide::from(x)), plain + x, size + x.abs(), whole && x.fract() == 0.0);
                let exact = whole && size <= 2_f64.powi(53);
                (sum.value_or(plain), if exact { 0.0 } else { 1e-12 * size })
            };
            if let Some(x) = first {
                add(x);
            }
            line.iter().map(|x| add(*x)).collect()
        }
        CumulateFunction::Cumprod => {
            let mut product = Product { m: Wide::from(1.0), e: 0.0, special: 1.0 };
            if let Some(carry) = carry {
                product.multiply(carry[0]);
                product.e += carry[1];
            }
            let next = line.iter().map(|x| {
                product.multiply(*x);
                let value = product.value();
                (value, 1e-12 * value.abs() + 1e-322)
            });
            next.collect()
        }
        CumulateFunction::Cummin | CumulateFunction::Cummax => {
            let better = if function == CumulateFunction::Cummin { smaller } else { larger };
            let mut best = carry.map(|carry| carry[0]);
            let next = line.iter().map(|x| {
                let y = best.map_or(*x, |best| better(best, *x));
                best = Some(y);
                (y, 0.0)
            });
            next.collect()
        }
        CumulateFunction::Cumsumprod => Vec::new(),
    }
}

/// A product that neither overflows nor vanishes: of mantissas, exponents, and of what has none, or a sign.
struct Product {
    m: Wide,
    e: f64,
    special: f64,
}

impl Product {
    fn multiply(&mut self, x: f64) {
        if x == 0.0 || !x.is_finite() {
            self.special *= x;
            return;
        }
        self.special *= x.signum();
        // Tiny numbers have no room for the other half of the digits.
        let (x, shift) = if x.abs() < 1e-150 { (x * 2_f64.powi(600), 600.0) } else { (x, 0.0) };
        (self.m, self.e) = (self.m.times(Wide::from(x.abs())), self.e - shift);
        while self.m.value() >= 2.0 {
            (self.m, self.e) = (self.m.times(Wide::from(0.5)), self.e + 1.0);
        }
        while self.m.value() < 1.0 {
            (self.m, self.e) = (self.m.times(Wide::from(2.0)), self.e - 1.0);
        }
    }

    fn value(&self) -> f64 {
        // In halves, so that neither power overflows.
        let half = (self.e / 2.0).trunc().clamp(-1100.0, 1100.0);
        let size = self.m.value() * 2_f64.powf(half) * 2_f64.powf((self.e - half).clamp(-1100.0, 1100.0));
        if self.special.abs() == 1.0 { self.special * size } else { self.special }
    }
}

/// Over the parts, whose products are summed.
pub fn sum_product(op: &SumProduct, inputs: &[&Array2<f64>]) -> Expected {
    let mut columns: Vec<Vec<[f64; 3]>> = Vec::new();
    for factors in inputs.chunks(op.factors.into()) {
        let one = Array2::ones((1, 1));
        let factor = |i: usize| factors.get(i).copied().unwrap_or(&one);
        let all = [factor(0), factor(1), factor(2)];
        // The factors of each term, in one matrix each of the shape of the products.
        let spread = [0, 1, 2].map(|which| cells(all, |terms| terms[which]));
        columns.resize(spread[0].ncols().max(columns.len()), Vec::new());
        for (at, x) in spread[0].indexed_iter() {
            columns[at.1].push([*x, spread[1][at], spread[2][at]]);
        }
    }
    if op.axis == Axis::All {
        columns = vec![columns.concat()];
    }
    let term = |[x, y, z]: &[f64; 3]| (x * y * z, Wide::product(*x, *y).times(Wide::from(*z)));
    let sum = |terms: &Vec<[f64; 3]>| {
        let (value, slack) = total(terms.iter().map(term), LEAST);
        // Products of fractions are rounded, even where no fraction is left of them.
        let whole = terms.iter().flatten().all(|factor| factor.fract() == 0.0);
        let size: f64 = terms.iter().map(|[x, y, z]| (x * y * z).abs()).sum();
        (value, if whole { slack } else { 1e-12 * size + LEAST })
    };
    let sums: Vec<Cell> = columns.iter().map(sum).collect();
    let row = |which: fn(&Cell) -> f64| Array2::from_shape_fn((1, sums.len()), |(_, j)| which(&sums[j]));
    Expected::within(row(|cell| cell.0), row(|cell| cell.1))
}

/// Of all diagonals.
pub fn trace(inputs: &[&Array2<f64>]) -> Expected {
    let diagonal: Vec<f64> = inputs.iter().flat_map(|x| x.diag().to_vec()).collect();
    let (value, slack) = total(diagonal.iter().map(|&x| (x, Wide::from(x))), 0.0);
    Expected::within(Array2::from_elem((1, 1), value), Array2::from_elem((1, 1), slack))
}

/// # Panics
/// For registers.
pub fn distinct(op: Distinct, x: &Array2<f64>) -> Expected {
    // In the order of numbers, NaN last; one zero.
    let key = |x: f64| if x.is_nan() { (1, 0) } else { (0, order(x + 0.0)) };
    let sets: Vec<BTreeMap<(u8, i64), f64>> =
        x.columns().into_iter().map(|column| column.iter().map(|x| (key(*x), x + 0.0)).collect()).collect();
    Expected::exact(match op {
        Distinct::Count => Array2::from_shape_fn((1, x.ncols()), |(_, j)| sets[j].len() as f64),
        Distinct::Values { rows } => Array2::from_shape_fn((rows as usize, x.ncols()), |(i, j)| {
            sets[j].values().nth(i).copied().unwrap_or(f64::NAN)
        }),
        Distinct::Registers { .. } => panic!("registers are nobody's meaning"),
    })
}

/// An integer that grows with the number.
fn order(x: f64) -> i64 {
    let bits = x.to_bits() as i64;
    if bits < 0 { i64::MIN - bits } else { bits }
}
