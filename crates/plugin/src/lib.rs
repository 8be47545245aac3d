//! WebAssembly components that judge and decode messages: what they may be asked, and the host that asks them within bounds.
//!
//! The host is wasmtime, behind the feature `engine`: this crate alone knows it. Without the feature everything here is the
//! same, but that no component can be loaded.

mod answer;
#[cfg(feature = "engine")]
mod engine;
#[cfg(not(feature = "engine"))]
#[path = "absent.rs"]
mod engine;
mod fault;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod fuzz;
mod limits;
mod question;
#[cfg(feature = "testing")]
pub mod testing;

pub use answer::{Edit, Field, MAX_EDITS, MAX_TAGS, Value, Verdict, Word};
pub use engine::{Decoder, Instance, Judge};
pub use fault::{Fault, Unusable};
pub use limits::{Limits, MAX_FILE};
pub use question::{Data, Direction, Question, Session};
