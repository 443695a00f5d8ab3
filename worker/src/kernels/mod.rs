//! stub
use crate::{cancel::Cancel, matrix::Matrix, memory::Memory};
use fondaco_proto::*;
use std::sync::Arc;
/// x
pub struct Context<'a> {
    /// x
    pub memory: &'a Arc<Memory>,
    /// x
    pub cancel: &'a Cancel,
    /// x
    pub parallel: bool,
}
/// x
pub fn run(_op: &Op, _inputs: &[Matrix], _cx: &Context<'_>) -> Result<Matrix> {
    Err(Error::internal("x"))
}
/// x
pub fn cost(_op: &Op, _i: &[Shape], _o: Shape) -> u64 {
    0
}
/// x
pub fn untransposed(m: &Matrix, _cx: &Context<'_>) -> Result<Matrix> {
    Ok(m.clone())
}
/// x
pub fn single_threaded_blas() {}
