use std::slice;

use fondaco_proto::{
    Axes, Facet, Measure, Op,
    op::{
        AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, ElementwiseOp, MatmulOp, ReorgOp, Scalar, Unary,
    },
};

use super::*;
use crate::kernels::{
    run,
    testing::{for_each_pool, matrix, oriented, random, serially, values},
    untransposed,
};

/// The support of one column of these terms, however it is stored.
fn of(cells: &[f64], centre: Centre) -> Support {
    serially(|cx| {
        let n = cells.len();
        let column = matrix(n, 1, cells, cx);
        let support = series(&column, true, centre, cx).unwrap();
        assert_eq!(support, series(&column.transpose(), false, centre, cx).unwrap());
        let row = matrix(1, n, cells, cx);
        let across = series(&row, false, centre, cx).unwrap();
        assert!(near(support, across), "{support:?} {across:?}");
        support
    })
}

fn near(a: Support, b: Support) -> bool {
    a.rows == b.rows && (a.effective == b.effective || (a.effective / b.effective - 1.0).abs() < 1e-8)
}

/// `n` cells of `base`, but `value` in the first `count` of every third.
fn but(n: usize, base: f64, count: usize, value: f64) -> Vec<f64> {
    let mut cells = vec![base; n];
    cells.iter_mut().step_by(3).take(count).for_each(|cell| *cell = value);
    cells
}

#[test]
fn the_weakest_is_the_least_of_each() {
    let (a, b) =
        (Support { effective: 2.0, ..Support::equal(3.0) }, Support { effective: f64::NAN, ..Support::equal(1.0) });
    assert_eq!(a.weakest(b), Support { effective: 0.0, ..Support::equal(1.0) });
    assert_eq!(a.weakest(Support::FULL), a);
    assert_eq!(Support::NONE.weakest(a), Support::NONE);
}

#[test]
fn few_rows_show() {
    for n in [30, 5_000, 9_000] {
        for centre in [Centre::Data, Centre::Weights] {
            let one_hot = of(&but(n, 0.0, 1, 7.0), centre);
            assert_eq!(one_hot, Support::equal(1.0));
            let nearly = of(&but(n, 1e-9, 1, 1.0), centre);
            assert!(nearly.effective < 1.01, "{nearly:?}");
            let hidden = of(&but(n, 1.0, 1, 2.0), centre);
            assert_eq!(hidden, Support::equal(1.0));
            for few in [4, 5] {
                assert_eq!(of(&but(n, 0.0, few, 0.1), centre), Support::equal(few as f64), "a mask");
                assert_eq!(of(&but(n, 1.0, few, 0.0), centre), Support::equal(few as f64), "a complement");
            }
            assert_eq!(of(&vec![0.0; n], centre), Support::NONE);
        }
        assert_eq!(of(&vec![3.7; n], Centre::Data), Support::NONE);
        assert_eq!(of(&vec![3.7; n], Centre::Weights), Support::equal(n as f64));
        let spread = of(&values(1, n), Centre::Data);
        assert!(spread.rows >= n as f64 - 1.0 && spread.effective > 0.6 * n as f64, "{spread:?}");
        // exp(1e6 x) is one row's, though all rows are in it.
        let steep: Vec<f64> = (0..n).map(|i| (f64::from(i as u32) / n as f64 * 600.0).exp()).collect();
        assert!(of(&steep, Centre::Data).effective < 4.0 + n as f64 / 300.0);
        let top = values(2, n).into_iter().fold(0.0, f64::max);
        let clipped: Vec<f64> = values(2, n).into_iter().map(|x| x.max(top - 1e-12)).collect();
        assert_eq!(of(&clipped, Centre::Data).rows, 1.0, "max(x, t) with one row above t");
    }
}

