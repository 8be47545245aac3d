//! Byte streams under everything else: sockets, TLS over them, tunnels through HTTP/2.

mod stream;

pub use stream::{Socket, Stream, Tunnel};
