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
    match arguments.rest.first().map(String::as_str) {
        // What admission costs is measured without anybody else.
        Some("admission") => {}
        Some("policy") => peers::install(&["waf"])?,
        Some("relay") => peers::install(&["relay"])?,
        _ => peers::install(&["bench"])?,
    }
    // As packages have it: admission and policy are measured within the benchmark itself.
    let mut command = cargo(&["run", "--locked", "--profile", "dist", "--package", "wicketgate-bench", "--"]);
    shell::run(command.args(&arguments.rest).env("WICKETGATE_PEERS", peers::folder()))
}
