//! Where requests come in, and where they come from.

use std::net::IpAddr;

/// The console's name among listeners, in audit records.
pub(crate) const NAME: &str = "console";

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub(crate) IpAddr);
