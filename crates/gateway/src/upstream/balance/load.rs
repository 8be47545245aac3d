//! Policies that look at how busy each target is: open sessions divided by weight.

use rand::Rng;

use super::round_robin::RoundRobin;

/// The target with the fewest open sessions for its weight.
#[derive(Debug)]
pub struct LeastConnections {
    /// Decides among equals, so that an idle upstream still follows its weights.
    turn: RoundRobin,
}

impl LeastConnections {
    pub(super) fn new(weights: Box<[u32]>) -> Self {
        Self { turn: RoundRobin::new(weights) }
    }

    pub(super) fn pick(&self, open: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let weights = self.turn.weights();
        let usable =
            weights.iter().enumerate().filter_map(|(i, w)| Some((i, Load { open: open(i)?, weight: *w })));
        let (least, lowest) = usable.min_by(|(_, a), (_, b)| a.cmp(b))?;
        let equal = |index: usize| {
            open(index).is_some_and(|open| Load { open, weight: weights[index] }.cmp(&lowest).is_le())
        };
        // Other threads open and close meanwhile: where no target is equal any more, the one found stands.
        self.turn.pick(equal).or(Some(least))
    }
}

/// The less busy of two targets drawn at random by weight.
#[derive(Debug)]
pub struct TwoChoices {
    weights: Box<[u32]>,
}

impl TwoChoices {
    pub(super) fn new(weights: Box<[u32]>) -> Self {
        Self { weights }
    }

    pub(super) fn pick(&self, rng: &mut impl Rng, open: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let first = self.draw(rng, |index| open(index).is_some())?;
        let Some(second) = self.draw(rng, |index| index != first && open(index).is_some()) else {
            return Some(first);
        };
        let load =
            |index: usize| Load { open: open(index).unwrap_or(usize::MAX), weight: self.weights[index] };
        Some(if load(second).cmp(&load(first)).is_lt() { second } else { first })
    }

    fn draw(&self, rng: &mut impl Rng, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let weights = || self.weights.iter().enumerate().filter(|(index, _)| usable(*index));
        let total: u64 = weights().map(|(_, weight)| u64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        let mut ticket = rng.random_range(0..total);
        let mut last = None;
        for (index, weight) in weights() {
            let weight = u64::from(*weight);
            if ticket < weight {
                return Some(index);
            }
            ticket -= weight;
            last = Some(index);
        }
        last // a target left between the two walks
    }
}

#[derive(Clone, Copy)]
struct Load {
    open: usize,
    weight: u32,
}

impl Load {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let scaled = |open: usize, weight: u32| open as u128 * u128::from(weight);
        scaled(self.open, other.weight).cmp(&scaled(other.open, self.weight))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    proptest! {
        #[test]
        fn least_connections_keeps_open_sessions_in_proportion(weights in prop::collection::vec(1u32..20, 1..8)) {
            let policy = LeastConnections::new(weights.clone().into());
            let mut open = vec![0usize; weights.len()];
            for _ in 0..weights.iter().sum::<u32>() * 10 {
                let index = policy.pick(|i| Some(open[i])).unwrap();
                open[index] += 1;
            }
            for (open, weight) in open.iter().zip(&weights) {
                prop_assert!(open.abs_diff(*weight as usize * 10) <= *weight as usize, "{} for {}", open, weight);
            }
        }

        #[test]
        fn least_connections_follows_weights_when_all_are_idle(weights in prop::collection::vec(1u32..20, 1..8)) {
            let policy = LeastConnections::new(weights.clone().into());
            let mut picks = vec![0; weights.len()];
            for _ in 0..weights.iter().sum::<u32>() {
                picks[policy.pick(|_| Some(0)).unwrap()] += 1;
            }
            prop_assert_eq!(picks, weights);
        }

        #[test]
        fn two_choices_never_take_the_busiest(seed: u64, busiest in 0usize..5) {
            let policy = TwoChoices::new([1, 1, 1, 1, 1].into());
            let mut rng = StdRng::seed_from_u64(seed);
            for _ in 0..100 {
                let index = policy.pick(&mut rng, |i| Some(if i == busiest { 10 } else { 1 }));
                prop_assert_ne!(index, Some(busiest));
            }
        }
    }

    #[test]
    fn two_choices_honour_weights() {
        let weights = [1u32, 2, 5];
        let policy = TwoChoices::new(weights.into());
        let mut rng = StdRng::seed_from_u64(7);
        let mut open = [0usize; 3];
        for _ in 0..8000 {
            let index = policy.pick(&mut rng, |i| Some(open[i])).unwrap();
            open[index] += 1;
        }
        for (open, weight) in open.iter().zip(weights) {
            assert!(open.abs_diff(weight as usize * 1000) < 50, "{open} for weight {weight}");
        }
    }
}
