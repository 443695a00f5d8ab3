//! Operators that stand for several: what they compute without building what lies between. What they do to a label is
//! what those do, one after another.

use crate::{Axes, Effect, Facet, Measure, Op, Shape};

/// Where an input of one of the operators comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An input of the operator that stands for all.
    Input(usize),
    /// The result of an earlier one.
    Step(usize),
}

/// One of the operators that another stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfused {
    /// It.
    pub op: Op,
    /// Its inputs, in order.
    pub inputs: Vec<Origin>,
}

/// A list of operators in the making.
#[derive(Default)]
pub(crate) struct Chain(Vec<Unfused>);

impl Chain {
    /// Adds an operator; its result.
    pub fn push(&mut self, op: impl Into<Op>, inputs: impl Into<Vec<Origin>>) -> Origin {
        self.0.push(Unfused { op: op.into(), inputs: inputs.into() });
        Origin::Step(self.0.len() - 1)
    }

    /// All of them; the result of the last is the result.
    pub fn finish(self) -> Vec<Unfused> {
        self.0
    }
}

/// The effect of all operators one after another, on inputs whose shapes fit. What the support is has to be measured
/// step by step, too.
pub(crate) fn effect(steps: &[Unfused], inputs: &[Facet]) -> Effect {
    let mut made: Vec<Facet> = Vec::with_capacity(steps.len());
    let (mut last, mut extreme) = (Effect::entangled(), false);
    for step in steps {
        let facets: Vec<Facet> = step.inputs.iter().map(|origin| origin.of(inputs, &made)).collect();
        let shapes: Vec<Shape> = facets.iter().map(|facet| facet.shape).collect();
        let Ok(shape) = step.op.shape(&shapes) else { return Effect::entangled() };
        last = step.op.effect(&facets);
        extreme |= last.extreme;
        made.push(Facet { shape, axes: last.axes, plain: last.plain, native: last.native });
    }
    if last.axes == Axes::Entangled {
        return Effect::entangled();
    }
    Effect { extreme, ..last.measured(Measure::Unfused) }
}

impl Origin {
    /// The one of these that it speaks of.
    pub fn of<T: Clone>(self, inputs: &[T], made: &[T]) -> T {
        match self {
            Self::Input(input) => inputs[input].clone(),
            Self::Step(step) => made[step].clone(),
        }
    }
}
