//! What a call costs: a component is asked about messages of several lengths, one after the other on one thread.
//!
//! `cargo run --release -p wicketgate-plugin --features testing --example cost [COMPONENT]`

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wicketgate_plugin::fuzz::Nobody;
use wicketgate_plugin::{Data, Direction, Judge, Limits, Question, testing};

/// Calls of one turn; the best of several turns counts, which other work on the machine disturbs least.
const CALLS: u32 = 20_000;
const TURNS: u32 = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let (limits, began) = (Limits::default(), Instant::now());
    let judge = match std::env::args().nth(1) {
        Some(path) => Judge::load(Path::new(&path), "cost", Vec::new(), limits)?,
        None => Judge::of(&testing::passing(), Vec::new(), limits)?,
    };
    println!("compiled and started in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    println!("| bytes | ns a call |\n|---:|---:|");
    for length in [16, 256, 1024, 16 << 10] {
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
    let began = Instant::now();
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
    Ok(began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS))
}
