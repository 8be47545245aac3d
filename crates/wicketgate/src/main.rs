//! Wicketgate: the command line.

mod command;
mod logs;

use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// A WebSocket security gateway and relay.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
