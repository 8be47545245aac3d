//! What a message may say: a message goes in, a verdict comes out. Pure and synchronous.

pub use wicketgate_wire::DataKind;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    ToUpstream,
    /// From the upstream to the client.
    ToClient,
}

/// A whole message: unmasked, inflated, within its limits, its text valid UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Text or binary.
    pub kind: DataKind,
    /// What it says.
    pub payload: &'a [u8],
}

/// Proof that a policy let a message pass: only a verdict holds one, and writing a message asks for it.
#[derive(Debug)]
pub struct Forward(());

/// What becomes of a message.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on as it came.
    Forward(Forward),
}

/// The rules of one route.
#[derive(Clone, Debug, Default)]
pub struct Policy(());

impl Policy {
    /// The policy without rules: every message passes.
    pub const fn trivial() -> Self {
        Self(())
    }

    /// Judges one message.
    pub const fn judge(&self, _direction: Direction, _message: Message<'_>) -> Verdict {
        Verdict::Forward(Forward(()))
    }
}
