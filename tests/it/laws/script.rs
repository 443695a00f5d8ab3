//! Random programs: the same one can be run on any federation, and by the oracle.

use fondaco::{
    AggregateFunction, BinaryFunction, FedMatrix, Op, Operand, Outcome, Pending, Unary,
    op::{AggregateOp, Axis, Binary, ElementwiseOp, MatmulOp, ReorgOp, Scalar, SliceOp, Ternary},
};
use ndarray::Array2;

use crate::{harness::Random, oracle};

/// What an operator is applied to.
#[derive(Clone, Debug)]
enum Given {
    /// An input, or the result of an earlier step that stayed.
    Earlier(usize),
    Array(Array2<f64>),
}

/// One operator; its result stays, or is a result of the program.
#[derive(Clone, Debug)]
struct Step {
    op: Op,
    given: Vec<Given>,
    stays: bool,
}

/// A random program over row-aligned inputs.
#[derive(Debug)]
pub struct Script {
    steps: Vec<Step>,
    /// What the oracle says of inputs and of what stayed.
    values: Vec<Array2<f64>>,
    /// What the oracle says of the results.
    pub results: Vec<Array2<f64>>,
}

/// What a run leaves behind.
pub struct Ran {
    /// Inputs, and what stayed.
    pub matrices: Vec<FedMatrix>,
    /// The cells of these.
    pub stayed: Vec<Array2<f64>>,
    pub results: Vec<Array2<f64>>,
}

/// Which operators a program may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those that are exact on integers, with values that stay below 2^20.
    Exact,
    /// All.
    Any,
}

const EXACT_MAX: f64 = 1_048_576.0;

impl Script {
    /// A program of so many steps over these inputs, of the same number of rows.
    pub fn new(random: &mut Random, kind: Kind, inputs: &[&Array2<f64>], steps: usize) -> Self {
        let values = inputs.iter().map(|input| (*input).clone()).collect();
        let mut script = Self { steps: Vec::new(), values, results: Vec::new() };
        let mut attempts = 0;
        while script.steps.len() < steps {
            attempts += 1;
            assert!(attempts < 100 * steps, "no step fits");
            let step = if random.below(3) == 0 { script.last(random, kind) } else { script.step(random, kind) };
            script.try_add(kind, step);
        }
        script
    }

    fn try_add(&mut self, kind: Kind, step: Step) {
        let inputs: Vec<&Array2<f64>> = step
            .given
            .iter()
            .map(|given| match given {
                Given::Earlier(index) => &self.values[*index],
                Given::Array(array) => array,
            })
            .collect();
        let value = oracle::eval(&step.op, &inputs);
        let small = |value: &Array2<f64>| value.iter().all(|x| x.abs() < EXACT_MAX);
        if (kind == Kind::Exact && step.stays && !small(&value)) || value.ncols() > 12 {
            return;
        }
        match step.stays {
            true => self.values.push(value),
            false => self.results.push(value),
        }
        self.steps.push(step);
    }

    fn any(&self, random: &mut Random) -> usize {
        // Later ones rather than earlier ones, so that programs become deep.
        let (a, b) = (random.below(self.values.len()), random.below(self.values.len()));
        a.max(b)
    }

