//! Every operator of the vocabulary at once, for laws that say something of all of them.

use fondaco::{
    AggregateFunction, BinaryFunction, Distribution, FedMatrix, Federation, Layout, Op, Operand, Outcome, Pending,
    Shape, Unary,
    op::{
        AggregateOp, Axis, Binary, CumulateFunction, Distinct, ElementwiseOp, Factorised, GroupFunction, LossWeights,
        MatmulOp, Ranks, ReorgOp, Scalar, SliceOp, StatsOp, SumProduct, Ternary,
    },
};
use ndarray::Array2;

use super::{
    sample::{Cells, Cuts},
    trio::{place, released, scatter},
};
use crate::harness::Random;

/// X and Y of the same shape, and a column w, in aligned row cuts; and a row v.
pub struct Inputs {
    pub x: Array2<f64>,
    pub y: Array2<f64>,
    pub w: Array2<f64>,
    v: Array2<f64>,
    cuts: Cuts,
    aligned: Cuts,
    random: Random,
}

/// The same at the sites.
pub struct Placed {
    pub x: FedMatrix,
    pub y: FedMatrix,
    pub w: FedMatrix,
    v: Array2<f64>,
}

impl Inputs {
    pub fn new(random: &mut Random, cells: Cells, n: usize, d: usize) -> Self {
        let (x, y) = (cells.matrix(random, n, d), cells.matrix(random, n, d));
        let (w, v) = (Cells::Normal.matrix(random, n, 1), Cells::Normal.matrix(random, 1, d));
        let cuts = Cuts::rows(random, n, d);
        let aligned = cuts.aligned(random, d);
        Self { x, y, w, v, cuts, aligned, random: random.clone() }
    }

    pub fn layout(&self) -> Layout {
        self.cuts.layout()
    }

    /// At the sites, the same way each time.
    pub fn place(&self, fed: &Federation) -> Placed {
        let mut random = self.random.clone();
        let x = scatter(fed, &mut random, &self.x, &self.cuts);
        let y = scatter(fed, &mut random, &self.y, &self.aligned);
        let column = Cuts { widths: vec![1], ..self.cuts.clone() };
        Placed { x, y, w: place(fed, &self.w, &column.layout()), v: self.v.clone() }
    }
}

/// The results of every operator, by name, released. What only the data know of shapes is asked for before.
pub async fn every(fed: &Federation, placed: &Placed) -> Vec<(String, Pending)> {
    let Placed { x, y, w, v } = placed;
    let apply = |op: Op, operands: Vec<Operand>| {
        let name = op.name().to_owned();
        let outcome = x.apply(&op, operands).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, released(outcome))
    };
    let mut results = elementwise(&apply, placed);
    results.extend(aggregates(&apply, placed));
    for &op in MatmulOp::ALL {
        let column = || Operand::from(v.t());
        let operands = match op {
            MatmulOp::Product => vec![x.into(), column()],
            MatmulOp::Gram => vec![x.into()],
            MatmulOp::Cross => vec![x.into(), y.into()],
            MatmulOp::Mmchain => vec![column(), x.into()],
            MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => vec![column(), x.into(), w.into()],
            MatmulOp::Factorised(_) => continue,
        };
        results.push(apply(Op::Matmul(op), operands));
    }
    results.extend(factorised(&apply, placed));
    let turned = || Operand::from(Array2::from_shape_fn((2, x.nrows() as usize), |(i, j)| ((i + j) % 7) as f64 - 2.5));
    results.push(apply(Op::Matmul(MatmulOp::Product), vec![turned(), x.into()]));
    results.extend(reorganised(&apply, placed));
    results.extend(sliced(&apply, placed));
    results.extend(stats(&apply, placed));
    results.extend(created(fed, x.layout()));
    results.extend(cumulated(x).await);
    let some = x.filter_rows(w.greater(0.2).expect("numbers can be compared")).await.expect("rows are aligned");
    results.push(("filter_rows".to_owned(), released(Outcome::Fed(some))));
    let distinct = at_one_site(x).unique(1).await.expect("it is at one site");
    results.push(("unique".to_owned(), released(Outcome::Fed(distinct))));
    results
}

/// The rows of the first part.
fn at_one_site(x: &FedMatrix) -> FedMatrix {
    x.slice(x.layout().parts()[0].rows.clone(), ..).expect("they are there")
}

