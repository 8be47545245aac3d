//! The peers are what the other tests take them for: they start, proxy a WebSocket, and end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attack;
mod echo;
mod oidc;
mod peers;
mod process;
