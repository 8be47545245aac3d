//! `wicketgate support-bundle`: what whoever helps has to know, in an archive, without secrets.

mod archive;
mod parts;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use time::OffsetDateTime;

use super::configuration::{ConfigPath, plural};
use super::table;
use parts::Part;

/// Where the archive goes.
#[derive(Args)]
pub(crate) struct SupportBundle {
    /// The archive, which must not be there yet. Without it: wicketgate-support-DATE-TIME.tar.gz, here.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only say what would be in it.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    config: ConfigPath,
}

impl SupportBundle {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let now = OffsetDateTime::now_utc();
        let mut parts = parts::gather(self.config.path());
        parts.insert(0, readme(&parts, now)?);
        let row = |part: &Part| [part.name.clone(), part.bytes.len().to_string(), part.about.to_owned()];
        table::print(["FILE", "BYTES", "WHAT"], parts.iter().map(row).collect())?;
        if self.list {
            return Ok(ExitCode::SUCCESS);
        }
        let (year, month, day) = now.to_calendar_date();
        let (hour, minute, second) = now.to_hms();
        let moment = format!("{year}{:02}{day:02}-{hour:02}{minute:02}{second:02}", u8::from(month));
        let output = self.output.unwrap_or_else(|| format!("wicketgate-support-{moment}.tar.gz").into());
        archive::write(&output, &parts, now).with_context(|| {
            format!("{} cannot be written; a file that is there stays as it is", output.display())
        })?;
        eprintln!(
            "{}: {}. Look through it before you hand it on",
            output.display(),
            plural(parts.len(), "file")
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// What stands in front of the others and tells of them.
fn readme(parts: &[Part], now: OffsetDateTime) -> anyhow::Result<Part> {
    let made = now.format(&time::format_description::well_known::Rfc3339)?;
    let mut text = format!("Made by wicketgate {} at {made}.\n\n", env!("CARGO_PKG_VERSION"));
    for part in parts {
        text.push_str(&format!("{}: {}\n", part.name, part.about));
    }
    text.push_str(
        "\nValues of secrets, headers, passwords and queries in URLs are shown as ***, comments are left out, and no key, \
         certificate or message is in here. Names, addresses of clients in lines of the log, and what your own texts \
         say are: look through it before you hand it on.\n",
    );
    Ok(Part::new("README.txt", "what is in here", text))
}
