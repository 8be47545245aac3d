//! What admission costs: each upgrade by limits and by token, and each message of an identity whose rate is metered.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderValue, header::AUTHORIZATION, request::Parts};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;
use wicketgate_admission::config::{AdmissionConfig, RawAdmission};
use wicketgate_admission::identity::{Method, RawMethod};
use wicketgate_admission::limits::config::{LimitsConfig, RawLimits, RawTracked};
use wicketgate_admission::limits::{Claim, rate::Rate};
use wicketgate_admission::revocation::{RawRevocations, Revocations};
use wicketgate_admission::{Asked, Changes, Client, Counts, Guard, Limits, handshake};
use wicketgate_config::{Problems, part};
use wicketgate_testkit::issuer::{Issuer, SigningKey};

/// Every limit there is, none of which is ever reached.
const LIMITS: &str = "
upgrades: {per_second: 1000000, burst: 10000000}
sessions: 10000000
per_address: {upgrades: {per_second: 1000000, burst: 10000000}, sessions: 10000000}
per_prefix: {upgrades: {per_second: 1000000, burst: 10000000}, sessions: 10000000}
per_identity: {upgrades: {per_second: 1000000, burst: 10000000}, sessions: 10000000}
";
/// A client is known to the gateway and to the route.
const TRACKED: &str = "{addresses: 262144, prefixes: 262144, identities: 262144}";
/// Clients that are known, where there are many.
const MANY: usize = 100_000;
/// CPU time of one measurement.
const TURN: Duration = Duration::from_millis(500);
/// The median of so many is told.
const TURNS: usize = 5;
/// What the specification allows an upgrade beyond its signature, in nanoseconds.
const UPGRADE_GOAL: f64 = 25_000.0;
/// What it allows a message.
const MESSAGE_GOAL: f64 = 30.0;

/// Measures all, and gives the table.
pub(crate) fn run() -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut text = String::from("| what | ns | goal |\n|---|---:|---:|\n");
    let mut row = |what: &str, nanos: f64, goal: Option<f64>| {
        let goal = goal.map(|goal| format!("{goal:.0}")).unwrap_or_default();
        writeln!(text, "| {what} | {nanos:.0} | {goal} |")
    };
    row("limits of an upgrade, none configured", limits_alone(0)?, Some(UPGRADE_GOAL))?;
    row("limits of an upgrade, 1 client", limits_alone(1)?, Some(UPGRADE_GOAL))?;
    row("limits of an upgrade, 100,000 clients", limits_alone(MANY)?, Some(UPGRADE_GOAL))?;
    let key = SigningKey::es256("bench")?;
    let issuer = runtime.block_on(Issuer::start(&[&key]))?;
    let tokens = (0..MANY).map(|n| key.sign(&issuer.claims(&format!("person {n}"), "bench")));
    let tokens: Vec<String> = tokens.collect::<Result<_>>()?;
    let signature = signature_alone(&key, &tokens[0])?;
    row("ES256 signature alone", signature, None)?;
    for (what, clients) in [("none limited", 0), ("1 client", 1), ("100,000 clients", MANY)] {
        let whole = upgrade(&runtime, &issuer, &tokens, clients)?;
        row(&format!("upgrade with a token, {what}"), whole, None)?;
        row(&format!("the same without its signature, {what}"), whole - signature, Some(UPGRADE_GOAL))?;
    }
    for (what, clients) in [("1 identity", 1), ("100,000 identities", MANY)] {
        row(&format!("message of {what} by its own meter"), message(clients)?, Some(MESSAGE_GOAL))?;
    }
    Ok(text)
}

/// CPU time of one call on this thread, in nanoseconds: the median of some turns.
pub(crate) fn cost(mut call: impl FnMut(usize)) -> Result<f64> {
    let mut number = 0;
    let mut turns = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let (start, wall, first) = (cpu()?, Instant::now(), number);
        while wall.elapsed() < TURN {
            for _ in 0..1_000 {
                call(number);
                number += 1;
            }
        }
        turns.push((cpu()? - start).as_nanos() as f64 / (number - first) as f64);
    }
    turns.sort_by(f64::total_cmp);
    Ok(turns[TURNS / 2])
}

fn cpu() -> Result<Duration> {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).context("the thread's clock")
}

fn address(number: usize) -> IpAddr {
    // Neighbours are far apart, so that each has a network of its own.
    Ipv4Addr::from_bits((number as u32).wrapping_mul(0x9e37_79b9)).into()
}

