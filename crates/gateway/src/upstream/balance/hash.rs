//! Weighted rendezvous hashing: every target scores the key, the highest score wins.
//!
//! It needs no ring: 8 bytes a target, and when one leaves, exactly its own keys move.

use super::Member;

/// Sends a key to the target that scores highest for it.
#[derive(Debug)]
pub struct Rendezvous {
    members: Box<[(u64, f64)]>,
}

impl Rendezvous {
    pub(super) fn new(members: &[Member<'_>]) -> Self {
        let members =
            members.iter().map(|m| (fingerprint(m.name.as_bytes()), f64::from(m.weight.max(1)))).collect();
        Self { members }
    }

    pub(super) fn pick(&self, key: u64, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let scores = self.members.iter().enumerate().filter(|(index, _)| usable(*index));
        let scores = scores.map(|(index, (name, weight))| (index, score(key, *name, *weight)));
        scores.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
    }
}

/// `weight / -ln(u)` with u even in (0, 1): the chance to win is the weight's share (Schindelhauer and Schomaker, 2005).
fn score(key: u64, name: u64, weight: f64) -> f64 {
    let even = ((mix(key ^ name) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    weight / -even.ln()
}

/// FNV-1a, then mixed: the same in every process and release, which the hashers of std do not promise.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The finaliser of splitmix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("ws://10.0.0.{index}:80")).collect()
    }

    proptest! {
        #[test]
        fn only_the_keys_of_a_leaving_target_move(
            weights in prop::collection::vec(1u32..10, 2..10),
            gone: prop::sample::Index,
            keys in prop::collection::vec(any::<u64>(), 100),
        ) {
            let names = names(weights.len());
            let members: Vec<_> = names.iter().zip(&weights).map(|(n, w)| Member { name: n, weight: *w }).collect();
            let policy = Rendezvous::new(&members);
            let gone = gone.index(members.len());
            let mut fewer = members.clone();
            fewer.remove(gone);
            let after = Rendezvous::new(&fewer);
            for key in keys {
                let before = policy.pick(key, |_| true).unwrap();
                let skipping = policy.pick(key, |index| index != gone).unwrap();
                let rebuilt = after.pick(key, |_| true).unwrap();
                prop_assert_eq!(members[skipping].name, fewer[rebuilt].name);
                prop_assert!(before == gone || before == skipping);
            }
        }
    }

    #[test]
    fn keys_follow_the_weights() {
        let (names, weights) = (names(4), [1u32, 2, 3, 4]);
        let members: Vec<_> =
            names.iter().zip(weights).map(|(n, weight)| Member { name: n, weight }).collect();
        let policy = Rendezvous::new(&members);
        let mut counts = [0i64; 4];
        for key in 0..100_000u32 {
            counts[policy.pick(fingerprint(&key.to_be_bytes()), |_| true).unwrap()] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            assert!((count - i64::from(weight) * 10_000).abs() < 500, "{count} for weight {weight}");
        }
    }
}
