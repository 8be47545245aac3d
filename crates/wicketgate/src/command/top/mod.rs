//! `wicketgate top`: what goes through the running gateway, as it does.

mod sample;
mod screen;
mod show;

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use http::Method;
use wicketgate_gateway::config::AdminConfig;

use super::configuration::{BAD_CONFIGURATION, ConfigPath};
use super::operator;
use sample::{Pace, Sample};
use show::Shown;

/// How it is shown.
#[derive(Args)]
pub(crate) struct Top {
    /// Show it once, over one interval, and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    #[command(flatten)]
    config: ConfigPath,
}

impl Top {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some((config, _)) = self.config.load() else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        let admin = config.admin.ok_or_else(operator::no_admin)?;
        // Whoever cannot be asked at all is told so at once.
        let mut last = look(&admin)?;
        let interval = Duration::from_secs(self.interval);
        if !self.once && stdout().is_terminal() {
            screen::run(last, &looks(admin, interval))?;
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            thread::sleep(interval);
            let next = look(&admin)?;
            Shown::of(&next, &Pace::between(&last, &next)).print()?;
            if self.once {
                return Ok(ExitCode::SUCCESS);
            }
            writeln!(stdout())?;
            last = next;
        }
    }
}

fn look(admin: &AdminConfig) -> anyhow::Result<Sample> {
    Ok(Sample::new(operator::ask(Some(admin), Method::GET, "/status", Vec::new())?))
}

/// Looks on a thread of its own, which ends after whoever wants to know: a gateway that is slow does not hold the keys up.
fn looks(admin: AdminConfig, interval: Duration) -> Receiver<anyhow::Result<Sample>> {
    let (tell, told) = sync_channel(1);
    thread::spawn(move || {
        loop {
            thread::sleep(interval);
            if tell.send(look(&admin)).is_err() {
                return;
            }
        }
    });
    told
}
