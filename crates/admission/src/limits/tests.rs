//! Limits as a guard uses them, in virtual time.
#![allow(clippy::unwrap_used)]

use http::StatusCode;

use super::config::TrackedConfig;
use super::*;
use wicketgate_meter::rate::Rate;

const NOW: Duration = Duration::from_secs(1);

fn limit(upgrades: Option<(u64, u64)>, sessions: Option<u32>) -> Limit {
    Limit { upgrades: upgrades.map(|(per_second, burst)| Rate::new(per_second, burst)), sessions }
}

fn limits(gateway: LimitsConfig, route: LimitsConfig) -> Limits {
    let counts = Arc::new(Counts::new(&TrackedConfig::default()));
    Limits::new(&counts, gateway, &"route".into(), route)
}

/// What a client of this address and name is told, and what it holds.
fn ask(limits: &Limits, now: Duration, address: &str, subject: Option<&str>) -> Result<Slots, Refusal> {
    let mut slots = limits.address(now, Claim::Session, Some(address.parse().unwrap()))?;
    limits.identity(now, Claim::Session, subject, &mut slots)?;
    Ok(slots)
}

fn label(asked: Result<Slots, Refusal>) -> &'static str {
    asked.map_or_else(|refusal| refusal.label(), |_| "admitted")
}

#[test]
fn sessions_are_counted_by_address_network_identity_and_in_all() {
    let config = LimitsConfig {
        all: limit(None, Some(5)),
        per_address: limit(None, Some(2)),
        per_prefix: limit(None, Some(3)),
        per_identity: limit(None, Some(2)),
    };
    for limits in [limits(config, LimitsConfig::default()), limits(LimitsConfig::default(), config)] {
        let ask = |address, subject| ask(&limits, NOW, address, Some(subject));
        let mut held = vec![ask("192.0.2.1", "a").unwrap(), ask("192.0.2.1", "b").unwrap()];
        assert_eq!(label(ask("192.0.2.1", "c")), "address_sessions");
        held.push(ask("192.0.2.2", "c").unwrap());
        assert_eq!(label(ask("192.0.2.3", "d")), "prefix_sessions");
        held.push(ask("2001:db8::1", "a").unwrap());
        assert_eq!(label(ask("2001:db8::1", "a")), "identity_sessions");
        held.push(ask("::ffff:198.51.100.1", "d").unwrap());
        let full = ask("203.0.113.1", "e").unwrap_err();
        assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(["route_sessions", "gateway_sessions"].contains(&full.label()));
        // Whoever was refused holds nothing, and whoever goes gives all back.
        held.clear();
        for _ in 0..5 {
            ask("192.0.2.1", "a").unwrap();
        }
        let held: Vec<_> = (0..2).map(|_| ask("198.51.100.1", "a").unwrap()).collect();
        assert_eq!(label(ask("::ffff:198.51.100.1", "b")), "address_sessions");
        drop(held);
    }
}

#[test]
fn upgrades_are_metered_and_the_wait_is_told() {
    let config = LimitsConfig { per_address: limit(Some((2, 3)), None), ..LimitsConfig::default() };
    let limits = limits(config, LimitsConfig::default());
    for _ in 0..3 {
        ask(&limits, NOW, "192.0.2.1", None).unwrap();
    }
    let refused = ask(&limits, NOW, "192.0.2.1", None).unwrap_err();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait = refused.retry_after().unwrap();
    assert_eq!(wait, Duration::from_millis(500));
    ask(&limits, NOW, "192.0.2.2", None).unwrap();
    ask(&limits, NOW + wait, "192.0.2.1", None).unwrap();
    assert_eq!(label(ask(&limits, NOW + wait, "192.0.2.1", None)), "address_upgrades");
}

#[test]
fn whom_a_closer_limit_refuses_uses_nothing_of_the_farther_ones() {
    let all = LimitsConfig { all: limit(Some((1, 10)), None), ..LimitsConfig::default() };
    let own = LimitsConfig { per_address: limit(Some((1, 1)), None), ..LimitsConfig::default() };
    let limits = limits(all, own);
    let admitted = |address: &str| (0..100).filter(|_| ask(&limits, NOW, address, None).is_ok()).count();
    assert_eq!((1..=9).map(|number| admitted(&format!("192.0.2.{number}"))).sum::<usize>(), 9);
    assert_eq!(label(ask(&limits, NOW, "192.0.2.10", None)), "admitted");
    assert_eq!(label(ask(&limits, NOW, "192.0.2.11", None)), "gateway_upgrades");
}

