//! The program with components, from outside: what they decide on real traffic, what follows when they go wrong, and how another one
//! takes their place.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod decoding;
mod faults;
mod javascript;
mod judging;
mod stage;
mod swap;
