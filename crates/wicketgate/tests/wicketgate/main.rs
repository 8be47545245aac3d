//! The gateway as a program, from outside: the command line, attacks on raw sockets, real clients, backends and
//! intermediaries, reload and restart.

mod attacks;
mod cli;
mod demo;
mod examples;