#[test]
fn plain_requests_count_for_rates_and_hold_nothing() {
    let config = LimitsConfig {
        all: limit(None, Some(1)),
        per_address: limit(Some((1, 2)), Some(1)),
        ..LimitsConfig::default()
    };
    let limits = limits(config, LimitsConfig::default());
    let held = ask(&limits, NOW, "192.0.2.1", None).unwrap();
    let request = || {
        let mut slots = limits.address(NOW, Claim::Request, Some("192.0.2.1".parse().unwrap()))?;
        limits.identity(NOW, Claim::Request, None, &mut slots).map(|()| slots)
    };
    assert_eq!(request().unwrap().0.len(), 0);
    assert_eq!(label(request()), "address_upgrades");
    drop(held);
}

#[test]
fn a_reload_changes_limits_and_not_counts() {
    let counts = Arc::new(Counts::new(&TrackedConfig::default()));
    let config = |most| LimitsConfig {
        all: limit(None, Some(most)),
        per_address: limit(Some((1, most.into())), None),
        ..LimitsConfig::default()
    };
    let of = |name: &str, most| Limits::new(&counts, LimitsConfig::default(), &name.into(), config(most));
    let before = of("route", 2);
    let _held =
        [ask(&before, NOW, "192.0.2.1", None).unwrap(), ask(&before, NOW, "192.0.2.1", None).unwrap()];
    let after = of("route", 3);
    drop(before);
    let _third = ask(&after, NOW, "192.0.2.1", None).unwrap();
    assert_eq!(label(ask(&after, NOW, "192.0.2.1", None)), "address_upgrades");
    assert_eq!(label(ask(&after, NOW, "192.0.2.2", None)), "route_sessions");
    // Another route has counts of its own.
    ask(&of("other", 2), NOW, "192.0.2.1", None).unwrap();
}

#[test]
fn a_flood_of_addresses_leaves_those_that_were_there_alone() {
    let tracked = TrackedConfig { addresses: 6_400, ..TrackedConfig::default() };
    let counts = Arc::new(Counts::new(&tracked));
    let config = LimitsConfig { per_address: limit(Some((1, 10)), Some(10)), ..LimitsConfig::default() };
    let limits = Limits::new(&counts, config, &"route".into(), LimitsConfig::default());
    let honest: Vec<_> =
        (0..100).map(|n| ask(&limits, NOW, &format!("198.51.100.{n}"), None).unwrap()).collect();
    let mut untracked = 0;
    for number in 0..1_000_000u32 {
        let address = IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        if let Err(refused) = limits.address(NOW, Claim::Session, Some(address)) {
            assert_eq!(refused.label(), "addresses_tracked");
            untracked += 1;
        }
    }
    assert!(untracked > 900_000, "{untracked}");
    assert!(counts.addresses.len() <= 6_400);
    for (n, slots) in honest.into_iter().enumerate() {
        let more: Vec<_> =
            (0..9).map(|_| ask(&limits, NOW, &format!("198.51.100.{n}"), None).unwrap()).collect();
        assert_eq!(label(ask(&limits, NOW, &format!("198.51.100.{n}"), None)), "address_sessions");
        drop((slots, more));
    }
    // Ten seconds later every place is free again.
    assert_eq!(label(ask(&limits, NOW + Duration::from_secs(10), "203.0.113.1", None)), "admitted");
}

#[test]
fn threads_together_hold_no_more_than_the_limit() {
    let config = LimitsConfig {
        all: limit(None, Some(50)),
        per_address: limit(None, Some(20)),
        ..LimitsConfig::default()
    };
    let limits = limits(config, config);
    let most = std::sync::atomic::AtomicUsize::new(0);
    let open = std::sync::atomic::AtomicUsize::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (limits, open, most) = (&limits, &open, &most);
            scope.spawn(move || {
                let mut held = Vec::new();
                for number in 0..20_000 {
                    let address = format!("192.0.2.{}", (number + thread) % 7);
                    if let Ok(slots) = ask(limits, NOW, &address, Some("alice")) {
                        most.fetch_max(open.fetch_add(1, order) + 1, order);
                        held.push(slots);
                    }
                    if held.len() > number % 17 {
                        open.fetch_sub(1, order);
                        held.remove(0);
                    }
                }
                open.fetch_sub(held.len(), order);
            });
        }
    });
    assert!((20..=50).contains(&most.into_inner()));
    let held: Vec<_> = (0..20).map(|_| ask(&limits, NOW, "192.0.2.1", None).unwrap()).collect();
    assert_eq!(label(ask(&limits, NOW, "192.0.2.1", None)), "address_sessions");
    drop(held);
}
