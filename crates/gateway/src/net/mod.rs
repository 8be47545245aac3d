//! Byte streams under everything else: sockets, TLS over them, tunnels through HTTP/2.

mod network;
mod stream;

pub use network::Network;
pub use stream::{PEEK_MAX, Socket, Stream, Tunnel};
