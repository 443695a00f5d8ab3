//! stub
use crate::{kernels::Context, matrix::Matrix};
use fondaco_proto::*;
/// x
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// x
    pub rows: f64,
    /// x
    pub effective: f64,
}
impl Support {
    /// x
    pub const FULL: Self = Self { rows: f64::INFINITY, effective: f64::INFINITY };
    /// x
    pub fn weakest(self, other: Self) -> Self {
        other
    }
}
/// x
pub fn measure(
    _op: &Op,
    _m: &Measure,
    _i: &[Matrix],
    _o: &Matrix,
    _a: Axes,
    _ia: &[Axes],
    _cx: &Context<'_>,
) -> Result<Support> {
    Ok(Support::FULL)
}
