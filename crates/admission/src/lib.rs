//! Who may connect: a request becomes [`Admitted`], or it is refused.

/// The proof that a request was admitted. Only this crate makes it, and without it no upstream is dialled.
#[derive(Debug)]
pub struct Admitted(());
