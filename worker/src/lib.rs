//! The Fondaco worker: executes federated programs next to private data.
//!
//! A request goes `server` → `auth` (who) → `scope` (whose variables) → `execute` (instruction by instruction: quota,
//! lineage, reuse, `kernels`, `support`, `label`) → `gate` and `release` (what may leave), and every decision to `audit`.

#[cfg(target_endian = "big")]
compile_error!("values travel as little-endian doubles, and are copied as they are");

pub mod admin;
mod audit;
mod auth;
pub mod cancel;
mod catalog;
pub mod config;
mod execute;
mod fair;
mod frame;
mod gate;
pub mod kernels;
pub mod label;
pub mod matrix;
pub mod memory;
mod names;
mod pool;
mod quota;
mod release;
mod request;
mod scope;
mod server;
pub mod source;
mod sparse;
pub mod support;
mod upload;
mod value;
mod worker;

pub use worker::Worker;
