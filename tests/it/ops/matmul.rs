//! Products, in every combination of cuts that is accepted; the others are refused with what to do.

mod factorised;

use fondaco::{Cut, FedMatrix, Layout, Op, Operand, Outcome, Result, op::MatmulOp};
use ndarray::Array2;

use super::{Asked, cases};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, released, scatter},
    },
    oracle::{self, Expected},
};

/// One case of one product: data of some kind and size, and where it goes.
struct Case<'a> {
    trio: &'a Trio,
    random: Random,
    cells: Cells,
    n: usize,
    d: usize,
}

/// What came of a form: a name for messages, the result, and the inputs in the operator's order.
struct Formed {
    what: &'static str,
    outcome: Result<Outcome>,
    inputs: Vec<Array2<f64>>,
}

type Form = fn(&mut Case) -> Formed;

const MATMUL: &[(MatmulOp, &[Form])] = &[
    (
        MatmulOp::Product,
        &[
            rows_by_local,
            local_by_rows,
            columns_by_local,
            local_by_columns,
            columns_by_rows,
            whole_by_whole,
            parts_by_whole_there,
            local_by_whole_transposed,
            blocks_by_local,
            local_by_blocks,
        ],
    ),
    (MatmulOp::Gram, &[gram, gram_as_product, outer_gram, gram_of_blocks, gram_of_blocks_as_product]),
    (
        MatmulOp::Cross,
        &[
            cross_local,
            cross_federated,
            cross_as_product,
            local_cross_federated,
            columns_cross_local,
            blocks_cross_local,
            local_cross_blocks,
            columns_cross_whole,
        ],
    ),
    (MatmulOp::Mmchain, &[mmchain, mmchain_of_blocks, mmchain_written_out]),
    (
        MatmulOp::MmchainWeighted,
        &[mmchain_weighted_local, mmchain_weighted_federated, mmchain_weighted_of_blocks, mmchain_weighted_written_out],
    ),
    (
        MatmulOp::MmchainMinus,
        &[mmchain_minus_local, mmchain_minus_federated, mmchain_minus_of_blocks, mmchain_minus_written_out],
    ),
];

#[test]
fn the_table_is_complete() {
    assert_eq!(MATMUL.iter().map(|line| line.0).collect::<Vec<_>>(), MatmulOp::ALL);
}

impl Case<'_> {
    fn data(&mut self, n: usize, d: usize) -> Array2<f64> {
        self.cells.matrix(&mut self.random, n, d)
    }

    /// A small number of columns (rows) of another operand.
    fn few(&mut self) -> usize {
        1 + self.random.below(4)
    }

    fn place(&mut self, array: &Array2<f64>, cuts: &Cuts) -> FedMatrix {
        scatter(&self.trio.fed, &mut self.random, array, cuts)
    }

    /// X in a row cut; now and then in blocks, each row band at one site.
    fn row_cut(&mut self) -> (FedMatrix, Array2<f64>, Cuts) {
        let x = self.data(self.n, self.d);
        let cuts = match self.random.below(4) {
            0 => Cuts::banded(&mut self.random, self.n, self.d),
            _ => Cuts::rows(&mut self.random, self.n, self.d),
        };
        // One row band in several blocks is a column cut, whose products are sums.
        let is_column_cut = cuts.cut() == Some(Cut::Columns) && !cuts.is_whole();
        let cuts = if is_column_cut { Cuts::rows(&mut self.random, self.n, self.d) } else { cuts };
        (self.place(&x, &cuts), x, cuts)
    }

    /// X in a column cut of as many columns as there would be rows: what is summed is long. Now and then in blocks, each
    /// column band at one site.
    fn column_cut(&mut self) -> (FedMatrix, Array2<f64>, Cuts) {
        let x = self.data(self.d, self.n);
        let cuts = match self.random.below(4) {
            0 => Cuts::banded(&mut self.random, self.n, self.d).transposed(),
            _ => Cuts::columns(&mut self.random, self.d, self.n),
        };
        (self.place(&x, &cuts), x, cuts)
    }

    /// X in blocks at any sites.
    fn blocks(&mut self) -> (FedMatrix, Array2<f64>) {
        let x = self.data(self.n, self.d);
        let cuts = Cuts::grid(&mut self.random, self.n, self.d);
        (self.place(&x, &cuts), x)
    }

    /// Y in the rows of a row cut, at the same sites.
    fn aligned(&mut self, cuts: &Cuts, columns: usize) -> (FedMatrix, Array2<f64>) {
        let y = self.data(self.n, columns);
        let cuts = cuts.aligned(&mut self.random, columns);
        (self.place(&y, &cuts), y)
    }
}

