//! Refused upgrades from tens of thousands of addresses: the gateway's memory stays within its stated bound, and what
//! honest clients feel of it is printed.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use wicketgate_testkit::{
    issuer::{now, sign_hs256},
    raw::{EchoBackend, Endpoint, RawClient, Upgrade},
};

use super::{Front, all};

/// Attackers at the same time.
const ABREAST: usize = 200;
/// From one address to the next, in microseconds: 4,000 upgrades a second, or what `WICKETGATE_FLOOD_PACE` says.
const PACE: u64 = 1_000;
/// For how long honest clients are measured before.
const CALM: Duration = Duration::from_secs(5);
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
async fn flood(endpoint: Endpoint, addresses: Range<usize>, pace: Duration) -> usize {
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

/// Honest clients at the same time, each on a session of its own; every other one also opens further sessions.
const HONEST: usize = 8;
/// How often each sends a message,
const ECHO: Duration = Duration::from_millis(10);
/// and how often it opens a session on the guarded route: less often than its address may.
const OPEN: Duration = Duration::from_millis(500);
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What honest clients measured: times of echoes, and of opening a session with a credential up to its first echo.
#[derive(Default)]
struct Felt {
    echoes: Vec<Duration>,
    openings: Vec<Duration>,
}

impl std::fmt::Display for Felt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |times: &[Duration], part: usize| {
            let mut times = times.to_vec();
            times.sort();
            times[(times.len() - 1) * part / 100]
        };
        let (echo, open) = (|part| at(&self.echoes, part), |part| at(&self.openings, part));
        let (echoes, openings) = (self.echoes.len(), self.openings.len());
        write!(f, "p50 {:.2?} and p99 {:.2?} of {echoes} echoes, ", echo(50), echo(99))?;
        write!(f, "p50 {:.2?} and p99 {:.2?} of {openings} openings", open(50), open(99))
    }
}

/// One honest client, from an address of its own, until it is told to stop.
async fn honest(endpoint: Endpoint, number: usize, stop: Arc<AtomicBool>) -> Felt {
    let endpoint = endpoint.from(Ipv4Addr::new(127, 0, 1 + number as u8, 1));
    let claims =
        json!({"iss": "test", "aud": "chat", "sub": format!("honest-{number}"), "exp": now() + 3600});
    let token = sign_hs256(SECRET.as_bytes(), &json!({"alg": "HS256"}), &claims).unwrap();
    let upgrade = Upgrade::new("/guarded").with("Authorization", &format!("Bearer {token}"));
    let mut client = RawClient::open(&endpoint, "/open").await.unwrap();
    let (mut felt, mut opened) = (Felt::default(), Instant::now());
    let mut pace = interval(ECHO);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let start = Instant::now();
        client.echoes("honest").await.unwrap();
        felt.echoes.push(start.elapsed());
        if number.is_multiple_of(2) && opened.elapsed() > OPEN {
            opened = Instant::now();
            let mut further = RawClient::connect(&endpoint).await.unwrap();
            further.upgrade(&upgrade).await.unwrap();
            further.echoes("opened").await.unwrap();
            felt.openings.push(opened.elapsed());
            further.close(1000).await.unwrap();
        }
    }
    felt
}

/// All honest clients, on a thread of their own.
fn all_honest(endpoint: &Endpoint, stop: &Arc<AtomicBool>) -> JoinHandle<Felt> {
    let (endpoint, stop) = (endpoint.clone(), stop.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clients = (0..HONEST).map(|number| honest(endpoint.clone(), number, stop.clone()));
            let felt = clients.collect::<JoinSet<_>>().join_all().await;
            felt.into_iter().fold(Felt::default(), |mut all, mut one| {
                all.echoes.append(&mut one.echoes);
                all.openings.append(&mut one.openings);
                all
            })
        })
    })
}

/// Where the attackers run. With `WICKETGATE_FLOOD_YIELDS` after everybody else, as if on machines of their own, so that what honest
/// clients feel is the gateway's; in the company of other tests they would come in bursts.
fn attackers() -> Runtime {
    let yields = std::env::var_os("WICKETGATE_FLOOD_YIELDS").is_some();
    let start = move || _ = yields.then(|| rustix::process::nice(19).unwrap());
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().on_thread_start(start).build().unwrap()
}

fn pace() -> Duration {
    let said = std::env::var("WICKETGATE_FLOOD_PACE").ok();
    Duration::from_micros(said.map_or(PACE, |pace| pace.parse().unwrap()))
}

async fn hold(addresses: usize) {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let rest = format!(
        "authentication:
- {{name: devices, certificate: {{}}}}
- {{name: people, jwt: {{issuer: test, audience: chat, keys: {{secret: {{value: {SECRET}}}}}}}}}
upstreams: [{{name: backend, targets: ['ws://{}']}}]
routes:
  - name: guarded
    match: {{path: /guarded}}
    upstream: backend
    admission: {{authentication: {{any: [devices, people]}}}}
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
    let attackers = attackers();
    attackers.spawn(flood(endpoint.clone(), 0..1_000, Duration::from_micros(1))).await.unwrap();
    let (calm, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let running = all_honest(&endpoint, &calm);
    let _ = timeout(CALM, std::future::pending::<()>()).await;
    calm.store(true, Ordering::Relaxed);
    let calm = running.join().unwrap();
    let before = gateway.usage().unwrap();
    let start = Instant::now();
    let busy = all_honest(&endpoint, &stop);
    let limited = attackers.spawn(flood(endpoint.clone(), 1_000..1_000 + addresses, pace())).await.unwrap();
    let (took, after) = (start.elapsed(), gateway.usage().unwrap());
    stop.store(true, Ordering::Relaxed);
    let busy = busy.join().unwrap();
    attackers.shutdown_background();
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    let cpu = 100.0 * (after.cpu() - before.cpu()).as_secs_f64() / took.as_secs_f64();
    println!(
        "{} refused upgrades from {addresses} addresses in {took:.1?}, {limited} of them with 429: {} KiB more; the gateway \
         used {cpu:.0} % of a core. Honest clients, before: {calm}. Meanwhile: {busy}.",
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
