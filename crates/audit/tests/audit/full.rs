//! A full disk: records wait, and when there is room again none is missing.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::child::{Running, Task};
use crate::crash::kept;

/// Records of each of four threads, a kilobyte each.
const RECORDS: u64 = 800;

fn nothing_is_lost(mut running: Running, path: &Path, free: impl FnOnce(&Running)) {
    let mut acknowledged = Vec::new();
    assert!(running.until("failing", &mut acknowledged), "the disk is full before all is written");
    let before = acknowledged.len();
    assert!(before >= 20, "{before}");
    free(&running);
    assert!(running.until("ready", &mut acknowledged), "it is written again");
    assert!(running.until("done", &mut acknowledged));
    assert!(running.process.wait().unwrap().success());
    let all = 4 * RECORDS;
    assert_eq!(acknowledged.len() as u64, all);
    let (verified, kept) = kept(path);
    assert_eq!((verified.rows, kept.len() as u64), (all, all), "each of them once");
}

#[test]
fn a_file_that_may_not_grow_holds_records_up_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let running = Task { store: &path, records: RECORDS, keep: None, limit: Some(2 << 10) }.start();
    nothing_is_lost(running, &path, |running| {
        let pid = Pid::from_child(&running.process);
        prlimit(Some(pid), Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    });
}

/// A small disk, where this user may mount one.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at);
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn grow(&self) {
        let mut mount = Command::new("mount");
        assert!(mount.args(["-o", "remount,size=64m"]).arg(self.0).status().unwrap().success());
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_holds_records_up_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path()) else {
        eprintln!("not run: this user may mount no disk");
        return;
    };
    let path = dir.path().join("audit.db");
    let running = Task { store: &path, records: RECORDS, keep: None, limit: None }.start();
    nothing_is_lost(running, &path, |_| disk.grow());
}
