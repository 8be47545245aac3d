//! Certificates and names that are not accepted any more, by the word of the site's authority or of a gateway's operator.

mod config;
mod list;
mod watched;

pub use config::{RawRevocations, Revocations};
pub use list::{ListError, MAX_LIST, RevocationList};
pub use watched::{Newest, Renewed, WatchedList};
