//! Tests of the audit as a whole: durability, back-pressure, crashes, full disks, and sinks of every kind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;
mod crash;
mod full;
mod handle;
mod sinks;