fn form(what: &'static str, outcome: Result<Outcome>, inputs: impl Into<Vec<Array2<f64>>>) -> Formed {
    Formed { what, outcome, inputs: inputs.into() }
}

fn rows_by_local(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let few = case.few();
    let a = case.data(case.d, few);
    form("row cut @ array", FedMatrix::product(&fed, &a), [x, a])
}

fn local_by_rows(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let few = case.few();
    let a = case.data(few, case.n);
    form("array @ row cut", FedMatrix::product(&a, &fed), [a, x])
}

fn columns_by_local(case: &mut Case) -> Formed {
    let (fed, x, _) = case.column_cut();
    let few = case.few();
    let a = case.data(case.n, few);
    form("column cut @ array", FedMatrix::product(&fed, &a), [x, a])
}

fn local_by_columns(case: &mut Case) -> Formed {
    let (fed, x, _) = case.column_cut();
    let few = case.few();
    let a = case.data(few, case.d);
    form("array @ column cut", FedMatrix::product(&a, &fed), [a, x])
}

fn columns_by_rows(case: &mut Case) -> Formed {
    let (fed, x, cuts) = case.column_cut();
    let few = case.few();
    let y = case.data(case.n, few);
    let rows = cuts.transposed().aligned(&mut case.random, few);
    let other = case.place(&y, &rows);
    form("column cut @ row cut", FedMatrix::product(&fed, &other), [x, y])
}

fn whole_by_whole(case: &mut Case) -> Formed {
    let few = case.few();
    let (x, y) = (case.data(case.n, case.d), case.data(case.d, few));
    let at = |extent: usize, across: usize| Cuts::of(fondaco::Cut::Rows, vec![("c", extent)], across);
    let (left, right) = (case.place(&x, &at(case.n, case.d)), case.place(&y, &at(case.d, few)));
    form("whole @ whole", FedMatrix::product(&left, &right), [x, y])
}

fn parts_by_whole_there(case: &mut Case) -> Formed {
    let few = case.few();
    let (x, y) = (case.data(case.n, case.d), case.data(case.d, few));
    let first = case.random.below(case.n + 1);
    let cut = fondaco::Cut::Rows;
    let left = case.place(&x, &Cuts::of(cut, vec![("b", first), ("b", case.n - first)], case.d));
    let right = case.place(&y, &Cuts::of(cut, vec![("b", case.d)], few));
    form("parts @ whole there", FedMatrix::product(&left, &right), [x, y])
}

fn local_by_whole_transposed(case: &mut Case) -> Formed {
    let few = case.few();
    let (a, x) = (case.data(few, case.d), case.data(case.n, case.d));
    let fed = place(&case.trio.fed, &x, &Layout::whole("a", fondaco::Shape::new(case.n as u64, case.d as u64)));
    let turned = fed.t().expect("everything can be transposed");
    form("array @ whole.T", FedMatrix::product(&a, &turned), [a, x.reversed_axes()])
}

fn blocks_by_local(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    let few = case.few();
    let a = case.data(case.d, few);
    form("blocks @ array", FedMatrix::product(&fed, &a), [x, a])
}

fn local_by_blocks(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    let few = case.few();
    let a = case.data(few, case.n);
    form("array @ blocks", FedMatrix::product(&a, &fed), [a, x])
}

fn gram(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    form("gram", fed.gram().map(Outcome::Local), [x])
}

fn gram_as_product(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    form("X.T @ X", fed.t().and_then(|turned| FedMatrix::product(turned, &fed)), [x])
}

/// `X @ X.T`, of few rows.
fn outer_gram(case: &mut Case) -> Formed {
    let x = case.data(case.d, case.n.min(50));
    let cuts = Cuts::any(&mut case.random, x.nrows(), x.ncols());
    let fed = case.place(&x, &cuts);
    form("X @ X.T", fed.t().and_then(|turned| FedMatrix::product(&fed, turned)), [x.reversed_axes()])
}

fn gram_of_blocks(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    form("gram of blocks", fed.gram().map(Outcome::Local), [x])
}

fn gram_of_blocks_as_product(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    form("X.T @ X of blocks", fed.t().and_then(|turned| FedMatrix::product(turned, &fed)), [x])
}

fn cross_local(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let few = case.few();
    let y = case.data(case.n, few);
    form("cross with an array", fed.cross(&y).map(Outcome::Local), [x, y])
}

