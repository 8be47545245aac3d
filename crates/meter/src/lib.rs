//! How much was used: [`rate`]s and what was used of them, and [`table`]s of what is known of many keys, in bounded memory.
//! Time is passed in.

mod fill;
pub mod rate;
pub mod table;

pub use fill::Fill;
