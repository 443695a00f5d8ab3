//! `X.T @ X`, `X.T @ Y` and the chains `X.T @ (X @ v)`, `X.T @ (w * (X @ v))`, `X.T @ ((X @ v) - y)`, however they are
//! written, over one row part of X or several.

use fondaco_proto::{
    Op, Shape,
    op::{Binary, BinaryFunction, ElementwiseOp, MatmulOp, ReorgOp},
};

use super::Waiting;
use crate::queue::Used;

/// What a product is instead.
struct Found {
    op: MatmulOp,
    inputs: Vec<Used>,
    instead_of: &'static str,
}

/// Replaces a sum over row parts of `X.T @ Y` by what is known to be faster.
pub(super) fn fuse(waiting: &mut Waiting, index: usize) {
    let Some((pairs, written_out)) = pairs(waiting, index) else { return };
    let found = gram(&pairs).or_else(|| chain(waiting, &pairs)).or_else(|| written_out.then(|| cross(&pairs)));
    if let Some(Found { op, inputs, instead_of }) = found {
        waiting.replace(index, Op::Matmul(op), inputs, instead_of);
    }
}

/// The row parts of X and Y in a sum of `X.T @ Y`, and whether it is written as a product of a transpose.
fn pairs(waiting: &Waiting, index: usize) -> Option<(Vec<[Used; 2]>, bool)> {
    let (op, inputs) = waiting.instruction(index)?;
    let pairs = inputs.as_chunks::<2>().0;
    match op {
        Op::Matmul(MatmulOp::Cross) => Some((pairs.to_vec(), false)),
        Op::Matmul(MatmulOp::Product) => {
            let turned = |[left, right]: &[Used; 2]| match waiting.made_by(*left)? {
                (Op::Reorg(ReorgOp::Transpose), [x]) => Some([*x, *right]),
                _other => None,
            };
            Some((pairs.iter().map(turned).collect::<Option<_>>()?, true))
        }
        _other => None,
    }
}

fn gram(pairs: &[[Used; 2]]) -> Option<Found> {
    let same = pairs.iter().all(|[x, y]| x.id == y.id);
    let inputs = pairs.iter().map(|[x, _]| *x).collect();
    same.then_some(Found { op: MatmulOp::Gram, inputs, instead_of: "X.T @ X" })
}

fn cross(pairs: &[[Used; 2]]) -> Found {
    Found { op: MatmulOp::Cross, inputs: pairs.as_flattened().to_vec(), instead_of: "X.T @ Y" }
}

/// A chain, if every part is the same one, with the same v.
fn chain(waiting: &Waiting, pairs: &[[Used; 2]]) -> Option<Found> {
    let links: Vec<Link> = pairs.iter().map(|[x, y]| link(waiting, *x, *y)).collect::<Option<_>>()?;
    let Link { op, v, .. } = *links.first()?;
    if links.iter().any(|link| link.op != op || link.v.id != v.id) {
        return None;
    }
    let instead_of = match op {
        MatmulOp::MmchainWeighted => "X.T @ (w * (X @ v))",
        MatmulOp::MmchainMinus => "X.T @ ((X @ v) - y)",
        _plain => "X.T @ (X @ v)",
    };
    let parts = pairs.iter().zip(&links).flat_map(|([x, _], link)| std::iter::once(*x).chain(link.beside));
    Some(Found { op, inputs: std::iter::once(v).chain(parts).collect(), instead_of })
}

/// One row part of a chain: v, and w or y.
#[derive(Clone, Copy)]
struct Link {
    op: MatmulOp,
    v: Used,
    beside: Option<Used>,
}

