//! Runs one hot loop so many times: `wicketgate-counts NAME TIMES`. `cargo xtask counts` has valgrind count the instructions of it,
//! and compares them with those of `counts.txt`.

mod frames;
mod messages;

use anyhow::{Context, Result, bail};

/// A loop, and the name that it goes by.
struct Case {
    name: &'static str,
    run: fn(u32) -> Result<()>,
}

const CASES: &[Case] = &[
    Case { name: "frames-64", run: |times| frames::scan(64, times) },
    Case { name: "frames-1k", run: |times| frames::scan(1 << 10, times) },
    Case { name: "frames-1k-utf8", run: frames::scan_utf8 },
    Case { name: "json-256", run: |times| messages::judge("", 256, times) },
    Case { name: "schema-256", run: |times| messages::judge(messages::SCHEMA, 256, times) },
    Case { name: "rule-256", run: |times| messages::judge(messages::RULE, 256, times) },
    Case { name: "guard-256", run: |times| messages::judge("{guard: {}}", 256, times) },
    Case { name: "guard-1k", run: |times| messages::judge("{guard: {}}", 1 << 10, times) },
    Case { name: "redact-1k", run: |times| messages::judge(messages::REDACT, 1 << 10, times) },
    Case { name: "blocklist-1k", run: |times| messages::judge(messages::BLOCKLIST, 1 << 10, times) },
    Case { name: "guard-hostile-1k", run: messages::judge_hostile },
];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => CASES.iter().for_each(|case| println!("{}", case.name)),
        [name, times] => {
            let case = CASES.iter().find(|case| case.name == name).context("there is no such loop")?;
            (case.run)(times.parse().context("how many times")?)?;
        }
        _ => bail!("usage: wicketgate-counts list | NAME TIMES"),
    }
    Ok(())
}
