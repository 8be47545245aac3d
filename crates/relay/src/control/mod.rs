//! The control connection of an endpoint to its gateway: TLS by the site's authority, inside whatever carries it, and short
//! messages over it.

mod channel;
pub mod message;
pub mod version;

pub use channel::{Channel, ChannelError};