#[test]
fn rows_beside_plateaus_are_none_or_enough() {
    for n in [30, 900, 9_000] {
        let step = |few: usize, other: f64| {
            let mut cells = but(n, -1.0, n / 3, 1.0);
            cells
                .iter_mut()
                .skip(1)
                .step_by(3)
                .take(few)
                .enumerate()
                .for_each(|(i, cell)| *cell = other + i as f64 / 9.0);
            of(&cells, Centre::Data)
        };
        assert!(step(0, 0.0).effective > 5.0, "a mask");
        for few in [1, 2, 4] {
            for other in [0.3, 1e-9, 40.0] {
                assert!(step(few, other).rows <= 4.0, "{few} rows from {other} on of {n}");
            }
        }
        assert!(step(8, 0.2).effective > 5.0);
        // A side of which a sample may have nobody.
        let mut narrow = but(n, 0.0, 6, 1.0);
        assert_eq!(of(&narrow, Centre::Data), Support::equal(6.0));
        narrow[1] = 0.7;
        assert_eq!(of(&narrow, Centre::Data), Support::equal(1.0));
        assert!(of(&narrow, Centre::Weights).effective > 5.0);
        // The steps beside terms that are very many times larger.
        let mut beside = but(n, -1.0, n / 3, 1.0);
        beside.iter_mut().skip(2).step_by(3).for_each(|cell| *cell = 1e15);
        assert!(of(&beside, Centre::Data).effective > 5.0);
        beside[1] = 0.5;
        assert_eq!(of(&beside, Centre::Data), Support::equal(1.0));
    }
    for cells in [[1.0; 6].as_slice(), &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]] {
        assert!(of(cells, Centre::Data).rows <= 1.0);
    }
}

#[test]
fn what_is_not_finite_dominates() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for count in [1, 4, 6] {
            let mut cells = values(1, 5_000);
            cells.iter_mut().step_by(700).take(count).for_each(|cell| *cell = bad);
            assert_eq!(of(&cells, Centre::Data), Support::equal(count as f64));
        }
        assert_eq!(of(&[bad; 10], Centre::Weights), Support::equal(10.0));
    }
    let steep: Vec<f64> = values(1, 2_000).iter().map(|x| (1e6 * x).exp()).collect();
    let overflown = steep.iter().filter(|x| x.is_infinite()).count();
    assert_eq!(of(&steep, Centre::Data), Support::equal(overflown as f64));
}

#[test]
fn scales_do_not_matter() {
    let expected = of(&values(1, 5_000), Centre::Data);
    for scale in [2.0_f64.powi(-290), 2.0_f64.powi(290), 3e-60, 7e80] {
        let cells: Vec<f64> = values(1, 5_000).iter().map(|x| x * scale).collect();
        assert!(near(of(&cells, Centre::Data), expected), "{scale}");
    }
    // What is multiplied with them vanishes, or overflows, for most rows.
    for edge in [5e-324, 1e-200, 1e200, f64::MAX] {
        assert_eq!(of(&but(100, 0.0, 7, edge), Centre::Data), Support::NONE);
    }
}

#[test]
fn empty_series_and_none() {
    serially(|cx| {
        let (no_rows, no_columns) = (matrix(0, 3, &[], cx), matrix(3, 0, &[], cx));
        assert_eq!(series(&no_rows, true, Centre::Data, cx).unwrap(), Support::NONE);
        assert_eq!(series(&no_columns, true, Centre::Data, cx).unwrap(), Support::FULL);
        assert_eq!(series(&no_rows, false, Centre::Data, cx).unwrap(), Support::FULL);
        assert_eq!(series(&no_columns, false, Centre::Data, cx).unwrap(), Support::NONE);
    });
}

#[test]
fn the_weakest_series_counts_whatever_the_threads() {
    for_each_pool(|cx| {
        let mut cells = values(3, 3 * 9_000);
        cells[9_000..18_000].fill(0.0);
        cells[12_345..12_351].fill(2.0);
        let x = matrix(9_000, 3, &cells, cx);
        let (columns, rows) =
            (series(&x, true, Centre::Data, cx).unwrap(), series(&x, false, Centre::Data, cx).unwrap());
        assert_eq!(columns, Support::equal(6.0));
        assert!(rows.rows >= 1.0 && rows.rows <= 2.0, "{rows:?}");
        let y = random(1, 9_000, 70, cx);
        let spread = series(&y, true, Centre::Data, cx).unwrap();
        matrix(1, 4, &[columns.rows, rows.effective, spread.rows, spread.effective], cx)
    });
}

