//! `wicketgate capture`: messages of the running gateway, their secrets covered, into a file to learn from.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use http::Method;
use serde::Deserialize;
use wicketgate_gateway::config::AdminConfig;
use wicketgate_policy::fields;

use super::configuration::{BAD_CONFIGURATION, ConfigPath, plural};
use super::operator;

/// What is captured, and how much of it.
#[derive(Args)]
pub(crate) struct Capture {
    #[command(flatten)]
    config: ConfigPath,
    /// The route whose messages are captured.
    #[arg(long, value_name = "NAME")]
    route: String,
    /// Where they go: a file that is not there yet, which only you can read.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The most messages.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    messages: u64,
    /// The longest time, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The most bytes of the file.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(1..=256 << 20))]
    bytes: u64,
    /// Capture one session of so many, whole.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// A field that is covered beside those whose names or values tell, as in `user.name` or `**.note`; may be repeated.
    #[arg(long, value_name = "PATH")]
    secret: Vec<fields::Path>,
}

#[derive(Deserialize)]
struct Started {
    capture: u64,
}

#[derive(Deserialize)]
struct Taken {
    lines: Vec<String>,
    dropped: u64,
    left_out: u64,
}

/// How often the gateway is asked. What comes in between waits there, within its bounds.
const PAUSE: Duration = Duration::from_millis(50);

/// What was written, and what was not.
#[derive(Default)]
struct Sum {
    messages: u64,
    bytes: u64,
    dropped: u64,
    left_out: u64,
}

impl Capture {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some((config, _)) = self.config.load() else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        let admin = config.admin.as_ref();
        // Before anything is asked for: a capture that has nowhere to go is none.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.output);
        let file = file.with_context(|| format!("cannot write {}", self.output.display()))?;
        let started: Started = operator::ask(admin, Method::POST, &self.target(), Vec::new())?;
        let target = format!("/capture?id={}", started.capture);
        eprintln!("capturing messages of the route `{}`", self.route);
        let sum = self.follow(admin, &target, file);
        let _: Started = operator::ask(admin, Method::DELETE, &target, Vec::new())?;
        let sum = sum?;
        eprintln!(
            "{} captured to {}",
            plural(usize::try_from(sum.messages)?, "message"),
            self.output.display()
        );
        if sum.dropped > 0 {
            eprintln!(
                "{} dropped, so that none had to wait",
                plural(usize::try_from(sum.dropped)?, "message")
            );
        }
        if sum.left_out > 0 {
            let count = plural(usize::try_from(sum.left_out)?, "message");
            eprintln!("{count} left out: they could not be read, and may hold secrets");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn target(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("route", &self.route).append_pair("every", &self.every.to_string());
        for path in &self.secret {
            query.append_pair("secret", &path.to_string());
        }
        format!("/capture?{}", query.finish())
    }

    fn follow(&self, admin: Option<&AdminConfig>, target: &str, file: File) -> anyhow::Result<Sum> {
        let (mut out, mut sum) = (BufWriter::new(file), Sum::default());
        let end = Instant::now() + Duration::from_secs(self.seconds);
        loop {
            let taken: Taken = operator::ask(admin, Method::GET, target, Vec::new())?;
            sum.dropped += taken.dropped;
            sum.left_out += taken.left_out;
            for line in &taken.lines {
                let bytes = line.len() as u64 + 1;
                if sum.messages >= self.messages || sum.bytes + bytes > self.bytes {
                    out.flush()?;
                    return Ok(sum);
                }
                writeln!(out, "{line}")?;
                sum.messages += 1;
                sum.bytes += bytes;
            }
            if sum.messages >= self.messages || Instant::now() >= end {
                out.flush()?;
                return Ok(sum);
            }
            sleep(PAUSE);
        }
    }
}
