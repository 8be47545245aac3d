//! What every contender is given.

use std::net::SocketAddr;
use std::path::PathBuf;

use wicketgate_testkit::tls::Identity;

/// How a contender is run.
pub(crate) struct Setup {
    pub(crate) backend: SocketAddr,
    pub(crate) identity: Identity,
    pub(crate) workers: u16,
    /// The gateway's binary.
    pub(crate) wicketgate: PathBuf,
}
