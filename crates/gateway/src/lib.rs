//! The data plane: listeners, TLS, HTTP, routes, upstreams and the pump.

pub mod admin;
pub mod capture;
pub mod config;
pub mod console;
pub mod fuzz;
pub mod gateway;
pub mod http;
pub mod latency;
pub mod listener;
pub mod net;
pub mod observe;
pub mod operate;
pub mod pictures;
pub mod profile;
pub mod pump;
pub mod route;
pub mod server;
pub mod sessions;
pub mod tls;
pub mod upstream;
mod watch;
pub mod workers;