/// What an operator on inputs with these axes measures.
fn measured(op: &Op, how: &Measure, inputs: &[Matrix], axes: Axes, of: Axes, cx: &Context<'_>) -> Support {
    let output = run(op, inputs, cx).unwrap();
    let (input_axes, input_noise) = (&vec![of; inputs.len()], &vec![0.0; inputs.len()]);
    let facet = |x: &Matrix| Facet { shape: x.shape(), axes: of, plain: false, native: false };
    let facets = &inputs.iter().map(facet).collect::<Vec<_>>();
    Step { op, inputs, facets, input_axes, input_noise, output: &output, axes, cx }.measure(how).unwrap()
}

fn aggregate(function: AggregateFunction, axis: Axis) -> Op {
    Op::Aggregate(AggregateOp::new(function, axis))
}

#[test]
fn plain_rows_are_counted_over_all_parts() {
    for_each_pool(|cx| {
        let parts = [random(1, 30, 4, cx), random(2, 0, 4, cx), oriented(3, 12, 4, true, cx)];
        let sum = aggregate(AggregateFunction::Sum, Axis::Columns);
        let of_sum = measured(&sum, &Measure::Count, &parts, Axes::None, Axes::Rows, cx);
        assert_eq!(of_sum, Support::equal(42.0));
        let gram = Op::Matmul(MatmulOp::Gram);
        assert_eq!(measured(&gram, &Measure::Count, &parts, Axes::None, Axes::Rows, cx), Support::equal(42.0));
        let total = aggregate(AggregateFunction::Sum, Axis::All);
        let flipped = [parts[0].transpose()];
        let of_total = measured(&total, &Measure::Count, &flipped, Axes::None, Axes::Columns, cx);
        assert_eq!(of_total, Support::equal(30.0));
        let pair = [random(1, 2, 30, cx), random(1, 30, 4, cx)];
        let product = Op::Matmul(MatmulOp::Product);
        assert_eq!(measured(&product, &Measure::Count, &pair, Axes::None, Axes::Rows, cx), Support::equal(30.0));
        assert_eq!(measured(&product, &Measure::Inherit, &pair, Axes::None, Axes::Rows, cx), Support::FULL);
        matrix(0, 0, &[], cx)
    });
}

#[test]
fn weights_of_products_run_over_all_parts() {
    serially(|cx| {
        let x = random(1, 3_000, 4, cx);
        let product = Op::Matmul(MatmulOp::Product);
        let ask = |weights: &[&[f64]]| {
            let inputs: Vec<Matrix> = weights.iter().flat_map(|w| [matrix(1, 3_000, w, cx), x.clone()]).collect();
            let how = Measure::Weights((0..inputs.len()).step_by(2).collect());
            measured(&product, &how, &inputs, Axes::None, Axes::Rows, cx)
        };
        let (ones, zeros) = (vec![1.0; 3_000], vec![0.0; 3_000]);
        assert_eq!(ask(&[&but(3_000, 0.0, 1, 1.0)]), Support::equal(1.0));
        assert_eq!(ask(&[&ones]), Support::equal(3_000.0));
        assert_eq!(ask(&[&ones, &ones]), Support::equal(6_000.0));
        assert_eq!(ask(&[&but(3_000, 0.0, 3, 1.0), &but(3_000, 0.0, 2, 1.0)]), Support::equal(5.0));
        assert_eq!(ask(&[&zeros, &but(3_000, 0.0, 6, 1.0)]), Support::equal(6.0));
        assert_eq!(ask(&[&zeros, &zeros]), Support::NONE);
        // One part all ones, the other one hot: what all but one row have hides none of them.
        assert_eq!(ask(&[&ones, &but(3_000, 1.0, 1, 0.0)]), Support::equal(1.0));

        let weighted = Op::Matmul(MatmulOp::MmchainWeighted);
        let inputs = [matrix(4, 1, &[1.0; 4], cx), x.clone(), matrix(3_000, 1, &but(3_000, 0.0, 2, 1.0), cx)];
        let how = Measure::Weights(vec![2]);
        assert_eq!(measured(&weighted, &how, &inputs, Axes::None, Axes::Rows, cx), Support::equal(2.0));
        let cross = Op::Matmul(MatmulOp::Cross);
        let inputs = [matrix(3_000, 1, &but(3_000, 0.0, 8, 1.0), cx), x.clone()];
        let how = Measure::Weights(vec![0]);
        assert_eq!(measured(&cross, &how, &inputs, Axes::None, Axes::Rows, cx), Support::equal(8.0));
    });
}

