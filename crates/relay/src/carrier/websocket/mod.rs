//! Carrier `websocket`: bytes in binary messages, whose borders mean nothing.

mod dial;
mod frames;
mod pipe;

pub(super) use dial::open;
pub use frames::{Counted, Frames};
pub use pipe::WebSocketPipe;

/// What both ends speak inside the WebSocket.
pub const SUBPROTOCOL: &str = "wicketgate.v1";
