//! What this crate promises, held against other implementations and the committed fuzz corpus.

mod corpus;
mod deflate;
mod frames;
mod handshake;
