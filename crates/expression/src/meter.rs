//! What an evaluation may cost: a budget of the thread's, which whoever hands out values or walks through them charges.

use std::cell::Cell;

use cel::ExecutionError;

/// What one evaluation may take: a value costs 1, a text 1 more for each 256 bytes, a step of a loop 1 for each eight parts
/// of what is asked in it. A unit is less than a microsecond.
pub const BUDGET: u32 = 16_384;

/// Bytes of text that cost as much as a value.
const BYTES_PER_UNIT: usize = 256;

#[derive(Clone, Copy)]
struct Meter {
    left: u32,
    spent: bool,
}

thread_local! {
    // An evaluation begins and ends on one thread, without waiting: no value has to carry its budget.
    static METER: Cell<Option<Meter>> = const { Cell::new(None) };
}

/// An evaluation that is being metered, until it is dropped.
pub(crate) struct Metered(Option<Meter>);

impl Metered {
    /// Gives this thread's evaluation a budget of its own.
    pub(crate) fn start(budget: u32) -> Self {
        Self(METER.replace(Some(Meter { left: budget, spent: false })))
    }

    /// Whether something was not handed out because nothing was left.
    pub(crate) fn is_spent(&self) -> bool {
        METER.get().is_some_and(|meter| meter.spent)
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        METER.set(self.0);
    }
}

/// Takes `units` from the budget. `false` means that there are not so many, and from now on none.
pub(crate) fn charge(units: usize) -> bool {
    let Some(meter) = METER.get() else { return true };
    match u32::try_from(units).ok().and_then(|units| meter.left.checked_sub(units)) {
        Some(left) if !meter.spent => {
            METER.set(Some(Meter { left, spent: false }));
            true
        }
        _ => {
            exhaust();
            false
        }
    }
}

/// Ends the evaluation's budget: whatever comes out of it does not count.
pub(crate) fn exhaust() {
    if METER.get().is_some() {
        METER.set(Some(Meter { left: 0, spent: true }));
    }
}

/// What so many bytes cost beside the value that has them.
pub(crate) const fn of_bytes(length: usize) -> usize {
    length / BYTES_PER_UNIT
}

/// What CEL is told where nothing is left.
pub(crate) fn spent() -> ExecutionError {
    ExecutionError::InternalError("the budget is spent".into())
}
