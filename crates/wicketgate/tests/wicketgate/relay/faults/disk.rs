//! The gateway's disk full: its audit store and its file of audit lines stand on one that holds 32 MiB.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use wicketgate_testkit::process::Signal;

use super::extent::Extent;
use super::line::Fate;
use super::run::Moving;
use super::stage::Stage;

/// What those say who are let in by nobody.
const WAITS: &str = "no answer within";

/// A small disk. Dropping it takes it away.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at)?;
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=32m", "wicketgate-test"]).arg(&at).status()?;
        ensure!(done.success(), "a disk is mounted by root alone: run this test as root");
        Ok(Self(at))
    }

    /// Fills it to the last byte.
    fn fill(&self) -> Result<()> {
        let mut file = File::create(self.0.join("filler"))?;
        for size in [4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Sessions go on while it is full. Those that are cut then wait, and are carried again once there is room for what is to be said of it.
pub(super) async fn full(stage: &mut Stage, moving: &Moving, extent: Extent) -> Result<u64> {
    let disk = Disk::mount(stage.site.path("disk"))?;
    let at = disk.0.display();
    let audit = format!(
        "audit: {{store: {{path: {at}/audit.db, mode: guaranteed}}, sinks: [{{name: file, lines: {at}/audit.jsonl}}]}}\n"
    );
    let had = stage.said("resumed");
    stage.gateway.take().context("no gateway")?.process().signal(Signal::KILL)?;
    stage.start_gateway(&audit).await?;
    stage.say("resumed", &had).await?;
    disk.fill()?;
    moving.each(extent.bytes()).await?;
    let (had, waiting) = (stage.said("resumed"), stage.said(WAITS));
    stage.befall(Fate::Reset);
    stage.say(WAITS, &waiting).await?;
    ensure!(stage.said("resumed") == had, "nobody is let in without a record");
    disk.free()?;
    stage.say("resumed", &had).await?;
    moving.each(extent.bytes()).await?;
    let had = stage.said("resumed");
    stage.gateway.take().context("no gateway")?.process().signal(Signal::KILL)?;
    stage.start_gateway("").await?;
    stage.say("resumed", &had).await?;
    Ok(3)
}
