//! Refused upgrades from tens of thousands of addresses: the gateway's memory stays within its stated bound, and what
//! honest clients feel of it is printed.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::interval;
use wicketgate_testkit::{
    gateway::Gateway,
    raw::{EchoBackend, Endpoint, RawClient, Upgrade},
};

use super::{Front, all};

/// Attackers at the same time.
const ABREAST: usize = 200;
/// 4,000 upgrades a second, which leaves the machine room for others.
const PACE: Duration = Duration::from_millis(1);
/// Upgrades of each address: the first ones prove no identity, the others are above its rate.
const TRIES: usize = 4;
/// What the reference says of an address or a network.
const BYTES_OF_A_PLACE: u64 = 40;
/// Places for addresses, and as many for networks.
const TRACKED: u64 = 8_192;
/// What the allocator may keep beside; as many addresses as there are in the flood would take more in any table.
const SLACK: u64 = 2 << 20;

/// Upgrades from the `number`th address of 127.1.0.0/16 and those behind it; how many were refused by their rate.
async fn attack(endpoint: &Endpoint, number: usize) -> usize {
    let [_, a, b, c] = (number as u32).to_be_bytes();
    let source = Ipv4Addr::new(127, 1 + a, b, c);
    let mut client = RawClient::connect(&endpoint.clone().from(source)).await.unwrap();
    client.send(&Upgrade::new("/guarded").bytes().repeat(TRIES)).await.unwrap();
    let mut limited = 0;
    for _ in 0..TRIES {
        match client.response().await.unwrap().0.status().unwrap() {
            401 => {}
            429 => limited += 1,
            status => panic!("{status}"),
        }
    }
    limited
}

/// All addresses of the range, each so long after the last one; as many as are allowed at the same time.
async fn flood(endpoint: &Endpoint, addresses: Range<usize>, pace: Duration) -> usize {
    let (mut pace, mut attackers, mut limited) = (interval(pace), JoinSet::new(), 0);
    for number in addresses {
        pace.tick().await;
        if attackers.len() >= ABREAST {
            limited += attackers.join_next().await.unwrap().unwrap();
        }
        let endpoint = endpoint.clone();
        attackers.spawn(async move { attack(&endpoint, number).await });
    }
    limited + attackers.join_all().await.into_iter().sum::<usize>()
}

/// An honest client's echoes, one after the other on a thread of its own, until it is told to stop; at least so many.
/// Gives the 99th percentile.
fn honest(endpoint: Endpoint, least: usize, stop: Arc<AtomicBool>) -> JoinHandle<Duration> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = RawClient::open(&endpoint, "/open").await.unwrap();
            let mut times = Vec::new();
            while times.len() < least || !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                client.echoes("honest").await.unwrap();
                times.push(start.elapsed());
            }
            times.sort();
            times[times.len() * 99 / 100]
        })
    })
}

fn resident(gateway: &Gateway) -> u64 {
    gateway.usage().unwrap().resident_bytes
}

async fn hold(addresses: usize) {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let rest = format!(
        "authentication: [{{name: devices, certificate: {{}}}}]
upstreams: [{{name: backend, targets: ['ws://{}']}}]
routes:
  - name: guarded
    match: {{path: /guarded}}
    upstream: backend
    admission: {{authentication: {{any: [devices]}}}}
  - {{name: open, upstream: backend}}
limits:
  per_address: {{upgrades: {{per_second: 5, burst: 2}}, sessions: 10}}
  per_prefix: {{upgrades: {{per_second: 1000000}}, sessions: 100}}
  tracked: {{addresses: {TRACKED}, prefixes: {TRACKED}}}
log: {{access: off}}
",
        backend.addr().unwrap()
    );
    let gateway = front.start(&rest).await;
    let endpoint = front.ws();
    // What so many connections at once need is reserved before, and kept by the allocator; places in tables are not.
    flood(&endpoint, 0..1_000, Duration::from_micros(1)).await;
    let (always, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let calm = honest(endpoint.clone(), 5_000, always).join().unwrap();
    let before = resident(&gateway);
    let start = Instant::now();
    let busy = honest(endpoint.clone(), 1_000, stop.clone());
    let limited = flood(&endpoint, 1_000..1_000 + addresses, PACE).await;
    stop.store(true, Ordering::Relaxed);
    let busy = busy.join().unwrap();
    let took = start.elapsed();
    let grown = resident(&gateway).saturating_sub(before);
    println!(
        "{} refused upgrades from {addresses} addresses in {took:.1?}, {limited} of them with 429: {} KiB more; \
         p99 of an honest echo {calm:.1?} before and {busy:.1?} meanwhile",
        addresses * TRIES,
        grown / 1024,
    );
    assert!(limited >= addresses, "{limited} of {addresses}");
    assert!(grown <= 2 * TRACKED * BYTES_OF_A_PLACE + SLACK, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_upgrades_from_thousands_of_addresses_leave_nothing_behind() {
    hold(3_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_upgrades_from_fifty_thousand_addresses_leave_nothing_behind() {
    if all("200,000 refused upgrades from 50,000 addresses") {
        hold(50_000).await;
    }
}
