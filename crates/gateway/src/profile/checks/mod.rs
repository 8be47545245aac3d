//! The checks that requirements are made of, by what they look at.

pub(super) mod access;
pub(super) mod credentials;
pub(super) mod record;
pub(super) mod sessions;
pub(super) mod transport;
