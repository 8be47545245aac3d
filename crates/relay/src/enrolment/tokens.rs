//! The tokens of an authority, in its folder: a file each, which changes its name when the token is used.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::message::{JoinRefusal, JoinRequest};
use super::token::{ID, JoinKey, Token};
use crate::authority::{Authority, AuthorityError, Certificate, PARTY_LIFETIME};
use crate::name::{Name, NameError, Role};

/// The most tokens at a time, used ones among them until they would have expired.
const MAX_TOKENS: usize = 10_000;
/// The longest file of a token, in bytes.
const MAX_FILE: u64 = 4 << 10;

/// The tokens of an authority.
#[derive(Debug)]
pub struct Tokens {
    folder: PathBuf,
}

/// What is kept of a token: with it a request can be verified, and the token not be made.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    role: Role,
    name: String,
    /// In seconds since 1970.
    expires: u64,
    key: String,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// No name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Of a gateway, whose certificate no token gives.
    #[error("a token is for an agent or a client")]
    Role,
    /// The folder cannot be used.
    #[error("`{0}` cannot be used: {1}")]
    Folder(PathBuf, io::Error),
    /// Too many.
    #[error("there are {MAX_TOKENS} tokens that have not expired")]
    Many,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

/// Why a request is not followed, and the same for people.
pub(super) type Refused = (JoinRefusal, &'static str);

impl Tokens {
    /// Those in the folder of an authority.
    pub fn of(authority: &Path) -> Self {
        Self { folder: authority.join("tokens") }
    }

    /// Makes a token, which is for this name alone.
    ///
    /// # Errors
    /// No name, or a folder that cannot be used.
    pub fn create(
        &self,
        authority: &Authority,
        role: Role,
        name: &str,
        lifetime: Duration,
    ) -> Result<Token, TokensError> {
        if !matches!(role, Role::Agent | Role::Client) {
            return Err(TokensError::Role);
        }
        Name::new(authority.site(), role, name)?;
        let unusable = |error| TokensError::Folder(self.folder.clone(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(unusable)?;
        let now = SystemTime::now();
        if self.prune(now).map_err(unusable)? >= MAX_TOKENS {
            return Err(TokensError::Many);
        }
        let made = Token::generate(authority.certificate()).and_then(|token| Some((token.key()?, token)));
        let (key, token) = made.ok_or(TokensError::Randomness)?;
        let expires = seconds(now).saturating_add(lifetime.as_secs());
        let kept = Kept { role, name: name.to_owned(), expires, key: key.kept().to_string() };
        let written = serde_json::to_vec(&kept).map_err(io::Error::other).and_then(|text| {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create_new(true).mode(0o600).open(self.path(token.id(), OPEN))?;
            file.write_all(&text)?;
            file.sync_all()
        });
        written.and_then(|()| self.sync()).map_err(unusable)?;
        Ok(token)
    }

    /// Issues a certificate to whoever has shown a token: once, in time, for the token's name and the request's key.
    pub(super) fn redeem(
        &self,
        authority: &Authority,
        asked: &JoinRequest,
        now: SystemTime,
    ) -> Result<(Name, Certificate), Refused> {
        const UNKNOWN: Refused = (JoinRefusal::Token, "the authority knows no such token");
        const USED: Refused = (JoinRefusal::Token, "this token was used already: ask for another");
        const FAILED: Refused =
            (JoinRefusal::Failed, "the authority cannot issue now: its administrator is told");
        let id: &[u8; ID] = asked.token.0.as_slice().try_into().map_err(|_| UNKNOWN)?;
        let proved = |state: &str| {
            let kept = self.read(&self.path(id, state))?;
            let key = JoinKey::from_kept(&kept.key)?;
            key.verifies(id, &asked.request.0, &asked.mac.0).then_some(kept)
        };
        let kept = match proved(OPEN) {
            Some(kept) => kept,
            // That a token is used, only its holder learns.
            None => return Err(if proved(USED_STATE).is_some() { USED } else { UNKNOWN }),
        };
        if seconds(now) >= kept.expires {
            return Err((JoinRefusal::Expired, "this token has expired: ask for another"));
        }
        // Before it counts as used: whoever sends nonsense by mistake may come again.
        let key = Authority::requested(&asked.request.0).map_err(|_| {
            (JoinRefusal::Request, "this is no request for a certificate with a key of P-256")
        })?;
        // Of two at once, one finds the file.
        match fs::rename(self.path(id, OPEN), self.path(id, USED_STATE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(USED),
            renamed => renamed.and_then(|()| self.sync()).map_err(|error| {
                tracing::error!("{}: {error}", self.folder.display());
                FAILED
            })?,
        }
        let issued = || {
            let name = Name::new(authority.site(), kept.role, &kept.name)?;
            let certificate = authority.certify(&name, &key, PARTY_LIFETIME)?;
            Ok::<_, AuthorityError>((name, certificate))
        };
        issued().map_err(|error| {
            tracing::error!("no certificate: {error}");
            FAILED
        })
    }

    fn path(&self, id: &[u8; ID], state: &str) -> PathBuf {
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{id}.{state}"))
    }

    fn read(&self, path: &Path) -> Option<Kept> {
        let text = wicketgate_config::file::read(path, MAX_FILE).ok()?;
        serde_json::from_str(&text).inspect_err(|error| tracing::error!("{}: {error}", path.display())).ok()
    }

    /// Removes those that have expired a day ago; gives how many are left.
    fn prune(&self, now: SystemTime) -> io::Result<usize> {
        let mut left = 0;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            match self.read(&path) {
                Some(kept) if kept.expires.saturating_add(86_400) <= seconds(now) => fs::remove_file(path)?,
                _ => left += 1,
            }
        }
        Ok(left)
    }

    /// What has become of names in the folder outlives a crash.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// How the file of a token ends that can be used.
const OPEN: &str = "json";
/// How that of a token ends that was.
const USED_STATE: &str = "used";

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
