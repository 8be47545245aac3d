//! `wicketgate join`: this machine comes to its certificate by a one-time token.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use wicketgate_admission::fetch::{FetchConfig, RawFetch};
use wicketgate_config::{At, Place, Problems, Report, Sources, Toggle};
use wicketgate_relay::carrier::Gateway;
use wicketgate_relay::carrier::proxy::config::RawProxy;
use wicketgate_relay::endpoint::config::proxy;
use wicketgate_relay::enrolment::joiner::{self, Joined};
use wicketgate_relay::enrolment::token::Token;
use wicketgate_relay::identity::IdentityFiles;

use super::configuration::{BAD_CONFIGURATION, show};
use super::endpoint;

/// Join a site by a one-time token: the key is made here, and stays here.
#[derive(Args)]
pub(crate) struct Join {
    /// The URL that agents and clients dial.
    #[arg(value_parser = Gateway::parse)]
    gateway: Gateway,
    /// The token, as `wicketgate ca token` has made it; `-` reads it from standard input, where no other program sees it.
    #[arg(long)]
    token: String,
    /// The folder to write `authority.pem`, `certificate.pem` and `key.pem` to.
    #[arg(long, value_name = "FOLDER", default_value = "identity")]
    identity: PathBuf,
    /// Put the new identity in place of one that is there.
    #[arg(long)]
    replace: bool,
    /// PEM file with the authorities to trust in front of the gateway, instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    out: endpoint::WayOut,
}

/// The longest text that is read as a token, in bytes.
const MAX_TOKEN: u64 = 1024;

impl Join {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let token = match self.token.as_str() {
            "-" => {
                let mut text = String::new();
                io::stdin().take(MAX_TOKEN).read_to_string(&mut text)?;
                text
            }
            token => token.to_owned(),
        };
        let token: Token = token.trim().parse()?;
        let proxy = self.out.proxy()?;
        // Before the token is used up.
        let place = Room::take(&self.identity, self.replace)?;
        let Some((gateway, https)) = way(self.gateway, self.ca, proxy) else {
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        };
        endpoint::log("error");
        let joined = endpoint::runtime()?.block_on(joiner::join(gateway, &https, &token))?;
        place.fill(&joined)?;
        println!("{}: {}, serial {}", self.identity.display(), joined.name, joined.serial);
        Ok(ExitCode::SUCCESS)
    }
}

/// The way to a gateway, and whom to trust in front of it; none where that cannot be used, which is then shown.
pub(super) fn way(
    gateway: Gateway,
    ca: Option<PathBuf>,
    by: Option<Toggle<RawProxy>>,
) -> Option<(Gateway, FetchConfig)> {
    let mut problems = Problems::default();
    let raw = RawFetch { ca: ca.map(At::nowhere), ..RawFetch::default() };
    let https = raw.check(Place::UNKNOWN, &mut problems);
    let proxy = proxy(by.map(At::nowhere), &gateway, &mut problems);
    let report = Report::new(Sources::default(), problems);
    let loaded = match https {
        Some(https) if report.errors() == 0 => Ok(((gateway.through(proxy), https), report)),
        _ => Err(report),
    };
    show(Path::new("arguments"), loaded)
}

/// Where an identity is written: beside its folder at first, and moved when it is whole.
struct Room {
    folder: PathBuf,
    parent: PathBuf,
    replace: bool,
    /// Removed again, unless it has taken the folder's place.
    beside: tempfile::TempDir,
}

impl Room {
    fn take(folder: &Path, replace: bool) -> anyhow::Result<Self> {
        if !replace && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!(
                "{} holds something already: --replace puts the new identity in its place",
                folder.display()
            );
        }
        let unusable = || format!("nothing can be written beside {}", folder.display());
        let parent = match folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(parent).with_context(unusable)?;
        let mut beside = tempfile::Builder::new();
        beside.prefix(".joining-").permissions(Permissions::from_mode(0o700));
        let beside = beside.tempdir_in(parent).with_context(unusable)?;
        Ok(Self { folder: folder.to_owned(), parent: parent.to_owned(), replace, beside })
    }

    fn fill(self, joined: &Joined) -> anyhow::Result<()> {
        let beside = self.beside.path();
        let files = IdentityFiles::in_folder(beside);
        for (path, text) in [
            (&files.key, joined.key.as_str()),
            (&files.certificate, &joined.certificate),
            (&files.authority, &joined.authority),
        ] {
            write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        File::open(beside)?.sync_all()?;
        // As the agent or client will read it.
        files.load()?;
        // Without --replace nothing is moved away: what has come there meanwhile makes the next step fail.
        let old = (self.replace && self.folder.exists()).then(|| beside.with_extension("before"));
        if let Some(old) = &old {
            fs::rename(&self.folder, old)
                .with_context(|| format!("{} cannot be moved away", self.folder.display()))?;
        }
        let moved = fs::rename(beside, &self.folder);
        if let (Err(_), Some(old)) = (&moved, &old) {
            fs::rename(old, &self.folder)
                .with_context(|| format!("what was there is in {}", old.display()))?;
        }
        moved.with_context(|| format!("{} cannot be written", self.folder.display()))?;
        File::open(&self.parent)?.sync_all()?;
        if let Some(old) = old {
            fs::remove_dir_all(&old).with_context(|| format!("{} cannot be removed", old.display()))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
