//! Law 5 over random programs. What the labels allow is compared with what is true: of each value that was released,
//! every cell that any row of the data moves must be moved by at least five of them.
//!
//! How far a row moves a cell is found by moving it: the program is evaluated again, in plain ndarray, on data in which
//! that row lies a little higher, and a little lower.

use fondaco_proto::{
    ErrorCode, Op, Shape,
    op::{
        AggregateFunction, Axis, BinaryFunction, CumulateFunction, Distinct, Factorised, GroupFunction, LossWeights,
        MatmulOp, Ranks, StatsOp, Ternary, Unary,
    },
};
use ndarray::{Array2, arr2};

use crate::{
    harness::{Client, Plan, Random, Table, op, tiles},
    oracle,
};

const PROGRAMS: u64 = 200;
const STEPS: usize = 14;
const ROWS: usize = 14;

/// Rows that must stand behind a cell, if any does.
const ROWS_MIN: usize = 5;

/// How far rows are moved.
const STEP: f64 = 1e-5;

/// A row that moves a cell this much less than another one does not count.
const INFLUENCE_MIN: f64 = 1e-6;

/// One value of a program: an operator on earlier ones; the first is the dataset.
struct Node {
    op: Op,
    inputs: Vec<usize>,
    shape: Shape,
}

/// A random program over the dataset `d` and a few uploads.
fn program(random: &mut Random, data: &Array2<f64>) -> Vec<Node> {
    let column = |cell: fn(usize) -> f64| Array2::from_shape_fn((ROWS, 1), |(row, _)| cell(row));
    let uploads = [
        column(|row| f64::from(u8::from(row == 2))),
        column(|row| 1.0 + f64::from(u8::from(row == 2))),
        column(|row| f64::from(u8::from(row < 5))),
        column(|row| f64::from(u8::from(row < 6))),
        column(|row| 0.5 + (row % 3) as f64),
        arr2(&[[1.0], [-0.5]]),
    ];
    let mut nodes = vec![Node { op: op::read("d"), inputs: vec![], shape: Shape::new(ROWS as u64, 2) }];
    for upload in &uploads {
        nodes.push(Node { op: op::put(upload), inputs: vec![], shape: tiles::shape(upload) });
    }
    let mut values = evaluate(&nodes, data);
    while nodes.len() < 1 + uploads.len() + STEPS {
        let (op, inputs) = step(random);
        // Later values are taken more often, so that programs get deep.
        let pick = |random: &mut Random| {
            let (a, b) = (random.below(nodes.len()), random.below(nodes.len()));
            if random.below(3) == 0 { a } else { a.max(b) }
        };
        let mut inputs: Vec<usize> = (0..inputs).map(|_| pick(random)).collect();
        // Of a factorisation few shapes fit.
        if let Op::Matmul(MatmulOp::Factorised(_)) = op {
            let of_shape = |random: &mut Random, rows: usize, columns: u64| {
                let fits = |node: &&usize| nodes[**node].shape == Shape::new(rows as u64, columns);
                let fitting: Vec<usize> = (0..nodes.len()).collect();
                let fitting: Vec<usize> = fitting.iter().filter(fits).copied().collect();
                fitting[random.below(fitting.len())]
            };
            let (v, x, u) = (of_shape(random, 2, 1), of_shape(random, ROWS, 2), of_shape(random, ROWS, 1));
            inputs = [v, x, u, of_shape(random, ROWS, 2)][..inputs.len()].to_vec();
        }
        let shapes: Vec<Shape> = inputs.iter().map(|&input| nodes[input].shape).collect();
        if let Ok(shape) = op.shape(&shapes)
            && shape.rows <= 30
            && shape.columns <= 30
            && inputs.iter().any(|&input| input == 0 || input > uploads.len())
        {
            let value = oracle::eval(&op, &inputs.iter().map(|&input| &values[input]).collect::<Vec<_>>());
            // How many rows there are, the data may have decided.
            nodes.push(Node { op, inputs, shape: tiles::shape(&value) });
            values.push(value);
        }
    }
    nodes
}

