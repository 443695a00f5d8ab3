//! What operators on frames do to labels. A frame with protected rows has them as rows. It is native if its cells are a
//! dataset's own, at whatever place, and plain if it is native: nothing is known of numbers that a function of cells gives.

use super::EncodeOp;
use crate::{Axes, Effect, Facet, Measure, Selection};

impl EncodeOp {
    pub(in crate::op) fn effect(&self, inputs: &[Facet]) -> Effect {
        let Facet { axes, native, .. } = inputs[0];
        if inputs.iter().any(|input| input.axes.columns()) {
            // No rule speaks of data rows that became columns.
            return Effect::entangled();
        }
        let protected = axes == Axes::Rows;
        let frame = |native: bool| Effect::keeping(axes, native && protected).native_if(native);
        let measured =
            |effect: Effect, native| if protected { effect.measured(Measure::Frame { native }) } else { effect };
        match self {
            // Cells as they are.
            Self::Select(_) | Self::Frame(_) => frame(native),
            // A tenant's choice may make two values one, and so tell one of them.
            Self::Cast { .. } | Self::Map { .. } => frame(false),
            // A tenant's choice, and the data's own.
            Self::Filter(_) => measured(frame(native).selecting(Selection::Some), false),
            Self::DropMissing(_) => measured(frame(native).selecting(Selection::Some), native),
            // Which rows meet which is nobody's rule yet: for public and one's own data alone.
            Self::Join(_) if inputs.iter().any(|input| input.axes != Axes::None) => Effect::entangled(),
            Self::Join(_) => frame(false),
            // What is no more than the data's own is as if it had been read so; all else is measured here, where it
            // becomes numbers.
            Self::Matrix(_) if native => frame(native),
            Self::Matrix(_) | Self::FillMissing(_) => measured(frame(false), false),
            Self::Categories { .. } | Self::Tokens { .. } => {
                if inputs.iter().any(|input| input.axes != axes) {
                    return Effect::entangled();
                }
                let effect = Effect::keeping(Axes::None, false);
                let effect = if protected { effect.measured(Measure::Groups) } else { effect };
                if inputs.len() > 1 { effect.selecting(Selection::Concatenated) } else { effect }
            }
            // Columns of categories that are the data's own, each with enough rows, are as good as columns that the owner
            // had coded so. What is not of that kind is found when it is measured, and then nothing of it is plain.
            Self::Features { .. } => measured(Effect::keeping(axes, native && protected), native),
            // Which category is the largest is a function of cells, to be measured when it becomes numbers again.
            Self::Decode(_) => frame(false),
        }
    }
}
