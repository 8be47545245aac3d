//! `cargo xtask test`: the peers first, then every crate's tests.

use anyhow::Result;
use clap::Args;

use crate::{
    peers,
    shell::{self, COMPONENTS, cargo, exists},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Also the long ones: Autobahn's limits and compression cases, load, restarts, the FIPS module
    #[arg(long)]
    all: bool,
    /// Passed on to `cargo test`
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    peers::install(&["test"])?;
    let mut command = cargo(&["test", "--locked", "--workspace", "--features", COMPONENTS]);
    command.args(&arguments.rest).env("WICKETGATE_PEERS", peers::folder());
    if arguments.all {
        command.env("WICKETGATE_TEST_ALL", "1");
    }
    shell::run(&mut command)?;
    if arguments.all { fips() } else { Ok(()) }
}

/// TLS once more with the FIPS module, where it can be built.
fn fips() -> Result<()> {
    if let Some(missing) = ["cmake", "go"].into_iter().find(|program| !exists(program)) {
        eprintln!("test: left out, since there is no {missing}: the feature `fips`");
        return Ok(());
    }
    let package = ["--package", "wicketgate-gateway", "--features", "fips", "--lib", "tls::"];
    shell::run(cargo(&["test", "--locked"]).args(package))
}
