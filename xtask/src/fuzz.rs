//! `cargo xtask fuzz`: libFuzzer on the stable toolchain, each target for a bounded time.
//!
//! Only cargo-fuzz asks for a nightly compiler, for the address sanitizer. Without unsafe code there is little for that
//! to find; what guides the fuzzer, coverage, the stable compiler can count as well.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::shell::{cargo, root, run as run_command};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Targets; all if none is named
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// SanitizerCoverage as cargo-fuzz sets it up.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // Conditions in a row stay branches of their own, each with a counter that shows the fuzzer it got further.
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "--cfg=fuzzing",
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    for wanted in &arguments.targets {
        ensure!(all.contains(wanted), "no target is called {wanted:?}; there are {}", all.join(", "));
    }
    let chosen = if arguments.targets.is_empty() { &all } else { &arguments.targets };
    let folder = root().join("fuzz/libfuzzer");
    // With a target named, the flags go to what is fuzzed and not to build scripts and macros, which could not link.
    let host = host()?;
    let mut build = cargo(&["build", "--release", "--target", &host]);
    run_command(build.current_dir(&folder).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}")))?;
    let program = folder.join("target").join(&host).join("release/wicketgate-fuzz");
    for target in chosen {
        fuzz(target, &program, arguments.seconds)?;
    }
    eprintln!("fuzz: {} targets, {} s each, no finding", chosen.len(), arguments.seconds);
    Ok(())
}

fn fuzz(target: &str, program: &PathBuf, seconds: u32) -> Result<()> {
    let folder = root().join("fuzz");
    let [found, committed, artifacts] = ["libfuzzer/target/corpus", "corpus", "libfuzzer/artifacts"]
        .map(|name| folder.join(name).join(target));
    for place in [&found, &artifacts] {
        fs::create_dir_all(place)?;
    }
    let mut command = Command::new(program);
    command.env("WICKETGATE_FUZZ_TARGET", target);
    // What is found goes into the first folder; the committed corpus is only read.
    command.args([&found, &committed]).arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-max_total_time={seconds}"));
    // The words of a format that no mutation would come upon.
    let words = folder.join(format!("dictionaries/{target}.dict"));
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    // A comparison that came nearer counts as progress, not only a branch taken: lengths and opcodes are found by that.
    command.args(["-use_value_profile=1", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    run_command(command.current_dir(&folder))
        .with_context(|| format!("{target}: the input lies in {}", artifacts.display()))
}

/// The targets' names, in order: each has a corpus, which a test of theirs holds.
fn targets() -> Result<Vec<String>> {
    let place = root().join("fuzz/corpus");
    let folders = fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))?;
    let names = folders.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    ensure!(!names.is_empty(), "{} holds no target", place.display());
    Ok(names)
}

/// The machine's own target triple.
fn host() -> Result<String> {
    let text = crate::shell::read(Command::new("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc -vV names no host")
}
