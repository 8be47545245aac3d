//! How much was used: [`rate`]s and what was used of them, and [`table`]s of what is known of many keys, in bounded memory, with how
//! full those are ([`fill`]).
//! Time is passed in.

pub mod fill;
pub mod rate;
pub mod table;
