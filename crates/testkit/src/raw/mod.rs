//! Clients and backends on bare sockets: they write the very bytes they are told to and show the very bytes they got.
//!
//! Nothing here is shared with the gateway's own protocol code, so that a mistake there is not repeated here.

mod client;
mod echo;
mod frame;
mod head;
mod io;
mod recording;
mod server;
mod session;
mod upgrade;

pub use client::{Ended, RawClient};
pub use echo::{EchoBackend, EchoSettings};
pub use frame::{Frame, Header, LengthForm, opcode};
pub use head::{Head, accept_key};
pub use io::{Endpoint, Io, Place};
pub use recording::{Answer, Recorded, RecordingBackend};
pub use session::Echo;
pub use upgrade::Upgrade;
