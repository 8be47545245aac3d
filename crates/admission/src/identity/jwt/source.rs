//! Where an issuer's keys stand: a URL, a discovery document, or a file.

use std::path::PathBuf;

use super::discovery::Provider;
use super::keyset::KeySet;
use crate::fetch::{Endpoint, FetchConfig, Fetcher};
use crate::file::{self, Stamp};

/// Where keys are fetched.
#[derive(Debug)]
pub struct Source {
    place: Place,
    max_keys: usize,
}

#[derive(Debug)]
enum Place {
    Url(Fetcher, Endpoint),
    Discovery { fetcher: Fetcher, issuer: String, document: Endpoint, allow_http: bool },
    File { path: PathBuf, read: Stamp },
}

/// What one key may take in a JWK set, its certificates included.
const KEY_SIZE: usize = 8 * 1024;

/// The bytes that so many keys may take.
pub const fn max_size(max_keys: usize) -> usize {
    max_keys.saturating_mul(KEY_SIZE)
}

impl Source {
    /// A JWK set at a URL.
    pub fn url(endpoint: Endpoint, fetch: &FetchConfig, max_keys: usize) -> Self {
        Self { place: Place::Url(Fetcher::new(fetch, max_size(max_keys)), endpoint), max_keys }
    }

    /// The JWK set that an issuer's discovery document names.
    pub fn discovery(issuer: String, document: Endpoint, fetch: &FetchConfig, max_keys: usize) -> Self {
        let fetcher = Fetcher::new(fetch, max_size(max_keys));
        let place = Place::Discovery { fetcher, issuer, document, allow_http: fetch.allow_http };
        Self { place, max_keys }
    }

    /// A file with a JWK set or public keys in PEM.
    pub fn file(path: PathBuf, max_keys: usize) -> Self {
        Self { place: Place::File { path, read: Stamp::NONE }, max_keys }
    }

    /// The keys as they are now; `None` where they are what they were.
    ///
    /// # Errors
    /// Why they cannot be had.
    pub async fn fetch(&mut self) -> Result<Option<KeySet>, String> {
        let max_keys = self.max_keys;
        match &mut self.place {
            Place::Url(fetcher, endpoint) => fetch_jwks(fetcher, endpoint, max_keys).await.map(Some),
            Place::Discovery { fetcher, issuer, document, allow_http } => {
                let found = Provider::discover(fetcher, issuer, document, *allow_http).await?;
                fetch_jwks(fetcher, &found.keys, max_keys).await.map(Some)
            }
            Place::File { path, read } => {
                let (file, last) = (path.clone(), *read);
                let work = tokio::task::spawn_blocking(move || read_file(&file, last, max_keys));
                let found = work.await.map_err(|error| error.to_string())??;
                Ok(found.map(|(keys, stamp)| {
                    *read = stamp;
                    keys
                }))
            }
        }
    }
}

async fn fetch_jwks(fetcher: &Fetcher, endpoint: &Endpoint, max_keys: usize) -> Result<KeySet, String> {
    let told = |error: &dyn std::fmt::Display| format!("{endpoint}: {error}");
    let text = fetcher.get(endpoint).await.map_err(|error| told(&error))?;
    KeySet::from_jwks(&text, max_keys).map_err(|error| told(&error))
}

/// The keys in a file, and what tells this file from the next; `None` where it is the last one.
pub(super) fn read_file(
    path: &std::path::Path,
    last: Stamp,
    max_keys: usize,
) -> Result<Option<(KeySet, Stamp)>, String> {
    let stamp = Stamp::of(path);
    if stamp == last && stamp != Stamp::NONE {
        return Ok(None);
    }
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = file::read(path, max_size(max_keys) as u64).map_err(|error| told(&error))?;
    let keys = KeySet::read(text.as_bytes(), max_keys).map_err(|error| told(&error))?;
    Ok(Some((keys, stamp)))
}
