//! The pump: one task a session, frames judged and forwarded in both directions.

mod buffer;
pub mod config;
mod control;
mod end;
mod flow;
mod inflate;
mod inspector;
mod kept;
mod lane;
mod passed;
mod renew;
mod session;
mod traffic;

pub use control::{Control, Order};
pub use end::{End, Side};
pub use flow::Counters;
pub use inspector::{Inspector, Report};
pub use renew::Renew;
pub use session::{Ends, Peer, Summary, run};
pub use traffic::{Moved, SentBySide, SideTraffic, Traffic};
