//! What each operator means, in plain ndarray: written down once more, as simply as can be, from OPERATORS' NumPy
//! expressions, and never from the worker's kernels.

use fondaco_proto::{
    Op,
    op::{
        AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, CreateOp, ElementwiseOp, MatmulOp, ReorgOp,
        Scalar, SliceOp, Ternary, Unary,
    },
};
use ndarray::{Array2, ArrayView2, Axis as Along, Zip, concatenate, s};

/// The value of an operator on these inputs, whose shapes fit.
///
/// # Panics
/// For a read or a random matrix: what these hold, the caller knows.
pub fn eval(op: &Op, inputs: &[&Array2<f64>]) -> Array2<f64> {
    match op {
        Op::Create(CreateOp::Put(block)) => {
            let (rows, columns) = (block.shape().rows as usize, block.shape().columns as usize);
            let transposed = Array2::from_shape_vec((columns, rows), block.values()).expect("a block fits its shape");
            transposed.reversed_axes()
        }
        Op::Create(CreateOp::Fill(fill)) => {
            Array2::from_elem((fill.shape.rows as usize, fill.shape.columns as usize), fill.value)
        }
        Op::Create(CreateOp::Read(_) | CreateOp::Rand(_)) => panic!("the oracle holds no data"),
        Op::Elementwise(op) => elementwise(op, inputs),
        Op::Aggregate(op) => aggregate(op, &stack(inputs)),
        Op::Matmul(kind) => matmul(*kind, inputs),
        Op::Reorg(ReorgOp::Transpose) => inputs[0].t().to_owned(),
        Op::Reorg(ReorgOp::Vstack) => stack(inputs),
        Op::Reorg(ReorgOp::Hstack) => join(inputs, 1),
        Op::Slice(SliceOp::Range { rows, columns }) => {
            let (rows, columns) = (rows.start as usize..rows.end as usize, columns.start as usize..columns.end as usize);
            inputs[0].slice(s![rows, columns]).to_owned()
        }
        Op::Slice(SliceOp::Columns(indices)) => {
            let indices: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
            inputs[0].select(Along(1), &indices)
        }
    }
}

fn stack(parts: &[&Array2<f64>]) -> Array2<f64> {
    join(parts, 0)
}

fn join(parts: &[&Array2<f64>], axis: usize) -> Array2<f64> {
    let views: Vec<ArrayView2<f64>> = parts.iter().map(|part| part.view()).collect();
    concatenate(Along(axis), &views).expect("the parts fit")
}

fn elementwise(op: &ElementwiseOp, inputs: &[&Array2<f64>]) -> Array2<f64> {
    match *op {
        ElementwiseOp::Unary(Unary::Softmax) => softmax(inputs[0], f64::exp, |e, sum| e.exp() / sum),
        ElementwiseOp::Unary(Unary::LogSoftmax) => softmax(inputs[0], f64::exp, |e, sum| e - sum.ln()),
        ElementwiseOp::Unary(function) => inputs[0].mapv(|x| unary(function, x)),
        ElementwiseOp::Binary(Binary { function, scalar }) => match scalar {
            None => cells([inputs[0], inputs[1]], |[x, y]| binary(function, x, y)),
            Some(Scalar::Right(y)) => inputs[0].mapv(|x| binary(function, x, y)),
            Some(Scalar::Left(x)) => inputs[0].mapv(|y| binary(function, x, y)),
        },
        ElementwiseOp::Ternary(ternary) => match ternary {
            Ternary::Where => {
                cells([inputs[0], inputs[1], inputs[2]], |[c, x, y]| if c == 0.0 { y } else { x })
            }
            Ternary::PlusMultiply(scale) => cells([inputs[0], inputs[1]], |[x, y]| x + scale * y),
            Ternary::MinusMultiply(scale) => cells([inputs[0], inputs[1]], |[x, y]| x - scale * y),
            Ternary::Clip { low, high } => inputs[0].mapv(|x| smaller(larger(x, low), high)),
            Ternary::Replace { pattern, value } => {
                inputs[0].mapv(|x| if x == pattern || (x.is_nan() && pattern.is_nan()) { value } else { x })
            }
        },
    }
}

/// Cell by cell, broadcast to the common shape.
fn cells<const N: usize>(inputs: [&Array2<f64>; N], f: impl Fn([f64; N]) -> f64) -> Array2<f64> {
    let extent = |axis: usize| {
        let extents = inputs.iter().map(|input| input.shape()[axis]);
        extents.fold(1, |common, extent| if common == 1 { extent } else { common })
    };
    let shape = (extent(0), extent(1));
    let inputs = inputs.map(|input| input.broadcast(shape).expect("the shapes broadcast"));
    Array2::from_shape_fn(shape, |at| f(inputs.each_ref().map(|input| input[at])))
}

fn softmax(x: &Array2<f64>, weigh: fn(f64) -> f64, finish: fn(f64, f64) -> f64) -> Array2<f64> {
    let mut out = x.clone();
    for mut row in out.rows_mut() {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, larger);
        row.mapv_inplace(|x| x - top);
        let sum: f64 = row.iter().copied().map(weigh).sum();
        row.mapv_inplace(|x| finish(x, sum));
    }
    out
}

