//! The same cells at other places.

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape,
    op::{Arity, unknown},
    vocabulary::vocabulary,
    wire,
};

vocabulary! {
    /// An operator that moves cells.
    ReorgOp from wire::ReorgKind {
        Transpose = "transpose",
        Vstack = "vstack",
        Hstack = "hstack",
        Flip = "flip",
    }
}

impl ReorgOp {
    pub(super) fn arity(self) -> Arity {
        match self {
            Self::Transpose | Self::Flip => Arity::Exactly(1),
            Self::Vstack | Self::Hstack => Arity::Groups { fixed: 0, group: 1 },
        }
    }

    pub(super) fn shape(self, inputs: &[Shape]) -> Result<Shape> {
        let first = inputs[0];
        let wrong = |what: &str, other: &Shape| {
            Error::invalid(format!(
                "{}: the inputs need the same number of {what}, but are {first} and {other}",
                self.name()
            ))
        };
        let too_large = || Error::invalid(format!("{}: the result has too many cells to count", self.name()));
        let sum = |extents: Vec<u64>| extents.into_iter().try_fold(0_u64, u64::checked_add).ok_or_else(too_large);
        match self {
            Self::Transpose => Ok(first.transposed()),
            Self::Flip => Ok(first),
            Self::Vstack => match inputs.iter().find(|input| input.columns != first.columns) {
                Some(other) => Err(wrong("columns", other)),
                None => Ok(Shape::new(sum(inputs.iter().map(|input| input.rows).collect())?, first.columns)),
            },
            Self::Hstack => match inputs.iter().find(|input| input.rows != first.rows) {
                Some(other) => Err(wrong("rows", other)),
                None => Ok(Shape::new(first.rows, sum(inputs.iter().map(|input| input.columns).collect())?)),
            },
        }
    }

    pub(super) fn effect(self, inputs: &[Facet]) -> Effect {
        let flipped = |inputs: &[Facet]| -> Vec<Facet> {
            inputs.iter().map(|x| Facet { shape: x.shape.transposed(), axes: x.axes.transposed(), ..*x }).collect()
        };
        match self {
            Self::Transpose => {
                Effect::keeping(inputs[0].axes.transposed(), inputs[0].plain).native_if(inputs[0].native)
            }
            Self::Flip => {
                let Facet { axes, plain, native, .. } = inputs[0];
                let effect = Effect::keeping(axes, plain).native_if(native);
                if axes.rows() { effect.selecting(Selection::Reversed) } else { effect }
            }
            Self::Hstack => side_by_side(inputs),
            // vstack is the transpose of the hstack of the transposes.
            Self::Vstack => {
                let mut effect = side_by_side(&flipped(inputs));
                effect.axes = effect.axes.transposed();
                effect
            }
        }
    }

    pub(super) fn write_canonical(self, out: &mut Canonical) {
        out.code(self.code());
    }
}

/// `hstack`: more columns for the same rows or, where columns are data rows, more data rows.
fn side_by_side(inputs: &[Facet]) -> Effect {
    let axes = inputs.iter().fold(Axes::None, |axes, input| axes.join(input.axes));
    let native = inputs.iter().all(|input| input.native);
    match axes {
        _ if inputs.len() == 1 => Effect::keeping(axes, inputs[0].plain).native_if(native),
        Axes::None => Effect::keeping(Axes::None, false),
        Axes::Rows => {
            let plain = inputs.iter().all(|input| input.plain);
            let weights = (0..inputs.len()).filter(|&i| inputs[i].axes == Axes::None && inputs[i].weighs()).collect();
            let effect = Effect::keeping(Axes::Rows, plain).native_if(native);
            if plain { effect } else { effect.measured(Measure::Weights(weights)) }
        }
        Axes::Columns if inputs.iter().all(|input| input.axes == Axes::Columns) => {
            let effect = Effect::keeping(Axes::Columns, native).native_if(native).selecting(Selection::Concatenated);
            if native { effect } else { effect.measured(Measure::Cells(vec![])) }
        }
        Axes::Columns | Axes::Both | Axes::Entangled => Effect::entangled(),
    }
}

impl TryFrom<wire::ReorgOp> for ReorgOp {
    type Error = Error;

    fn try_from(op: wire::ReorgOp) -> Result<Self> {
        Self::from_code(op.kind).ok_or_else(|| unknown("reorg"))
    }
}

impl From<ReorgOp> for wire::ReorgOp {
    fn from(op: ReorgOp) -> Self {
        Self { kind: op.code() }
    }
}
