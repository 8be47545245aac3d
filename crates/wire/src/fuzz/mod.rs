//! Entry points for fuzzing: any bytes in, a panic where a promise of this crate is broken.
//!
//! They are compiled always, so that the committed corpus is replayed by ordinary tests.

mod deflate;
mod frames;
mod handshake;

pub use deflate::deflate;
pub use frames::{assembly, frames};
pub use handshake::{extensions, handshake};

/// Takes a number from the front of the input; 0 where there is none.
fn byte(data: &mut &[u8]) -> u8 {
    match data {
        [first, rest @ ..] => {
            let first = *first;
            *data = rest;
            first
        }
        [] => 0,
    }
}