    /// A step whose result stays.
    fn step(&self, random: &mut Random, kind: Kind) -> Step {
        let x = self.any(random);
        let (n, d) = self.values[x].dim();
        let local = |random: &mut Random, n: usize, d: usize| {
            Given::Array(Array2::from_shape_simple_fn((n, d), || match kind {
                Kind::Exact => random.below(5) as f64 - 2.0,
                Kind::Any => 2.0 * random.unit() - 1.0,
            }))
        };
        let binary = |function, scalar| Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar }));
        let earlier = Given::Earlier(x);
        let (op, given) = match random.below(10) {
            0 | 1 => (Op::Elementwise(ElementwiseOp::Unary(unary(random, kind))), vec![earlier]),
            2 => {
                let number = random.below(7) as f64 - 3.0;
                let scalar = if random.below(2) == 0 { Scalar::Right(number) } else { Scalar::Left(number) };
                (binary(function(random, kind), Some(scalar)), vec![earlier])
            }
            3 => {
                let with = local(random, *random.clone().pick(&[1, n]), *random.clone().pick(&[1, d]));
                (binary(function(random, kind), None), vec![earlier, with])
            }
            4 | 5 => match self.fitting(random, d) {
                Some(y) => (binary(function(random, kind), None), vec![earlier, Given::Earlier(y)]),
                None => (Op::Reorg(ReorgOp::Hstack), vec![earlier.clone(), earlier]),
            },
            6 => {
                let indices = (0..1 + random.below(4)).map(|_| random.below(d) as u64).collect();
                (Op::Slice(SliceOp::Columns(indices)), vec![earlier])
            }
            7 => (Op::Reorg(ReorgOp::Hstack), vec![earlier, Given::Earlier(self.any(random))]),
            8 => {
                let columns = 1 + random.below(4);
                (Op::Matmul(MatmulOp::Product), vec![earlier, local(random, d, columns)])
            }
            _ => (ternary(random), vec![earlier]),
        };
        Step { op, given, stays: true }
    }

    /// An earlier matrix that broadcasts with so many columns.
    fn fitting(&self, random: &mut Random, columns: usize) -> Option<usize> {
        let fits = |index: &usize| self.values[*index].ncols() == columns || self.values[*index].ncols() == 1;
        let fitting: Vec<usize> = (0..self.values.len()).filter(fits).collect();
        (!fitting.is_empty()).then(|| *random.pick(&fitting))
    }

    /// A step whose result is released.
    fn last(&self, random: &mut Random, kind: Kind) -> Step {
        use AggregateFunction::{Max, Mean, Min, Nnz, Std, Sum, Sumsq, Var};
        let (x, y) = (self.any(random), self.any(random));
        let d = self.values[x].ncols();
        let v = Array2::from_shape_fn((d, 1), |(i, _)| i as f64 - 1.0);
        let (op, given) = match random.below(6) {
            0 => (Op::Matmul(MatmulOp::Gram), vec![Given::Earlier(x)]),
            1 => (Op::Matmul(MatmulOp::Cross), vec![Given::Earlier(x), Given::Earlier(y)]),
            2 => (Op::Matmul(MatmulOp::Mmchain), vec![Given::Array(v), Given::Earlier(x)]),
            _ => {
                let exact = [Sum, Sumsq, Min, Max, Nnz];
                let any = [Sum, Sumsq, Min, Max, Nnz, Mean, Var, Std];
                let function = *random.pick(if kind == Kind::Exact { &exact } else { &any });
                let axis = *random.pick(&[Axis::All, Axis::Columns]);
                (Op::Aggregate(AggregateOp::new(function, axis)), vec![Given::Earlier(x)])
            }
        };
        Step { op, given, stays: false }
    }

    /// Runs it, in one round trip, over these inputs.
    pub async fn run(&self, inputs: &[FedMatrix]) -> Ran {
        let mut matrices = inputs.to_vec();
        let mut pending: Vec<Pending> = Vec::new();
        for step in &self.steps {
            let operands = step.given.iter().map(|given| match given {
                Given::Earlier(index) => Operand::from(&matrices[*index]),
                Given::Array(array) => Operand::from(array),
            });
            let outcome = matrices[0].apply(&step.op, operands.collect()).expect("rows are aligned");
            match (outcome, step.stays) {
                (Outcome::Fed(matrix), true) => matrices.push(matrix),
                (Outcome::Local(result), false) => pending.push(result),
                (Outcome::Fed(_), false) | (Outcome::Local(_), true) => panic!("{}: stays or not", step.op.name()),
            }
        }
        let (mut results, mut stayed) = (Vec::new(), Vec::new());
        let fetched: Vec<Pending> = matrices.iter().map(fetched).collect();
        for pending in pending {
            results.push(pending.await.expect("it is one's own"));
        }
        for pending in fetched {
            stayed.push(pending.await.expect("it is one's own"));
        }
        Ran { matrices, stayed, results }
    }

    /// What the oracle says of inputs and of what stayed.
    pub fn values(&self) -> &[Array2<f64>] {
        &self.values
    }
}

/// The cells of a matrix, when they are there.
pub fn fetched(matrix: &FedMatrix) -> Pending {
    matrix.fetch().expect("its program did not fail")
}

fn unary(random: &mut Random, kind: Kind) -> Unary {
    use Unary::{Abs, Ceil, Floor, Isinf, Isnan, Negative, Not, Round, Sign};
    match kind {
        Kind::Exact => *random.pick(&[Negative, Abs, Sign, Floor, Ceil, Round, Not, Isnan, Isinf]),
        Kind::Any => *random.pick(Unary::ALL),
    }
}

fn function(random: &mut Random, kind: Kind) -> BinaryFunction {
    use BinaryFunction::{Divide, FloorDivide, Modulo, Power};
    let inexact = [Divide, FloorDivide, Modulo, Power];
    let functions = BinaryFunction::ALL.iter().filter(|function| kind == Kind::Any || !inexact.contains(function));
    *random.pick(&functions.copied().collect::<Vec<_>>())
}

fn ternary(random: &mut Random) -> Op {
    let number = |random: &mut Random| random.below(5) as f64 - 2.0;
    Op::Elementwise(ElementwiseOp::Ternary(if random.below(2) == 0 {
        Ternary::Clip { low: number(random) - 4.0, high: number(random) + 4.0 }
    } else {
        Ternary::Replace { pattern: number(random), value: number(random) }
    }))
}
