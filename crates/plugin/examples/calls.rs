//! What a call costs: a component is asked about messages of several lengths, one after the other on one thread.
//!
//! `cargo run --release -p wicketgate-plugin --features testing --example calls [COMPONENT]`

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wicketgate_plugin::fuzz::Nobody;
use wicketgate_plugin::{Data, Direction, Judge, Limits, Question, testing};

/// How long one turn takes; the best of several turns counts, which other work on the machine disturbs least.
const TURN: Duration = Duration::from_millis(100);
/// Calls between two looks at the clock.
const CALLS: u32 = 100;
const TURNS: u32 = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let (limits, began) = (Limits::default(), Instant::now());
    let judge = match std::env::args().nth(1) {
        // What the examples judge by.
        Some(path) => Judge::load(Path::new(&path), "cost", vec![("limit".into(), "1000".into())], limits)?,
        None => Judge::of(&testing::passing(), Vec::new(), limits)?,
    };
    println!("compiled and started in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    println!("| bytes | ns a call |\n|---:|---:|");
    for length in [64, 256, 1024, 4 << 10, 16 << 10] {
        let mut message = br#"{"type":"order","amount":2,"note":""#.to_vec();
        message.resize(length.max(message.len() + 2) - 2, b'x');
        message.extend_from_slice(br#""}"#);
        let best = (0..TURNS).map(|_| turn(&judge, &message)).collect::<Result<Vec<_>, _>>()?;
        let best = best.into_iter().fold(f64::MAX, f64::min);
        println!("| {} | {best:.0} |", message.len());
    }
    Ok(())
}

fn turn(judge: &Judge, payload: &[u8]) -> Result<f64, Box<dyn Error>> {
    let session = Arc::new(Nobody);
    let (began, mut calls) = (Instant::now(), 0);
    while began.elapsed() < TURN {
        for _ in 0..CALLS {
            let question = Question {
                direction: Direction::ToUpstream,
                data: Data::Text,
                kind: "order",
                payload: black_box(payload),
                unix_millis: 0,
            };
            black_box(judge.ask(&question, session.clone())?);
        }
        calls += CALLS;
    }
    Ok(began.elapsed().as_secs_f64() * 1e9 / f64::from(calls))
}