fn unary(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Negative => -x,
        Unary::Abs => x.abs(),
        Unary::Sign if x.is_nan() || x == 0.0 => x,
        Unary::Sign => x.signum(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tan => x.tan(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Isnan => truth(x.is_nan()),
        Unary::Isinf => truth(x.is_infinite()),
        Unary::Not => truth(x == 0.0),
        Unary::Softmax | Unary::LogSoftmax => panic!("softmax is of a row"),
    }
}

fn binary(function: BinaryFunction, x: f64, y: f64) -> f64 {
    match function {
        BinaryFunction::Add => x + y,
        BinaryFunction::Subtract => x - y,
        BinaryFunction::Multiply => x * y,
        BinaryFunction::Divide => x / y,
        BinaryFunction::Power => x.powf(y),
        BinaryFunction::Modulo => divmod(x, y).1,
        BinaryFunction::FloorDivide => divmod(x, y).0,
        BinaryFunction::Minimum => smaller(x, y),
        BinaryFunction::Maximum => larger(x, y),
        BinaryFunction::Equal => truth(x == y),
        BinaryFunction::NotEqual => truth(x != y),
        BinaryFunction::Less => truth(x < y),
        BinaryFunction::LessEqual => truth(x <= y),
        BinaryFunction::Greater => truth(x > y),
        BinaryFunction::GreaterEqual => truth(x >= y),
        BinaryFunction::And => truth(x != 0.0 && y != 0.0),
        BinaryFunction::Or => truth(x != 0.0 || y != 0.0),
        BinaryFunction::Xor => truth((x != 0.0) != (y != 0.0)),
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// `np.maximum`.
fn larger(x: f64, y: f64) -> f64 {
    if x.is_nan() || x > y { x } else { y }
}

/// `np.minimum`.
fn smaller(x: f64, y: f64) -> f64 {
    if x.is_nan() || x < y { x } else { y }
}

/// `np.divmod`: the remainder has the divisor's sign.
fn divmod(x: f64, y: f64) -> (f64, f64) {
    let mut remainder = x % y;
    if y == 0.0 {
        return (x / y, remainder);
    }
    let mut quotient = (x - remainder) / y;
    if remainder == 0.0 {
        remainder = 0.0_f64.copysign(y);
    } else if (y < 0.0) != (remainder < 0.0) {
        remainder += y;
        quotient -= 1.0;
    }
    let floor = quotient.floor();
    let floor = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
    (if quotient == 0.0 { 0.0_f64.copysign(x / y) } else { floor }, remainder)
}

fn aggregate(op: &AggregateOp, x: &Array2<f64>) -> Array2<f64> {
    let series: Vec<Vec<f64>> = match op.axis {
        Axis::All => vec![x.iter().copied().collect()],
        Axis::Columns => x.columns().into_iter().map(|column| column.to_vec()).collect(),
        Axis::Rows => x.rows().into_iter().map(|row| row.to_vec()).collect(),
    };
    let width = if op.function == AggregateFunction::Moments { 3 } else { 1 };
    let cells: Vec<f64> = series.iter().flat_map(|series| reduce(op, series)).collect();
    let by_series = Array2::from_shape_vec((series.len(), width), cells).expect("one result per series");
    if op.axis == Axis::Rows { by_series } else { by_series.reversed_axes() }
}

fn reduce(op: &AggregateOp, x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = sum(x.iter().copied()) / n;
    let squares = || sum(x.iter().map(|x| (x - mean) * (x - mean)));
    vec![match op.function {
        AggregateFunction::Sum => sum(x.iter().copied()),
        AggregateFunction::Sumsq => sum(x.iter().map(|x| x * x)),
        AggregateFunction::Mean => mean,
        AggregateFunction::Var => squares() / (n - f64::from(op.ddof)),
        AggregateFunction::Std => (squares() / (n - f64::from(op.ddof))).sqrt(),
        AggregateFunction::Min => x.iter().copied().fold(f64::INFINITY, |a, b| smaller(b, a)),
        AggregateFunction::Max => x.iter().copied().fold(f64::NEG_INFINITY, |a, b| larger(b, a)),
        AggregateFunction::Nnz => x.iter().filter(|x| **x != 0.0).count() as f64,
        AggregateFunction::Moments => return vec![n, mean, squares()],
    }]
}

/// A sum that keeps what rounding loses (Neumaier).
fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for term in terms {
        let next = sum + term;
        lost += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    if lost.is_finite() { sum + lost } else { sum }
}

fn matmul(kind: MatmulOp, inputs: &[&Array2<f64>]) -> Array2<f64> {
    let (head, parts) = match kind {
        MatmulOp::Product | MatmulOp::Gram | MatmulOp::Cross => (None, inputs),
        MatmulOp::Mmchain | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => (Some(inputs[0]), &inputs[1..]),
    };
    let group = match kind {
        MatmulOp::Gram | MatmulOp::Mmchain => 1,
        MatmulOp::Product | MatmulOp::Cross | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => 2,
    };
    let of_part = |part: &[&Array2<f64>]| {
        let x = part[0];
        let inner = || x.dot(head.expect("a chain has its v"));
        match kind {
            MatmulOp::Product => x.dot(part[1]),
            MatmulOp::Gram => x.t().dot(x),
            MatmulOp::Cross => x.t().dot(part[1]),
            MatmulOp::Mmchain => x.t().dot(&inner()),
            MatmulOp::MmchainWeighted => x.t().dot(&(part[1] * &inner())),
            MatmulOp::MmchainMinus => x.t().dot(&(inner() - part[1])),
        }
    };
    let products = parts.chunks(group).map(of_part);
    products.reduce(|sum, next| Zip::from(&sum).and(&next).map_collect(|a, b| a + b)).expect("there is a part")
}
