//! What every test stands on: a site with tenants and data, a coordinator as bare as the wire, and waiting with
//! deadlines.

mod client;
mod folder;
pub mod op;
mod process;
mod program;
mod random;
mod site;
mod table;
pub mod tiles;
mod wait;

pub use client::{Answer, Client, Refused, Result, chunks, refusal};
pub use folder::Folder;
pub use process::{Process, built, owner};
pub use program::Program;
pub use random::Random;
pub use site::{Plan, Site, lasting_port, status, tenant, token};
pub use table::Table;
pub use wait::{PATIENCE, eventually, within};