fn reorganised(apply: &impl Fn(Op, Vec<Operand>) -> (String, Pending), placed: &Placed) -> Vec<(String, Pending)> {
    let Placed { x, y, .. } = placed;
    let sort = |descending, indices| ReorgOp::Sort { by: 1, descending, indices };
    let one = at_one_site(x);
    let (rows, columns) = (one.nrows(), one.ncols());
    let cases: Vec<(ReorgOp, Vec<Operand>)> = vec![
        (ReorgOp::Transpose, vec![x.into()]),
        (ReorgOp::Flip, vec![x.into()]),
        (ReorgOp::FlipColumns, vec![x.into()]),
        (ReorgOp::Vstack, vec![x.into(), y.into(), x.into()]),
        (ReorgOp::Hstack, vec![x.into(), y.into(), x.into()]),
        (ReorgOp::Diagonal { offset: -1 }, vec![x.into()]),
        (ReorgOp::Diag { columns: 5, offset: 1 }, vec![placed.w.clone().into()]),
        (ReorgOp::Triangle { upper: false, k: 0 }, vec![x.into()]),
        (ReorgOp::Triangle { upper: true, k: -1 }, vec![x.into()]),
        (ReorgOp::Reshape(Shape::new(columns, rows)), vec![one.clone().into()]),
        (sort(false, false), vec![one.clone().into()]),
        (sort(true, false), vec![one.clone().into()]),
        (sort(true, true), vec![one.into()]),
    ];
    cases.into_iter().map(|(op, operands)| apply(Op::Reorg(op), operands)).collect()
}

fn sliced(apply: &impl Fn(Op, Vec<Operand>) -> (String, Pending), placed: &Placed) -> Vec<(String, Pending)> {
    let Placed { x, y, .. } = placed;
    let (n, d) = (x.nrows(), x.ncols());
    let cases: Vec<(SliceOp, Vec<Operand>)> = vec![
        (SliceOp::Range { rows: n / 3..n, columns: 1..d }, vec![x.into()]),
        (SliceOp::Columns(vec![2, 0, 2]), vec![x.into()]),
        (SliceOp::Rows((0..n).step_by(3).chain([n - 1, 0, n / 2]).collect()), vec![x.into()]),
        (SliceOp::Set { rows: n / 3..n, columns: 0..1 }, vec![x.into(), 0.5.into()]),
        (SliceOp::Set { rows: 0..n, columns: 0..d }, vec![x.into(), y.into()]),
    ];
    cases.into_iter().map(|(op, operands)| apply(Op::Slice(op), operands)).collect()
}

fn factorised(apply: &impl Fn(Op, Vec<Operand>) -> (String, Pending), placed: &Placed) -> Vec<(String, Pending)> {
    let Placed { x, y, w, v } = placed;
    let members = [
        Factorised::Loss(LossWeights::None),
        Factorised::Loss(LossWeights::Nonzero),
        Factorised::Loss(LossWeights::Given),
        Factorised::Times(Unary::Tanh),
        Factorised::Divided,
        Factorised::DividedLeft,
        Factorised::CrossEntropy { epsilon: 9.0 },
    ];
    let of = |op: Factorised| {
        let mut operands = vec![Operand::from(v.t()), x.into(), w.into()];
        operands.extend((op == Factorised::Loss(LossWeights::Given)).then(|| y.into()));
        apply(Op::Matmul(MatmulOp::Factorised(op)), operands)
    };
    members.into_iter().map(of).collect()
}

fn elementwise(apply: &impl Fn(Op, Vec<Operand>) -> (String, Pending), placed: &Placed) -> Vec<(String, Pending)> {
    let Placed { x, y, w, v } = placed;
    let mut results = Vec::new();
    for &function in Unary::ALL {
        results.push(apply(Op::Elementwise(ElementwiseOp::Unary(function)), vec![x.into()]));
    }
    for &function in BinaryFunction::ALL {
        let binary = |scalar| Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar }));
        for other in [Operand::from(y), w.into(), v.into()] {
            results.push(apply(binary(None), vec![x.into(), other]));
        }
        results.push(apply(binary(Some(Scalar::Right(1.5))), vec![x.into()]));
        results.push(apply(binary(Some(Scalar::Left(-2.0))), vec![x.into()]));
    }
    for ternary in [
        Ternary::Where,
        Ternary::PlusMultiply(0.3),
        Ternary::MinusMultiply(-7.0),
        Ternary::Clip { low: -0.5, high: 1e9 },
        Ternary::Replace { pattern: f64::NAN, value: 0.25 },
        Ternary::ClipBetween,
    ] {
        let operands = match ternary {
            Ternary::Where | Ternary::ClipBetween => vec![x.into(), y.into(), w.into()],
            Ternary::PlusMultiply(_) | Ternary::MinusMultiply(_) => vec![x.into(), y.into()],
            Ternary::Clip { .. } | Ternary::Replace { .. } => vec![x.into()],
        };
        results.push(apply(Op::Elementwise(ElementwiseOp::Ternary(ternary)), operands));
    }
    results
}

