//! The main kernels on a million rows: `cargo bench -p fondaco-worker --bench kernels`. `FONDACO_BENCH_ROWS` sets
//! another number of rows.
#![expect(clippy::expect_used, reason = "a benchmark ends where it cannot go on")]

use std::{slice, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fondaco_proto::{
    Axes, Facet, Measure, Op, Shape,
    op::{
        AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, CreateOp, Distribution, ElementwiseOp, MatmulOp,
        Rand, Unary,
    },
};
use fondaco_worker::{
    cancel::Cancel,
    kernels::{self, Context},
    matrix::Matrix,
    memory::Memory,
    support,
};

const COLUMNS: u64 = 100;

fn rows() -> u64 {
    std::env::var("FONDACO_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000)
}

fn random(rows: u64, columns: u64) -> Op {
    Op::Create(CreateOp::Rand(Rand {
        shape: Shape::new(rows, columns),
        seed: 1,
        row_offset: 0,
        column_offset: 0,
        density: 1.0,
        distribution: Distribution::Normal { mean: 0.5, std: 1.0 },
    }))
}

/// The pool, the memory, and the inputs.
struct Bench {
    pool: rayon::ThreadPool,
    memory: Arc<Memory>,
}

impl Bench {
    fn run(&self, op: &Op, inputs: &[Matrix]) -> Matrix {
        self.with(|cx| kernels::run(op, inputs, cx).expect("shapes fit"))
    }

    fn with<R: Send>(&self, f: impl FnOnce(&Context<'_>) -> R + Send) -> R {
        let cancel = Cancel::default();
        self.pool.install(|| f(&Context { memory: &self.memory, cancel: &cancel, parallel: true }))
    }
}

fn all(criterion: &mut Criterion) {
    kernels::single_threaded_blas();
    let bench =
        Bench { pool: rayon::ThreadPoolBuilder::new().build().expect("threads"), memory: Memory::new(16 << 30) };
    let rows = rows();
    let x = bench.run(&random(rows, COLUMNS), &[]);
    let (v, y, a) =
        (bench.run(&random(COLUMNS, 1), &[]), bench.run(&random(rows, 1), &[]), bench.run(&random(COLUMNS, 10), &[]));
    let mut group = criterion.benchmark_group(format!("{rows}x{COLUMNS} {}", kernels::blas_core_name()));
    group.sample_size(10).throughput(Throughput::Bytes(x.bytes()));
    let mut time = |name: &str, op: Op, inputs: &[&Matrix]| {
        let inputs: Vec<Matrix> = inputs.iter().map(|&input| input.clone()).collect();
        group.bench_function(name, |bencher| bencher.iter(|| bench.run(&op, &inputs)));
    };
    time("gram", Op::Matmul(MatmulOp::Gram), &[&x]);
    time("mmchain", Op::Matmul(MatmulOp::Mmchain), &[&v, &x]);
    time("mmchain_minus", Op::Matmul(MatmulOp::MmchainMinus), &[&v, &x, &y]);
    time("x@v", Op::Matmul(MatmulOp::Product), &[&x, &v]);
    time("x@a", Op::Matmul(MatmulOp::Product), &[&x, &a]);
    time("x.T@y", Op::Matmul(MatmulOp::Cross), &[&x, &y]);
    use AggregateFunction::{Max, Mean, Min, Sum, Var};
    for function in [Sum, Mean, Var, Min, Max] {
        for axis in [Axis::Columns, Axis::Rows] {
            let name = format!("{} {}", function.name(), axis.name());
            time(&name, Op::Aggregate(AggregateOp::new(function, axis)), &[&x]);
        }
    }
    let binary = |function| Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None }));
    time("x+x", binary(BinaryFunction::Add), &[&x, &x]);
    time("x*column", binary(BinaryFunction::Multiply), &[&x, &y]);
    time("x>=x", binary(BinaryFunction::GreaterEqual), &[&x, &x]);
    for function in [Unary::Exp, Unary::Log, Unary::Sigmoid, Unary::Floor, Unary::Softmax] {
        time(function.name(), Op::Elementwise(ElementwiseOp::Unary(function)), &[&x]);
    }
    time("rand", random(rows, COLUMNS), &[]);
    group.bench_function("untransposed", |bencher| {
        let flipped = x.transpose();
        bencher.iter(|| bench.with(|cx| kernels::untransposed(&flipped, cx).expect("it fits")));
    });
    for (name, op, measure) in [
        ("support: cells", Op::Elementwise(ElementwiseOp::Unary(Unary::Negative)), Measure::Cells(vec![])),
        ("support: digits", Op::Elementwise(ElementwiseOp::Unary(Unary::Negative)), Measure::Linear),
        ("support: gram's terms", Op::Matmul(MatmulOp::Gram), Measure::Terms(vec![])),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let inputs = slice::from_ref(&x);
                let axes = if matches!(op, Op::Matmul(_)) { Axes::None } else { Axes::Rows };
                let (op, output, input_axes, input_noise) = (&op, &x, &[Axes::Rows], &[0.0]);
                bench.with(|cx| {
                    let facets = &[Facet { shape: x.shape(), axes: Axes::Rows, plain: true, native: true }];
                    let step = support::Step { op, inputs, facets, input_axes, input_noise, output, axes, cx };
                    step.measure(&measure).expect("it fits")
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
