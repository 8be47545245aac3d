//! Asking identity providers and others over HTTP: within a time, a size, and the trust that is configured.

mod authorization;
mod client;
mod config;
mod headers;
#[cfg(test)]
mod tests;

pub use authorization::basic;
pub use client::{FetchError, Fetcher};
pub use config::{Endpoint, FetchConfig, RawFetch};
pub use headers::{add_headers, check_header};
