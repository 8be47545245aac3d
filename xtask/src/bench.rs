//! `cargo xtask bench`: the peers first, then the benchmark, which builds the gateway itself.

use anyhow::Result;
use clap::Args;

use crate::{
    peers,
    shell::{self, cargo},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Passed on to the benchmark
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // What admission costs is measured without anybody else.
    if arguments.rest.first().is_none_or(|first| first != "admission") {
        peers::install(&["bench"])?;
    }
    let mut command = cargo(&["run", "--locked", "--release", "--package", "wicketgate-bench", "--"]);
    shell::run(command.args(&arguments.rest).env("WICKETGATE_PEERS", peers::folder()))
}
