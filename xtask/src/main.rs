//! The project's own commands. `cargo xtask check` and `cargo xtask test` are what CI runs.

mod bench;
mod check;
mod counts;
mod detection;
mod docs;
mod fuzz;
mod package;
mod peers;
mod shell;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, lints, documentation, licences, house rules, generated files
    Check,
    /// All tests, with the peers they need installed first
    Test(test::Arguments),
    /// Installs peers: nginx, HAProxy and Chromium by apt, all else into target/peers
    Peers(peers::Arguments),
    /// The benchmark beside the peers
    Bench(bench::Arguments),
    /// Counts the instructions of hot loops, and compares them with those that were written down
    Counts(counts::Arguments),
    /// What the guard finds in files of attacks and of ordinary messages
    Detection(detection::Arguments),
    /// Writes the generated part of the documentation
    Docs(docs::Arguments),
    /// Runs the fuzz targets for a bounded time
    Fuzz(fuzz::Arguments),
    /// Makes a Debian package and its bill of materials in target/package
    Package(package::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Check => check::run(),
        Task::Test(arguments) => test::run(&arguments),
        Task::Peers(arguments) => peers::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Counts(arguments) => counts::run(&arguments),
        Task::Detection(arguments) => detection::run(&arguments),
        Task::Docs(arguments) => docs::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Package(arguments) => package::run(&arguments),
    }
}
