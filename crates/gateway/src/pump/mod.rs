//! The pump: one task a session, frames judged and forwarded in both directions.

pub mod config;
