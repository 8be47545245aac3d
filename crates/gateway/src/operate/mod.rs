//! What an operator sees and does, whoever asks for it: the admin listener and the console have the same answers.

pub mod busiest;
pub mod certificates;
pub mod doctor;
pub mod findings;
pub mod kick;
pub mod messages;
pub mod metrics;
pub mod places;
pub mod process;
pub mod relay;
pub mod revocations;
mod selector;
pub mod sessions;
pub mod status;
pub mod traffic;

use std::time::SystemTime;

use time::OffsetDateTime;

pub use selector::Selector;

/// A time without its fraction, which nobody asks for.
pub fn seconds(time: SystemTime) -> OffsetDateTime {
    let time = OffsetDateTime::from(time);
    time.replace_nanosecond(0).unwrap_or(time)
}
