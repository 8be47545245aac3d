//! `cargo xtask test`: the peers first, then every crate's tests.

use anyhow::Result;
use clap::Args;

use crate::{
    peers,
    shell::{self, COMPONENTS, cargo, exists},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Also the long ones: Autobahn's limits and compression cases, load, restarts, the Debian package and the container image, the FIPS
    /// module
    #[arg(long)]
    all: bool,
    /// Passed on to `cargo test`
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    peers::install(if arguments.all { &["test", "all"] } else { &["test"] })?;
    let mut command = cargo(&["test", "--locked", "--workspace", "--features", COMPONENTS]);
    command.args(&arguments.rest).env("WICKETGATE_PEERS", peers::folder());
    if arguments.all {
        // They make packages with this program.
        command.env("WICKETGATE_TEST_ALL", "1").env("WICKETGATE_XTASK", std::env::current_exe()?);
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
