//! The operator's window: pages, and the API behind them.
//!
//! [`Console`] listens, and serves on a thread with a small runtime of its own, so that whatever an operator asks for takes no time of the
//! data plane's. `access` says who asks and what they may; `api` and `pages` answer, out of what the gateway's `operate` module
//! tells. `samples` keeps the figures of the last minutes.

mod access;
mod api;
mod control;
mod followed;
mod front;
mod origin;
mod pages;
mod records;
mod samples;
mod server;
mod show;
mod state;
mod waits;
mod watching;

pub use access::password::hash;
pub use control::{Control, Wish, Wishes};
pub use followed::Followed;
pub use server::{Console, Parts, Serving};
