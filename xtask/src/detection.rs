//! `cargo xtask detection`: what the guard finds in files of attacks and of ordinary messages.

use anyhow::Result;
use clap::Args;

use crate::shell::{self, cargo};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Files of JSON lines, and `--show missed`, `--show flagged`, `--category NAME`, `--rules`, `--sensitivity LEVEL`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // Optimised: thousands of messages are read.
    let example =
        ["run", "--locked", "--release", "--package", "wicketgate-policy", "--example", "detection", "--"];
    shell::run(cargo(&example).args(&arguments.rest))
}