fn cross_federated(case: &mut Case) -> Formed {
    let (fed, x, cuts) = case.row_cut();
    let few = case.few();
    let (other, y) = case.aligned(&cuts, few);
    form("cross of aligned rows", fed.cross(&other).map(Outcome::Local), [x, y])
}

fn cross_as_product(case: &mut Case) -> Formed {
    let (fed, x, cuts) = case.row_cut();
    let few = case.few();
    let (other, y) = case.aligned(&cuts, few);
    form("X.T @ Y", fed.t().and_then(|turned| FedMatrix::product(turned, &other)), [x, y])
}

fn local_cross_federated(case: &mut Case) -> Formed {
    let (fed, y, _) = case.row_cut();
    let few = case.few();
    let x = case.data(case.n, few);
    let outcome = fed.apply(&Op::Matmul(MatmulOp::Cross), vec![Operand::from(&x), Operand::from(&fed)]);
    form("cross of an array with rows", outcome, [x, y])
}

fn columns_cross_local(case: &mut Case) -> Formed {
    let (fed, x, _) = case.column_cut();
    let few = case.few();
    let y = case.data(case.d, few);
    form("cross of a column cut", fed.cross(&y).map(Outcome::Local), [x, y])
}

fn blocks_cross_local(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    let few = case.few();
    let y = case.data(case.n, few);
    form("cross of blocks", fed.cross(&y).map(Outcome::Local), [x, y])
}

fn local_cross_blocks(case: &mut Case) -> Formed {
    let (fed, y) = case.blocks();
    let few = case.few();
    let x = case.data(case.n, few);
    let outcome = fed.apply(&Op::Matmul(MatmulOp::Cross), vec![Operand::from(&x), Operand::from(&fed)]);
    form("cross of an array with blocks", outcome, [x, y])
}

fn columns_cross_whole(case: &mut Case) -> Formed {
    let (x, few) = (case.data(case.n, case.d), case.few());
    let cuts = Cuts::columns(&mut case.random, case.n, case.d);
    let fed = case.place(&x, &cuts);
    let y = case.data(case.n, few);
    let whole = case.trio.fed.put_whole(&fed.layout().parts()[0].site, &y).expect("a site");
    form("cross of columns with a matrix at one site", fed.cross(&whole).map(Outcome::Local), [x, y])
}

fn mmchain(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let v = case.data(case.d, 1);
    form("mmchain", fed.mmchain(&v).map(Outcome::Local), [v, x])
}

fn mmchain_weighted_local(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let (v, w) = (case.data(case.d, 1), case.data(case.n, 1));
    form("w an array", fed.mmchain_weighted(&w, &v).map(Outcome::Local), [v, x, w])
}

fn mmchain_weighted_federated(case: &mut Case) -> Formed {
    let (fed, x, cuts) = case.row_cut();
    let v = case.data(case.d, 1);
    let (other, w) = case.aligned(&cuts, 1);
    form("w federated", fed.mmchain_weighted(&other, &v).map(Outcome::Local), [v, x, w])
}

fn mmchain_minus_local(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let (v, y) = (case.data(case.d, 1), case.data(case.n, 1));
    form("y an array", fed.mmchain_minus(&v, &y).map(Outcome::Local), [v, x, y])
}

fn mmchain_minus_federated(case: &mut Case) -> Formed {
    let (fed, x, cuts) = case.row_cut();
    let v = case.data(case.d, 1);
    let (other, y) = case.aligned(&cuts, 1);
    form("y federated", fed.mmchain_minus(&v, &other).map(Outcome::Local), [v, x, y])
}

fn mmchain_of_blocks(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    let v = case.data(case.d, 1);
    form("of blocks", fed.mmchain(&v).map(Outcome::Local), [v, x])
}

fn mmchain_weighted_of_blocks(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    let (v, w) = (case.data(case.d, 1), case.data(case.n, 1));
    form("of blocks", fed.mmchain_weighted(&w, &v).map(Outcome::Local), [v, x, w])
}

fn mmchain_minus_of_blocks(case: &mut Case) -> Formed {
    let (fed, x) = case.blocks();
    let (v, y) = (case.data(case.d, 1), case.data(case.n, 1));
    // Beside the first block of each row band, and so not beside the others.
    let there = place(&case.trio.fed, &y, &fed.layout().column());
    form("of blocks, y federated", fed.mmchain_minus(&v, &there).map(Outcome::Local), [v, x, y])
}

