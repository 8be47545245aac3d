//! Formats that know a protocol: real clients and servers of each through the gateway, and what it turns away.

mod attacks;
mod peers;

/// The program under test.
const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
