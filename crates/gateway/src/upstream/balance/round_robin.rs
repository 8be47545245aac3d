//! Smooth weighted round robin, as nginx does it: weights 5, 1, 1 give a a b a c a a, never five in a row.

use std::sync::{Mutex, PoisonError};

/// Takes the targets in turn, in proportion to their weights.
#[derive(Debug)]
pub struct RoundRobin {
    weights: Box<[u32]>,
    /// Each pick raises a usable target by its weight and lowers the picked one by their sum, so the sum stays 0.
    current: Mutex<Box<[i64]>>,
}

impl RoundRobin {
    pub(super) fn new(weights: Box<[u32]>) -> Self {
        let current = vec![0; weights.len()].into();
        Self { weights, current: Mutex::new(current) }
    }

    pub(super) fn pick(&self, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut total, mut best) = (0, None);
        for (index, (value, weight)) in current.iter_mut().zip(&self.weights).enumerate() {
            if !usable(index) {
                continue;
            }
            *value += i64::from(*weight);
            total += i64::from(*weight);
            if best.is_none_or(|(_, highest)| *value > highest) {
                best = Some((index, *value));
            }
        }
        let (index, _) = best?;
        current[index] -= total;
        Some(index)
    }

    pub(super) fn weights(&self) -> &[u32] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weights_are_mixed_evenly() {
        let policy = RoundRobin::new([5, 1, 1].into());
        let picks: Vec<_> = (0..7).map(|_| policy.pick(|_| true).unwrap()).collect();
        assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn weights_are_honoured_exactly_in_every_round(weights in prop::collection::vec(1u32..50, 1..12)) {
            let policy = RoundRobin::new(weights.clone().into());
            let mut counts = vec![0; weights.len()];
            for _ in 0..weights.iter().sum::<u32>() {
                counts[policy.pick(|_| true).unwrap()] += 1;
            }
            prop_assert_eq!(counts, weights);
        }

        #[test]
        fn targets_that_come_and_go_leave_no_debt(
            weights in prop::collection::vec(1u32..50, 2..8),
            usable in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let policy = RoundRobin::new(weights.clone().into());
            for mask in usable {
                policy.pick(|index| mask & (1 << index) != 0);
            }
            let total: i64 = weights.iter().map(|w| i64::from(*w)).sum();
            let current = policy.current.lock().unwrap();
            prop_assert!(current.iter().all(|value| value.abs() <= total * 8), "{:?}", current);
            prop_assert_eq!(current.iter().sum::<i64>(), 0);
        }
    }
}
