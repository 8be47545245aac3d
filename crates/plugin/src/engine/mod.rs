//! The host: wasmtime, set up so that a component can take nothing but its own memory and its own time.
//!
//! [`machine`] compiles and keeps the time, [`state`] is what a component may reach, [`pool`] has instances at hand, and the
//! worlds, [`judge`] and [`decoder`], are what is asked.

mod compiled;
mod decoder;
mod instance;
mod judge;
mod lines;
mod machine;
mod pool;
mod state;

pub use decoder::Decoder;
pub use judge::{Instance, Judge};
