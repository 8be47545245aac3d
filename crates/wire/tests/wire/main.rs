//! What this crate promises, held against other implementations.

mod deflate;
mod frames;
mod handshake;
