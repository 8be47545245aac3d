//! The gateway as a program, from outside: the command line, attacks on raw sockets, real clients, backends and
//! intermediaries, reload and restart.

mod attacks;
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod cli;
mod peers;