fn aggregates(apply: &impl Fn(Op, Vec<Operand>) -> (String, Pending), placed: &Placed) -> Vec<(String, Pending)> {
    let mut results = Vec::new();
    for &function in AggregateFunction::ALL {
        for &axis in Axis::ALL {
            let op = Op::Aggregate(AggregateOp::new(function, axis));
            let (name, pending) = apply(op, vec![(&placed.x).into()]);
            results.push((format!("{name} {}", axis.name()), pending));
        }
    }
    let Placed { x, y, w, .. } = placed;
    for axis in [Axis::All, Axis::Columns] {
        let product = |factors| Op::Aggregate(AggregateOp::SumProduct(SumProduct { factors, axis }));
        results.push(apply(product(2), vec![x.into(), w.into()]));
        results.push(apply(product(3), vec![x.into(), y.into(), w.into()]));
    }
    let here = at_one_site(x);
    let square =
        here.slice(..here.nrows().min(here.ncols()), ..here.nrows().min(here.ncols())).expect("they are there");
    let distinct = |what| Op::Aggregate(AggregateOp::Distinct(what));
    results.push(apply(Op::Aggregate(AggregateOp::Trace), vec![square.into()]));
    results.push(apply(distinct(Distinct::Count), vec![here.clone().into()]));
    results.push(apply(distinct(Distinct::Values { rows: 7 }), vec![here.into()]));
    results.push(apply(distinct(Distinct::Registers { bits: 6 }), vec![x.into()]));
    results
}

/// Cumulative aggregates, which may need round trips of their own.
async fn cumulated(x: &FedMatrix) -> Vec<(String, Pending)> {
    let mut results = Vec::new();
    let two = x.columns([0, 1]).expect("there are columns");
    for &function in CumulateFunction::ALL {
        for axis in [Axis::Columns, Axis::Rows] {
            let x = match (function, axis) {
                (CumulateFunction::Cumsumprod, Axis::Rows) => two.t().expect("everything can be transposed"),
                (CumulateFunction::Cumsumprod, _) => two.clone(),
                _ => x.clone(),
            };
            let result = x.cumulate(function, axis).await.expect("a row cut is accepted");
            results.push((format!("{} {}", function.name(), axis.name()), released(Outcome::Fed(result))));
        }
    }
    results
}

/// Keys are the signs of w, and of a column of y.
fn stats(apply: &impl Fn(Op, Vec<Operand>) -> (String, Pending), placed: &Placed) -> Vec<(String, Pending)> {
    let Placed { x, y, w, .. } = placed;
    let sign = |of: &FedMatrix| of.unary(Unary::Sign).expect("it is one's own");
    let (a, b) = (sign(w), sign(&y.slice(.., 1..2).expect("there are two columns")));
    let both = || Operand::from(a.hstack([&b]).expect("rows are aligned"));
    let steps = || Operand::from(Array2::from_shape_fn((4, 1), |(i, _)| 1e9 + 5.0 * i as f64));
    let levels = || Operand::from(ndarray::array![[-1.0, 1.0], [1.0, 1.0], [0.0, 0.5]]);
    let mut results = Vec::new();
    for &ranks in Ranks::ALL {
        for weights in [None, Some(w), Some(y)] {
            let op = StatsOp::RankCounts { ranks, weighted: weights.is_some() };
            let operands = [steps(), x.into()].into_iter().chain(weights.map(Operand::from)).collect();
            results.push(apply(Op::Stats(op), operands));
        }
    }
    for weights in [None, Some(w)] {
        let op = StatsOp::Table { rows: 2, columns: 2, weighted: weights.is_some() };
        let operands = [&a, &b].into_iter().chain(weights).map(Operand::from).collect();
        results.push(apply(Op::Stats(op), operands));
    }
    for &function in GroupFunction::ALL {
        let x = (function != GroupFunction::Count).then(|| Operand::from(x));
        results.push(apply(Op::Stats(StatsOp::Group(function)), [levels(), both()].into_iter().chain(x).collect()));
    }
    results.push(apply(Op::Stats(StatsOp::Levels { most: 9 }), vec![both()]));
    for op in [StatsOp::WeightedMoments { order: 4 }, StatsOp::WeightedCov] {
        results.push(apply(Op::Stats(op), vec![x.into(), w.into()]));
    }
    results
}

fn created(fed: &Federation, layout: &Layout) -> Vec<(String, Pending)> {
    let mut results = Vec::new();
    for distribution in [
        Distribution::Uniform { low: -1.0, high: 1.0 },
        Distribution::Normal { mean: 0.0, std: 1.0 },
        Distribution::Bernoulli { p: 0.5 },
    ] {
        let drawn = fed.rand_sparse(layout, 11, distribution, 0.8).expect("the sites are there");
        results.push((format!("{distribution:?}"), drawn.fetch().expect("it is one's own")));
    }
    let seq = fed.seq(layout, 0.5, 0.1).expect("the sites are there");
    results.push(("seq".to_owned(), seq.fetch().expect("it is one's own")));
    for replace in [false, true] {
        let sample = fed.sample(layout, 1_000_000, replace, 5).expect("there are enough");
        results.push((format!("sample {replace}"), sample.fetch().expect("it is one's own")));
    }
    let filled = fed.fill(layout, 0.1).expect("the sites are there");
    results.push(("fill".to_owned(), filled.fetch().expect("it is one's own")));
    results
}
