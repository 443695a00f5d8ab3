//! The laws that hold for programs rather than for single operators, and what their tests share with those of law 1.

mod broken;
mod composition;
mod determinism;
mod every;
mod explained;
mod immutability;
mod lifetime;
mod relays;
mod reuse;
mod round_trips;
pub mod sample;
mod script;
mod streaming;
pub mod trio;
