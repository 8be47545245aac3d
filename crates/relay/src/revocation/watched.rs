//! The newest list, wherever it came from.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;

use super::list::{ListError, RevocationList};

/// A list in a file of the gateway's, read anew when the file changes.
#[derive(Debug)]
pub struct WatchedList {
    path: PathBuf,
    authorities: Vec<CertificateDer<'static>>,
    current: ArcSwapOption<RevocationList>,
}

/// What became of a list that was read anew.
#[derive(Debug)]
pub enum Renewed {
    /// It says what it said before.
    Same,
    /// It says something else.
    Replaced,
    /// It cannot be used: the one before stays in force.
    Kept(String),
}

impl WatchedList {
    /// Reads the list.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn load(path: PathBuf, authorities: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let list = Self { path, authorities, current: ArcSwapOption::empty() };
        list.current.store(Some(Arc::new(list.read()?)));
        Ok(list)
    }

    /// The file.
    pub const fn path(&self) -> &PathBuf {
        &self.path
    }

    /// What it says now.
    pub fn current(&self) -> Option<Arc<RevocationList>> {
        self.current.load_full()
    }

    /// Reads it anew.
    pub fn reload(&self) -> Renewed {
        match self.read() {
            Ok(list) if self.current.load().as_deref() == Some(&list) => Renewed::Same,
            Ok(list) => {
                self.current.store(Some(Arc::new(list)));
                Renewed::Replaced
            }
            Err(why) => Renewed::Kept(why),
        }
    }

    fn read(&self) -> Result<RevocationList, String> {
        let text = wicketgate_config::file::read(&self.path, 256 << 10);
        let text = text.map_err(|error| format!("cannot be read: {error}"))?;
        RevocationList::from_pem(&text, &self.authorities).map_err(|error| error.to_string())
    }
}

/// The newest list that an endpoint has been told of.
#[derive(Debug, Default)]
pub struct Newest {
    list: Mutex<Option<RevocationList>>,
    told: Notify,
}

impl Newest {
    /// Takes a list in, unless a later one is there: no gateway can take back what the authority has revoked.
    ///
    /// # Errors
    /// It is none of the authority's.
    pub fn take(&self, der: &[u8], authorities: &[CertificateDer<'_>]) -> Result<(), ListError> {
        let list = RevocationList::from_der(der, authorities)?;
        let mut current = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|current| current.number() < list.number()) {
            *current = Some(list);
            drop(current);
            self.told.notify_waiters();
        }
        Ok(())
    }

    /// Whether the certificate of this serial number is revoked.
    pub fn covers(&self, serial: &str) -> bool {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.as_ref().is_some_and(|list| list.covers(serial))
    }

    /// Waits until the certificate of this serial number is revoked.
    pub async fn covered(&self, serial: &str) {
        loop {
            let mut told = std::pin::pin!(self.told.notified());
            told.as_mut().enable();
            if self.covers(serial) {
                return;
            }
            told.await;
        }
    }
}
