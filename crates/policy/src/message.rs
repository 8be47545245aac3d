//! What comes to be judged.

pub use wicketgate_wire::DataKind;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    ToUpstream,
    /// From the upstream to the client.
    ToClient,
}

impl Direction {
    /// Its name in configuration, logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ToUpstream => "to_upstream",
            Self::ToClient => "to_client",
        }
    }
}

/// A whole message: unmasked, inflated, within its limits, its text valid UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Text or binary.
    pub kind: DataKind,
    /// What it says.
    pub payload: &'a [u8],
}

/// The name of a type of message in configuration and expressions.
pub const fn type_name(kind: DataKind) -> &'static str {
    match kind {
        DataKind::Text => "text",
        DataKind::Binary => "binary",
    }
}
