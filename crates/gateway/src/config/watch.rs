//! Watches the configuration's files, and tells when they have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use super::Report;

/// An editor writes in several steps: the change is told when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(250);

/// The link that Kubernetes turns to a folder with a ConfigMap's new files: the files are links through it, and stay as they are.
const KUBERNETES: &str = "..data";

/// Watches the folders of a configuration's files: editors and deployments put new files in the old ones' place.
#[derive(Debug)]
pub struct ConfigWatch {
    _watcher: RecommendedWatcher,
    events: Receiver<()>,
}

impl ConfigWatch {
    /// Watches what `report` tells about.
    ///
    /// # Errors
    /// When the system gives no watch (inotify's limits).
    pub fn start(report: &Report) -> notify::Result<Self> {
        let files: BTreeSet<PathBuf> = report.files().map(Path::to_owned).collect();
        let names: BTreeSet<_> =
            files.iter().filter_map(|path| path.file_name()).map(ToOwned::to_owned).collect();
        let concerns = move |path: &PathBuf| {
            path.file_name().is_some_and(|name| names.contains(name))
                || path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
                || path.file_name().is_some_and(|name| name == KUBERNETES)
        };
        let (tell, events) = channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(&concerns)) {
                // A full channel holds the news already.
                let _ = tell.try_send(());
            }
        })?;
        for folder in report.folders() {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { _watcher: watcher, events })
    }

    /// Completes when files have changed and then stayed as they are for a moment.
    pub async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while timeout(QUIET, self.events.recv()).await.is_ok() {}
    }
}
