//! For tests and benchmarks only: real intermediaries, raw peers, proofs that an attack was stopped.
//!
//! - [`process`] starts a program, waits until it is ready, reads its cost, ends it with all its workers
//! - [`ports`], [`dir`], [`tls`] free ports, temporary folders, a certificate authority of the test's own
//! - [`peers`] nginx, HAProxy, Apache, Varnish, Caddy, Envoy, Python, Node, Chromium, an OpenID provider, Autobahn's cases
//! - [`middlebox`] what F5 and Cloudflare do to WebSockets, in this process and on demand
//! - [`raw`] clients and backends that write the very bytes they are told to
//! - [`attack`] rejected, not forwarded, and the next honest client served: one line an attack
//! - [`issuer`] signed tokens, good and forged, and whoever publishes their keys
//! - [`netns`] machines of a test's own, whose address changes and whose cable goes dead; needs root
//! - [`gateway`] the built binary with a configuration of the test's own

pub mod attack;
pub mod dir;
pub mod gateway;
pub mod issuer;
pub mod line;
pub mod middlebox;
pub mod netns;
pub mod peers;
pub mod ports;
pub mod process;
pub mod raw;
pub mod tls;