/// `X.T @ inner`, which is found to be a chain.
fn written_out(fed: &FedMatrix, inner: Result<FedMatrix>) -> Result<Outcome> {
    inner.and_then(|inner| FedMatrix::product(fed.t()?, &inner))
}

fn mmchain_written_out(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let v = case.data(case.d, 1);
    form("written out", written_out(&fed, fed.matmul(&v)), [v, x])
}

fn mmchain_weighted_written_out(case: &mut Case) -> Formed {
    let (fed, x, cuts) = case.row_cut();
    let v = case.data(case.d, 1);
    let (other, w) = case.aligned(&cuts, 1);
    let inner =
        fed.matmul(&v).and_then(|image| if case.few() > 2 { image.multiply(&other) } else { other.multiply(&image) });
    form("written out", written_out(&fed, inner), [v, x, w])
}

fn mmchain_minus_written_out(case: &mut Case) -> Formed {
    let (fed, x, _) = case.row_cut();
    let (v, y) = (case.data(case.d, 1), case.data(case.n, 1));
    form("written out", written_out(&fed, fed.matmul(&v).and_then(|image| image.subtract(&y))), [v, x, y])
}

fn expected(op: MatmulOp, inputs: &[Array2<f64>]) -> Expected {
    oracle::expected(&Op::Matmul(op), &inputs.iter().collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn products() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(20, 80) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let cells = Cells::pick(&mut random);
        let mut asked = Asked::new(format!("seed {seed}: n {n}, d {d}, {cells:?}"));
        let mut case = Case { trio: &trio, random, cells, n, d };
        for (op, forms) in MATMUL {
            for form in *forms {
                let Formed { what, outcome, inputs } = form(&mut case);
                let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}, {} {what}: {error}", op.name()));
                asked.ask(format!("{} {what}", op.name()), released(outcome), expected(*op, &inputs));
            }
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_and_long_products() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    for (seed, mut random) in cases(21, 2) {
        let (n, d) = (5000 + random.below(100), 30 + random.below(20));
        let (x, y) = (Cells::Offset.matrix(&mut random, n, d), Cells::Normal.matrix(&mut random, n, 2));
        let cuts = Cuts::rows(&mut random, n, d);
        let held = scatter(fed, &mut random, &x, &cuts);
        let v = Cells::Normal.matrix(&mut random, d, 1);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {:?}", cuts.layout()));
        asked.ask("gram", held.gram().expect("a row cut"), expected(MatmulOp::Gram, std::slice::from_ref(&x)));
        let inputs = [x.clone(), y.clone()];
        asked.ask("cross", held.cross(&y).expect("a row cut"), expected(MatmulOp::Cross, &inputs));
        let inputs = [v.clone(), x.clone()];
        asked.ask("mmchain", held.mmchain(&v).expect("a row cut"), expected(MatmulOp::Mmchain, &inputs));
        asked.check(fed).await;
        let gram = held.gram().expect("a row cut").await.expect("it is one's own");
        oracle::assert_same_bits("a Gram matrix is symmetric", &gram, &gram.t().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_move_rows_is_refused() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let array = Array2::from_shape_fn((6, 6), |(i, j)| (i * 6 + j) as f64);
    let parts = [("a", 2), ("b", 4)];
    let rows = place(fed, &array, &Layout::rows(parts, 6).expect("there are parts"));
    let columns = place(fed, &array, &Layout::columns(parts, 6).expect("there are parts"));
    let other = place(fed, &array, &Layout::rows([("a", 3), ("b", 3)], 6).expect("there are parts"));
    let refusals = [
        (rows.matmul(&columns).map(drop), "fetch the smaller operand"),
        (rows.matmul(&rows).map(drop), "fetch the smaller operand"),
        (rows.cross(&other).map(drop), "row 2 of one operand is at b, of another at a"),
        (columns.matmul_local(&other).map(drop), "of one operand is at"),
        (rows.matmul_local(&array).map(drop), "to_array releases it"),
        (columns.matmul(&array).map(drop), "for the coordinator"),
        (rows.matmul(Array2::zeros((5, 1))).map(drop), "columns of the left must be rows of the right"),
        (rows.mmchain(Array2::zeros((5, 1))).map(drop), "v must be (columns of X, 1)"),
    ];
    for (index, (result, what)) in refusals.into_iter().enumerate() {
        let message = result.expect_err(&format!("refusal {index}: {what}")).to_string();
        assert!(message.contains(what), "refusal {index} should say {what:?}: {message}");
    }
    assert_eq!(fed.stats().round_trips(), 0, "nothing was sent");
}
