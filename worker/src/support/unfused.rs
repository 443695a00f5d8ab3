//! What an operator that stands for several would have been measured at: these are carried out, one after another.

use fondaco_proto::{Axes, Facet, Origin, Result, Shape, Unfused};

use super::{Step, Support};
use crate::{kernels, matrix::Matrix};

/// A value on the way, and what is known of it.
#[derive(Clone)]
struct Made {
    value: Matrix,
    facet: Facet,
    support: Support,
}

impl Step<'_> {
    /// The support of all operators that this one stands for, together.
    pub(super) fn unfused(&self) -> Result<Support> {
        let Some(steps) = self.op.unfused(self.inputs.len()) else { return Ok(Support::NONE) };
        let given = self.inputs.iter().zip(self.facets).zip(self.input_noise);
        let given = given.map(|((value, facet), noise)| Made {
            value: value.clone(),
            facet: *facet,
            support: Support::FULL.with_noise(*noise),
        });
        let given: Vec<Option<Made>> = given.map(Some).collect();
        let mut made: Vec<Option<Made>> = Vec::with_capacity(steps.len());
        let mut weakest = Support::FULL;
        for (index, step) in steps.iter().enumerate() {
            let inputs: Option<Vec<Made>> = step.inputs.iter().map(|origin| origin.of(&given, &made)).collect();
            let Some(inputs) = inputs else { return Ok(Support::NONE) };
            let next = self.measured(step, &inputs)?;
            if next.facet.axes == Axes::Entangled {
                return Ok(Support::NONE);
            }
            weakest = weakest.weakest(next.support);
            made.push(Some(next));
            // What nobody needs any more makes room.
            for (step, value) in made.iter_mut().enumerate() {
                let needed = steps[index + 1..].iter().any(|later| later.inputs.contains(&Origin::Step(step)));
                if !needed {
                    *value = None;
                }
            }
        }
        Ok(weakest)
    }

    /// One of them, carried out and measured.
    fn measured(&self, step: &Unfused, inputs: &[Made]) -> Result<Made> {
        let values: Vec<Matrix> = inputs.iter().map(|input| input.value.clone()).collect();
        let facets: Vec<Facet> = inputs.iter().map(|input| input.facet).collect();
        let (axes, noise): (Vec<Axes>, Vec<f64>) =
            inputs.iter().map(|input| (input.facet.axes, input.support.noise)).unzip();
        let shapes: Vec<Shape> = values.iter().map(Matrix::shape).collect();
        let shape = step.op.shape(&shapes)?;
        let effect = step.op.effect(&facets);
        let value = kernels::run(&step.op, &values, self.cx)?;
        let own = Step {
            op: &step.op,
            inputs: &values,
            facets: &facets,
            input_axes: &axes,
            input_noise: &noise,
            output: &value,
            axes: effect.axes,
            cx: self.cx,
        };
        let own = own.measure(&effect.measure)?;
        let support = inputs.iter().map(|input| input.support).fold(own, Support::weakest);
        let plain = effect.plain && support.is_exact();
        Ok(Made { value, facet: Facet { shape, axes: effect.axes, plain, native: effect.native }, support })
    }
}
