//! The WebSocket protocol without sockets and without a clock: frames, messages, close codes
//! (RFC 6455), compression (RFC 7692) and the rules of the handshake (RFC 6455, RFC 8441).

mod assembly;
mod budget;
mod close;
pub mod deflate;
mod frame;
pub mod handshake;
pub mod mask;
mod scan;
mod utf8;
mod violation;

#[doc(hidden)]
pub mod fuzz;

pub use assembly::{Assembly, AssemblyError};
pub use budget::{Budget, Reserved};
pub use close::{Close, CloseCode, write_control};
pub use frame::{EncodedHeader, Header, Opcode, Rsv};
pub use scan::{Control, DataKind, Event, FrameLimits, Piece, Role, Scanner};
pub use utf8::{InvalidUtf8, Utf8Stream};
pub use violation::Violation;
