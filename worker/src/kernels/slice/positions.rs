//! Lists of rows.

use std::ops::Deref;

use fondaco_proto::Result;

use super::super::Context;
use crate::memory::Ticket;

/// Rows of a matrix, in some order; counted in the memory.
pub struct Positions {
    rows: Vec<usize>,
    _bytes: Ticket,
}

impl Positions {
    /// At most so many of these.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice.
    pub fn new(most: usize, rows: impl Iterator<Item = usize>, cx: &Context<'_>) -> Result<Self> {
        let bytes = cx.memory.ticket((most as u64).saturating_mul(size_of::<usize>() as u64))?;
        let mut list = Vec::with_capacity(most);
        list.extend(rows.take(most));
        Ok(Self { rows: list, _bytes: bytes })
    }
}

impl Deref for Positions {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.rows
    }
}