/// An operator, and how many inputs it gets.
fn step(random: &mut Random) -> (Op, usize) {
    use AggregateFunction::{Argmax, Kurtosis, Max, Mean, Moment3, Moments, Skew, Sum, Sumsq, Var, WideMoments};
    use BinaryFunction::{Add, Divide, Greater, Less, Maximum, Minimum, Multiply, Subtract};
    let number = *random.pick(&[-1.0, 0.0, 0.5, 0.8, 2.0, 3.0]);
    match random.below(20) {
        0 => (op::unary(*random.pick(&[Unary::Negative, Unary::Abs, Unary::Exp, Unary::Sigmoid, Unary::Tanh])), 1),
        1 => (op::with(*random.pick(&[Add, Multiply, Subtract, Maximum, Minimum]), number), 1),
        2 => (op::with(*random.pick(&[Greater, Less]), 0.3), 1),
        3 | 4 => (op::binary(*random.pick(&[Add, Subtract, Multiply, Divide, Maximum])), 2),
        5 if random.below(2) == 0 => (op::ternary(Ternary::Clip { low: -0.1, high: 0.2 }), 1),
        5 => (op::ternary(*random.pick(&[Ternary::MinusMultiply(0.7), Ternary::PlusMultiply(2.0)])), 2),
        6 | 7 => {
            let axis = *random.pick(&[Axis::Columns, Axis::Columns, Axis::All, Axis::Rows]);
            let functions = [Sum, Sum, Mean, Var, Sumsq, Moments, Max, Argmax, WideMoments, Moment3, Skew, Kurtosis];
            (op::aggregate(*random.pick(&functions), axis), 1)
        }
        8 | 9 => {
            let kinds = [(MatmulOp::Gram, 1), (MatmulOp::Product, 2), (MatmulOp::Cross, 2), (MatmulOp::Mmchain, 2)];
            let (kind, inputs) = *random.pick(&kinds);
            (op::matmul(kind), inputs)
        }
        10 => match random.below(4) {
            0 => (op::transpose(), 1),
            1 => (op::vstack(), 2),
            2 => (op::hstack(), 2),
            _ => (op::aggregate(Sum, Axis::Columns), 2),
        },
        11 | 12 => chosen(random),
        13 | 14 => moved(random),
        15 | 16 => cells(random),
        17 => several(random),
        18 => factorised(random),
        _ => {
            let start = random.below(4) as u64;
            let end = start + 4 + random.below(8) as u64;
            let columns = *random.pick(&[0..2, 0..1, 1..2].each_ref());
            (op::slice(start..end, columns.clone()), 1)
        }
    }
}

/// Rows that are chosen, or put in order.
fn chosen(random: &mut Random) -> (Op, usize) {
    match random.below(5) {
        0 => {
            let mut rows: Vec<u64> = (0..14).collect();
            rows.rotate_left(random.below(14));
            rows.retain(|row| row % 5 != 2);
            rows.truncate(3 + random.below(9));
            if random.below(4) == 0 {
                rows.push(rows[0]);
            }
            (op::take(&rows), 1)
        }
        1 => (op::sort(random.below(2) as u64), 1),
        2 => (if random.below(2) == 0 { op::unique() } else { op::argsort(0) }, 1),
        _ => (op::filter_rows(), 2),
    }
}

/// Cells at other places, or others in their place.
fn moved(random: &mut Random) -> (Op, usize) {
    let k = random.below(16) as i64 - 12;
    match random.below(6) {
        0 => (op::flip_columns(), 1),
        1 => (op::diagonal(k), 1),
        2 => (op::diag(14), 1),
        3 => (if random.below(2) == 0 { op::tril(k) } else { op::triu(k) }, 1),
        4 => (op::reshape(7, 4), 1),
        _ => {
            let rows = (*random.pick(&[0..14, 0..14, 2..14, 0..6, 5..6].each_ref())).clone();
            (op::set(rows, (*random.pick(&[0..1, 1..2, 0..2].each_ref())).clone()), 2)
        }
    }
}

/// Rows in cells, and how many inputs that takes.
fn cells(random: &mut Random) -> (Op, usize) {
    use GroupFunction::{Max, Moments, Sum};
    let (op, inputs) = match random.below(8) {
        0 | 1 => (StatsOp::Group(*random.pick(&[Sum, Moments, Max])), 3),
        2 => (StatsOp::RankCounts { ranks: *random.pick(Ranks::ALL), weighted: true }, 3),
        3 => (StatsOp::Table { rows: 2, columns: 2, weighted: true }, 3),
        4 => (StatsOp::Levels { most: 6 }, 1),
        5 => (StatsOp::WeightedMoments { order: 2 + random.below(3) as u32 }, 2),
        _ => (StatsOp::WeightedCov, 2),
    };
    (Op::Stats(op), inputs)
}

/// Aggregates that are no reductions, and how many inputs they take.
fn several(random: &mut Random) -> (Op, usize) {
    match random.below(4) {
        0 => (op::cumulate(*random.pick(CumulateFunction::ALL), *random.pick(&[Axis::Columns, Axis::Rows])), 1),
        1 => (op::sum_product(2, *random.pick(&[Axis::Columns, Axis::All])), 2),
        2 => (op::sum_product(3, Axis::Columns), 3),
        _ => (if random.below(2) == 0 { op::trace() } else { op::distinct(Distinct::Count) }, 1),
    }
}

/// Of X and U @ V.T, and how many inputs that takes.
fn factorised(random: &mut Random) -> (Op, usize) {
    let (loss, weighted) = (Factorised::Loss(LossWeights::None), Factorised::Loss(LossWeights::Given));
    let others = [Factorised::Divided, Factorised::DividedLeft, Factorised::Times(Unary::Tanh)];
    match random.below(4) {
        0 => (op::factorised(loss), 3),
        1 => (op::factorised(weighted), 4),
        _ => (op::factorised(*random.pick(&others)), 3),
    }
}

