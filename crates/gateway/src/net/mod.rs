//! Byte streams under everything else: sockets, TLS over them, tunnels through HTTP/2.

mod stream;

pub use stream::{PEEK_MAX, Socket, Stream, Tunnel};
