//! Of X and R = U @ V.T, in row cuts and column cuts, with factors that are federated or arrays.

use fondaco::{
    Cut, FedMatrix, Op, Operand, Outcome, Result, Unary,
    op::{Factorised, LossWeights, MatmulOp},
};
use ndarray::Array2;

use super::super::{Asked, cases};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, released, scatter},
    },
    oracle::{self, Expected},
};

/// X, U, V and W as operands.
struct Operands {
    x: FedMatrix,
    u: Operand,
    v: Operand,
    w: Operand,
}

type Method = fn(&Operands) -> Result<Outcome>;

const FACTORISED: &[(Factorised, Method)] = &[
    (Factorised::Loss(LossWeights::None), |o| o.x.factorised_loss(&o.u, &o.v).map(Outcome::Local)),
    (Factorised::Loss(LossWeights::Nonzero), |o| o.x.factorised_loss_nonzero(&o.u, &o.v).map(Outcome::Local)),
    (Factorised::Loss(LossWeights::Given), |o| o.x.factorised_loss_weighted(&o.w, &o.u, &o.v).map(Outcome::Local)),
    (Factorised::Times(Unary::Sigmoid), |o| o.x.factorised_times(Unary::Sigmoid, &o.u, &o.v).map(Outcome::Fed)),
    (Factorised::Times(Unary::Sqrt), |o| o.x.factorised_times(Unary::Sqrt, &o.u, &o.v).map(Outcome::Fed)),
    (Factorised::Divided, |o| o.x.factorised_divided(&o.u, &o.v)),
    (Factorised::DividedLeft, |o| o.x.factorised_divided_left(&o.u, &o.v)),
    (Factorised::CrossEntropy { epsilon: 0.25 }, |o| {
        o.x.factorised_cross_entropy(&o.u, &o.v, 0.25).map(Outcome::Local)
    }),
];

#[test]
fn the_table_is_complete() {
    // A new member does not compile here, before it is missing above.
    let place = |op: Factorised| match op {
        Factorised::Loss(LossWeights::None) => 0,
        Factorised::Loss(LossWeights::Nonzero) => 1,
        Factorised::Loss(LossWeights::Given) => 2,
        Factorised::Times(Unary::Sigmoid) => 3,
        Factorised::Times(_) => 4,
        Factorised::Divided => 5,
        Factorised::DividedLeft => 6,
        Factorised::CrossEntropy { .. } => 7,
    };
    assert!(FACTORISED.iter().enumerate().all(|(index, (op, _))| place(*op) == index));
}

/// An operand in these cuts, or an array.
fn operand(trio: &Trio, random: &mut Random, array: &Array2<f64>, cuts: &Cuts) -> Operand {
    if random.below(3) == 0 { array.into() } else { scatter(&trio.fed, random, array, cuts).into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_factors() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(24, 60) {
        let (n, m, k) = (sample::rows(&mut random).min(400), 1 + random.below(30), 1 + random.below(4));
        let cells = *random.pick(&[Cells::Normal, Cells::Integers, Cells::Special, Cells::Offset, Cells::Magnitudes]);
        let (x, w) = (cells.matrix(&mut random, n, m), Cells::Normal.matrix(&mut random, n, m));
        // Positive, as factors are that divide, so that no cell of R is what rounding leaves of it.
        let [u, v] = [n, m].map(|rows| cells.matrix(&mut random, rows, k).mapv(|x| x.abs() + 0.01));
        let cuts = Cuts::any(&mut random, n, m);
        let (beside, below) = (cuts.aligned(&mut random, k), cuts.transposed().aligned(&mut random, k));
        let (u_operand, v_operand) = match (cuts.by_rows(), cuts.by_columns()) {
            (true, _) => (operand(&trio, &mut random, &u, &beside), Operand::from(&v)),
            (false, true) => (Operand::from(&u), operand(&trio, &mut random, &v, &below)),
            // What is relayed.
            (false, false) => (Operand::from(&u), Operand::from(&v)),
        };
        let realigned = cuts.realigned(&mut random);
        let operands = Operands {
            x: scatter(&trio.fed, &mut random, &x, &cuts),
            u: u_operand,
            v: v_operand,
            w: operand(&trio, &mut random, &w, &realigned),
        };
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {m}) by {k} {cells:?} cut {:?}", cuts.layout()));
        for (op, method) in FACTORISED {
            let outcome = method(&operands).unwrap_or_else(|error| panic!("seed {seed}, {op:?}: {error}"));
            let weighted = *op == Factorised::Loss(LossWeights::Given);
            let inputs = if weighted { vec![&v, &x, &u, &w] } else { vec![&v, &x, &u] };
            asked.ask(format!("{op:?}"), released(outcome), expected(*op, &inputs));
        }
        asked.check(&trio.fed).await;
    }
}

fn expected(op: Factorised, inputs: &[&Array2<f64>]) -> Expected {
    oracle::expected(&Op::Matmul(MatmulOp::Factorised(op)), inputs)
}

#[tokio::test(flavor = "multi_thread")]
async fn factors_that_lie_elsewhere() {
    let trio = Trio::start().await;
    let mut random = Random::new(25);
    let place = |random: &mut Random, parts: Vec<(&'static str, usize)>, across: usize| {
        let cuts = Cuts::of(Cut::Rows, parts, across);
        let rows = cuts.layout().shape().rows as usize;
        scatter(&trio.fed, random, &Cells::Normal.matrix(&mut Random::new(1), rows, across), &cuts)
    };
    let x = place(&mut random, vec![("a", 4), ("b", 2)], 5);
    let (u, v) = (place(&mut random, vec![("a", 3), ("b", 3)], 2), Array2::ones((5, 2)));
    let message = x.factorised_loss(&u, &v).expect_err("row 3 lies elsewhere").to_string();
    assert!(message.contains("row 3 of one operand is at a, of another at b"), "{message}");
    let v_elsewhere = place(&mut random, vec![("a", 3), ("b", 2)], 2);
    let message = x.factorised_loss(Array2::ones((6, 2)), &v_elsewhere).expect_err("V would have to move").to_string();
    assert!(message.contains("row 3 of one operand is at a, of another at b"), "{message}");
    let message = x.factorised_loss(Array2::ones((6, 3)), &v).expect_err("two and three").to_string();
    assert!(message.contains("must be (n, m), U (n, k) and V (m, k)"), "{message}");
    let turned = x.t().expect("everything can be transposed");
    let divided = turned.factorised_divided(Array2::ones((5, 2)), Array2::ones((6, 2))).expect("a column cut");
    assert!(matches!(divided, Outcome::Local(_)), "a sum over the columns' sites");
}
