//! Identifiers as types of their own.

use std::fmt;

use uuid::Uuid;

use crate::{Error, Result};

/// A connection of an SDK, the same at all its workers: a UUID, version 7. It grants nothing by itself: a scope is
/// found only together with the tenant who opened it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CoordinatorId(Uuid);

impl CoordinatorId {
    /// A new one.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Parses the 16 bytes of the wire.
    ///
    /// # Errors
    /// `Invalid` if there are not 16 bytes or they are no UUID of version 7.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::invalid("coordinator_id must be the 16 bytes of a UUID, version 7");
        let uuid = Uuid::from_slice(bytes).map_err(|_| wrong())?;
        if uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(wrong()) }
    }

    /// The 16 bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }
}

impl Default for CoordinatorId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CoordinatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for CoordinatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A random number that tells one life of a scope from the next; never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Epoch(pub u64);

/// A variable of a scope, numbered by its coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VarId(pub u64);

impl fmt::Display for VarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "variable {}", self.0)
    }
}

/// A program, so that a retry is known as one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ProgramId(pub [u8; 16]);

impl ProgramId {
    /// A new random one.
    pub fn new() -> Self {
        Self(*Uuid::new_v4().as_bytes())
    }

    /// Parses the 16 bytes of the wire.
    ///
    /// # Errors
    /// `Invalid` if there are not 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::invalid("program_id must be 16 bytes"))
    }
}

impl Default for ProgramId {
    fn default() -> Self {
        Self::new()
    }
}
