//! What is kept of ACME: the account and the certificate, each in a file that nobody else can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use super::config::AcmeConfig;
use super::error::AcmeError;
use crate::tls::certificate::{Certificate, CertificateFiles};

/// Makes the folder if it is not there.
///
/// # Errors
/// A folder that cannot be made, with its name.
pub fn prepare(config: &AcmeConfig) -> io::Result<()> {
    let folder = &config.storage;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        io::Error::new(error.kind(), format!("the folder `{}` for certificates: {error}", folder.display()))
    })
}

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAccount {
    /// What the authority was told last.
    pub(super) contact: Vec<String>,
    pub(super) credentials: AccountCredentials,
}

/// The account with the configured authority, if one was made.
pub(super) fn account(config: &AcmeConfig) -> Result<Option<StoredAccount>, AcmeError> {
    match fs::read(account_file(config)) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Keeps the account.
pub(super) fn keep_account(config: &AcmeConfig, account: &StoredAccount) -> Result<(), AcmeError> {
    let text = serde_json::to_vec_pretty(account).map_err(io::Error::from)?;
    let file = account_file(config);
    let fresh = write_fresh(&file, &text)?;
    Ok(replace(&fresh, &file)?)
}

/// Forgets an account that the authority does not know.
pub(super) fn forget_account(config: &AcmeConfig) -> Result<(), AcmeError> {
    Ok(fs::remove_file(account_file(config))?)
}

/// The certificate that is there, if it can be used.
pub(super) fn certificate(config: &AcmeConfig) -> Option<Certificate> {
    Certificate::load(&files(&config.file())).ok()
}

/// Keeps a certificate with its key. One that cannot be used is not kept, and what was there stays.
pub(super) fn keep_certificate(config: &AcmeConfig, pem: &str) -> Result<Certificate, AcmeError> {
    let file = config.file();
    let fresh = write_fresh(&file, pem.as_bytes())?;
    match Certificate::load(&files(&fresh)) {
        Ok(certificate) => {
            replace(&fresh, &file)?;
            Ok(certificate)
        }
        Err(fault) => {
            fs::remove_file(&fresh)?;
            Err(AcmeError::Certificate(fault.to_string()))
        }
    }
}

/// Certificate and key in one file, so that both change in one step.
fn files(file: &Path) -> CertificateFiles {
    CertificateFiles { cert: file.to_owned(), key: file.to_owned() }
}

/// One account for each authority.
fn account_file(config: &AcmeConfig) -> PathBuf {
    let place = config.directory.trim_start_matches("https://");
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    config.storage.join(format!("account-{}.json", place.chars().map(safe).collect::<String>()))
}

/// Writes a file beside the one that it will replace, readable by us alone, and waits until the disk has it.
fn write_fresh(file: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let fresh = file.with_extension("new");
    // One that an interrupted run left may have other permissions.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    written.write_all(content)?;
    written.sync_all()?;
    Ok(fresh)
}

fn replace(fresh: &Path, file: &Path) -> io::Result<()> {
    fs::rename(fresh, file)?;
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
