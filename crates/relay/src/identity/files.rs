//! Identities out of PEM files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::verify::certified;
use super::{Identity, tls};

/// The longest file that holds a chain or a key, in bytes.
const MAX_FILE: u64 = 256 << 10;

/// Where an identity's parts stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The site's authority, PEM.
    pub authority: PathBuf,
    /// The party's certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, readable by nobody else.
    pub key: PathBuf,
}

/// What is wrong with an identity's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {what}")]
pub struct IdentityFault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

impl IdentityFault {
    fn new(path: &Path, what: impl Into<String>, help: &'static str) -> Self {
        Self { path: path.display().to_string(), what: what.into(), help }
    }
}

impl IdentityFiles {
    /// Files named as `wicketgate ca issue` names them, in one folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            authority: folder.join("authority.pem"),
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        }
    }

    /// Reads the identity, and sees that its parts belong together.
    ///
    /// # Errors
    /// The first file that cannot be used, and what to do about it.
    pub fn load(&self) -> Result<Identity, IdentityFault> {
        let mut roots = RootCertStore::empty();
        let authorities = certificates(&self.authority)?;
        for authority in authorities.iter().cloned() {
            roots.add(authority).map_err(|error| {
                IdentityFault::new(
                    &self.authority,
                    format!("holds no usable authority ({error})"),
                    "give the certificate that `wicketgate ca init` has made",
                )
            })?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&self.certificate)?;
        let key = key(&self.key)?;
        let unfit = |what: String| {
            IdentityFault::new(
                &self.certificate,
                what,
                "ask the site's authority for another: wicketgate ca issue",
            )
        };
        let certified = certified(&chain, &roots).map_err(|error| unfit(error.to_string()))?;
        let identity =
            Identity { name: certified.name, serial: certified.serial, chain, key, roots, authorities };
        tls::check_key(&identity).map_err(|error| {
            IdentityFault::new(
                &self.key,
                format!("is not the key of `{}` ({error})", self.certificate.display()),
                "give the key that was made with the certificate",
            )
        })?;
        Ok(identity)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityFault> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(IdentityFault::new(
            path,
            "holds no certificate in PEM",
            "copy the file anew, whole and as text",
        )),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityFault> {
    let text = zeroize::Zeroizing::new(read(path)?);
    // A key that others of this machine can read proves nothing.
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0) {
        let what = "can be reached by every user of this machine";
        return Err(IdentityFault::new(path, what, "take their permission away: chmod 0600"));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        IdentityFault::new(path, "holds no private key in PEM", "copy the file anew, whole and as text")
    })
}

fn read(path: &Path) -> Result<String, IdentityFault> {
    wicketgate_config::file::read(path, MAX_FILE).map_err(|error| {
        IdentityFault::new(path, format!("cannot be read: {error}"), "check the path and its permissions")
    })
}
