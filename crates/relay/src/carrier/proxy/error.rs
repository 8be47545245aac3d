//! Why a proxy gives no connection, and what to do about it.

use std::io;

use http::StatusCode;

use super::target::Target;

/// A proxy gives no connection.
#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} {why}")]
pub struct ProxyError {
    /// Which one.
    pub proxy: String,
    /// Why.
    pub why: ProxyFault,
}

/// Why a proxy gives no connection.
#[derive(Debug, thiserror::Error)]
pub enum ProxyFault {
    /// No connection to it.
    #[error("cannot be reached: {0}")]
    Connect(#[source] io::Error),
    /// No TLS with it.
    #[error(
        "gives no TLS: {0}; where its certificate is of an authority of your own, name it: `gateway.proxy.ca`"
    )]
    Tls(#[source] io::Error),
    /// The gateway's host is none that can be asked for.
    #[error("cannot be asked for the gateway's host")]
    Target,
    /// It wants to know who we are, and was not told.
    #[error(
        "asks for a user name and password (407): give `gateway.proxy` with `username` and `password`, or both in HTTPS_PROXY"
    )]
    WantsCredentials,
    /// It does not take what it was told.
    #[error("does not take this user name and password: see `gateway.proxy`, or HTTPS_PROXY")]
    WrongCredentials,
    /// It asks for them by other ways than Basic.
    #[error(
        "asks for a login by {0} (407), and Basic is what this program knows: have it take Basic, or let this machine through"
    )]
    OtherScheme(String),
    /// It may not connect to the gateway for us.
    #[error("does not allow a connection to {0} (403): have CONNECT to it allowed")]
    Forbidden(Target),
    /// It does not get there itself.
    #[error(
        "does not get through to {target} ({status}): see that it resolves the name and may connect to the port"
    )]
    Unreachable {
        /// Where to.
        target: Target,
        /// What it says.
        status: StatusCode,
    },
    /// It says something else.
    #[error(
        "answers {status} where it was asked for a connection to {target}: is it an HTTP proxy, and is CONNECT allowed?"
    )]
    Refused {
        /// Where to.
        target: Target,
        /// What it says.
        status: StatusCode,
    },
    /// Its answer has no end.
    #[error("answers with a head of more than {0} bytes, or too many headers")]
    TooLarge(usize),
    /// It talks before anybody can have answered.
    #[error("sends bytes that nobody has asked for: it is no tunnel")]
    Early,
    /// It ends the connection, or speaks something else.
    #[error("gives no answer of an HTTP proxy: {0}")]
    Exchange(#[source] hyper::Error),
    /// Neither yes nor no.
    #[error("gives no connection within {0:?}")]
    Late(std::time::Duration),
}
