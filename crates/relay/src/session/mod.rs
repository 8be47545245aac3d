//! A byte stream between two ends, client and agent, that outlives the connections it runs over. No sockets, no clock
//! and no cryptography of its own: bytes and the time go in, bytes and the next moment come out.
//!
//! A *carrier* is a pipe of bytes in order that may break at any of them. Each end counts the bytes of the stream in
//! both directions from 0, keeps what the other has not acknowledged, and begins every carrier by saying what it has.
//!
//! # Records
//! Numbers are big-endian. Records follow each other without padding and may be cut anywhere.
//!
//! | type | record | behind the type |
//! |---|---|---|
//! | 1 | ATTACH | version u8 = 1, session id 16, epoch u64, received u64, window u64, tag 32 |
//! | 2 | DATA | offset u64, length u32 from 1, bytes |
//! | 3 | ACK | received u64, window u64 |
//! | 4 | PING | number u64 |
//! | 5 | PONG | the PING's number u64 |
//! | 6 | FIN | offset u64 of the end of the stream |
//! | 7 | CLOSE | reason u16, length u16 up to 256, UTF-8 text |
//!
//! *received* is the offset of the first byte that has not come; *window* is the offset up to which the peer may
//! send. On a carrier both never go back. ATTACH is the first record in each direction, and only there; a CLOSE in
//! its place refuses the session. DATA and FIN continue the stream exactly: on a new carrier from the offset in the
//! ATTACH that went the other way, then without gap or overlap. CLOSE, ACK, PONG and PING go ahead of waiting DATA.
//!
//! # Who may attach
//! Each end gives its carriers growing numbers, the epochs, from 1. An ATTACH counts if its epoch is higher than all
//! that this peer attached with before; of two carriers the newer wins. Its tag is a MAC over the sender's role
//! (client 0, agent 1) and all bytes before the tag, by a key that only the two ends can export from the TLS session
//! inside the stream. That session is built over the stream, so the first carrier comes before the key:
//!
//! - With the key an end sends tagged ATTACHes only and accepts no others.
//! - Without it an end sends a tag of zeros and accepts only that, and only while no byte of the stream has passed in
//!   either direction, so that there is nothing to resume and nothing to steal.
//! - A carrier that breaks later, but before this end has the key, takes the session with it ([`Reason::Unverified`],
//!   a new session may be tried at once). So does a tagged ATTACH where no carrier is attached. An end that has the
//!   key learns it by the CLOSE that the other sends in place of its next ATTACH.
//!
//! In TLS 1.3 the client has the key half a round trip before the agent, and the agent passes nothing on before it
//! has verified the client. So a session that is lost in between has delivered no application byte, and the client
//! can offer all of them again, if it still has them: it should take none from its application before the agent's
//! first bytes inside TLS are there. Epochs count from the key on: what nobody has signed cannot make the true ones
//! look old.
//!
//! ACK, DATA, FIN and CLOSE have no tag: whoever carries the bytes can end the session by a forged one, as he can by
//! not carrying them. TLS inside shows forged DATA and FIN; a forged ACK ends as [`Reason::RewindImpossible`], never
//! as lost bytes.
//!
//! # Make before break
//! A carrier that is offered while another is attached takes its place when the peer's ATTACH has come on it. Until
//! then the old one goes on, but acknowledges nothing beyond the offered ATTACH. What comes twice because of that is
//! dropped. If nothing came of the offer within [`Limits::attach_timeout`], the old carrier is given up as well.

mod attach;
mod counters;
mod fault;
#[doc(hidden)]
pub mod fuzz;
mod keepalive;
mod life;
mod limits;
mod pace;
mod reason;
mod receive;
mod record;
mod segments;
mod send;
#[cfg(test)]
mod tests;

pub use attach::{Attached, Authenticator, Role, SessionId};
pub use counters::Counters;
pub use fault::{Break, Fault};
pub use life::Session;
pub use limits::Limits;
pub use reason::{By, Ended, Reason, close_record};
