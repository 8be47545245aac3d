//! Wicketgate side by side with its peers: one load, taken in turns, on one machine.

mod admission;
mod backend;
mod cell;
mod compare;
mod echo;
mod elsewhere;
mod frame;
mod gateway;
mod interrupt;
mod load;
mod machine;
mod peer;
mod policy;
mod relay;
mod report;
mod setup;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use wicketgate_testkit::tls::Authority;

use backend::Backend;
use cell::Cell;
use compare::{Comparison, Settings};
use machine::Machine;
use peer::Peer;
use report::{Report, Summary};
use setup::Setup;

#[derive(Parser)]
#[command(about = "Compares Wicketgate with its peers", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Task {
    /// Measures what admission costs each upgrade and each message
    Admission {
        /// Folder for admission.md
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Measures what each step, the guard and libmodsecurity cost a message
    Policy {
        /// Folder for policy.md
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Measures what private sessions cost, beside TCP hops, rathole and websockify
    Relay(relay::Arguments),
    /// Serves as the backend until standard input ends; prints its address
    Echo {
        #[arg(long, default_value = "127.0.0.1:0")]
        bind: SocketAddr,
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
}

#[derive(Args)]
struct Run {
    /// Cells to measure, such as ws-64-1, wss-64k-2, ws-1k-8-deflate, wss-sessions, ws-idle [default: all]
    #[arg(long, value_delimiter = ',')]
    cells: Vec<Cell>,
    /// Who takes part [default: all but direct and those with a console]
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Turns of every contender in every cell
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Measured seconds of a turn
    #[arg(long)]
    seconds: Option<f64>,
    /// Fewer cells, 3 rounds of 1 second
    #[arg(long)]
    quick: bool,
    /// The gateway's binary [default: built here with the profile for packages]
    #[arg(long)]
    wicketgate: Option<PathBuf>,
    /// Folder for results.json, results.md and results.svg [default: docs/benchmarks if neither cells nor
    /// peers are chosen, else target/bench]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Connections under load
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// Sessions held open in idle cells
    #[arg(long, default_value_t = 5_000)]
    idle_sessions: usize,
    /// Worker processes or threads of every proxy, and threads of load and of backend
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Offer only the post-quantum key exchange X25519MLKEM768 instead of only X25519
    #[arg(long)]
    post_quantum: bool,
}

impl Run {
    fn settings(&self) -> Result<Settings> {
        let (rounds, seconds, warm_up_seconds) = if self.quick { (3, 1.0, 0.3) } else { (5, 2.0, 0.5) };
        let seconds = self.seconds.unwrap_or(seconds);
        ensure!((0.1..=600.0).contains(&seconds), "--seconds is 0.1 to 600");
        let threads = usize::from(self.workers);
        ensure!(self.connections >= threads, "--connections is at least the number of workers");
        Ok(Settings {
            rounds: self.rounds.unwrap_or(rounds),
            seconds,
            warm_up_seconds,
            connections: self.connections,
            idle_sessions: self.idle_sessions,
            workers: self.workers,
            load_threads: threads,
            backend_threads: threads,
            post_quantum: self.post_quantum,
        })
    }

    fn cells(&self) -> Vec<Cell> {
        match (&self.cells[..], self.quick) {
            ([], true) => Cell::quick(),
            ([], false) => Cell::all(),
            (cells, _) => cells.to_vec(),
        }
    }

    fn peers(&self) -> Vec<Peer> {
        let mut peers = self.peers.clone();
        if peers.is_empty() {
            peers = Peer::value_variants().iter().copied().filter(|peer| peer.is_usual()).collect();
        }
        peers.sort();
        peers.dedup();
        peers
    }

    fn out(&self) -> PathBuf {
        let chosen = !self.cells.is_empty() || !self.peers.is_empty();
        self.out
            .clone()
            .unwrap_or_else(|| if chosen { target().join("bench") } else { root().join("docs/benchmarks") })
    }

    fn report(&self) -> Result<Report> {
        let (settings, peers) = (self.settings()?, self.peers());
        let wicketgate = match &self.wicketgate {
            Some(path) => path.clone(),
            None if peers.iter().any(|peer| peer.is_wicketgate()) => build()?,
            None => PathBuf::new(),
        };
        let machine = Machine::here()?;
        let (backend, authority) = (Backend::start(settings.backend_threads)?, Authority::new()?);
        let setup = Setup {
            backend: backend.address(),
            identity: authority.localhost()?,
            workers: settings.workers,
            wicketgate,
        };
        let versions: BTreeMap<String, String> =
            peers.iter().map(|peer| Ok((peer.name(), peer.version(&setup)?))).collect::<Result<_>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tls = load::client(authority.ca(), settings.post_quantum)?;
        let comparison = Comparison { settings: &settings, setup: &setup, tls, runtime: &runtime };
        let mut samples = Vec::new();
        for cell in self.cells() {
            let of_cell = comparison.cell(&cell, &peers)?;
            for summary in Summary::of(&of_cell) {
                eprintln!("{}", summary.line());
            }
            samples.extend(of_cell);
        }
        Ok(Report { machine, settings, versions, samples })
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Some(Task::Echo { bind, threads }) => return echo::serve(*bind, *threads),
        Some(Task::Admission { out }) => {
            return measure("admission", "What admission costs", admission::run, out.as_deref());
        }
        Some(Task::Policy { out }) => {
            return measure("policy", "What message policy costs", policy::run, out.as_deref());
        }
        Some(Task::Relay(arguments)) => {
            let program = std::path::absolute(arguments.wicketgate.clone().map_or_else(build, Ok)?)?;
            let run = || relay::run(arguments, program);
            return measure("relay", "What private sessions cost", run, arguments.out.as_deref());
        }
        None => {}
    }
    interrupt::watch()?;
    let report = cli.run.report()?;
    println!("{}", report.text());
    for path in report.write(&cli.run.out())? {
        eprintln!("wrote {}", path.display());
    }
    let failures =
        Summary::of(&report.samples).iter().map(|summary| summary.failures().count()).sum::<usize>();
    ensure!(failures == 0, "{failures} turns failed; the tables name them");
    Ok(())
}

/// Measures one part alone: prints its table, and writes it to `name`.md in the folder `out`.
fn measure(name: &str, title: &str, run: impl FnOnce() -> Result<String>, out: Option<&Path>) -> Result<()> {
    let (machine, table) = (Machine::here()?, run()?);
    let Machine { date, processor, cores, load_before, .. } = machine;
    let text = format!("{date}, {processor}, {cores} cores, load {load_before} before.\n\n{table}");
    println!("{text}");
    if let Some(folder) = out {
        let path = folder.join(format!("{name}.md"));
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        std::fs::write(&path, format!("# {title}\n\n{text}"))
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// Builds the gateway as packages have it and gives the binary's path.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--profile", "dist", "--package", "wicketgate"];
    let status =
        Command::new(cargo).args(arguments).current_dir(root()).status().context("cannot run cargo")?;
    ensure!(status.success(), "the gateway does not build");
    Ok(target().join("dist/wicketgate"))
}

fn root() -> &'static Path {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap_or(bench)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
