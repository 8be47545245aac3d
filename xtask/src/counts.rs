//! `cargo xtask counts`: how many instructions hot loops take, counted by valgrind, beside those that were written down.
//!
//! Times depend on what else a machine does; instructions do not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{
    peers,
    shell::{cargo, read, root, run as run_command, target},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Writes what was counted to the file, in place of comparing it
    #[arg(long)]
    write: bool,
}

/// How much dearer than what was written down a loop may be.
const TOLERANCE: f64 = 0.03;
/// Turns that are counted, behind as many that warm up.
const TURNS: u64 = 50;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    peers::install(&["valgrind"])?;
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "wicketgate-counts",
    ]))?;
    let program = target().join("release/wicketgate-counts");
    let names = read(Command::new(&program).arg("list"))?;
    let counted: BTreeMap<&str, u64> =
        names.lines().map(|name| Ok((name, count(&program, name)?))).collect::<Result<_>>()?;
    let file = root().join("bench/counts/counts.txt");
    if arguments.write {
        let mut text =
            format!("# Instructions a turn, on {}. Written by `cargo xtask counts --write`.\n", machine()?);
        for (name, count) in &counted {
            writeln!(text, "{name} {count}")?;
        }
        return fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()));
    }
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    compare(&counted, &text)
}

/// Instructions of one turn.
fn count(program: &PathBuf, name: &str) -> Result<u64> {
    let run = |turns: u64| -> Result<u64> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        let output =
            command.arg(program).arg(name).arg(turns.to_string()).output().context("cannot run valgrind")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {told}");
        let count =
            told.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
        count.context("valgrind tells no count")?.parse().context("valgrind's count")
    };
    Ok((run(2 * TURNS)?.saturating_sub(run(TURNS)?)) / TURNS)
}

fn compare(counted: &BTreeMap<&str, u64>, text: &str) -> Result<()> {
    let known: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, count) = line.split_once(' ').context("a line is a name and a count")?;
            Ok((name, count.parse()?))
        })
        .collect::<Result<_>>()?;
    ensure!(known.keys().eq(counted.keys()), "the file has other loops: run `cargo xtask counts --write`");
    let (mut dearer, mut cheaper) = (Vec::new(), Vec::new());
    for (name, count) in counted {
        let before = known.get(name).copied().unwrap_or_default();
        let change = *count as f64 / before as f64 - 1.0;
        eprintln!("counts: {name}: {count} ({:+.1} %)", 100.0 * change);
        if change > TOLERANCE {
            dearer.push(*name);
        } else if change < -TOLERANCE {
            cheaper.push(*name);
        }
    }
    if !dearer.is_empty() {
        bail!(
            "{} cost over {:.0} % more than in bench/counts/counts.txt, which was written on {}; this is {}. If that is meant, run `cargo xtask counts --write`",
            dearer.join(", "),
            100.0 * TOLERANCE,
            text.lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("# Instructions a turn, on ")
                .trim_end_matches(". Written by `cargo xtask counts --write`."),
            machine()?
        );
    }
    if !cheaper.is_empty() {
        eprintln!("counts: {} got cheaper: keep it so by `cargo xtask counts --write`", cheaper.join(", "));
    }
    eprintln!("counts: none of {} loops costs over {:.0} % more", counted.len(), 100.0 * TOLERANCE);
    Ok(())
}

/// What a count depends on beside the code.
fn machine() -> Result<String> {
    let compiler = read(Command::new("rustc").arg("-V"))?;
    let compiler = compiler.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let has_avx2 = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" avx2"));
    let vectors = if has_avx2 { "AVX2" } else { "no AVX2" };
    Ok(format!("{} with {vectors}, {compiler}", env::consts::ARCH))
}
