//! Programs, written line by line; variables name themselves.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fondaco_proto::{Apply, Instruction, Op, ProgramId, VarId, op::BinaryFunction};
use ndarray::Array2;

use super::op;

/// An ordered batch of instructions.
#[derive(Clone)]
pub struct Program {
    pub id: ProgramId,
    pub instructions: Vec<Instruction>,
    pub fetch: Vec<u64>,
    names: Arc<AtomicU64>,
}

impl Program {
    /// An empty one, under an id of its own; names come from the counter, which is one coordinator's.
    pub fn new(names: &Arc<AtomicU64>) -> Self {
        Self { id: ProgramId::new(), instructions: Vec::new(), fetch: Vec::new(), names: Arc::clone(names) }
    }

    /// A name that no other program of this coordinator takes.
    pub fn name(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }

    /// Binds a new variable.
    pub fn apply(&mut self, op: Op, inputs: &[u64]) -> u64 {
        let output = self.name();
        self.bind(output, op, inputs);
        output
    }

    /// Binds this variable.
    pub fn bind(&mut self, output: u64, op: Op, inputs: &[u64]) {
        let inputs = inputs.iter().copied().map(VarId).collect();
        self.instructions.push(Instruction::Apply(Apply { output: VarId(output), op, inputs }));
    }

    /// A chain of products of an `(n, n)` variable, scaled so that numbers stay numbers; the last one's name. It takes
    /// its time, and can be cancelled between any two.
    pub fn chain(&mut self, first: u64, products: usize) -> u64 {
        (0..products).fold(first, |last, _| {
            let scaled = self.apply(op::with(BinaryFunction::Multiply, 0.004), &[last]);
            self.apply(op::product(), &[scaled, first])
        })
    }

    pub fn drop_variables(&mut self, variables: &[u64]) {
        self.instructions.push(Instruction::Drop(variables.iter().copied().map(VarId).collect()));
    }

    pub fn fetch(&mut self, variable: u64) {
        self.fetch.push(variable);
    }

    pub fn read(&mut self, dataset: &str) -> u64 {
        self.apply(op::read(dataset), &[])
    }

    pub fn put(&mut self, matrix: &Array2<f64>) -> u64 {
        self.apply(op::put(matrix), &[])
    }

    pub fn fill(&mut self, rows: u64, columns: u64, value: f64) -> u64 {
        self.apply(op::fill(rows, columns, value), &[])
    }
}
