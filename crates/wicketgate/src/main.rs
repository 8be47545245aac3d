//! Wicketgate: the command line.

mod command;
mod logs;
mod supervisor;

use std::process::ExitCode;

use clap::Parser;
use wicketgate_config::without_passwords;

use command::Command;

/// Buffers come and go with bulk transfers: the C library's allocator gives them back to the kernel and takes them again.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A WebSocket security gateway and relay.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match arguments().command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments; an error in one shows it, but no password of a URL in it.
fn arguments() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|error| {
        let text = error.to_string();
        let shown = without_passwords(&text);
        if shown == text {
            error.exit();
        }
        eprint!("{shown}");
        std::process::exit(error.exit_code());
    })
}