#[test]
fn cells_of_what_is_not_plain() {
    serially(|cx| {
        let x = matrix(2_000, 2, &values(1, 4_000), cx);
        let largest = values(1, 2_000).into_iter().fold(f64::MIN, f64::max);
        let scalar =
            |function, s| Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: Some(Scalar::Right(s)) }));
        let how = Measure::Cells(vec![]);
        let mask = scalar(BinaryFunction::GreaterEqual, largest);
        let of_mask = measured(&mask, &how, slice::from_ref(&x), Axes::Rows, Axes::Rows, cx);
        assert!(of_mask.rows <= 1.0, "{of_mask:?}");
        let scaled = scalar(BinaryFunction::Multiply, 1e6);
        let steep = run(&scaled, slice::from_ref(&x), cx).unwrap();
        let exp = Op::Elementwise(ElementwiseOp::Unary(Unary::Exp));
        assert!(measured(&exp, &how, &[steep], Axes::Rows, Axes::Rows, cx).rows < 2_000.0);
        let of_exp = measured(&exp, &how, slice::from_ref(&x), Axes::Rows, Axes::Rows, cx);
        assert!(of_exp.effective > 500.0, "{of_exp:?}");
        // An upload that weighs rows, cell by cell; along an axis it is stretched over, it weighs none.
        let times = Op::Elementwise(ElementwiseOp::Binary(Binary { function: BinaryFunction::Multiply, scalar: None }));
        let how = Measure::Cells(vec![1]);
        let hot = matrix(2_000, 1, &but(2_000, 0.0, 3, 1.0), cx);
        assert_eq!(measured(&times, &how, &[x.clone(), hot], Axes::Rows, Axes::Rows, cx).rows, 3.0);
        let across = matrix(1, 2, &[1.0, 2.0], cx);
        assert!(measured(&times, &how, &[x.clone(), across], Axes::Rows, Axes::Rows, cx).rows > 1_990.0);
        let hidden = matrix(2_000, 1, &but(2_000, 1.0, 1, 5.0), cx);
        let stack = Op::Reorg(ReorgOp::Hstack);
        let how = Measure::Weights(vec![1]);
        assert_eq!(measured(&stack, &how, &[x.clone(), hidden.clone()], Axes::Rows, Axes::Rows, cx).rows, 1.0);
        let flipped = [x.transpose(), hidden.transpose()];
        let stack = Op::Reorg(ReorgOp::Vstack);
        assert_eq!(measured(&stack, &how, &flipped, Axes::Columns, Axes::Columns, cx).rows, 1.0);
    });
}

#[test]
fn terms_of_aggregates() {
    serially(|cx| {
        let mut cells = values(1, 4_000);
        cells[..2_000].fill(0.0);
        cells[100..107].fill(1.0);
        let x = matrix(2_000, 2, &cells, cx);
        let how = Measure::Terms(vec![]);
        let ask = |function, axis, x: &Matrix, axes| {
            measured(&aggregate(function, axis), &how, slice::from_ref(x), Axes::None, axes, cx)
        };
        for (x, axis, axes) in [(&x, Axis::Columns, Axes::Rows), (&x.transpose(), Axis::Rows, Axes::Columns)] {
            for (shifted, rows) in [(false, 7.0), (true, 0.0)] {
                let nnz = aggregate(AggregateFunction::Nnz, axis);
                let how = Measure::NonZero { shifted };
                let of = measured(&nnz, &how, slice::from_ref(x), Axes::None, axes, cx);
                assert_eq!(of, Support::equal(rows), "no zeros at all are the data's own, or somebody's guess");
            }
            assert_eq!(ask(AggregateFunction::Sum, axis, x, axes), Support::equal(2_000.0));
            assert_eq!(ask(AggregateFunction::Sumsq, axis, x, axes), Support::equal(7.0));
            assert_eq!(ask(AggregateFunction::Var, axis, x, axes), Support::equal(7.0));
            assert!(ask(AggregateFunction::Sumsq, Axis::All, x, axes).rows > 1_900.0);
        }
    });
}