/// All values of a program over these data.
fn evaluate(nodes: &[Node], data: &Array2<f64>) -> Vec<Array2<f64>> {
    let mut values: Vec<Array2<f64>> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let inputs: Vec<&Array2<f64>> = node.inputs.iter().map(|&input| &values[input]).collect();
        values.push(if index == 0 { data.clone() } else { oracle::eval(&node.op, &inputs) });
    }
    values
}

/// For each row, how far it moves each cell of each value.
fn influences(nodes: &[Node], data: &Array2<f64>, random: &mut Random) -> Vec<Vec<Array2<f64>>> {
    let row = |row: usize, random: &mut Random| {
        let step = |random: &mut Random| STEP * (0.5 + random.unit());
        let steps = [step(random), -step(random)];
        let moved = |sign: f64| {
            let mut data = data.clone();
            data.row_mut(row).iter_mut().zip(steps).for_each(|(cell, step)| *cell += sign * step);
            evaluate(nodes, &data)
        };
        moved(1.0).into_iter().zip(moved(-1.0)).map(|(up, down)| (up - down).mapv(f64::abs)).collect()
    };
    (0..data.nrows()).map(|index| row(index, random)).collect()
}

/// How many rows move this cell; none if it cannot be said (a cell that is no number).
fn rows_behind(moves: &[Vec<Array2<f64>>], values: &[Array2<f64>], node: usize, at: (usize, usize)) -> Option<usize> {
    let moves: Vec<f64> = moves.iter().map(|row| row[node][at]).collect();
    if moves.iter().any(|by| !by.is_finite()) {
        return None;
    }
    let most = moves.iter().copied().fold(0.0, f64::max);
    let noise = 1e-12 * values.iter().flatten().filter(|cell| cell.is_finite()).fold(1.0, |a: f64, b| a.max(b.abs()));
    if most <= noise {
        return Some(0);
    }
    Some(moves.iter().filter(|by| **by > INFLUENCE_MIN * most).count())
}

/// Binds all values of a program, but for those of which the worker does not tell how many rows they have, and what
/// needs them.
async fn bind(client: &Client, nodes: &[Node]) -> Vec<Option<u64>> {
    let mut variables: Vec<Option<u64>> = Vec::new();
    for node in nodes {
        let inputs: Option<Vec<u64>> = node.inputs.iter().map(|&input| variables[input]).collect();
        let bound = match inputs {
            Some(inputs) => Some(client.bind(|p| p.apply(node.op.clone(), &inputs)).await),
            None => None,
        };
        variables.push(match bound {
            Some(Err(refused)) => {
                assert_eq!(refused.code(), ErrorCode::ReleaseDenied, "shapes were checked: {refused:?}");
                None
            }
            Some(Ok(variable)) => Some(variable),
            None => None,
        });
    }
    variables
}

fn describe(nodes: &[Node], node: usize) -> String {
    let inputs: Vec<String> = nodes[node].inputs.iter().map(|&input| describe(nodes, input)).collect();
    match node {
        0 => "d".to_owned(),
        1..=6 => format!("u{node}"),
        _ => format!("{}({})", nodes[node].op.name(), inputs.join(", ")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_that_leaves_has_five_rows_behind_it() {
    let (mut released, mut behind_some) = (0, 0);
    let mut wrong = Vec::new();
    for seed in 0..PROGRAMS {
        let mut random = Random::new(seed);
        let data = random.matrix(ROWS, 2);
        let nodes = program(&mut random, &data);
        let site = Plan::new().dataset("d", &Table::of(&data)).start().await;
        let ada = site.client("ada").await;
        let variables = bind(&ada, &nodes).await;
        let values = evaluate(&nodes, &data);
        let moves = influences(&nodes, &data, &mut random);
        for (node, variable) in variables.iter().enumerate() {
            let Some(variable) = variable else { continue };
            let Ok(value) = ada.fetch(*variable).await else { continue };
            assert_eq!(value.dim(), values[node].dim(), "seed {seed}: {}", describe(&nodes, node));
            released += 1;
            let behind = value.indexed_iter().filter_map(|(at, _)| Some((at, rows_behind(&moves, &values, node, at)?)));
            let behind: Vec<_> = behind.filter(|(_, rows)| *rows > 0).collect();
            behind_some += behind.len();
            // What is made of a value that should have stayed says nothing new.
            if let Some((at, rows)) = behind.into_iter().find(|(_, rows)| *rows < ROWS_MIN) {
                wrong.push(format!("seed {seed}: {rows} rows behind cell {at:?} of {}", describe(&nodes, node)));
                break;
            }
        }
    }
    assert!(behind_some > 200, "only {behind_some} cells of {released} released values tell anything");
    assert!(wrong.is_empty(), "{} of {released} released values:\n{}", wrong.len(), wrong.join("\n"));
}