/// Limits of a route and of the gateway, all or none.
fn limits(configured: bool) -> Result<Limits> {
    let mut problems = Problems::default();
    let config = match configured {
        true => read::<RawLimits>(LIMITS)?.check(&mut problems),
        false => LimitsConfig::default(),
    };
    let tracked = read::<RawTracked>(TRACKED)?.check(&mut problems);
    ensure!(!problems.has_errors(), "{problems:?}");
    Ok(Limits::new(&Arc::new(Counts::new(&tracked)), config, &"bench".into(), config))
}

/// What is written so.
pub(crate) fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    part("bench.yaml", text).map_err(|report| anyhow!("{report:?}"))
}

/// Both steps of the limits, and the slots given back.
fn limits_alone(clients: usize) -> Result<f64> {
    let limits = limits(clients > 0)?;
    let clients = clients.max(1);
    let subjects: Vec<String> = (0..clients).map(|number| format!("person {number}")).collect();
    let ask = |number: usize| {
        let number = number % clients;
        let now = limits.now();
        let slots = limits.address(now, Claim::Session, Some(address(number)));
        let Ok(mut slots) = slots else { return false };
        limits.identity(now, Claim::Session, Some(&subjects[number]), &mut slots).is_ok()
    };
    ensure!((0..clients).all(ask), "a limit was reached");
    cost(|number| {
        black_box(ask(number));
    })
}

fn upgrade(runtime: &Runtime, issuer: &Issuer, tokens: &[String], clients: usize) -> Result<f64> {
    let mut problems = Problems::default();
    let method = format!(
        "name: people\njwt: {{issuer: {url}, audience: bench, keys: {{jwks_url: {url}/jwks}}}}",
        url = issuer.url()
    );
    let method = read::<RawMethod>(&method)?.check(&mut problems).context("the method")?;
    let admission: AdmissionConfig =
        read::<RawAdmission>("authentication: {any: [people]}")?.check(Some(&["people"]), &mut problems);
    let revocations = RawRevocations::default().check(&mut problems);
    ensure!(!problems.has_errors(), "{problems:?}");
    let changes = Changes::default();
    let guard = runtime.block_on(async {
        let methods = [Arc::new(Method::start(method, &changes))];
        let revocations = Revocations::start(revocations, changes.clone());
        Ok::<_, anyhow::Error>(Guard::new(&admission, &methods, limits(clients > 0)?, revocations))
    })?;
    let clients = clients.max(1);
    let admit = |number: usize| {
        let (number, mut parts) = (number % clients, request(&tokens[number % clients])?);
        let asked = handshake(&parts, None)?;
        let client = Client { address: Some(address(number)), secure: true, ..Client::default() };
        let route = Asked { route: "bench", host: "localhost", path: "/" };
        runtime.block_on(guard.admit(&mut parts, asked, &client, route, &mut Vec::new()))?;
        Ok::<_, anyhow::Error>(())
    };
    // Each once: then the keys are cached, and every client has its place.
    (0..clients).try_for_each(admit)?;
    cost(|number| drop(black_box(admit(number))))
}

fn request(token: &str) -> Result<Parts> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
    bearer.set_sensitive(true);
    let request = http::Request::get("/")
        .header("host", "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header(AUTHORIZATION, bearer);
    Ok(request.body(())?.into_parts().0)
}

fn signature_alone(key: &SigningKey, token: &str) -> Result<f64> {
    let (message, signature) = token.rsplit_once('.').context("a token without a signature")?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature)?;
    let jwk = key.jwk();
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = jwk[name].as_str().context("a key without coordinates")?;
        point.extend(BASE64_URL_SAFE_NO_PAD.decode(coordinate)?);
    }
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(message.as_bytes(), &signature).map_err(|_| anyhow!("the token's signature"))?;
    cost(|_| {
        let _ = black_box(key.verify(message.as_bytes(), &signature));
    })
}

/// One message by the meter that a session holds.
fn message(identities: usize) -> Result<f64> {
    let limits = limits(true)?;
    let subjects = (0..identities).map(|number| format!("person {number}"));
    let rates: Vec<_> = subjects.map(|subject| limits.rates(limits.now(), &subject).begin()).collect();
    let (rate, start) = (Rate::new(1_000_000_000, 1_000_000_000), Instant::now());
    let mut now = Duration::ZERO;
    cost(|number| {
        // A session reads the clock once for all that one read brings.
        if number % 64 == 0 {
            now = start.elapsed();
        }
        let rates = &rates[number % identities];
        black_box(rates.client().messages.take(rate, rates.at(now), 1));
    })
}