fn link(waiting: &Waiting, x: Used, y: Used) -> Option<Link> {
    // Of one column, as v is.
    let rows = y.shape.filter(|shape| shape.columns == 1)?.rows;
    let image = |of: Used| match waiting.intermediate(of)? {
        (Op::Matmul(MatmulOp::Product), [left, v]) if left.id == x.id => Some(*v),
        _other => None,
    };
    // What is broadcast is not beside the rows of X.
    let beside = |of: Used| (of.shape == Some(Shape::new(rows, 1))).then_some(Some(of));
    if let Some(v) = image(y) {
        return Some(Link { op: MatmulOp::Mmchain, v, beside: None });
    }
    let (Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None })), [a, b]) =
        waiting.intermediate(y)?
    else {
        return None;
    };
    match function {
        BinaryFunction::Multiply => match (image(*a), image(*b)) {
            (Some(v), _) => Some(Link { op: MatmulOp::MmchainWeighted, v, beside: beside(*b)? }),
            (None, Some(v)) => Some(Link { op: MatmulOp::MmchainWeighted, v, beside: beside(*a)? }),
            (None, None) => None,
        },
        BinaryFunction::Subtract => Some(Link { op: MatmulOp::MmchainMinus, v: image(*a)?, beside: beside(*b)? }),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use ndarray::Array2;

    use super::*;
    use crate::{
        queue::{Fetch, How, Item, Queues, Variable},
        stage::Waiting,
        transfer::{Source, Upload},
    };

    /// Instructions at one site, as a user's operators queue them.
    struct Site(Arc<Queues>);

    impl Site {
        fn new() -> Self {
            Self(Queues::new(1))
        }

        /// An array that differs from the others.
        fn put(&self, rows: u64, columns: u64) -> Arc<Variable> {
            let count = Arc::strong_count(&self.0) as f64 + rows as f64 / 7.0;
            let array = Array2::from_elem((rows as usize, columns as usize), count);
            let upload = How::Upload(Upload::new(Source::Here(array.to_shared()), 0..rows, 0..columns));
            self.0.bind(0, upload, &[], Some(Shape::new(rows, columns))).0
        }

        fn push(&self, op: impl Into<Op>, inputs: &[&Arc<Variable>]) -> Arc<Variable> {
            let op = op.into();
            let inputs: Vec<Arc<Variable>> = inputs.iter().copied().cloned().collect();
            let shapes: Vec<Shape> = inputs.iter().map(|input| input.shape().unwrap()).collect();
            let shape = op.shape(&shapes).unwrap();
            self.0.bind(0, How::Op(op), &inputs, Some(shape)).0
        }

        fn matmul(&self, op: MatmulOp, inputs: &[&Arc<Variable>]) -> Arc<Variable> {
            self.push(Op::Matmul(op), inputs)
        }

        fn binary(&self, function: BinaryFunction, x: &Arc<Variable>, y: &Arc<Variable>) -> Arc<Variable> {
            self.push(Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None })), &[x, y])
        }

        fn t(&self, x: &Arc<Variable>) -> Arc<Variable> {
            self.push(Op::Reorg(ReorgOp::Transpose), &[x])
        }

        fn fetch(&self, x: Arc<Variable>) -> Arc<Fetch> {
            let shape = x.shape().unwrap();
            self.0.fetch(x, shape)
        }

        /// The operators that are sent, with their inputs.
        fn sent(&self) -> Vec<String> {
            let (items, _) = Waiting::of(self.0.take_waiting()).remove(0).ready(&mut HashMap::new());
            let written = |item: &Item| match item {
                Item::Bind(bind) => match &bind.how {
                    How::Op(op) => {
                        let inputs: Vec<String> = bind.inputs.iter().map(|input| input.id.0.to_string()).collect();
                        Some(format!("{}={}({})", bind.output.0, op.name(), inputs.join(" ")))
                    }
                    How::Upload(_) => None,
                },
                Item::Drop(_) | Item::Cleanup(_) => None,
            };
            items.iter().filter_map(written).collect()
        }
    }

    #[test]
    fn a_product_with_the_own_transpose_is_a_gram() {
        let site = Site::new();
        let (x, more) = (site.put(5, 3), site.put(4, 3));
        let _held = site.fetch(site.matmul(MatmulOp::Product, &[&site.t(&x), &x, &site.t(&more), &more]));
        assert_eq!(site.sent(), ["5=gram(1 2)"]);
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&x, &x]));
        assert_eq!(site.sent(), ["6=gram(1)"]);
        let _held = site.fetch(site.matmul(MatmulOp::Product, &[&site.t(&x), &x, &site.t(&more), &site.put(4, 3)]));
        assert_eq!(site.sent(), ["10=cross(1 1 2 9)"]);
        let turned = site.t(&x);
        let _held = site.fetch(site.matmul(MatmulOp::Product, &[&turned, &x]));
        assert_eq!(site.sent(), ["11=transpose(1)", "12=gram(1)"], "a transpose that is held stays");
    }

    #[test]
    fn chains_are_found_over_all_parts() {
        use BinaryFunction::{Multiply, Subtract};
        let site = Site::new();
        let (x, more, v) = (site.put(5, 3), site.put(4, 3), site.put(3, 1));
        let image = |x: &Arc<Variable>| site.matmul(MatmulOp::Product, &[x, &v]);
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&x, &image(&x), &more, &image(&more)]));
        assert_eq!(site.sent(), ["6=mmchain(3 1 2)"]);
        let (w, y) = (site.put(5, 1), site.put(4, 1));
        let weighted = {
            let (one, other) = (site.binary(Multiply, &w, &image(&x)), site.binary(Multiply, &image(&more), &y));
            site.matmul(MatmulOp::Product, &[&site.t(&x), &one, &site.t(&more), &other])
        };
        let _held = site.fetch(weighted);
        assert_eq!(site.sent(), ["15=mmchain_weighted(3 1 7 2 8)"]);
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&x, &site.binary(Subtract, &image(&x), &w)]));
        assert_eq!(site.sent(), ["18=mmchain_minus(3 1 7)"]);
    }

    #[test]
    fn what_others_see_is_not_fused() {
        use BinaryFunction::{Add, Multiply, Subtract};
        let site = Site::new();
        let (x, v, w) = (site.put(5, 3), site.put(3, 1), site.put(5, 1));
        let image = site.matmul(MatmulOp::Product, &[&x, &v]);
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&x, &image]));
        assert_eq!(site.sent(), ["4=matmul(1 2)", "5=cross(1 4)"], "the image is held");
        let again = || site.matmul(MatmulOp::Product, &[&x, &v]);
        let _held =
            (site.fetch(site.matmul(MatmulOp::Cross, &[&x, &again()])), site.fetch(site.binary(Add, &again(), &w)));
        assert_eq!(site.sent(), ["6=matmul(1 2)", "7=cross(1 6)", "8=add(6 3)"], "the image is used twice");
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&x, &site.binary(Multiply, &again(), &site.put(1, 1))]));
        assert_eq!(site.sent().len(), 3, "one number is not a weight for each row");
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&x, &site.binary(Subtract, &w, &again())]));
        assert_eq!(site.sent().len(), 3, "y - X @ v is not (X @ v) - y");
        let other = site.put(5, 3);
        let _held = site.fetch(site.matmul(MatmulOp::Cross, &[&other, &again()]));
        assert_eq!(site.sent().len(), 2, "of another matrix");
    }
}
