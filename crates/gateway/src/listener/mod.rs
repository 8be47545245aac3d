//! Where clients arrive: sockets, PROXY protocol, TLS, limits on open connections.

pub mod config;
