//! The name that a client asks for by SNI. rustls' unbuffered connection does not tell, but asks the resolver of certificates in the
//! very call that takes the ClientHello in, on the caller's thread, once for each connection.

use std::cell::RefCell;

thread_local! {
    /// The name asked for in the ClientHello that this thread's rustls call has just taken in.
    static ASKED: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// For a resolver of certificates: this is what the client asks for.
pub fn note(name: Option<&str>) {
    ASKED.set(name.map(Box::from));
}

/// What the last resolver on this thread has noted, once.
pub(crate) fn take() -> Option<Box<str>> {
    ASKED.take()
}
