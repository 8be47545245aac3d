//! The demonstration's files, in a temporary folder of its own that goes when it ends.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

/// The configuration, with names for what is known only when it runs.
const CONFIGURATION: &str = include_str!("wicketgate.yaml");

/// A folder with a certificate for this machine, its key, the configuration and the access log.
pub(super) struct Files {
    folder: TempDir,
}

impl Files {
    /// Makes the folder and a certificate in it.
    pub(super) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("wicketgate-demo-").tempdir();
        let files = Self { folder: folder.context("no temporary folder can be made")? };
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let issued = rcgen::generate_simple_self_signed(names)?;
        files.write("cert.pem", &issued.cert.pem(), 0o644)?;
        files.write("key.pem", &issued.signing_key.serialize_pem(), 0o600)?;
        Ok(files)
    }

    /// Writes the configuration for this port and this chat room, and gives its text.
    pub(super) fn configuration(&self, port: u16, room: SocketAddr) -> anyhow::Result<String> {
        let path = |name: &str| quoted(&self.folder.path().join(name));
        let text = CONFIGURATION
            .replace("${PORT}", &port.to_string())
            .replace("${BACKEND}", &room.to_string())
            .replace("${CERT}", &path("cert.pem")?)
            .replace("${KEY}", &path("key.pem")?)
            .replace("${ACCESS}", &path("access.log")?);
        self.write("wicketgate.yaml", &text, 0o644)?;
        Ok(text)
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration that runs.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("wicketgate.yaml")
    }

    /// A line for every request and session.
    pub(super) fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.folder.path().join(name);
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A path as YAML reads it, whatever characters it has: a JSON string is one of YAML too.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().context("the temporary folder's name is not UTF-8")?;
    Ok(serde_json::to_string(text)?)
}
