//! Identity and reuse: what a value is, and whether we have it.
//!
//! * [`Key`] names a value by how it came to be: the blake3 of an operator's canonical bytes and the keys of its
//!   inputs, down to leaves that are content ([`DatasetLeaf`], uploads). Equal keys mean equal values.
//! * [`Reach`] says who may reuse a value: everyone with the right to its sources, or one tenant.
//! * [`Trace`] remembers the way itself, so that it can be shown.
//! * [`Cache`] holds values by `(Reach, Key)` within a byte budget and lets one caller compute what many ask for:
//!   [`Cache::probe`] answers [`Probe::Hit`] or [`Probe::Miss`] with a [`Reservation`].
//!
//! The crate does no input or output, starts no task and knows no operator.

mod cache;
mod key;
mod policy;
mod reach;
mod trace;

pub use cache::{Cache, ENTRY_BYTES, Evicted, Options, Probe, Reservation, Stats};
pub use key::{DatasetLeaf, FileIdentity, Key, VERSION};
pub use policy::Cost;
pub use reach::{Reach, TenantTag};
pub use trace::{Origin, Trace};
