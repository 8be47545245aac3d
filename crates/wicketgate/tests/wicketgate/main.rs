//! The gateway as a program, from outside: the command line, attacks on raw sockets, real clients, backends and
//! intermediaries, reload and restart.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod attacks;
mod audit;
mod cli;
mod console;
mod demo;
mod deploy;
mod examples;
mod keys;
mod learn;
mod packs;
mod peers;
mod relay;
mod supervised;
mod support;
mod telemetry;
mod watermark;
