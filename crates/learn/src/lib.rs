//! What was seen becomes a policy: captured messages go in, a policy in YAML comes out, for somebody to review.
//!
//! A capture is lines of JSON ([`mod@line`]), read within bounds ([`capture`]), or packets of plain traffic ([`pcap`]). [`learn()`]
//! finds the format that reads them (`format`) and where they say of what kind they are (`kind`), listens to them with the
//! gateway's own decoders, and sums up what each kind says (`shape`, `summary`). Of that it writes steps and schemas (`document`,
//! `schema`, `yaml`), and judges the capture by them again. What is secret (`secret`) leaves its type and length alone.

pub mod capture;
mod document;
mod error;
mod format;
#[doc(hidden)]
pub mod fuzz;
mod kind;
mod learn;
pub mod line;
pub mod pcap;
mod redact;
mod schema;
mod secret;
mod settings;
mod shape;
mod summary;
mod text;
mod yaml;

pub use error::Error;
pub use learn::{Learned, Row, learn};
pub use redact::Redactor;
pub use settings::Settings;

#[cfg(test)]
mod tests;