/// The weakest cell of `a.T @ b` by definition.
fn naive_terms(a: &Matrix, b: &Matrix) -> Support {
    let mut weakest = Support::FULL;
    for (i, j) in (0..a.columns()).flat_map(|i| (0..b.columns()).map(move |j| (i, j))) {
        let pairs: Vec<(f64, f64)> = (0..a.rows()).map(|k| (a.get(k, i), b.get(k, j))).collect();
        let bad = pairs.iter().filter(|(a, b)| !a.is_finite() || !b.is_finite()).count();
        let terms: Vec<f64> = pairs.iter().map(|(a, b)| (a * b).abs()).collect();
        weakest = weakest.weakest(if bad > 0 {
            Support::equal(bad as f64)
        } else {
            let (sum, squares) = (terms.iter().sum::<f64>(), terms.iter().map(|t| t * t).sum::<f64>());
            let rows = terms.iter().filter(|t| **t != 0.0).count() as f64;
            Support { effective: sum * sum / squares, ..Support::equal(rows) }
        });
    }
    weakest
}

#[test]
fn terms_of_products() {
    for bad in [0, 1, 6] {
        for flags in 0..4 {
            for_each_pool(|cx| {
                let mut cells = values(1, 3 * 5_000);
                cells[5_000..9_000].fill(0.0);
                cells.iter_mut().step_by(2_000).take(bad).for_each(|cell| *cell = f64::INFINITY);
                let a = matrix(5_000, 3, &cells, cx);
                let a = if flags & 1 == 1 { untransposed(&a.transpose(), cx).unwrap().transpose() } else { a };
                let b = oriented(2, 5_000, 2, flags & 2 == 2, cx);
                let how = Measure::Terms(vec![]);
                let cross = [a.clone(), b.clone()];
                let of_cross = measured(&Op::Matmul(MatmulOp::Cross), &how, &cross, Axes::None, Axes::Rows, cx);
                assert!(near(of_cross, naive_terms(&a, &b)), "{of_cross:?} {:?}", naive_terms(&a, &b));
                let product = [a.transpose(), b.clone()];
                let of_product = measured(&Op::Matmul(MatmulOp::Product), &how, &product, Axes::None, Axes::Rows, cx);
                assert_eq!(of_product, of_cross);
                let gram = measured(&Op::Matmul(MatmulOp::Gram), &how, slice::from_ref(&a), Axes::None, Axes::Rows, cx);
                assert!(near(gram, naive_terms(&a, &a)), "{gram:?}");
                let v = matrix(2, 1, &[1.0, -2.0], cx);
                let u = run(&Op::Matmul(MatmulOp::Product), &[b.clone(), v.clone()], cx).unwrap();
                let chain = measured(&Op::Matmul(MatmulOp::Mmchain), &how, &[v, b.clone()], Axes::None, Axes::Rows, cx);
                assert!(near(chain, naive_terms(&b, &u)), "{chain:?}");
                matrix(1, 3, &[of_cross.effective, gram.effective, chain.effective], cx)
            });
        }
    }
}

#[test]
fn terms_run_over_all_parts() {
    serially(|cx| {
        let part = |few| matrix(600, 1, &but(600, 0.0, few, 1.0), cx);
        let inputs = [part(2), part(600), part(3), part(600)];
        let how = Measure::Terms(vec![]);
        let of = measured(&Op::Matmul(MatmulOp::Cross), &how, &inputs, Axes::None, Axes::Rows, cx);
        assert_eq!(of, Support::equal(5.0));
        let tiny = matrix(600, 1, &[1e-200; 600], cx);
        let of = measured(&Op::Matmul(MatmulOp::Gram), &how, &[tiny], Axes::None, Axes::Rows, cx);
        assert_eq!(of, Support::equal(600.0));
    });
}
