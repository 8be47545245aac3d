//! Watches files that are loaded anew when they change: certificates, authorities, revocations, and lists and components of
//! policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use wicketgate_admission::Changes;
use wicketgate_policy::{Policy, Reloaded};
use wicketgate_relay::revocation::{self as relay, WatchedList};

use crate::tls::{CertificateResolver, ClientCertificates, Renewed};

/// A renewal writes several files: they are read when nothing has happened for this long,
const QUIET: Duration = Duration::from_millis(250);
/// and after this long even if something keeps happening.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is loaded anew when its files change.
#[derive(Debug)]
pub enum Watched {
    /// A listener's own certificates.
    Certificates(Arc<CertificateResolver>),
    /// Who may have issued its clients'.
    Clients(Arc<ClientCertificates>),
    /// Lists and components that a policy reads from files.
    Policy(Policy),
    /// Which agents and clients are revoked.
    Relay(Arc<WatchedList>),
}

/// Watches the folders of files as long as it lives.
///
/// The folders, not the files: a renewal puts new files, or new links, in the old ones' place.
#[derive(Debug)]
pub struct FileWatcher {
    _watcher: RecommendedWatcher,
}

impl FileWatcher {
    /// Starts to watch what these were loaded from. Files are read on a thread of its own; `changes` is told when clients may
    /// have lost their right to their sessions.
    ///
    /// # Errors
    /// When the system gives no watch (inotify's limits) or no thread.
    pub fn start(watched: Vec<Watched>, changes: Changes) -> notify::Result<Self> {
        let (tell, told) = channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| event.kind.is_access()) {
                // The receiver ends after the sender, which the watcher owns.
                let _ = tell.send(());
            }
        })?;
        for folder in folders(&watched) {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        thread::Builder::new()
            .name("files".into())
            .spawn(move || reload_when_told(&told, &watched, &changes))
            .map_err(notify::Error::io)?;
        Ok(Self { _watcher: watcher })
    }
}

impl Watched {
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Certificates(resolver) => {
                resolver.files().iter().flat_map(|files| [&files.cert, &files.key]).cloned().collect()
            }
            Self::Clients(clients) => clients.files().cloned().collect(),
            Self::Policy(policy) => policy.files(),
            Self::Relay(list) => vec![list.path().clone()],
        }
    }

    fn reload(&self, changes: &Changes) {
        match self {
            Self::Certificates(resolver) => reload_certificates(resolver),
            Self::Clients(clients) => reload_clients(clients, changes),
            Self::Policy(policy) => reload_policy(policy),
            Self::Relay(list) => reload_list(list, changes),
        }
    }
}

fn folders(watched: &[Watched]) -> BTreeSet<PathBuf> {
    let paths = watched.iter().flat_map(Watched::files);
    // Where a link points to as well, for those that rewrite the target.
    let places = paths.flat_map(|path| [Some(path.clone()), path.canonicalize().ok()]).flatten();
    places.map(|path| folder(&path).to_owned()).collect()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Ends when the watcher is dropped.
fn reload_when_told(told: &Receiver<()>, watched: &[Watched], changes: &Changes) {
    // What a policy reads may have changed since it was read, and before there was a watch.
    watched
        .iter()
        .filter(|watched| matches!(watched, Watched::Policy(_)))
        .for_each(|watched| watched.reload(changes));
    while told.recv().is_ok() {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match told.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        for watched in watched {
            watched.reload(changes);
        }
    }
}

fn reload_list(list: &WatchedList, changes: &Changes) {
    let path = list.path().display();
    match list.reload() {
        relay::Renewed::Same => {}
        relay::Renewed::Replaced => {
            tracing::info!(list = %path, "list of revocations replaced");
            changes.tell();
        }
        relay::Renewed::Kept(why) => {
            tracing::error!("`{path}` {why}: the list before stays in force");
        }
    }
}

fn reload_certificates(resolver: &CertificateResolver) {
    let reloaded = resolver.reload();
    for files in &reloaded.replaced {
        tracing::info!(cert = %files.cert.display(), "certificate replaced");
    }
    for (files, fault) in &reloaded.kept {
        tracing::error!(cert = %files.cert.display(), %fault, "new certificate not usable, the old one stays");
    }
    if !reloaded.replaced.is_empty() {
        for (what, help) in resolver.unwise() {
            tracing::warn!(help, "{what}");
        }
    }
}

fn reload_policy(policy: &Policy) {
    let policy_name = policy.name().unwrap_or_default();
    for reloaded in policy.reload() {
        match reloaded {
            Reloaded::List { file, entries } => {
                tracing::info!(policy = policy_name, file = %file.display(), entries, "list replaced");
            }
            Reloaded::ListKept { file, fault } => {
                tracing::error!(policy = policy_name, file = %file.display(), fault, "new list not usable, the old one stays");
            }
            Reloaded::Component { file } => {
                tracing::info!(policy = policy_name, file = %file.display(), "component replaced");
            }
            Reloaded::ComponentKept { file, fault, help } => {
                tracing::error!(policy = policy_name, file = %file.display(), fault, help, "new component not usable, the old one stays");
            }
        }
    }
}

fn reload_clients(clients: &ClientCertificates, changes: &Changes) {
    match clients.reload() {
        Renewed::Same => return,
        Renewed::Replaced => {
            tracing::info!("authorities and revocations of client certificates replaced");
            changes.tell();
        }
        Renewed::Kept(fault) => {
            tracing::error!(%fault, "new authorities or revocations not usable, the old ones stay");
        }
    }
    for what in clients.overdue() {
        tracing::warn!(
            help = "fetch the issuer's current list: until then its certificates are refused",
            "{what}"
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tls::RawCertificate;
    use crate::tls::config::RawServerTls;
    use crate::tls::testing::Issued;
    use wicketgate_config::{At, Problems};

    #[test]
    fn changed_files_are_loaded_and_a_dropped_watcher_ends_its_thread() {
        let (old, new) = (Issued::new(&["old.example"]), Issued::new(&["new.example"]));
        let raw = RawCertificate { cert: At::nowhere(old.files().cert), key: At::nowhere(old.files().key) };
        let raw = RawServerTls { certificates: At::nowhere(vec![raw]), ..Default::default() };
        let resolver = raw.check(&mut Problems::default()).resolver;
        let watched = vec![Watched::Certificates(resolver.clone())];
        let watcher = FileWatcher::start(watched, Changes::default()).unwrap();
        for (from, to) in [(new.files().cert, old.files().cert), (new.files().key, old.files().key)] {
            let fresh = to.with_extension("fresh");
            std::fs::copy(from, &fresh).unwrap();
            std::fs::rename(fresh, to).unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while resolver.first_name().as_deref() != Some("new.example") {
            assert!(Instant::now() < deadline, "not replaced in time");
            thread::yield_now();
        }
        drop(watcher);
        while Arc::strong_count(&resolver) > 1 {
            assert!(Instant::now() < deadline, "the thread keeps running");
            thread::yield_now();
        }
    }
}
