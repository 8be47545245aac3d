//! HTTP between client and upstream: each request is admitted, routed, and answered or passed on.
//!
//! - `connection`: a client's connection, HTTP/1.1 or HTTP/2
//! - `front`: from a request to its answer
//! - `forward`: what a request and a response are on their other side
//! - `carrier`: an agent's or client's byte stream, which is no request
//! - `websocket`: a handshake passed on, and the session that follows
//! - `refusal`: every reason for which a request is not served

mod body;
mod carrier;
pub mod connection;
mod forward;
mod front;
mod patience;
mod refusal;
mod ticket;
mod websocket;

pub use connection::{Arrival, serve};
pub use refusal::Refused;
