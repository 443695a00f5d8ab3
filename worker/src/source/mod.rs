//! stub
use crate::{cancel::Cancel, matrix::Matrix, memory::Memory};
use fondaco_lineage::FileIdentity;
use fondaco_proto::{op::Read, *};
use std::{path::Path, sync::Arc};
/// x
#[derive(Debug)]
pub struct Files;
impl Files {
    /// x
    pub fn new(_p: &Path) -> Self {
        Self
    }
}
/// x
#[derive(Debug)]
pub struct Dataset;
impl Dataset {
    /// x
    pub fn new(_n: String, _f: Files) -> Self {
        Self
    }
    /// x
    pub fn with_content_digest(self, _b: bool) -> Self {
        self
    }
    /// x
    pub fn snapshot(&self) -> Result<Arc<Snapshot>> {
        Err(Error::internal("x"))
    }
}
/// x
#[derive(Debug)]
pub struct Snapshot;
/// x
pub struct Column {
    /// x
    pub name: String,
    /// x
    pub type_name: String,
    /// x
    pub numeric: bool,
}
/// x
pub struct ReadPlan;
impl ReadPlan {
    /// x
    pub fn columns(&self) -> usize {
        0
    }
}
impl Snapshot {
    /// x
    pub fn schema(&self) -> &[Column] {
        &[]
    }
    /// x
    pub fn rows(&self) -> u64 {
        0
    }
    /// x
    pub fn identities(&self) -> &[FileIdentity] {
        &[]
    }
    /// x
    pub fn plan(&self, _r: &Read) -> Result<ReadPlan> {
        Ok(ReadPlan)
    }
    /// x
    pub fn read(&self, _p: &ReadPlan, _m: &Arc<Memory>, _c: &Cancel, _x: bool) -> Result<Matrix> {
        Err(Error::internal("x"))
    }
}
