//! `wicketgate watermark`: invisible marks found in pictures, and keys for them.

use std::fs::File;
use std::io::{Read as _, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::json;
use wicketgate_watermark::{Found, Key, Limits, Watch, read, secret};

/// What to do with marks.
#[derive(Args)]
pub(crate) struct Watermark {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Look for the invisible mark in a picture, and print it. The audit finding `watermarked` with the same mark tells the
    /// session and the subject.
    ///
    /// Exit code 0: there is a mark; 1: there is none of this key; 2: the picture or the key cannot be read.
    Read(Read),
    /// Print a new key.
    Keygen,
}

#[derive(Args)]
struct Read {
    /// The picture: PNG, JPEG or WebP.
    file: PathBuf,
    /// The file of the key that pictures were marked with.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

const NO_MARK: u8 = 1;
const UNREADABLE: u8 = 2;
/// What a picture may come to; 3.2 GB of memory at most.
const LIMITS: Limits = Limits { size: 256 << 20, pixels: 100_000_000, metadata: 64 << 20 };
/// The longest file of a key, in bytes.
const MAX_KEY: u64 = 16 << 10;

impl Watermark {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Keygen => {
                let secret = secret().context("the system gives no random bytes")?;
                writeln!(stdout(), "{}", STANDARD.encode(secret))?;
                Ok(ExitCode::SUCCESS)
            }
            Action::Read(asked) => match asked.look() {
                Ok(found) => asked.tell(found),
                Err(error) => {
                    eprintln!("error: {error:#}");
                    Ok(ExitCode::from(UNREADABLE))
                }
            },
        }
    }
}

impl Read {
    fn look(&self) -> anyhow::Result<Option<Found>> {
        let secret = bytes(&self.key_file, MAX_KEY)?;
        let picture = bytes(&self.file, LIMITS.size as u64)?;
        // As the configuration reads keys.
        let key = Key::new(secret.trim_ascii());
        let found = read(&picture, &key, &LIMITS, &Watch::ENDLESS);
        found.with_context(|| format!("{} cannot be looked at", self.file.display()))
    }

    fn tell(&self, found: Option<Found>) -> anyhow::Result<ExitCode> {
        let mut out = stdout().lock();
        match found {
            Some(Found { tag, scale, clarity }) if self.json => {
                let (mark, scale, clarity) = (tag.to_string(), f64::from(scale), f64::from(clarity));
                writeln!(out, "{}", json!({ "mark": mark, "scale": scale, "clarity": clarity }))?;
            }
            Some(Found { tag, scale, clarity }) => {
                writeln!(out, "{tag}  at {scale:.2} times its size, {clarity:.1} standard deviations clear")?;
            }
            None if self.json => writeln!(out, "{}", json!({ "mark": null }))?,
            None => writeln!(out, "no mark of this key")?,
        }
        Ok(if found.is_some() { ExitCode::SUCCESS } else { ExitCode::from(NO_MARK) })
    }
}

fn bytes(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(bytes.len() as u64 <= most, "{} is larger than {most} bytes", path.display());
    Ok(bytes)
}
