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
    // What one part costs is measured without anybody else.
    let alone = |first: &String| matches!(first.as_str(), "admission" | "policy");
    if !arguments.rest.first().is_some_and(alone) {
        peers::install(&["bench"])?;
    }
    let mut command = cargo(&["run", "--locked", "--release", "--package", "wicketgate-bench", "--"]);
    shell::run(command.args(&arguments.rest).env("WICKETGATE_PEERS", peers::folder()))
}
