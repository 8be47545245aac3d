//! How much work one comparison may be: a schema that is within itself by several ways asks for more with every level of a message.

use std::cell::Cell;

use crate::fields::Fields;

/// What is left of the work. Looking at a value costs one, and one more for every 64 bytes of a text.
#[derive(Debug)]
pub(super) struct Fuel(Cell<u64>);

impl Fuel {
    /// Enough to tell whether a message fits: thousands of looks at each value.
    pub(super) fn to_tell(fields: &Fields<'_>) -> Self {
        Self(Cell::new(10_000 + 2_000 * values(fields) + 16 * fields.payload().len() as u64))
    }

    /// Enough to find what it breaks. The validator keeps an error for each alternative that was tried, and does not know
    /// what it has tried before.
    pub(super) fn to_find(fields: &Fields<'_>) -> Self {
        Self(Cell::new(1_000 + 20 * values(fields) + fields.payload().len() as u64 / 4))
    }

    /// Takes the price of a look at so many bytes; false where too little is left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(1 + bytes as u64 / 64);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether none is left.
    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

fn values(fields: &Fields<'_>) -> u64 {
    fields.all().size_hint().0 as u64
}
