//! Which results of a program need not exist by themselves: they are computed where they are used, a piece at a time.
//! Pure, and the same for whoever runs a program and for whoever explains it.

use std::collections::{HashMap, HashSet};

use crate::{
    Instruction, Op, VarId,
    op::{AggregateOp, ElementwiseOp, MatmulOp, Unary},
};

/// The variables that a program makes for one use alone: one instruction uses them once and can compute them piece by
/// piece, the program drops them, and nobody fetches them.
pub fn inner_variables(instructions: &[Instruction], fetch: &[VarId]) -> HashSet<VarId> {
    let mut uses: HashMap<VarId, (usize, bool)> = HashMap::new();
    let mut dropped: HashSet<VarId> = HashSet::new();
    let mut made: HashSet<VarId> = HashSet::new();
    for instruction in instructions {
        match instruction {
            Instruction::Drop(variables) => dropped.extend(variables),
            Instruction::Apply(apply) => {
                for (place, input) in apply.inputs.iter().enumerate() {
                    let (count, pieces) = uses.entry(*input).or_insert((0, true));
                    *count += 1;
                    *pieces &= takes_pieces(&apply.op, place);
                }
                if gives_pieces(&apply.op) {
                    made.insert(apply.output);
                }
            }
        }
    }
    let inner = |var: &VarId| uses.get(var) == Some(&(1, true)) && dropped.contains(var) && !fetch.contains(var);
    made.into_iter().filter(inner).collect()
}

/// Whether each cell of the result depends on the cells of one row alone, so that a piece of it can be computed by itself.
fn gives_pieces(op: &Op) -> bool {
    match op {
        Op::Elementwise(op) => by_cell(op),
        Op::Matmul(op) => *op == MatmulOp::Product,
        Op::Create(_) | Op::Aggregate(_) | Op::Reorg(_) | Op::Slice(_) | Op::Stats(_) | Op::Encode(_) => false,
    }
}

/// Whether an operator can take this input piece by piece.
fn takes_pieces(op: &Op, place: usize) -> bool {
    match op {
        Op::Elementwise(op) => by_cell(op),
        Op::Aggregate(op) => matches!(op, AggregateOp::Reduce(_)),
        Op::Matmul(MatmulOp::Gram) => true,
        Op::Matmul(op) => *op == MatmulOp::Cross && place == 1,
        Op::Create(_) | Op::Reorg(_) | Op::Slice(_) | Op::Stats(_) | Op::Encode(_) => false,
    }
}

fn by_cell(op: &ElementwiseOp) -> bool {
    !matches!(op, ElementwiseOp::Unary(Unary::Softmax | Unary::LogSoftmax))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Apply,
        op::{AggregateFunction, Axis, Binary, BinaryFunction, ReorgOp},
    };

    fn apply(output: u64, op: Op, inputs: &[u64]) -> Instruction {
        Instruction::Apply(Apply { output: VarId(output), op, inputs: inputs.iter().copied().map(VarId).collect() })
    }

    fn subtract() -> Op {
        Op::Elementwise(ElementwiseOp::Binary(Binary { function: BinaryFunction::Subtract, scalar: None }))
    }

    fn sum() -> Op {
        Op::Aggregate(AggregateOp::new(AggregateFunction::Sum, Axis::Columns))
    }

    fn inner(instructions: &[Instruction], fetch: &[u64]) -> Vec<u64> {
        let fetch: Vec<VarId> = fetch.iter().copied().map(VarId).collect();
        let mut inner: Vec<u64> = inner_variables(instructions, &fetch).into_iter().map(|var| var.0).collect();
        inner.sort_unstable();
        inner
    }

    #[test]
    fn what_is_used_once_and_dropped_is_inner() {
        let drop = |ids: &[u64]| Instruction::Drop(ids.iter().copied().map(VarId).collect());
        let chain = [apply(3, subtract(), &[1, 2]), apply(4, sum(), &[3]), drop(&[3])];
        assert_eq!(inner(&chain, &[4]), [3]);
        assert_eq!(inner(&chain[..2], &[4]), [] as [u64; 0], "it stays");
        assert_eq!(inner(&chain, &[3, 4]), [] as [u64; 0], "it is fetched");
        let twice =
            [apply(3, subtract(), &[1, 2]), apply(4, subtract(), &[3, 3]), apply(5, sum(), &[4]), drop(&[3, 4])];
        assert_eq!(inner(&twice, &[5]), [4], "it is used twice");
        let whole = [apply(3, subtract(), &[1, 2]), apply(4, Op::Reorg(ReorgOp::Flip), &[3]), drop(&[3])];
        assert_eq!(inner(&whole, &[4]), [] as [u64; 0], "a reversal takes no pieces");
        let scores = [apply(3, Op::Matmul(MatmulOp::Product), &[1, 2]), apply(4, Op::Matmul(MatmulOp::Cross), &[1, 3])];
        assert_eq!(inner(&[&scores[..], &[drop(&[3])]].concat(), &[4]), [3]);
    }
}
